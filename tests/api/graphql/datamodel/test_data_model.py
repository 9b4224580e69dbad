"""The data model through GraphQL, from the first field to its end."""

from __future__ import annotations

from typing import Any

from core.ids import to_global_id
from tests.api.gql import create_profile
from tests.api.graphql.conftest import House

ERRORS = "userErrors { code message path hint }"
SAVE = f"mutation ($input: SaveDataFieldInput!) {{ saveDataField(input: $input) {{ draft {{ version }} {ERRORS} }} }}"
REMOVE = f"""mutation ($dataset: String!, $name: String!) {{
  removeDataField(dataset: $dataset, name: $name) {{ draft {{ version }} {ERRORS} }} }}"""
PUBLISH = f"""mutation ($v: Int!) {{ publishDataModel(draftVersion: $v) {{
  dataModel {{ version statements datasets {{ name fields {{ name kind choices {{ name label }} }} }} }} {ERRORS} }} }}"""
DROP = f"""mutation ($confirm: String!) {{
  dropHiddenData(dataset: "profile", field: "tier", confirm: $confirm) {{ dropped {{ field sqlType }} {ERRORS} }} }}"""
PREVIEW = (
    """{ dataModelPreview { draftVersion baseVersion changes { action dataset field details } statements { sql locks } } }"""
)
TIER: dict[str, Any] = {
    "dataset": "profile",
    "name": "tier",
    "label": "Tier",
    "kind": "ENUMERATION",
    "choices": [{"name": "gold", "label": "Gold"}, {"name": "silver", "label": "Silver"}],
}


async def test_a_field_is_drafted_previewed_published_hidden_and_dropped(house: House) -> None:
    gql = house.gql
    await gql.do(SAVE, input=TIER)
    seen = (await gql.ask(PREVIEW))["dataModelPreview"]
    assert seen["changes"] == [{"action": "ADD", "dataset": "profile", "field": "tier", "details": []}]
    assert seen["statements"] == [
        {"sql": f"ALTER TABLE {table} ADD COLUMN x_tier character varying(30)", "locks": [table]}
        for table in ("profile", "test_profile")
    ]
    assert (await gql.ask("{ dataModel { version } }"))["dataModel"] == {"version": 0}

    done = (await gql.do(PUBLISH, v=seen["draftVersion"]))["dataModel"]

    (profile,) = [one for one in done["datasets"] if one["name"] == "profile"]
    assert profile["fields"] == [{"name": "tier", "kind": "ENUMERATION", "choices": TIER["choices"]}]
    removed = await gql.do(REMOVE, dataset="profile", name="tier")
    await gql.do(PUBLISH, v=removed["draft"]["version"])
    assert (await gql.ask("{ hiddenData { dataset field } }"))["hiddenData"] == [{"dataset": "profile", "field": "tier"}]
    (told,) = (await gql.ask("{ hiddenData { values statements { locks } } }"))["hiddenData"]
    assert told == {"values": 0, "statements": [{"locks": ["profile"]}, {"locks": ["test_profile"]}]}
    (error,) = await gql.refused(DROP, confirm="yes")
    assert (error["code"], error["path"]) == ("NOT_CONFIRMED", "confirm")
    assert "'profile.tier'" in error["hint"]
    assert (await gql.do(DROP, confirm="profile.tier"))["dropped"]["sqlType"] == "character varying(30)"
    assert (await gql.ask("{ hiddenData { field } }"))["hiddenData"] == []
    versions = await gql.ask("{ dataModelVersions(first: 2) { nodes { version } pageInfo { hasNextPage } } }")
    assert versions["dataModelVersions"] == {"nodes": [{"version": 2}, {"version": 1}], "pageInfo": {"hasNextPage": True}}


async def test_fields_are_told_under_their_headings(house: House) -> None:
    gql = house.gql
    saved = await gql.do(SAVE, input={**TIER, "category": "Loyalty"})
    before = await gql.do(PUBLISH, v=saved["draft"]["version"])
    told = (await gql.ask("{ dataModel { datasets { name fields { name category } } } }"))["dataModel"]
    asked = (await gql.ask("{ targetFields { name category } }"))["targetFields"]
    changed = await gql.do(SAVE, input={**TIER, "category": "Clubs"})
    preview = (await gql.ask(PREVIEW))["dataModelPreview"]
    await gql.do(PUBLISH, v=changed["draft"]["version"])

    assert before["dataModel"]["version"] == 1
    assert told["datasets"][0]["fields"] == [{"name": "tier", "category": "Loyalty"}]
    assert {one["name"]: one["category"] for one in asked}.items() >= {"tier": "Loyalty", "city": "Postal address"}.items()
    assert preview["changes"][0]["details"] == ["category: 'Loyalty' becomes 'Clubs'"]
    assert preview["statements"] == []
    profile = next(
        one for one in (await gql.ask("{ targetEntities { name fields { name category } } }"))["targetEntities"]
        if one["name"] == "profile"
    )  # fmt: skip
    assert {"name": "tier", "category": "Clubs"} in profile["fields"]
    for bad in ("", " Clubs", "Clubs\n", "x" * 61):
        (error,) = await gql.refused(SAVE, input={**TIER, "category": bad})
        assert (error["code"], error["path"]) == ("BAD_CATEGORY", "category")


async def test_what_is_wrong_is_told_with_its_place(house: House) -> None:
    (error,) = await house.gql.refused(SAVE, input={**TIER, "choices": []})
    assert (error["code"], error["path"]) == ("CHOICES_MISSING", "choices")
    (error,) = await house.gql.refused(SAVE, input={**TIER, "dataset": "profiles"})
    assert (error["code"], error["hint"]) == ("DATASET_NOT_FOUND", "Did you mean 'profile'?")
    (error,) = await house.gql.refused(PUBLISH, v=1)
    assert error["code"] == "NOTHING_TO_PUBLISH"


async def test_a_published_field_is_asked_about_and_kept_while_it_is(house: House) -> None:
    gql = house.gql
    asked = "{ target(expression: {text: \"tier = 'gold'\"}) { count reads } }"
    assert await gql.code(asked) == "UNKNOWN_FIELD"
    saved = await gql.do(SAVE, input=TIER)
    await gql.do(PUBLISH, v=saved["draft"]["version"])
    await house.runtime.pool.execute("INSERT INTO profile (x_tier) VALUES ('gold'), ('gold'), ('silver'), (NULL)")

    assert (await gql.ask(asked))["target"] == {"count": 2, "reads": ["tier"]}
    (shown,) = [
        one for one in (await gql.ask("{ targetFields { name kind values } }"))["targetFields"] if one["name"] == "tier"
    ]
    assert shown == {"name": "tier", "kind": "ENUMERATION", "values": ["gold", "silver"]}

    made = await gql.do(
        """mutation ($i: CreateAudienceInput!) { createAudience(input: $i) {
             audience { target { count } } userErrors { code message path hint } } }""",
        i={"name": "golden", "label": "Golden", "expression": {"text": "tier = 'gold'"}},
    )
    assert made["audience"] == {"target": {"count": 2}}
    removed = await gql.do(REMOVE, dataset="profile", name="tier")
    preview = (await gql.ask("{ dataModelPreview { changes { field } users { kind name reads } } }"))["dataModelPreview"]
    assert preview["users"] == [{"kind": "audience", "name": "golden", "reads": ["tier"]}]
    (error,) = await gql.refused(PUBLISH, v=removed["draft"]["version"])
    assert (error["code"], "'golden' (tier)" in error["message"]) == ("FIELD_IN_USE", True)
    assert (await gql.ask(asked))["target"]["count"] == 2


async def test_a_profile_has_the_fields_of_the_team(house: House) -> None:
    gql = house.gql
    create = """mutation ($i: CreateProfileInput!) { createProfile(input: $i) {
      profile { id firstName teamFields } userErrors { code message path hint } } }"""
    update = """mutation ($i: UpdateProfileInput!) { updateProfile(input: $i) {
      profile { teamFields } userErrors { code message path hint } } }"""
    await gql.do(SAVE, input=TIER)
    kinds = {"points": "INTEGER", "spent": "DECIMAL", "seen": "INSTANT", "joined": "DATE", "uid": "AUTOMATIC_ID"}
    for name, kind in kinds.items():
        saved = await gql.do(SAVE, input={"dataset": "profile", "name": name, "label": name, "kind": kind})
    await gql.do(PUBLISH, v=saved["draft"]["version"])
    values = {"tier": "gold", "points": 3, "spent": "1.10", "seen": "2026-01-01T12:00:00Z", "joined": "2026-01-01"}

    made = (await gql.do(create, i={"firstName": "Ann", "teamFields": values}))["profile"]
    assert len(made["teamFields"]["uid"]) == 36
    values["uid"] = made["teamFields"]["uid"]
    assert made["teamFields"] == values
    changed = await gql.do(update, i={"id": made["id"], "teamFields": {"tier": "silver", "points": None}})
    assert changed["profile"]["teamFields"] == {**values, "tier": "silver", "points": None}
    assert (await gql.do(update, i={"id": made["id"], "teamFields": None}))["profile"] == changed["profile"]

    for wrong, code, path in (
        ({"tier": "bronze"}, "BAD_VALUE", "teamFields.tier"),
        ({"email": "a@b.example"}, "UNKNOWN_FIELD", "teamFields.email"),
        (["tier"], "WRONG_TYPE", "teamFields"),
    ):
        (error,) = await gql.refused(update, i={"id": made["id"], "teamFields": wrong})
        assert (error["code"], error["path"]) == (code, path)


async def test_links_keys_and_indexes_are_drafted_published_built_and_told(house: House) -> None:
    gql = house.gql
    dataset = f"mutation ($i: SaveDatasetInput!) {{ saveDataset(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    link = f"mutation ($i: SaveLinkInput!) {{ saveLink(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    key = f"mutation ($i: SaveKeyInput!) {{ saveKey(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    index = f"mutation ($i: SaveKeyInput!) {{ saveIndex(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    retry = f"mutation ($id: ID!) {{ retryDataModelBuild(id: $id) {{ build {{ state }} {ERRORS} }} }}"
    await gql.do(dataset, i={"name": "purchase", "label": "Purchase"})
    await gql.do(SAVE, input={"dataset": "purchase", "name": "code", "label": "Code", "kind": "TEXT", "maxLength": 30})
    customer = {"dataset": "purchase", "name": "customer", "label": "Customer", "target": "profile", "onDelete": "DELETE"}
    await gql.do(link, i={**customer, "reverseName": "purchases", "reverseLabel": "Purchases"})
    await gql.do(key, i={"dataset": "purchase", "name": "by_code", "fields": ["code"]})
    saved = await gql.do(index, i={"dataset": "purchase", "name": "by_day", "fields": ["customer", "created_at"]})

    seen = (
        await gql.ask("{ dataModelPreview { changes { action field link key index } statements { sql locks } afterwards } }")
    )["dataModelPreview"]
    assert [next(name for name, value in one.items() if value and name != "action") for one in seen["changes"][1:]] == [
        "field", "link", "key", "index",
    ]  # fmt: skip
    assert seen["statements"][-1] == {
        "sql": "ALTER TABLE x_purchase ADD CONSTRAINT x_customer_id_fkey FOREIGN KEY (x_customer_id)"
        " REFERENCES profile (id) ON DELETE CASCADE",
        "locks": ["x_purchase", "profile"],
    }
    assert len(seen["afterwards"]) == 3
    assert all("INDEX CONCURRENTLY" in one for one in seen["afterwards"])

    await gql.do(PUBLISH, v=saved["draft"]["version"])
    shown = """{ dataModel { datasets { name links { name target kind onDelete reverseName sourceFields }
      keys { name fields build { state } } indexes { name fields build { state dropping error { code } } } } } }"""
    (purchase,) = [one for one in (await gql.ask(shown))["dataModel"]["datasets"] if one["name"] == "purchase"]
    assert purchase["keys"] == [{"name": "by_code", "fields": ["code"], "build": {"state": "WAITING"}}]
    (told,) = purchase["links"]
    assert (told["kind"], told["onDelete"], told["reverseName"]) == ("MANY_TO_ONE", "DELETE", "purchases")
    await house.work()

    builds = await gql.ask("{ dataModelBuilds { nodes { id kind dataset name state percent finishedAt } } }")
    assert {one["state"] for one in builds["dataModelBuilds"]["nodes"]} == {"DONE"}
    assert sorted(one["kind"] for one in builds["dataModelBuilds"]["nodes"]) == ["INDEX", "KEY", "LINK", "REFERENCE"]
    again = await gql.do(retry, id=builds["dataModelBuilds"]["nodes"][0]["id"])
    assert again["build"] == {"state": "WAITING"}
    (error,) = await gql.refused(retry, id=build_id(999))
    assert error["code"] == "BUILD_NOT_FOUND"

    await gql.do(f"""mutation {{ removeIndex(dataset: "purchase", name: "by_day") {{ draft {{ version }} {ERRORS} }} }}""")
    removed = await gql.do(
        f"""mutation {{ removeLink(dataset: "purchase", name: "customer") {{ draft {{ version }} {ERRORS} }} }}"""
    )
    await gql.do(PUBLISH, v=removed["draft"]["version"])
    await house.work()
    hidden = (await gql.ask("{ hiddenData { dataset field link sqlType } }"))["hiddenData"]
    assert hidden == [{"dataset": "purchase", "field": None, "link": "customer", "sqlType": "bigint"}]
    dropped = await gql.do(
        f"""mutation {{ dropHiddenData(dataset: "purchase", link: "customer", confirm: "purchase.customer") {{
             dropped {{ link }} {ERRORS} }} }}"""
    )
    assert dropped["dropped"] == {"link": "customer"}
    builds = (await gql.ask("{ dataModelBuilds { nodes { name } } }"))["dataModelBuilds"]["nodes"]
    assert builds == [{"name": "by_code"}]


def build_id(number: int) -> str:
    """The id of a build."""
    return to_global_id("DataModelBuild", number)


async def test_fields_of_people_that_no_erasure_reaches_are_warned_of(house: House) -> None:
    gql = house.gql
    dataset = f"mutation ($i: SaveDatasetInput!) {{ saveDataset(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    link = f"mutation ($i: SaveLinkInput!) {{ saveLink(input: $i) {{ draft {{ version }} {ERRORS} }} }}"
    ask = "{ dataModelPreview { warnings { code dataset fields message hint } } }"

    async def warned() -> dict[str, list[str]]:
        found = (await gql.ask(ask))["dataModelPreview"]["warnings"]
        assert {one["code"] for one in found} <= {"NOT_ERASED"}
        assert all(one["dataset"] in one["message"] and one["hint"] for one in found)
        return {one["dataset"]: one["fields"] for one in found}

    for name in ("ticket", "seat", "show"):
        await gql.do(dataset, i={"name": name, "label": name.title()})
    text = {"kind": "TEXT", "maxLength": 30}
    marks = {"holder": {"personal": True}, "needs": {"sensitive": True}, "row": {}}
    for name, mark in marks.items():
        await gql.do(SAVE, input={"dataset": "ticket", "name": name, "label": name.title(), **text, **mark})
    for owner in ("profile", "campaign", "seat"):
        await gql.do(SAVE, input={"dataset": owner, "name": "guest", "label": "Guest", "personal": True, **text})
    assert await warned() == {"ticket": ["holder", "needs"], "seat": ["guest"], "campaign": ["guest"]}

    # Through pairs no row is a person's; through a row that goes with them those behind it are.
    many = {"dataset": "ticket", "name": "visitors", "label": "Visitors", "target": "profile", "kind": "MANY_TO_MANY"}
    await gql.do(link, i={**many, "reverseName": "visits", "reverseLabel": "Visits"})
    on = {"dataset": "seat", "name": "ticket", "label": "Ticket", "target": "ticket", "onDelete": "DELETE"}
    await gql.do(link, i={**on, "reverseName": "seats", "reverseLabel": "Seats"})
    assert set(await warned()) == {"ticket", "seat", "campaign"}
    to = {"dataset": "ticket", "name": "buyer", "label": "Buyer", "target": "profile", "reverseLabel": "Tickets"}
    await gql.do(link, i={**to, "reverseName": "tickets", "onDelete": "CLEAR"})
    assert set(await warned()) == {"seat", "campaign"}, "a ticket stays without its buyer, and its seat with it"
    saved = await gql.do(link, i={**to, "reverseName": "tickets", "onDelete": "DELETE"})
    assert set(await warned()) == {"campaign"}
    await gql.do(PUBLISH, v=saved["draft"]["version"])
    assert set(await warned()) == {"campaign"}


async def test_people_are_found_by_a_searchable_field_once_its_index_is_built(house: House) -> None:
    gql = house.gql
    card = {"dataset": "profile", "name": "card", "label": "Card", "kind": "TEXT", "maxLength": 40}
    create = f"mutation ($i: CreateProfileInput!) {{ createProfile(input: $i) {{ profile {{ id }} {ERRORS} }} }}"
    found = '{ searchProfiles(text: "ann kd-20") { nodes { firstName } } }'
    asked = "{ dataModelBuilds { nodes { kind dataset name state statement } } }"
    saved = await gql.do(SAVE, input={**card, "searchable": True})
    planned = (await gql.ask("{ dataModelPreview { afterwards } }"))["dataModelPreview"]["afterwards"]
    await gql.do(PUBLISH, v=saved["draft"]["version"])
    await gql.do(create, i={"firstName": "Ann", "teamFields": {"card": "KD-2041"}})
    (waiting,) = (await gql.ask(asked))["dataModelBuilds"]["nodes"]
    before = (await gql.ask(found))["searchProfiles"]["nodes"]
    await house.work()

    assert planned == [waiting["statement"]]
    assert (waiting["kind"], waiting["dataset"], waiting["name"]) == ("SEARCH", "profile", "search_words")
    assert (waiting["state"], before) == ("WAITING", [])
    assert (await gql.ask(found))["searchProfiles"]["nodes"] == [{"firstName": "Ann"}]
    model = (await gql.ask("{ dataModel { datasets { fields { name searchable } } } }"))["dataModel"]
    assert model["datasets"][0]["fields"] == [{"name": "card", "searchable": True}]
    changed = await gql.do(SAVE, input=card)
    seen = (await gql.ask(PREVIEW))["dataModelPreview"]
    assert seen["changes"][0]["details"] == ["searchable: yes becomes no"]
    await gql.do(PUBLISH, v=changed["draft"]["version"])
    await house.work()
    assert (await gql.ask(found))["searchProfiles"]["nodes"] == []
    assert (await gql.ask(asked))["dataModelBuilds"]["nodes"] == []
    (error,) = await gql.refused(SAVE, input={**card, "name": "born", "kind": "DATE", "maxLength": None, "searchable": True})
    assert (error["code"], error["path"]) == ("NOT_SEARCHABLE", "searchable")


LOOK = """{ dataModelRepair { version digest damages { kind dataset table column name message hint isMended }
    statements { sql locks } afterwards } }"""
REPAIR = f"""mutation ($digest: String!) {{
  repairDataModel(digest: $digest) {{ repair {{ damages {{ column }} statements {{ sql }} }} {ERRORS} }} }}"""


async def test_what_somebody_dropped_is_found_repaired_and_used_again(house: House) -> None:
    # Given a published field with a value, which processes have read
    gql = house.gql
    await gql.do(SAVE, input=TIER)
    await gql.do(PUBLISH, v=(await gql.ask(PREVIEW))["dataModelPreview"]["draftVersion"])
    ann = await create_profile(gql, email="ann@mail.example", teamFields={"tier": "gold"})
    read = "query ($id: ID!) { profile(id: $id) { email teamFields } }"
    assert (await gql.ask(read, id=ann))["profile"]["teamFields"]["tier"] == "gold"
    assert (await gql.ask(LOOK))["dataModelRepair"]["damages"] == []

    # When its column goes
    await house.runtime.pool.execute("ALTER TABLE profile DROP COLUMN x_tier")

    # Then it is told, made again without its value, and used as before
    found = (await gql.ask(LOOK))["dataModelRepair"]
    assert found["damages"] == [
        {
            "kind": "COLUMN", "dataset": "profile", "table": "profile", "column": "x_tier", "name": "tier", "isMended": True,
            "message": "the column x_tier of profile is not there; it is made again without values",
            "hint": "Its values are in a backup only.",
        }
    ]  # fmt: skip
    sql = "ALTER TABLE profile ADD COLUMN x_tier character varying(30)"
    assert (found["version"], found["statements"], found["afterwards"]) == (1, [{"sql": sql, "locks": ["profile"]}], [])
    (error,) = await gql.refused(REPAIR, digest="other")
    assert error["code"] == "VERSION_CHANGED"
    done = await gql.do(REPAIR, digest=found["digest"])
    assert done["repair"] == {"damages": [{"column": "x_tier"}], "statements": [{"sql": sql}]}
    assert (await gql.ask(read, id=ann))["profile"] == {"email": "ann@mail.example", "teamFields": {"tier": None}}
    bob = await create_profile(gql, email="bob@mail.example", teamFields={"tier": "silver"})
    assert (await gql.ask(read, id=bob))["profile"]["teamFields"]["tier"] == "silver"
    (error,) = await gql.refused(REPAIR, digest=found["digest"])
    assert error["code"] == "NOTHING_TO_REPAIR"
