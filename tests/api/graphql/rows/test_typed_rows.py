"""The types of the published data model: they are there soon, answer alike, and go when the model goes on."""

from __future__ import annotations

import asyncio
import time

import httpx
from graphql import GraphQLObjectType, get_named_type, parse, validate, validate_schema

from api.app import App
from api.context import SCHEMA
from api.graphql import present
from api.graphql.datamodel.uses import UNUSED
from api.graphql.rows.names import field_name, type_name, written
from api.graphql.rows.typed import typed_schema
from api.graphql.schema import make_schema
from core.access import SYSTEM
from core.datamodel.drafts import get_draft, remove_field
from core.datamodel.publication import publish
from core.datamodel.records import Entity, FieldKind, Model
from core.db import transaction
from tests.api.conftest import make_token, settings_for
from tests.api.gql import Gql, create_profile
from tests.api.graphql.conftest import House
from tests.api.graphql.rows.test_rows import LINK, SAVE, make, open_shop
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_fields, unique
from tests.core.targeting.shop import MODEL

BASE = make_schema()._schema
ALL = """{ purchaseRows(where: {text: "amount > 1"}, orderBy: {field: "amount"}, first: 3) { totalCount nodes {
  id code amount pieces boughtAt day paid state more ref place { longitude latitude } createdAt updatedAt
  customer { id card purchases(first: 1) { nodes { code } pageInfo { hasNextPage } }
             clubs(first: 2) { nodes { motto members(first: 2) { nodes { id } } } } }
  product { sku sales(first: 9) { nodes { code } } } invoice { number purchase { code } }
  owner { externalId owned(first: 9) { nodes { code } } } } } }"""


async def test_rows_are_typed_with_their_links(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    ann = await create_profile(gql, externalId="A2", teamFields={"card": "K7"})
    await make(gql, "product", sku="tea")
    club = await make(gql, "club", motto="Tea")
    await gql.do(LINK, input={"dataset": "club", "link": "members", "add": [{"row": {"id": club}, "target": ann}]})
    rows = [
        {"values": {"code": f"A{n}", "amount": f"{n}.10", "pieces": 2**53, "bought_at": "2026-01-01T00:00:00Z",
                    "day": "2026-01-01", "paid": True, "state": "open", "more": {"a": 1},
                    "place": {"longitude": 1.5, "latitude": -2}, "customer": ann, "product": {"sku": "tea"}}}
        for n in range(3)
    ]  # fmt: skip
    rows[0]["values"]["pieces"], rows[1]["values"]["pieces"] = 1, 2
    await gql.do(SAVE, input={"dataset": "purchase", "mode": "CREATE", "rows": rows})
    await make(gql, "invoice", number="1", purchase={"code": "A2"})

    found = (await gql.ask(ALL))["purchaseRows"]

    assert found["totalCount"] == len(found["nodes"]) == 2
    first, second = found["nodes"]
    assert len(second.pop("ref")) == 36
    for name in ("id", "createdAt", "updatedAt"):
        assert second.pop(name)
    clubs = {"nodes": [{"motto": "Tea", "members": {"nodes": [{"id": ann}]}}]}
    purchases = {"nodes": [{"code": "A0"}], "pageInfo": {"hasNextPage": True}}
    assert second == {
        "code": "A2", "amount": "2.10", "pieces": str(2**53), "boughtAt": "2026-01-01T00:00:00Z", "day": "2026-01-01",
        "paid": True, "state": "open", "more": {"a": 1}, "place": {"longitude": 1.5, "latitude": -2.0},
        "customer": {"id": ann, "card": "K7", "purchases": purchases, "clubs": clubs},
        "product": {"sku": "tea", "sales": {"nodes": [{"code": f"A{n}"} for n in range(3)]}},
        "invoice": {"number": "1", "purchase": {"code": "A2"}},
        "owner": {"externalId": "A2", "owned": {"nodes": [{"code": "A2"}]}},
    }  # fmt: skip
    assert (first["pieces"], first["invoice"], first["owner"]) == (2, None, None)
    text = 'query ($id: ID!) { purchaseRow(row: {key: {code: "A1"}}) { code } node(id: $id) { __typename id } }'
    one = await gql.ask(text, id=club)
    assert one == {"purchaseRow": {"code": "A1"}, "node": {"__typename": "DatasetRow", "id": club}}


async def test_limits_hold_for_published_types(house: House) -> None:
    await open_shop(house)
    deep = "{ purchaseRows { nodes " + "{ customer { purchases { nodes " * 8 + "{ id }" + " } } }" * 8 + " } }"
    wide = "{ purchaseRows(first: 500) { nodes { customer { purchases(first: 500) { nodes { code amount day } } } } } }"

    for text, code in (
        (deep, "QUERY_TOO_DEEP"),
        (wide, "QUERY_TOO_COSTLY"),
        ("{ purchaseRows { nodes { cod } } }", "BAD_REQUEST"),
    ):
        assert await house.gql.code(text) == code


async def test_another_process_knows_within_two_seconds(house: House, database_url: str) -> None:
    other = App(settings_for(database_url, house.runtime.settings.var_dir))
    await other.start()
    try:
        transport = httpx.ASGITransport(app=other)
        async with httpx.AsyncClient(transport=transport, base_url="http://clarion.test") as http:
            gql, text = Gql(http, await make_token(house.app)), "{ profiles { nodes { loyaltyTier } } }"
            assert await gql.code(text) == "BAD_REQUEST"
            async with transaction(house.runtime.pool) as conn:
                await publish_fields(conn, field("loyalty_tier"))
            published = time.monotonic()
            while "errors" in (await gql.post(text)).json():
                assert time.monotonic() < published + 2
                await asyncio.sleep(0.05)
            async with transaction(house.runtime.pool) as conn:
                await remove_field(conn, SYSTEM, "profile", "loyalty_tier", now=NOW)
                draft = await get_draft(conn)
                await publish(conn, SYSTEM, expected_version=draft.version, now=NOW, guard=UNUSED)
            hidden = time.monotonic()
            while "errors" not in (await gql.post(text)).json():
                assert time.monotonic() < hidden + 2
                await asyncio.sleep(0.05)
    finally:
        await other.stop()


async def test_what_is_hidden_is_null_for_whoever_asks_by_the_schema_of_before(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    await make(gql, "purchase", code="A1", amount=3)
    text = "{ purchaseRows { nodes { code amount } } }"
    schema = house.runtime.resources[SCHEMA]
    await schema.stop()  # it would look each second, and perhaps between these
    before = schema.documents
    await gql.ask(text)
    async with transaction(house.runtime.pool) as conn:
        await remove_field(conn, SYSTEM, "purchase", "amount", now=NOW)
        draft = await get_draft(conn)
        await publish(conn, SYSTEM, expected_version=draft.version, now=NOW, guard=UNUSED)

    schema.documents = before
    assert (await gql.ask(text))["purchaseRows"]["nodes"] == [{"code": "A1", "amount": None}]
    await schema.refresh()
    assert await gql.code(text) == "BAD_REQUEST"
    assert schema.documents is not before
    await schema.start()


async def test_questions_go_on_while_a_model_is_published(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    await make(gql, "purchase", code="A1")
    answers: list[object] = []
    ended = False

    async def asking() -> None:
        while not ended:
            answers.append((await gql.post("{ purchaseRows { nodes { code } } profiles { nodes { id } } }")).json())

    askers = [asyncio.create_task(asking()) for _ in range(3)]
    for n in range(4):
        async with transaction(house.runtime.pool) as conn:
            await publish_fields(conn, field(f"note{n}"), entity="purchase")
        await house.runtime.resources[SCHEMA].refresh()
    ended = True
    await asyncio.gather(*askers)

    assert answers
    assert [
        one for one in answers if one != {"data": {"purchaseRows": {"nodes": [{"code": "A1"}]}, "profiles": {"nodes": []}}}
    ] == []


def test_a_schema_of_nothing_is_the_static_one() -> None:
    assert typed_schema(BASE, Model()) is BASE
    assert typed_schema(BASE, Model(entities=(Entity(name="profile", label="Profile", built_in=True),))) is BASE


def test_a_published_schema_is_whole_and_shares_nothing_that_has_fields() -> None:
    made = typed_schema(BASE, MODEL)

    assert validate_schema(made) == []
    shared = [kind for name, kind in made.type_map.items() if BASE.type_map.get(name) is kind and hasattr(kind, "interfaces")]
    assert [kind.name for kind in shared if not kind.name.startswith("__")] == []
    assert set(BASE.type_map) < set(made.type_map)
    for name, kind in BASE.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            now = made.type_map[name]
            assert isinstance(now, GraphQLObjectType)
            assert {one: str(part.type) for one, part in kind.fields.items()}.items() <= {
                one: str(part.type) for one, part in now.fields.items()
            }.items()


def test_names_that_are_taken_or_alike_are_told_apart() -> None:
    model = Model(
        entities=(
            Entity(name="profile", label="Profile", built_in=True, fields=(field("quarantine"), field("linked"), field("a_1"))),
            *(
                Entity(
                    name=name, label=name, fields=(field("title"), field("dataset"), field("values"), field("a1"), field("a_2"))
                )
                for name in ("dataset", "order1", "order_1", "audience", "linked", "node", "query", "place")
            ),
        )
    )
    made = typed_schema(BASE, model)

    assert validate_schema(made) == []
    assert made.query_type is not None
    assert {
        "team_datasetRow",
        "team_datasetRows",
        "datasetRow",
        "order1Rows",
        "order_1Rows",
        "audienceRows",
        "queryRow",
    } <= set(made.query_type.fields)
    assert str(get_named_type(made.query_type.fields["datasetRow"].type)) == "DatasetRow"
    assert str(get_named_type(made.query_type.fields["team_datasetRow"].type)) == "Team_DatasetRow"
    profile = made.type_map["Profile"]
    assert isinstance(profile, GraphQLObjectType)
    assert {"team_quarantine", "team_linked", "a_1"} <= set(profile.fields)
    assert validate(made, parse("{ order1Rows { nodes { a1 a_2 title dataset } } order_1Rows { nodes { id } } }")) == []


def test_names_are_written_in_camel_case_where_that_can_be_read_back() -> None:
    assert [written(one) for one in ("code", "bought_at", "order_1", "a1_b", "a_", "a__b")] == [
        "code", "boughtAt", "order_1", "a1B", "a_", "a__b",
    ]  # fmt: skip
    assert (field_name("code", ()), field_name("code", ("code",))) == ("code", "team_code")
    assert (type_name("order_line", ()), type_name("order_line", ("OrderLineRow",))) == ("OrderLineRow", "Team_OrderLineRow")


async def test_the_database_may_be_away_for_a_while(house: House) -> None:
    schema: present.PresentSchema = house.runtime.resources[SCHEMA]
    pool = schema._runtime.pool
    before = schema.documents

    class Gone:
        def acquire(self, timeout: float) -> object:
            raise ConnectionRefusedError

    object.__setattr__(schema._runtime, "pool", Gone())
    await schema._try()
    object.__setattr__(schema._runtime, "pool", pool)

    assert schema.documents is before
    await open_shop(house)
    assert schema.documents is not before


def test_kinds_of_values_are_those_of_the_model() -> None:
    kinds = [field(f"f_{kind.value}", kind, **({"choices": ()} if kind is FieldKind.ENUMERATION else {})) for kind in FieldKind]
    made = typed_schema(
        BASE, Model(entities=(Entity(name="all", label="All", fields=tuple(kinds), links=(link("up", "all"),)),))
    )
    row = made.type_map["AllRow"]

    assert isinstance(row, GraphQLObjectType)
    assert {name: str(one.type) for name, one in row.fields.items() if name.startswith("f")} == {
        "fText": "String", "fInteger": "BigInteger", "fDecimal": "Decimal", "fBoolean": "Boolean", "fDate": "Date",
        "fInstant": "DateTime", "fEnumeration": "String", "fJson": "JSON", "fPoint": "Place", "fAutomaticId": "String",
        "fCreatedBy": "String", "fChangedBy": "String",
    }  # fmt: skip
    assert {name: str(row.fields[name].type) for name in ("up", "ofUp")} == {"up": "AllRow", "ofUp": "LinkedAllRowConnection!"}


async def test_a_profile_is_linked_through_its_team_fields(house: House) -> None:
    gql = house.gql
    async with transaction(house.runtime.pool) as conn:
        await dataset(conn, "store", field("code", max_length=20))
        await unique(conn, "by_code", "code", entity="store")
        await point(conn, link("favourite_store", "store", reverse_name="fans"), "profile")
        await publish_fields(conn, field("home", FieldKind.POINT), field("facts", FieldKind.JSON))
    await house.work()
    await house.runtime.resources[SCHEMA].refresh()
    store = await make(gql, "store", code="S1")
    values = {"home": {"longitude": 2.5, "latitude": 48}, "facts": {"size": [42, None]}}
    person = await create_profile(gql, teamFields={**values, "favourite_store": {"code": "S1"}})
    text = "query ($id: ID!) { profile(id: $id) { teamFields favouriteStore { code } home { longitude } facts } }"
    found = (await gql.ask(text, id=person))["profile"]
    assert found == {
        "teamFields": {**values, "home": {"longitude": 2.5, "latitude": 48.0}, "favourite_store": store},
        "favouriteStore": {"code": "S1"}, "home": {"longitude": 2.5}, "facts": values["facts"],
    }  # fmt: skip

    update = """mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
      profile { teamFields } userErrors { code path hint } } }"""
    same = await gql.do(update, input={"id": person, "teamFields": found["teamFields"]})
    assert same["profile"]["teamFields"] == found["teamFields"]
    (error,) = await gql.refused(update, input={"id": person, "teamFields": {"favourite_store": {"code": "S9"}}})
    assert (error["code"], error["path"]) == ("ROW_NOT_FOUND", "teamFields.favourite_store")
    (error,) = await gql.refused(update, input={"id": person, "teamFields": {"fans": 1}})
    assert error["code"] == "UNKNOWN_FIELD"
    cleared = await gql.do(update, input={"id": person, "teamFields": {"favourite_store": None}})
    assert cleared["profile"]["teamFields"]["favourite_store"] is None
