"""Files of people come in: what is stored, what is refused, and who may ask for it."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core import files as stored_files
from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import Connection
from core.errors import Conflict, Forbidden, IllegalMove, Invalid, NotFound
from core.paging import PageRequest
from core.profiles import import_runner, imports
from core.profiles.profiles import create_profile
from core.profiles.run_records import EmptyCells, ImportOptions, MatchKey, RunState
from core.runtime import Runtime
from loadtests.people import write_people
from tests.core.profiles.house import (
    Times,
    counts,
    get_import,
    import_people,
    people,
    read_file,
    read_rejects,
    ready_import,
)

HEADER = "external_id,email,first_name,city,opt_out_email\n"


async def test_a_file_becomes_profiles(runtime: Runtime, db: Connection, times: Times) -> None:
    run = await import_people(runtime, HEADER + "C-1,Ann@Mail.example,Ann,Paris,\nC-2,bob@mail.example,Bob,,true\n")

    assert (run.state, counts(run), run.rows) == (RunState.FINISHED, {"inserted": 2}, 2)
    assert run.bytes_read == run.bytes_total > 0
    assert (run.lines_read, run.rejects_file_id, run.error) == (3, None, None)
    assert run.started_at == run.finished_at == times.now
    found = await people(runtime, "external_id", "email", "email_key", "email_domain", "city", "opt_out_email", "gender")
    assert found == [
        ("C-1", "Ann@Mail.example", "ann@mail.example", "mail.example", "Paris", False, 0),
        ("C-2", "bob@mail.example", "bob@mail.example", "mail.example", None, True, 0),
    ]
    assert await db.fetchval("SELECT count(*) FROM profile WHERE created_at = $1 AND updated_at = $1", times.now) == 2


@pytest.mark.parametrize("key", [MatchKey.EXTERNAL_ID, MatchKey.EMAIL])
async def test_the_same_file_twice_changes_nothing(runtime: Runtime, times: Times, tmp_path: Path, key: MatchKey) -> None:
    made = write_people(tmp_path / "people.csv", 800, bad_share=0.05)
    data = made.path.read_bytes()
    no_key = made.rejected["NO_KEY"] if key is MatchKey.EMAIL else 0  # those have no external id, but an email

    first = await import_people(runtime, data, key=key)
    before = await people(runtime, "to_jsonb(profile)", "xmin::text")
    times.move(hours=1)
    second = await import_people(runtime, data, key=key)

    assert (first.inserted, first.unchanged) == (made.good + no_key, 0)
    assert (second.inserted, second.updated, second.unchanged) == (0, 0, first.inserted)
    assert second.rejected == first.rejected
    assert await people(runtime, "to_jsonb(profile)", "xmin::text") == before


async def test_mistakes_are_refused_with_line_and_reason_and_cost_nobody_else(runtime: Runtime, tmp_path: Path) -> None:
    made = write_people(tmp_path / "people.csv", 2000, bad_share=0.1)

    run = await import_people(runtime, made.path.read_bytes())
    rejects = await read_rejects(runtime, run)

    assert run.state is RunState.FINISHED
    assert (run.inserted, run.rejected) == (made.good, made.rejected.total())
    assert {code: sum(one["code"] == code for one in rejects) for code in made.rejected} == made.rejected
    assert [int(one["line"]) for one in rejects] == sorted(int(one["line"]) for one in rejects)
    lines = made.path.read_bytes().decode("utf-8", "replace").splitlines()
    assert all(one["row"].lstrip("'")[:60] == lines[int(one["line"]) - 1].replace("\0", "\ufffd")[:60] for one in rejects)


async def test_refused_rows_are_shown_to_the_last_whatever_is_in_them(runtime: Runtime, db: Connection) -> None:
    long, odd = "x" * 200_000, '"a ""word"", and\r\nsome\rlines\n"'
    data = f'external_id,email,city\n,,{odd}\nC-1,bad,"{long}"\n{long}\nC-3,worse,""""\nC-4,=worst,\n'

    run = await import_people(runtime, data)
    shown = await imports.list_rejects(db, SYSTEM, runtime.files, run.id, 100)

    rows = list(csv.reader((await read_file(runtime, run.rejects_file_id)).splitlines(keepends=True)[-2:]))
    assert [(str(one.line), one.column, one.code, one.message) for one in shown[-2:]] == [tuple(row[:4]) for row in rows]
    assert [shown[n].row_text for n in (0, -2, -1)] == [f",,{odd}", 'C-3,worse,""""', "C-4,=worst,"]
    assert shown[0].cells == ["", "", 'a "word", and\r\nsome\rlines\n']
    assert [one.cells for one in shown[-2:]] == [["C-3", "worse", '"'], ["C-4", "=worst", ""]]
    cut = [one.row_text for one in shown if one.row_text.endswith("…")]
    assert cut == [f'C-1,bad,"{long}'[:10_000] + "…", f"{long[:10_000]}…"]


async def test_an_update_keeps_what_the_file_does_not_say(runtime: Runtime, times: Times) -> None:
    await import_people(runtime, HEADER + "C-1,ann@mail.example,Ann,Paris,true\nC-2,b@mail.example,Bob,Rome,\n")
    times.move(hours=1)

    run = await import_people(runtime, "external_id,first_name,city\nC-1,Anna,\nC-2,Bob,Rome\nC-3,Cy,\n")

    assert counts(run) == {"inserted": 1, "updated": 1, "unchanged": 1}
    assert await people(runtime, "external_id", "email", "first_name", "city", "opt_out_email", "updated_at = created_at") == [
        ("C-1", "ann@mail.example", "Anna", "Paris", True, False),
        ("C-2", "b@mail.example", "Bob", "Rome", False, True),
        ("C-3", None, "Cy", None, False, True),
    ]


async def test_empty_cells_clear_when_asked_to(runtime: Runtime) -> None:
    await import_people(runtime, HEADER + "C-1,ann@mail.example,Ann,Paris,true\n")

    run = await import_people(
        runtime, "external_id,email,city,gender,opt_out_email\nC-1,,,,\n", options=ImportOptions(empty=EmptyCells.CLEAR)
    )

    assert counts(run) == {"updated": 1}
    found = await people(runtime, "email", "email_key", "email_domain", "first_name", "city", "gender", "opt_out_email")
    assert found == [(None, None, None, "Ann", None, 0, True)]


async def test_a_file_never_takes_back_a_refusal_unless_told_to(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,opt_out,opt_out_email\nC-1,true,false\nC-2,,\n")
    data = "external_id,opt_out,opt_out_email\nC-1,false,true\nC-2,false,\n"

    kept = await import_people(runtime, data)
    assert counts(kept) == {"updated": 1, "unchanged": 1}
    assert await people(runtime, "opt_out", "opt_out_email") == [(True, True), (False, False)]

    lifted = await import_people(runtime, data, options=ImportOptions(lift_opt_outs=True))
    assert counts(lifted) == {"updated": 1, "unchanged": 1}
    assert await people(runtime, "opt_out", "opt_out_email") == [(False, True), (False, False)]


async def test_by_email_the_oldest_is_taken_and_the_others_are_named(runtime: Runtime, db: Connection, times: Times) -> None:
    ids = [
        (await create_profile(db, SYSTEM, {"email": email, "first_name": "X"}, now=times.now)).id
        for email in ("Ann@mail.example", "ann@MAIL.example", "bob@mail.example", "ann@mail.example")
    ]

    run = await import_people(
        runtime, "email,first_name\nann@mail.example,Ann\nbob@mail.example,X\nnew@mail.example,New\n", key=MatchKey.EMAIL
    )

    assert counts(run) == {"inserted": 1, "updated": 1, "unchanged": 1, "ambiguous": 1}
    assert [name for (name,) in await people(runtime, "first_name")] == ["Ann", "X", "X", "X", "New"]
    (remark,) = await read_rejects(runtime, run)
    assert (remark["line"], remark["code"], remark["row"]) == ("2", "AMBIGUOUS", "ann@mail.example,Ann")
    assert remark["reason"] == (
        f"several profiles have this email: profile {ids[0]}, the oldest, was taken, not {ids[1]}, {ids[3]}"
    )


async def test_by_email_the_spelling_of_the_file_is_taken_over(runtime: Runtime) -> None:
    await import_people(runtime, "email\nann@mail.example\n", key=MatchKey.EMAIL)

    run = await import_people(runtime, "email\nAnn@Mail.Example\n", key=MatchKey.EMAIL)

    assert counts(run) == {"updated": 1}
    assert await people(runtime, "email", "email_key") == [("Ann@Mail.Example", "ann@mail.example")]


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (b"", "EMPTY_FILE", "file"),
        (b"\xff\xfea\x00", "UNKNOWN_COLUMN", "line 1, column 1"),
        (b"\x1f\x8b\x08", "BROKEN_ARCHIVE", "file"),
        (b"external_id,\xe9\n", "NOT_UTF8", "line 1"),
        (b"external_id,Shoe\n1,2\n", "UNKNOWN_COLUMN", "line 1, column 2"),
        (b"external_id,city,City\n1,2,3\n", "DUPLICATE_COLUMN", "line 1, column 3"),
        (b"email\na@b.example\n", "NO_KEY_COLUMN", "line 1"),
        (b'"external_id\n1\n', "BAD_HEADER", "line 1"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_its_place(runtime: Runtime, data: bytes, code: str, path: str) -> None:
    run = await import_people(runtime, data)

    assert run.state is RunState.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.path) == (code, path)
    assert run.finished_at is not None
    assert await people(runtime, "id") == []


async def test_a_file_that_vanished_fails(runtime: Runtime, db: Connection) -> None:
    import_id = await ready_import(runtime, HEADER)
    run = await get_import(runtime, import_id)
    runtime.files.path(await stored_files.get_file(db, run.file_id)).unlink()

    await import_runner.run_import(runtime, import_id=import_id)

    failed = await get_import(runtime, import_id)
    assert failed.state is RunState.FAILED
    assert failed.error is not None
    assert failed.error.code == "FILE_LOST"


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbfexternal_id;first_name;city\r\nA;Zo\xc3\xa9;"K\xc3\xb6ln; am Rhein"\r\n',
        b'external_id\tfirst_name\tcity\nA\tZo\xc3\xa9\t"K\xc3\xb6ln; am Rhein"\n',
        b"City|External Id|FIRST-NAME\nK\xc3\xb6ln; am Rhein|A|Zoe\xcc\x81",
    ],
)
async def test_files_come_in_many_dresses(runtime: Runtime, data: bytes) -> None:
    run = await import_people(runtime, data)

    assert counts(run) == {"inserted": 1}
    assert await people(runtime, "external_id", "first_name", "city") == [("A", "Zoé", "Köln; am Rhein")]


async def test_a_header_alone_is_a_finished_import(runtime: Runtime) -> None:
    run = await import_people(runtime, "external_id,email\n")

    assert (run.state, run.rows, run.lines_read) == (RunState.FINISHED, 0, 1)


async def test_numbers_are_read_for_the_files_country(runtime: Runtime) -> None:
    data = "external_id,phone\nA,0151 23456789\n"

    run = await import_people(runtime, data, options=ImportOptions(default_country="DE"))
    other = await import_people(runtime, "external_id,phone,country\nB,06 12 34 56 78,\nC,0151 23456789,DE\n")

    assert counts(run) == {"inserted": 1}
    assert counts(other) == {"inserted": 2}
    assert [one for (one,) in await people(runtime, "phone")] == ["+4915123456789", "+33612345678", "+4915123456789"]


async def test_the_rejects_file_is_safe_to_open(runtime: Runtime) -> None:
    run = await import_people(runtime, 'external_id,"=HYPERLINK(1)",country\n=cmd|1,x,Atlantis\n', options=ImportOptions(
        mapping={"=HYPERLINK(1)": "city"}))  # fmt: skip

    (reject,) = await read_rejects(runtime, run)
    assert reject["row"] == "'=cmd|1,x,Atlantis"
    assert not any(value.startswith(("=", "+", "-", "@")) for value in reject.values())


async def test_only_with_the_permission(runtime: Runtime, db: Connection, times: Times) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    import_id = await ready_import(runtime, HEADER)

    with pytest.raises(Forbidden):
        await imports.create_import(db, editor, runtime.files, file_name="x.csv", match_key=MatchKey.EMAIL, now=times.now)
    for operation in (imports.start_import, imports.cancel_import, imports.renew_upload, imports.issue_rejects_ticket):
        with pytest.raises(Forbidden):
            await operation(db, editor, import_id, times.now)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"delimiter": "ab"}, "BAD_DELIMITER"),
        ({"delimiter": ""}, "BAD_DELIMITER"),
        ({"delimiter": '"'}, "BAD_DELIMITER"),
        ({"delimiter": "\n"}, "BAD_DELIMITER"),
        ({"delimiter": "a"}, "BAD_DELIMITER"),
        ({"default_country": "fr"}, "BAD_COUNTRY"),
        ({"default_country": "ZZ"}, "BAD_COUNTRY"),
        ({"mapping": {"A": "nothing"}}, "UNKNOWN_FIELD"),
    ],
)
async def test_wrong_options_are_refused_at_once(
    runtime: Runtime, db: Connection, times: Times, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await imports.create_import(
            db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EMAIL, options=ImportOptions(**options),
            now=times.now,
        )  # fmt: skip

    assert caught.value.code == code
    assert await imports.count_imports(db) == 0


async def test_options_are_kept_as_they_were_given(runtime: Runtime, db: Connection, times: Times) -> None:
    options = ImportOptions(
        delimiter=";", mapping={"A": "city", "B": None}, empty=EmptyCells.CLEAR, lift_opt_outs=True, default_country="DE"
    )
    run, _ = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EMAIL, options=options, now=times.now
    )

    assert (await imports.get_import(db, run.id)).options == options


async def test_the_life_of_an_import(runtime: Runtime, db: Connection, times: Times) -> None:
    run, ticket = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EXTERNAL_ID, now=times.now
    )
    with pytest.raises(Conflict) as caught:
        await imports.start_import(db, SYSTEM, run.id, times.now)
    assert caught.value.code == "FILE_NOT_UPLOADED"
    second = await imports.renew_upload(db, SYSTEM, run.id, times.now)
    assert second.secret != ticket.secret
    file = await stored_files.redeem_ticket(db, second.secret, "write", times.now)
    assert file.id == run.file_id
    runtime.files.path(file).write_text("external_id\nA\n")
    await stored_files.complete_file(db, file.id, 14, times.now)

    started = await imports.start_import(db, SYSTEM, run.id, times.now)
    assert (started.state, started.bytes_total) == (RunState.READY, 14)
    assert await imports.start_import(db, SYSTEM, run.id, times.now) == started
    with pytest.raises(IllegalMove):
        await imports.renew_upload(db, SYSTEM, run.id, times.now)
    topics = await db.fetch("SELECT topic, ids FROM outbox")
    assert [(row["topic"], row["ids"]) for row in topics] == [("import.ready", {"import_id": run.id})]

    await import_runner.run_import(runtime, import_id=run.id)
    for operation in (imports.start_import, imports.cancel_import):
        with pytest.raises(IllegalMove):
            await operation(db, SYSTEM, run.id, times.now)
    with pytest.raises(NotFound):
        await imports.issue_rejects_ticket(db, SYSTEM, run.id, times.now)
    with pytest.raises(NotFound):
        await imports.get_import(db, run.id + 1)
    told = await list_entries(db, object_type="import", object_ids=[str(run.id)], before_id=None, limit=9)
    assert [entry.action for entry in told] == ["import.finish", "import.start", "import.renew_upload", "import.create"]
    assert told[0].changes["inserted"] == 1
    assert list(await imports.get_imports(db, [run.id, run.id + 1])) == [run.id]
    page = await imports.list_imports(db, PageRequest(first=1))
    assert ([one.id for one in page.rows], page.has_next) == ([run.id], False)


async def test_a_cancelled_import_does_nothing_more(runtime: Runtime, db: Connection, times: Times) -> None:
    import_id = await ready_import(runtime, HEADER + "C-1,,,,\n")

    cancelled = await imports.cancel_import(db, SYSTEM, import_id, times.now)
    assert await imports.cancel_import(db, SYSTEM, import_id, times.now) == cancelled
    await import_runner.run_import(runtime, import_id=import_id)

    assert (await get_import(runtime, import_id)).state is RunState.CANCELLED
    assert await people(runtime, "id") == []


async def test_rejects_can_be_downloaded_once(runtime: Runtime, db: Connection, times: Times) -> None:
    run = await import_people(runtime, "external_id,country\nA,Atlantis\n")

    ticket = await imports.issue_rejects_ticket(db, SYSTEM, run.id, times.now)
    file = await stored_files.redeem_ticket(db, ticket.secret, "read", times.now)

    assert file.name == "people-rejects.csv"
    assert runtime.files.path(file).read_text().startswith("line,column,code,reason,row")
    assert await db.fetchval("SELECT count(*) FROM import_reject") == 0
    with pytest.raises(Conflict):
        await stored_files.redeem_ticket(db, ticket.secret, "read", times.now)


async def test_refusals_that_come_by_a_file_leave_entries_in_the_ledger(runtime: Runtime, db: Connection, times: Times) -> None:
    first = await import_people(runtime, HEADER + "C-1,a@mail.example,Ann,,\nC-2,b@mail.example,Bob,,true\n")
    times.move(hours=1)
    second = await import_people(runtime, HEADER + "C-1,a@mail.example,Ann,,yes\nC-2,b@mail.example,Rob,,true\n")
    rows = await db.fetch("SELECT channel, decision, origin, actor, happened_at FROM consent_entry ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("email", "refused", f"import:{first.id}", SYSTEM.name, times.now - timedelta(hours=1)),
        ("email", "withdrawn", f"import:{second.id}", SYSTEM.name, times.now),
    ]
