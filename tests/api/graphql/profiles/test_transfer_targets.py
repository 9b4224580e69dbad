"""Files of more than people in, and files of more than fields out, through GraphQL."""

from __future__ import annotations

from typing import Any

from tests.api.gql import create_profile
from tests.api.graphql.conftest import House

CREATE = """
mutation ($input: CreateImportInput!) {
  createImport(input: $input) { import { id } uploadUrl userErrors { code path message } }
}"""
TEMPLATE = """
mutation ($input: CreateImportTemplateInput!) {
  createImportTemplate(input: $input) { importTemplate { id matchKey keys } userErrors { code path message } }
}"""
START = "mutation ($id: ID!) { startImport(id: $id) { import { state } userErrors { code path } } }"
IMPORT = """
query ($id: ID!) {
  import(id: $id) {
    state matchKey keys inserted unchanged rejected target { kind listName audienceId serviceId replace } error { code }
  }
}"""
CREATE_EXPORT = """
mutation ($input: CreateExportInput!) {
  createExport(input: $input) { export { id dimension columns computed timeZone } userErrors { code path message } }
}"""
DOWNLOAD = "mutation ($id: ID!) { createExportDownload(exportId: $id) { downloadUrl userErrors { code } } }"


async def bring(house: House, body: str, **given: Any) -> dict[str, Any]:
    """A file on its whole way."""
    gql = house.gql
    made = await gql.do(CREATE, input=given)
    assert (await gql.http.put(made["uploadUrl"], content=body.encode())).status_code == 201
    await gql.do(START, id=made["import"]["id"])
    await house.work()
    found: dict[str, Any] = (await gql.ask(IMPORT, id=made["import"]["id"]))["import"]
    return found


async def test_a_template_makes_lists_of_files(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example", externalId="A")
    options = {"target": {"kind": "LIST", "listName": "fair"}, "expectedColumns": ["external_id", "email"]}
    keys = ["external_id", "email"]
    made = await gql.do(TEMPLATE, input={"name": "fairs", "label": "Fairs", "keys": keys, "options": options})
    assert made["importTemplate"]["keys"] == keys
    found = await bring(
        house, "external_id,email\n,anna@shop.example\nB,\n", templateId=made["importTemplate"]["id"], fileName="fair.csv"
    )
    assert (found["state"], found["inserted"], found["rejected"]) == ("FINISHED", 1, 1)
    assert (found["matchKey"], found["keys"]) == ("EXTERNAL_ID", keys)
    listed = await gql.ask("query ($id: ID!) { audience(id: $id) { name kind } }", id=found["target"]["audienceId"])
    assert listed["audience"] == {"name": "fair", "kind": "LIST"}


async def test_addresses_go_into_quarantine_by_a_file(house: House) -> None:
    target = {"kind": "QUARANTINE", "addressKind": "email"}
    found = await bring(house, "address,status\nx@shop.example,denylisted\nno,\n", keys=["address"], options={"target": target})
    assert (found["inserted"], found["rejected"], found["matchKey"], found["error"]) == (1, 1, None, None)


async def test_what_does_not_fit_is_told_with_its_place(house: House) -> None:
    cases: list[tuple[dict[str, Any], str, str | None]] = [
        ({"keys": ["email"], "matchKey": "EMAIL"}, "KEYS_TWICE", "keys"),
        ({}, "REQUIRED", "matchKey"),
        ({"keys": ["nothing"]}, "UNKNOWN_KEY", "matchKey"),
        ({"keys": ["id"], "options": {"target": {"kind": "DATASET", "dataset": "no"}}}, "DATASET_NOT_FOUND", None),
        ({"keys": ["email"], "options": {"mode": "UPDATE", "target": {"kind": "SUBSCRIPTIONS"}}}, "BAD_MODE", None),
        ({"keys": ["email"], "options": {"target": {"kind": "LIST", "audienceId": "bad"}}}, "BAD_ID", None),
    ]
    for given, code, path in cases:
        (error,) = await house.gql.refused(CREATE, input=given)
        assert error["code"] == code, error
        if path is not None:
            assert error["path"].endswith(path)


async def test_columns_are_computed(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example", firstName="Anna")
    await create_profile(gql, email="bob@shop.example", firstName="Bob")
    given = {
        "columns": ["greeting", "email"], "expression": {"text": "first_name = 'bob'"},
        "computed": [
            {"name": "greeting", "expression": {"text": "concat('Dear ', first_name)"}},
            {"name": "has email", "expression": {"text": "exists(received) or email = 'bob@shop.example'"}},
        ],
    }  # fmt: skip
    made = await gql.do(CREATE_EXPORT, input=given)
    assert made["export"]["columns"] == ["greeting", "email", "has email"]
    await house.work()
    file = await gql.http.get((await gql.do(DOWNLOAD, id=made["export"]["id"]))["downloadUrl"])
    assert file.text.splitlines() == ["greeting,email,has email", "Dear Bob,bob@shop.example,true"]

    (wrong,) = await gql.refused(CREATE_EXPORT, input={"dimension": "messages"})
    assert wrong["code"] == "DIMENSION_NOT_FOUND"
    twice = [{"name": "x", "expression": {"text": "first_name"}}, {"name": "x", "expression": {"text": "last_name"}}]
    (wrong,) = await gql.refused(CREATE_EXPORT, input={"columns": ["x"], "computed": twice})
    assert (wrong["code"], wrong["path"]) == ("REPEATED", "computed")
    messages = await gql.do(CREATE_EXPORT, input={"dimension": "message"})
    assert messages["export"]["dimension"] == "message"
    assert messages["export"]["columns"] == ["at", "state", "reason", "segment_code", "logged"]
    assert messages["export"]["timeZone"] == "UTC"


async def test_an_export_has_a_time_zone(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example")
    hours = [{"name": "hour", "expression": {"text": "hour(to_instant('2026-03-01T20:30:00Z'))"}}]
    made = await gql.do(CREATE_EXPORT, input={"columns": [], "computed": hours, "timeZone": "Asia/Tokyo"})
    assert made["export"]["timeZone"] == "Asia/Tokyo"
    await house.work()
    file = await gql.http.get((await gql.do(DOWNLOAD, id=made["export"]["id"]))["downloadUrl"])
    assert file.text.splitlines() == ["hour", "5"]
    (wrong,) = await gql.refused(CREATE_EXPORT, input={"timeZone": "Mars/Olympus"})
    assert (wrong["code"], wrong["path"]) == ("UNKNOWN_TIME_ZONE", "timeZone")
