"""The templates that every installation has, each with the sample it is there for; and samples of the team's own."""

from __future__ import annotations

from typing import Any

import pytest

from channels.contract import AddressKind
from core.access import SYSTEM, Actor, Permission
from core.db import Connection
from core.errors import Invalid
from core.paging import PageRequest
from core.profiles.import_template_records import ImportTemplate, ImportTemplateDraft, TemplateStatus
from core.profiles.import_templates import create_template, list_templates, open_template, update_template
from core.profiles.imports import list_imports
from core.profiles.profiles import create_profile
from core.profiles.quarantine import find_entry
from core.profiles.quarantine_records import QuarantineStatus
from core.profiles.run_records import ImportOptions, ImportRun
from core.runtime import Runtime
from core.transfers import jobs
from core.transfers.destinations import find_destination
from tests.core.datamodel.model import NOW
from tests.core.profiles.house import get_import, read_rejects
from tests.core.transfers.house import counts, ready_by

BRINGS = Actor(name="brings", permissions=frozenset({Permission.READ, Permission.IMPORT}))  # files, and nothing else


async def template(db: Connection, name: str) -> ImportTemplate:
    page = await list_templates(db, PageRequest(first=10), TemplateStatus.AVAILABLE)
    (found,) = (one for one in page.rows if one.name == name)
    return await open_template(db, found.id)


async def run(runtime: Runtime, found: ImportTemplate, data: str, name: str = "Spring Fair.csv") -> ImportRun:
    import_id = await ready_by(runtime, found, data, name=name, actor=BRINGS)
    await jobs.run_import(runtime, import_id=import_id)
    return await get_import(runtime, import_id)


async def test_people_are_imported_by_the_first_template(runtime: Runtime, db: Connection) -> None:
    found = await template(db, "import_data")
    assert counts(await run(runtime, found, found.sample)) == {"inserted": 2}
    person = await db.fetchrow("SELECT last_name, mobile_phone, city FROM profile WHERE external_id = 'C-1001'")
    assert tuple(person) == ("Garcia", "+34600123456", "Madrid")

    again = await run(runtime, found, found.sample.replace("Madrid", "Toledo") + "nobody,,,,,,,,\n")
    assert counts(again) == {"updated": 1, "unchanged": 1, "rejected": 1}
    assert [one["code"] for one in await read_rejects(runtime, again)] == ["BAD_EMAIL"]
    executed = await list_imports(db, PageRequest(first=10), found.id)
    assert [one.inserted for one in executed.rows] == [2, 0]


async def test_a_list_is_made_by_the_second_and_named_after_the_file(runtime: Runtime, db: Connection) -> None:
    maria = (await create_profile(db, SYSTEM, {"email": "maria.garcia@example.com"}, now=NOW)).id
    found = await template(db, "import_list")
    done = await run(runtime, found, found.sample)
    assert counts(done) == {"inserted": 1, "rejected": 1}  # the other one is unknown
    list_id = done.options.target.audience_id
    assert await db.fetchval("SELECT name FROM audience WHERE id = $1", list_id) == f"spring_fair_{NOW:%Y%m%d_%H%M%S}"
    assert [row["profile_id"] for row in await db.fetch("SELECT profile_id FROM audience_member")] == [maria]


async def test_letters_that_came_back_are_quarantined_by_the_third(runtime: Runtime, db: Connection) -> None:
    found = await template(db, "direct_mail_quarantine")
    assert counts(await run(runtime, found, found.sample)) == {"inserted": 2}
    entry = await find_entry(db, AddressKind.POSTAL, "John  Smith 3 MILL Lane M1 1AE Manchester")
    assert entry is not None
    assert (entry.status, entry.error_text) == (QuarantineStatus.QUARANTINE, "no such street")
    assert counts(await run(runtime, found, found.sample)) == {"unchanged": 2}


async def test_they_are_archived_as_any_other(db: Connection) -> None:
    found = await template(db, "import_data")
    await update_template(db, SYSTEM, found.id, {"status": TemplateStatus.ARCHIVED}, now=NOW, find=find_destination)
    with pytest.raises(ValueError, match="not enough values"):
        await template(db, "import_data")


@pytest.mark.parametrize(
    ("sample", "options", "code"),
    [
        ("mail,cty\na@x.example,Rome\n", {}, "UNKNOWN_COLUMN"),
        ("city\nRome\n", {}, "NO_KEY_COLUMN"),
        ("email,city\na@x.example,Rome,more\n", {}, "BAD_SAMPLE"),
        ("email,city\n" + "a@x.example,Rome\n" * 2000, {}, "TOO_LONG"),
        ("email,city\n\0,Rome\n", {}, "BAD_TEXT"),
        ("email,city\n\ud800,Rome\n", {}, "BAD_TEXT"),
        ("email\na@x.example\n", {"expected_columns": ("email", "city")}, "OTHER_COLUMNS"),
        (" ", {}, "EMPTY_COLUMN_NAME"),
    ],
)
async def test_a_sample_that_would_not_load_is_refused(db: Connection, sample: str, options: dict[str, Any], code: str) -> None:
    draft = ImportTemplateDraft(name="own", label="Own", match_key="email", options=ImportOptions(**options), sample=sample)
    with pytest.raises(Invalid) as refused:
        await create_template(db, SYSTEM, draft, NOW, find=find_destination)
    assert refused.value.code == code


async def test_a_sample_is_read_as_its_files_are(db: Connection) -> None:
    options = ImportOptions(delimiter=";", mapping={"Straße": "address_line1"})
    draft = ImportTemplateDraft(
        name="own", label="Own", match_key="email", options=options, sample="email;Straße\na@x.example;Weg 1\n"
    )
    made = await create_template(db, SYSTEM, draft, NOW, find=find_destination)
    assert made.sample == draft.sample
    changed = await update_template(db, SYSTEM, made.id, {"sample": ""}, now=NOW, find=find_destination)
    assert (changed.sample, changed.version) == ("", 2)
    with pytest.raises(Invalid, match="no column 'Straße'"):
        await update_template(db, SYSTEM, made.id, {"sample": "email;Street\n"}, now=NOW, find=find_destination)
