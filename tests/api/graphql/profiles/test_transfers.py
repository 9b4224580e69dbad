"""Files of people in and out, through GraphQL and the addresses it hands out."""

from __future__ import annotations

import gzip

from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.conftest import House

CREATE = """
mutation ($input: CreateImportInput!) {
  createImport(input: $input) { import { id state } uploadUrl userErrors { code path message } }
}"""
START = "mutation ($id: ID!) { startImport(id: $id) { import { state } userErrors { code path } } }"
IMPORT = "query ($id: ID!) { import(id: $id) { state rows inserted updated unchanged rejected hasRejects error { code } } }"
REJECTS = "mutation ($id: ID!) { createRejectsDownload(importId: $id) { downloadUrl userErrors { code } } }"
CREATE_EXPORT = """
mutation ($input: CreateExportInput!) {
  createExport(input: $input) { export { id state columns } userErrors { code path message } }
}"""
DOWNLOAD = "mutation ($id: ID!) { createExportDownload(exportId: $id) { downloadUrl userErrors { code } } }"
EXPORT = "query ($id: ID!) { export(id: $id) { state rowsTotal rowsWritten error { code } } }"


async def test_a_file_is_announced_uploaded_read_and_its_refused_rows_are_fetched(house: House) -> None:
    # Given a file with a good and a bad row, uploaded
    gql = house.gql
    made = await gql.do(CREATE, input={"fileName": "people.csv", "matchKey": "EMAIL"})
    assert made["import"]["state"] == "WAITING"
    body = b"email,first_name\nanna@shop.example,Anna\nno address,Bob\n"
    assert (await gql.http.put(made["uploadUrl"], content=body)).status_code == 201

    # When it is started and the workers do their part
    started = await gql.do(START, id=made["import"]["id"])
    assert started["import"]["state"] == "READY"
    await house.work()

    # Then it tells what became of the rows
    found = (await gql.ask(IMPORT, id=made["import"]["id"]))["import"]
    assert found == {
        "state": "FINISHED", "rows": 2, "inserted": 1, "updated": 0, "unchanged": 0, "rejected": 1, "hasRejects": True,
        "error": None,
    }  # fmt: skip
    # And the first refused rows are shown
    shown = "query ($id: ID!) { importRejects(importId: $id, first: 5) { line column code reason row } }"
    assert (await gql.ask(shown, id=made["import"]["id"]))["importRejects"] == [
        {"line": 3, "column": "email", "code": "BAD_EMAIL", "row": "no address,Bob",
         "reason": "Email 'no address' is not an email address: it has no @"},
    ]  # fmt: skip
    # And the refused row can be fetched with its line and reason
    rejects = await gql.http.get((await gql.do(REJECTS, id=made["import"]["id"]))["downloadUrl"])
    assert rejects.text.splitlines()[1].startswith("3,email,BAD_EMAIL,")


async def test_a_file_that_was_not_uploaded_cannot_be_read(gql: Gql) -> None:
    made = await gql.do(CREATE, input={"matchKey": "EXTERNAL_ID"})

    (error,) = await gql.refused(START, id=made["import"]["id"])

    assert error["code"] == "FILE_NOT_UPLOADED"


async def test_an_import_can_be_given_another_address_and_be_cancelled(gql: Gql) -> None:
    made = await gql.do(CREATE, input={"matchKey": "EMAIL"})
    renewed = await gql.do(
        "mutation ($id: ID!) { renewImportUpload(id: $id) { uploadUrl userErrors { code } } }", id=made["import"]["id"]
    )
    assert renewed["uploadUrl"] != made["uploadUrl"]

    cancelled = await gql.do(
        "mutation ($id: ID!) { cancelImport(id: $id) { import { state } userErrors { code } } }", id=made["import"]["id"]
    )

    assert cancelled["import"]["state"] == "CANCELLED"
    (error,) = await gql.refused(START, id=made["import"]["id"])
    assert error["code"] == "ILLEGAL_MOVE"


async def test_bad_options_are_told_with_their_place(gql: Gql) -> None:
    (error,) = await gql.refused(
        CREATE, input={"matchKey": "EMAIL", "options": {"mapping": [{"header": "E", "field": "emial"}]}}
    )

    assert error["code"] == "UNKNOWN_FIELD"


async def test_nothing_is_said_twice_of_one_thing(gql: Gql) -> None:
    header = [{"header": "E", "field": "email"}, {"header": "E", "field": "city"}]
    constants = [{"field": "country", "value": "FR"}, {"field": "country", "value": "DE"}]
    cells = [{"cell": "a", "value": "b"}, {"cell": "a", "value": "c"}]
    for options, path in (
        ({"mapping": header}, "options.mapping"),
        ({"constants": constants}, "options.constants"),
        ({"columns": [{"column": "E"}, {"column": "city", "values": cells}]}, "options.columns.1.values"),
    ):
        (error,) = await gql.refused(CREATE, input={"matchKey": "EMAIL", "options": options})
        assert (error["code"], error["path"]) == ("REPEATED", path)


async def test_imports_are_listed(gql: Gql) -> None:
    made = await gql.do(CREATE, input={"matchKey": "EMAIL"})

    listed = await gql.ask("{ imports(first: 500) { totalCount nodes { id matchKey } } }")

    assert made["import"]["id"] in {row["id"] for row in listed["imports"]["nodes"]}
    assert listed["imports"]["totalCount"] == len(listed["imports"]["nodes"])


async def test_people_are_exported_to_a_file_that_is_fetched_once(house: House) -> None:
    # Given two people
    gql = house.gql
    await create_profile(gql, email="anna@shop.example", firstName="=Anna")
    await create_profile(gql, email="bob@shop.example", firstName="Bob")

    # When two fields of them are exported
    made = await gql.do(CREATE_EXPORT, input={"columns": ["email", "first_name"]})
    assert made["export"]["columns"] == ["email", "first_name"]
    (early,) = await gql.refused(DOWNLOAD, id=made["export"]["id"])
    assert early["code"] == "EXPORT_NOT_FINISHED"
    await house.work()
    assert (await gql.ask(EXPORT, id=made["export"]["id"]))["export"] == {
        "state": "FINISHED", "rowsTotal": 2, "rowsWritten": 2, "error": None,
    }  # fmt: skip

    # Then the file is there, safe to open in a spreadsheet, and its address works once
    url = (await gql.do(DOWNLOAD, id=made["export"]["id"]))["downloadUrl"]
    file = await gql.http.get(url)
    assert file.status_code == 200
    assert file.text.splitlines()[0].lstrip("\ufeff") == "email,first_name"
    assert "bob@shop.example,Bob" in file.text
    assert ",=Anna" not in file.text
    assert (await gql.http.get(url)).status_code == 409


async def test_an_audience_or_an_expression_says_whom_an_export_holds(house: House) -> None:
    # Given two people in two countries and an audience of one of them
    gql = house.gql
    await create_profile(gql, email="anna@shop.example", country="FR")
    await create_profile(gql, email="bob@shop.example", country="DE")
    audience = await gql.do(
        """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
             audience { id } userErrors { code message } } }""",
        input={"name": fresh("french"), "label": "x", "expression": {"text": "country = 'FR'"}},
    )

    # When the audience is exported, and everybody else by an expression
    files = []
    for whom in ({"audienceId": audience["audience"]["id"]}, {"expression": {"text": "country != 'FR'"}}):
        made = await gql.do(CREATE_EXPORT, input={"columns": ["email"], **whom})
        await house.work()
        url = (await gql.do(DOWNLOAD, id=made["export"]["id"]))["downloadUrl"]
        files.append((await gql.http.get(url)).text.split())

    # Then each file holds who was meant
    assert [file[1:] for file in files] == [["anna@shop.example"], ["bob@shop.example"]]


async def test_an_export_of_an_unknown_field_is_refused(gql: Gql) -> None:
    (error,) = await gql.refused(CREATE_EXPORT, input={"columns": ["emial"]})

    assert error["code"] == "UNKNOWN_FIELD"
    assert error["path"] == "columns.0"


async def test_an_expression_of_an_export_is_checked_at_once(gql: Gql) -> None:
    (error,) = await gql.refused(CREATE_EXPORT, input={"fileName": fresh("x"), "expression": {"text": "emial is null"}})

    assert error["code"] == "UNKNOWN_FIELD"


RULES = """
mutation ($input: CreateImportInput!) {
  createImport(input: $input) { import { id mode dryRun } uploadUrl userErrors { code path message } }
}"""


async def test_packed_lines_of_json_are_read_by_rules(house: House) -> None:
    gql = house.gql
    options = {
        "file": {"format": "JSON_LINES"},
        "mapping": [{"header": "born", "field": "birth_date"}, {"header": "note", "field": None}],
        "columns": [
            {"column": "born", "dateFormat": "DD.MM.YYYY", "nulls": ["-"]},
            {"column": "gender", "values": [{"cell": "w", "value": "female"}], "otherValues": "REFUSE"},
        ],
        "constants": [{"field": "country", "value": "FR"}],
    }
    lines = (
        b'{"email": "a@x.example", "born": "29.02.2000", "gender": "w", "note": 1}\n{"email": "b@x.example", "gender": "x"}\n'
    )

    for dry_run in (True, False):
        sent = {"fileName": "people.jsonl.gz", "matchKey": "EMAIL", "options": {**options, "dryRun": dry_run}}
        made = await gql.do(RULES, input=sent)
        assert (made["import"]["mode"], made["import"]["dryRun"]) == ("INSERT_OR_UPDATE", dry_run)
        assert (await gql.http.put(made["uploadUrl"], content=gzip.compress(lines))).status_code == 201
        await gql.do(START, id=made["import"]["id"])
        await house.work()
        found = await gql.ask("query ($id: ID!) { import(id: $id) { inserted rejected header } }", id=made["import"]["id"])
        assert found["import"] == {"inserted": 1, "rejected": 1, "header": ["email", "born", "gender", "note"]}
        people = (await gql.ask("{ profiles { nodes { email birthDate country } } }"))["profiles"]["nodes"]
        assert people == ([] if dry_run else [{"email": "a@x.example", "birthDate": "2000-02-29", "country": "FR"}])


TEMPLATE = {
    "name": "shop", "label": "The shop's file", "matchKey": "EMAIL",
    "options": {"expectedColumns": ["Mail", "City"], "mapping": [{"header": "Mail", "field": "email"}]},
}  # fmt: skip
CREATE_TEMPLATE = """
mutation ($input: CreateImportTemplateInput!) {
  createImportTemplate(input: $input) { importTemplate { id status version options } userErrors { code path } }
}"""
UPDATE_TEMPLATE = """
mutation ($input: UpdateImportTemplateInput!) {
  updateImportTemplate(input: $input) { importTemplate { status version label } userErrors { code path } }
}"""


async def test_a_template_says_how_files_are_read(house: House) -> None:
    gql = house.gql
    made = (await gql.do(CREATE_TEMPLATE, input=TEMPLATE))["importTemplate"]
    assert (made["status"], made["version"], made["options"]["mapping"]) == ("AVAILABLE", 1, {"Mail": "email"})

    # Whoever has such a file brings it
    ids = []
    for body in (b"City,Mail\nParis,a@x.example\n", b"Mail,Town\na@x.example,Rome\n"):
        sent = await gql.do(CREATE, input={"templateId": made["id"]})
        ids.append(sent["import"]["id"])
        assert (await gql.http.put(sent["uploadUrl"], content=body)).status_code == 201
        await gql.do(START, id=sent["import"]["id"])
    await house.work()

    # And it is told what was imported by it
    asked = (
        "query ($id: ID!) { imports(templateId: $id) { totalCount nodes { id inserted error { code } template { name } } } }"
    )
    found = (await gql.ask(asked, id=made["id"]))["imports"]
    assert found["totalCount"] == 2
    assert found["nodes"] == [
        {"id": ids[0], "inserted": 1, "error": None, "template": {"name": "shop"}},
        {"id": ids[1], "inserted": 0, "error": {"code": "OTHER_COLUMNS"}, "template": {"name": "shop"}},
    ]

    # One that is archived takes no more
    changed = await gql.do(UPDATE_TEMPLATE, input={"id": made["id"], "status": "ARCHIVED", "label": "Old"})
    assert changed["importTemplate"] == {"status": "ARCHIVED", "version": 2, "label": "Old"}
    (error,) = await gql.refused(CREATE, input={"templateId": made["id"]})
    assert error["code"] == "TEMPLATE_ARCHIVED"
    listed = await gql.ask("{ importTemplates(status: ARCHIVED) { totalCount nodes { name } } }")
    assert listed["importTemplates"] == {"totalCount": 1, "nodes": [{"name": "shop"}]}


async def test_a_template_that_cannot_work_is_refused_at_once(gql: Gql) -> None:
    options = {"expectedColumns": ["Mail", "City"], "mapping": [{"header": "Email", "field": "email"}]}
    (error,) = await gql.refused(CREATE_TEMPLATE, input={**TEMPLATE, "options": options})
    assert error["code"] == "UNKNOWN_COLUMN"

    await gql.do(CREATE_TEMPLATE, input=TEMPLATE)
    (error,) = await gql.refused(CREATE_TEMPLATE, input=TEMPLATE)
    assert error["code"] == "NAME_TAKEN"
    (error,) = await gql.refused(CREATE, input={})
    assert (error["code"], error["path"]) == ("REQUIRED", "matchKey")


async def test_an_export_is_written_in_the_format_that_is_asked_for(house: House) -> None:
    await create_profile(house.gql, email="a@x.example")
    made = await house.gql.do(
        CREATE_EXPORT, input={"columns": ["email"], "options": {"format": "JSON_LINES", "gzip": True, "titles": "LABELS"}}
    )
    await house.work()
    got = await house.gql.http.get((await house.gql.do(DOWNLOAD, id=made["export"]["id"]))["downloadUrl"])
    assert gzip.decompress(got.content) == b'{"email":"a@x.example"}\n'
    assert got.headers["content-disposition"].endswith("profiles.jsonl.gz")


PREVIEW = """
query ($id: ID!) { importPreview(importId: $id, rows: 3) { header fields rows unreadable { line code text } } }"""


async def test_the_first_rows_of_a_file_are_shown_before_it_is_started(gql: Gql) -> None:
    options = {"mapping": [{"header": "Mail", "field": "email"}, {"header": "x", "field": None}]}
    made = await gql.do(CREATE, input={"matchKey": "EMAIL", "options": options})
    assert await gql.code(PREVIEW, id=made["import"]["id"]) == "FILE_NOT_UPLOADED"

    assert (
        await gql.http.put(made["uploadUrl"], content=b"x,Mail,City\n1,a@x.example,Rome\n2\n3,c,\n4,,\n")
    ).status_code == 201

    assert (await gql.ask(PREVIEW, id=made["import"]["id"]))["importPreview"] == {
        "header": ["x", "Mail", "City"], "fields": [None, "email", "city"],
        "rows": [["1", "a@x.example", "Rome"], ["3", "c", ""]], "unreadable": [{"line": 3, "code": "WRONG_WIDTH", "text": "2"}],
    }  # fmt: skip
