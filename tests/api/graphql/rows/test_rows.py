"""Rows of datasets through GraphQL: the door that every installation has."""

from __future__ import annotations

from typing import Any

from api.context import SCHEMA
from core.access import Permission
from core.datamodel.builder import build_all
from core.db import transaction
from core.ids import to_global_id
from tests.api.conftest import make_token
from tests.api.gql import Gql, create_profile
from tests.api.graphql.conftest import House
from tests.core.rows.shop import publish_shop

ERRORS = "userErrors { code message path hint }"
CREATE = f"mutation ($input: CreateDatasetRowInput!) {{ createDatasetRow(input: $input) {{ row {{ id }} {ERRORS} }} }}"
SAVE = f"""mutation ($input: SaveDatasetRowsInput!) {{ saveDatasetRows(input: $input) {{
  outcomes {{ index status row {{ id title }} errors {{ code path }} }} created updated unchanged rejected {ERRORS} }} }}"""
LINK = f"""mutation ($input: ChangeDatasetLinksInput!) {{ changeDatasetLinks(input: $input) {{
  added {{ changed errors {{ code path }} }} removed {{ changed }} {ERRORS} }} }}"""


async def open_shop(house: House) -> None:
    """Publish the shop, and let this process know."""
    async with transaction(house.runtime.pool) as conn:
        await publish_shop(conn)
    await build_all(house.runtime)
    await house.runtime.resources[SCHEMA].refresh()


async def make(gql: Gql, dataset: str, **values: Any) -> str:
    """A row; its id."""
    made = await gql.do(CREATE, input={"dataset": dataset, "values": values})
    row_id: str = made["row"]["id"]
    return row_id


async def test_a_row_lives_from_its_creation_to_its_end(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    ann = await create_profile(gql, externalId="c-1", lastName="Doe")
    tea = await make(gql, "product", sku="tea", price="3.50")
    row = await make(gql, "purchase", code="A1", customer={"external_id": "c-1"}, product={"sku": "tea"}, amount=7.5, more=[1],
                     place={"longitude": 1, "latitude": 2})  # fmt: skip

    update = f"""mutation ($input: UpdateDatasetRowInput!) {{ updateDatasetRow(input: $input) {{
                   row {{ dataset title values links updatedAt }} status {ERRORS} }} }}"""
    changed = await gql.do(
        update, input={"dataset": "purchase", "row": {"id": row}, "values": {"amount": None, "day": "2026-03-01"}}
    )
    assert changed["status"] == "UPDATED"
    found = changed["row"]
    ref = found["values"].pop("ref")
    assert len(ref) == 36
    assert found["values"] == {
        "code": "A1", "amount": None, "pieces": None, "bought_at": None, "day": "2026-03-01", "paid": None, "state": None,
        "more": [1], "place": {"longitude": 1.0, "latitude": 2.0},
    }  # fmt: skip
    assert (found["dataset"], found["title"], found["links"]) == ("purchase", "A1", {"customer": ann, "product": tea})
    errors = await gql.refused(
        update, input={"dataset": "purchase", "row": {"id": row}, "values": {}, "expectedUpdatedAt": "2020-01-01T00:00:00Z"}
    )
    assert [(one["code"], one["path"]) for one in errors] == [("VERSION_CHANGED", "expectedUpdatedAt")]

    upsert = f"""mutation ($input: UpsertDatasetRowInput!) {{ upsertDatasetRow(input: $input) {{
                   row {{ id }} status {ERRORS} }} }}"""
    again = await gql.do(upsert, input={"dataset": "purchase", "key": "by_code", "values": {"code": "A1", "pieces": 2}})
    assert (again["status"], again["row"]["id"]) == ("UPDATED", row)

    text = """query ($id: ID!) {
      node(id: $id) { id ... on DatasetRow { title linked(link: "product") { nodes { id } } } }
      datasetRow(dataset: "purchase", row: {key: {code: "A1"}}) {
        id linked(link: "customer") { nodes { id
          ... on Profile { lastName linked(link: "purchases") { nodes { id } } } } } } }"""
    read = await gql.ask(text, id=row)
    assert read["node"] == {"id": row, "title": "A1", "linked": {"nodes": [{"id": tea}]}}
    person = {"id": ann, "lastName": "Doe", "linked": {"nodes": [{"id": row}]}}
    assert read["datasetRow"] == {"id": row, "linked": {"nodes": [person]}}

    delete = f"""mutation ($row: RowKeyInput!) {{ deleteDatasetRow(dataset: "purchase", row: $row) {{
                   row {{ title }} {ERRORS} }} }}"""
    assert (await gql.do(delete, row={"key": {"code": "A1"}}))["row"] == {"title": "A1"}
    assert (await gql.ask(text, id=row)) == {"node": None, "datasetRow": None}


async def test_sets_say_what_became_of_each(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    rows = [
        {"values": {"code": "A1"}},
        {"values": {"code": "A1"}},
        {"values": {"code": 7, "amount": "x"}},
        {"values": {"code": "A2"}},
    ]
    saved = await gql.do(SAVE, input={"dataset": "purchase", "mode": "UPSERT", "key": "by_code", "rows": rows})

    assert [one["status"] for one in saved["outcomes"]] == ["CREATED", "REJECTED", "REJECTED", "CREATED"]
    assert [[(each["code"], each["path"]) for each in one["errors"]] for one in saved["outcomes"]] == [
        [], [("ROW_REPEATED", "rows.1")], [("WRONG_TYPE", "rows.2.values.code"), ("BAD_VALUE", "rows.2.values.amount")], [],
    ]  # fmt: skip
    assert [saved[name] for name in ("created", "updated", "unchanged", "rejected")] == [2, 0, 0, 2]
    delete = f"""mutation ($rows: [RowKeyInput!]!) {{ deleteDatasetRows(dataset: "purchase", rows: $rows) {{
                   outcomes {{ status row {{ title }} errors {{ code path }} }} deleted rejected {ERRORS} }} }}"""
    gone = await gql.do(delete, rows=[{"key": {"code": "A1"}}, {"key": {"code": "A9"}}, {"id": "x"}])
    assert [one["status"] for one in gone["outcomes"]] == ["DELETED", "REJECTED", "REJECTED"]
    assert (gone["deleted"], gone["rejected"]) == (1, 2)
    errors = await gql.refused(SAVE, input={"dataset": "purchase", "mode": "CREATE", "rows": [{"values": [1]}]})
    assert [(one["code"], one["path"]) for one in errors] == [("NOT_AN_OBJECT", "rows.0.values")]
    errors = await gql.refused(SAVE, input={"dataset": "purchase", "mode": "UPSERT", "rows": rows})
    assert [(one["code"], one["path"]) for one in errors] == [("UNKNOWN_KEY", "key")]


async def test_pages_filters_orders_and_counts(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    rows = [{"values": {"code": f"A{n}", "amount": n if n != 3 else None}} for n in range(6)]
    await gql.do(SAVE, input={"dataset": "purchase", "mode": "CREATE", "rows": rows})
    text = """query ($after: String) { datasetRows(dataset: "purchase", where: {text: "amount > 0 or amount is null"},
      orderBy: {field: "amount", direction: DESCENDING}, first: 2, after: $after) {
        totalCount nodes { title } pageInfo { hasNextPage endCursor } edges { cursor } } }"""
    found, after = [], None
    while True:
        page = (await gql.ask(text, after=after))["datasetRows"]
        found += [one["title"] for one in page["nodes"]]
        assert page["totalCount"] == 5
        after = page["pageInfo"]["endCursor"]
        assert page["edges"][-1]["cursor"] == after
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert found == ["A3", "A5", "A4", "A2", "A1"]
    for arguments, code in (
        ('dataset: "purchase", after: "x"', "BAD_CURSOR"),
        (f'dataset: "purchase", after: "{to_global_id("x", 1)}"', "BAD_CURSOR"),
        ('dataset: "purchase", orderBy: {field: "more"}', "UNKNOWN_FIELD"),
        ('dataset: "purchase", where: {text: "amount >"}', "EXPRESSION_SYNTAX"),
        ('dataset: "purchase", where: {text: "nothing = 1"}', None),
        ('dataset: "purchase", where: {json: {op: 1}}', None),
        ('dataset: "purchase", first: 100000', None),
        ('dataset: "purchase", timeZone: "Nowhere"', "UNKNOWN_TIME_ZONE"),
        ('dataset: "profile"', "DATASET_NOT_FOUND"),
        ('dataset: "nothing", where: {text: "amount > 1"}', "DATASET_NOT_FOUND"),
    ):
        found_code = (await gql.errors(f"{{ datasetRows({arguments}) {{ nodes {{ id }} }} }}"))[0]["extensions"]["code"]
        assert code is None or found_code == code, arguments
        assert found_code != "INTERNAL", arguments


async def test_pairs_and_their_pages(house: House) -> None:
    gql = house.gql
    await open_shop(house)
    people = [await create_profile(gql, externalId=f"c-{n}") for n in range(3)]
    club = await make(gql, "club", motto="Tea")
    pairs = [{"row": {"id": club}, "target": {"external_id": f"c-{n}"}} for n in range(4)]
    changed = await gql.do(LINK, input={"dataset": "club", "link": "members", "add": pairs, "remove": pairs[:1]})

    assert [one["changed"] for one in changed["added"]] == [True, True, True, False]
    assert changed["added"][3]["errors"] == [{"code": "PROFILE_NOT_FOUND", "path": "add.3.target"}]
    text = """query ($id: ID!, $after: String) { node(id: $id) { ... on DatasetRow {
      linked(link: "members", first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } } }"""
    first = (await gql.ask(text, id=club))["node"]["linked"]
    second = (await gql.ask(text, id=club, after=first["pageInfo"]["endCursor"]))["node"]["linked"]
    assert [[one["id"] for one in page["nodes"]] for page in (first, second)] == [people[:2], people[2:]]
    assert await gql.code(text, id=club, after="x") == "BAD_CURSOR"
    assert await gql.code(
        'query ($id: ID!) { profile(id: $id) { linked(link: "nothing") { nodes { id } } } }', id=people[0]
    ) == ("LINK_NOT_FOUND")


async def test_who_may_only_read_writes_nothing(house: House) -> None:
    await open_shop(house)
    reader = Gql(house.gql.http, await make_token(house.app, scopes=[Permission.PREFERENCES]))

    for text in ('{ datasetRows(dataset: "purchase") { nodes { id } } }', "{ purchaseRows { nodes { id } } }"):
        assert await reader.code(text) == "FORBIDDEN"
