"""Suppression entries from files and to files."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import UTC, datetime

import pytest

from core import files as stored_files
from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import Conflict, IllegalMove, Invalid, NotFound
from core.profiles import jobs, suppression, suppression_entries, suppression_import_runner
from core.profiles import suppression_transfers as transfers
from core.profiles.run_records import RunState
from core.profiles.store import runs
from core.profiles.store import suppression_runs as store
from core.profiles.store.runs import RunTable
from core.profiles.suppression_columns import plan_columns
from core.profiles.suppression_records import (
    EntryForm,
    SuppressionAction,
    SuppressionImport,
    SuppressionKind,
    SuppressionListDraft,
    SuppressionOptions,
)
from core.runtime import Runtime
from tests.core.profiles.house import Times, read_file

ANN = "ann@mail.example"
SHA = hashlib.sha256(ANN.encode()).hexdigest()
MD5 = hashlib.md5(ANN.encode()).hexdigest()


async def new_list(runtime: Runtime, kind: SuppressionKind = SuppressionKind.EMAIL, name: str = "partners") -> int:
    """An empty list; returns its id."""
    async with transaction(runtime.pool) as conn:
        draft = SuppressionListDraft(name=name, label="Partners", kind=kind)
        return (await suppression.create_list(conn, SYSTEM, draft)).id


async def ready(
    runtime: Runtime,
    list_id: int,
    data: str | bytes,
    options: SuppressionOptions | None = None,
    action: SuppressionAction = SuppressionAction.ADD,
) -> int:
    """An import with its file, started but not worked on yet."""
    async with transaction(runtime.pool) as conn:
        run, ticket = await transfers.create_import(
            conn, SYSTEM, runtime.files, list_id, file_name="theirs.csv", action=action, options=options, now=runtime.clock()
        )
        file = await stored_files.redeem_ticket(conn, ticket.secret, "write", runtime.clock())
        content = data.encode() if isinstance(data, str) else data
        runtime.files.path(file).write_bytes(content)
        await stored_files.complete_file(conn, file.id, len(content), runtime.clock())
        await transfers.start_import(conn, SYSTEM, run.id, runtime.clock())
    return run.id


async def imported(
    runtime: Runtime,
    list_id: int,
    data: str | bytes,
    options: SuppressionOptions | None = None,
    action: SuppressionAction = SuppressionAction.ADD,
) -> SuppressionImport:
    """Read a file to its end."""
    import_id = await ready(runtime, list_id, data, options, action)
    await jobs.run_suppression_import(runtime, import_id=import_id)
    return await found(runtime, import_id)


async def found(runtime: Runtime, import_id: int) -> SuppressionImport:
    """The run as it is now."""
    async with runtime.pool.acquire() as conn:
        return await transfers.get_import(conn, import_id)


async def entries(runtime: Runtime, list_id: int) -> list[tuple[EntryForm, str, str, str]]:
    """What stands in a list."""
    async with runtime.pool.acquire() as conn:
        rows = await suppression_entries.list_entries(conn, list_id, None, 100)
    return [(one.form, one.value, one.comment, one.origin) for one in rows]


async def exported(runtime: Runtime, list_id: int) -> str:
    """Write a list to a file, and read it."""
    async with transaction(runtime.pool) as conn:
        run = await transfers.create_export(
            conn, SYSTEM, runtime.files, list_id, file_name="ours.csv", now=runtime.clock()
        )  # fmt: skip
    await jobs.run_suppression_export(runtime, export_id=run.id)
    async with runtime.pool.acquire() as conn:
        done = await transfers.get_export(conn, run.id)
    assert done.state is RunState.FINISHED, done.error
    text = await read_file(runtime, done.file_id)
    assert done.rows_written == len(text.splitlines()) - 1
    return text


def counts(run: SuppressionImport) -> dict[str, int]:
    """The counters that are not zero."""
    names = ("added", "changed", "unchanged", "removed", "rejected", "repeated")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


async def test_a_file_of_every_form_goes_in_and_its_bad_rows_come_back(runtime: Runtime) -> None:
    list_id = await new_list(runtime)
    text = (
        "Email Address;comment;form;expires at;campaign\n"
        f"ANN@mail.example;asked;;;x\n{SHA};;;;\n{MD5.upper()};;md5;;\n"
        "nobody;;;;\nann@mail.example;asked again;;;\n"
        "bob@mail.example;;;2026-12-31;\ncleo@mail.example;;;31.12.2026;\n"
        "dan@mail.example;;;2020-01-01;\neve@mail.example;;telegram;;\n"
        'one;too;few\n"open;;;;\n'
    )

    run = await imported(runtime, list_id, text, SuppressionOptions(origin="partner A"))

    assert (run.state, counts(run)) == (RunState.FINISHED, {"added": 4, "rejected": 6, "repeated": 1})
    assert run.rows == 11
    assert await entries(runtime, list_id) == [
        (EntryForm.PLAIN, ANN, "asked again", "partner A"), (EntryForm.PLAIN, "bob@mail.example", "", "partner A"),
        (EntryForm.SHA256, SHA, "", "partner A"), (EntryForm.MD5, MD5, "", "partner A"),
    ]  # fmt: skip
    rejects = list(csv.DictReader((await read_file(runtime, run.rejects_file_id)).splitlines()))
    assert [(one["line"], one["column"], one["code"]) for one in rejects] == [
        ("5", "value", "BAD_EMAIL"), ("8", "expires_at", "BAD_DATE"), ("9", "expires_at", "BAD_DATE"),
        ("10", "form", "BAD_VALUE"), ("11", "", "WRONG_WIDTH"), ("12", "", "BROKEN_QUOTES"),
    ]  # fmt: skip
    assert rejects[0]["row"] == "nobody;;;;"
    # And the same file once more changes nothing
    again = await imported(runtime, list_id, text, SuppressionOptions(origin="partner A"))
    assert counts(again) == {"unchanged": 4, "rejected": 6, "repeated": 1}


async def test_refused_rows_are_corrected_and_come_back(runtime: Runtime) -> None:
    list_id = await new_list(runtime, SuppressionKind.MOBILE)
    options = SuppressionOptions(origin="partner A", default_country="FR")
    data = 'phone;Comment;expires at\n\'+33612345678;ok;\n"+336";"\'=1+1; ""a""";2030-01-01\n0612345679;;31.12.2030\nx;y\n'
    first = await imported(runtime, list_id, data, options)
    assert counts(first) == {"added": 1, "rejected": 3}
    text = await read_file(runtime, first.rejects_file_id)
    told, *rows = list(csv.reader(text.splitlines()))
    assert told == ["line", "column", "code", "reason", "row", "phone", "Comment", "expires at"]
    assert [row[5:] for row in rows] == [
        ["'+336", "''=1+1; \"a\"", "2030-01-01"],
        ["0612345679", "", "31.12.2030"],
        ["", "", ""],
    ]

    # What is not corrected is refused again, with the same cells
    again = await imported(runtime, list_id, text, options)
    assert counts(again) == {"rejected": 3}
    assert [row[5:] for row in csv.reader((await read_file(runtime, again.rejects_file_id)).splitlines())] == [
        told[5:], *(row[5:] for row in rows)
    ]  # fmt: skip

    rows[0][5], rows[1][7], rows[2][5] = "+33612345677", "2030-12-31", "0612345676"
    for mark in (",", ";"):
        out = io.StringIO()
        csv.writer(out, delimiter=mark).writerows([told, *rows])
        second = await imported(runtime, list_id, "\ufeff" + out.getvalue(), options)
        assert counts(second) == ({"added": 3} if mark == "," else {"unchanged": 3})
    assert await entries(runtime, list_id) == [
        (EntryForm.PLAIN, "+33612345676", "", "partner A"), (EntryForm.PLAIN, "+33612345677", '=1+1; "a"', "partner A"),
        (EntryForm.PLAIN, "+33612345678", "ok", "partner A"), (EntryForm.PLAIN, "+33612345679", "", "partner A"),
    ]  # fmt: skip


async def test_refused_rows_of_a_file_without_a_header_come_back(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_import_runner, "CHUNK", 1)
    list_id = await new_list(runtime)
    options = SuppressionOptions(header=False)
    first = await imported(runtime, list_id, f"nobody;a\n{ANN};b\nno one;c\n", options)
    text = await read_file(runtime, first.rejects_file_id)
    assert [row[5:] for row in csv.reader(text.splitlines())] == [["1", "2"], ["nobody", "a"], ["no one", "c"]]

    corrected = text.replace("nobody,a", "bob@mail.example,a")
    second = await imported(runtime, list_id, corrected, options)
    assert counts(second) == {"added": 1, "rejected": 1}
    rejects = list(csv.reader((await read_file(runtime, second.rejects_file_id)).splitlines()))
    assert [(row[0], row[4], row[5:]) for row in rejects[1:]] == [("3", "no one,c", ["no one", "c"])]


async def test_rejects_whose_text_was_erased_have_no_cells(runtime: Runtime, db: Connection) -> None:
    list_id = await new_list(runtime)
    import_id = await ready(runtime, list_id, "value,comment\nnobody,a\n")
    async with transaction(runtime.pool) as conn:
        await runs.claim(conn, RunTable.SUPPRESSION_IMPORT, import_id, runtime.clock())
        await store.add_rejects(conn, import_id, [(2, "value", "BAD_EMAIL", "x", "gone"), (3, "value", "BAD_EMAIL", "x", '"')])
        await transfers.cancel_import(conn, SYSTEM, import_id, runtime.clock())
    await jobs.run_suppression_import(runtime, import_id=import_id)
    text = await read_file(runtime, (await found(runtime, import_id)).rejects_file_id)
    assert [row[5:] for row in csv.reader(text.splitlines())] == [["value", "comment"], ["", ""], ["", ""]]


async def test_a_file_without_a_header(runtime: Runtime) -> None:
    list_id = await new_list(runtime)

    refused = await imported(runtime, list_id, f"{ANN}\nbob@mail.example\n")
    assert (refused.state, refused.error and refused.error.code) == (RunState.FAILED, "NO_HEADER")
    run = await imported(runtime, list_id, f"nobody\n{ANN}\nbob@mail.example", SuppressionOptions(header=False))

    assert counts(run) == {"added": 2, "rejected": 1}
    rejects = list(csv.DictReader((await read_file(runtime, run.rejects_file_id)).splitlines()))
    assert [(one["line"], one["row"]) for one in rejects] == [("1", "nobody")]
    only = await imported(runtime, list_id, "cleo@mail.example", SuppressionOptions(header=False))
    assert counts(only) == {"added": 1}


async def test_what_goes_out_comes_in_again_as_it_was(runtime: Runtime) -> None:
    phones, domains = (
        await new_list(runtime, SuppressionKind.MOBILE, "phones"),
        await new_list(runtime, SuppressionKind.EMAIL_DOMAIN, "domains"),
    )
    await imported(runtime, phones, f'value,comment\n06 12 34 56 78,=1+1\n{SHA},"a, ""b"""\n')
    await imported(runtime, domains, "domain\nbad.example\n*.wide.example\n")

    text = await exported(runtime, phones)
    assert text.splitlines()[1] == "'+33612345678,plain,'=1+1,,,2026-03-01T12:00:00.000000Z,system"
    for list_id, kind in ((phones, SuppressionKind.MOBILE), (domains, SuppressionKind.EMAIL_DOMAIN)):
        copy = await new_list(runtime, kind, f"copy-{list_id}")
        run = await imported(runtime, copy, await exported(runtime, list_id))
        assert counts(run) == {"added": 2}
        assert await entries(runtime, copy) == await entries(runtime, list_id)


async def test_a_file_takes_entries_out(runtime: Runtime) -> None:
    list_id = await new_list(runtime)
    await imported(runtime, list_id, f"value\n{ANN}\n{SHA}\nbob@mail.example\n")

    run = await imported(
        runtime, list_id, "value\nAnn@mail.example\nnever@seen.example\nx\n", action=SuppressionAction.REMOVE
    )  # fmt: skip

    assert counts(run) == {"removed": 1, "unchanged": 1, "rejected": 1}
    assert [one[1] for one in await entries(runtime, list_id)] == ["bob@mail.example"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY_FILE"), (b"PK\x03\x04", "NOT_TEXT"), (b"\xff\xfea", "NOT_TEXT"),
        (b"email,phone\na,b\n", "NO_VALUE_COLUMN"), (b"name,age\na,1\n", "NO_VALUE_COLUMN"),
        (b"value,comment,comment\na,b,c\n", "DUPLICATE_FIELD"), (b"value,value\na,b\n", "DUPLICATE_FIELD"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_read_fails_as_a_whole(runtime: Runtime, data: bytes, code: str) -> None:
    list_id = await new_list(runtime)
    run = await imported(runtime, list_id, data)
    assert run.error is not None
    assert (run.state, run.error.code, run.rows) == (RunState.FAILED, code, 0)


def test_a_header_may_say_the_form() -> None:
    columns = plan_columns(["SHA-256", "note"], SuppressionOptions())
    assert columns.draft([SHA, "x"]).form is EntryForm.SHA256
    assert plan_columns(["value", "email"], SuppressionOptions()).value == 0
    assert plan_columns(["whatever"], SuppressionOptions(form=EntryForm.MD5)).draft([MD5]).form is EntryForm.MD5
    assert plan_columns(["value", "expires_at"], SuppressionOptions()).draft(["a", "2030-01-02"]).expires_at == datetime(
        2030, 1, 2, tzinfo=UTC
    )


async def test_another_worker_goes_on_behind_the_last_chunk(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_import_runner, "CHUNK", 2)
    list_id = await new_list(runtime)
    import_id = await ready(
        runtime,
        list_id,
        "a@mail.example\nb@mail.example\nc@mail.example\nx\ne@mail.example\n",
        SuppressionOptions(header=False),
    )
    # Given a worker that is told to stop while it works
    runtime.stopping.set()
    await jobs.run_suppression_import(runtime, import_id=import_id)
    part = await found(runtime, import_id)
    assert (part.state, counts(part)) == (RunState.READY, {"added": 3})

    # When another goes on
    runtime.stopping.clear()
    await jobs.run_suppression_import(runtime, import_id=import_id)

    # Then each row counts once
    assert counts(await found(runtime, import_id)) == {"added": 4, "rejected": 1}


async def test_a_worker_that_was_thought_dead_stores_nothing_more(runtime: Runtime, times: Times) -> None:
    list_id = await new_list(runtime)
    import_id = await ready(runtime, list_id, f"value\n{ANN}\n")
    async with transaction(runtime.pool) as conn:
        assert await runs.claim(conn, RunTable.SUPPRESSION_IMPORT, import_id, times())
    late = await found(runtime, import_id)
    times.move(minutes=1)
    await jobs.sweep(runtime)

    with pytest.raises(suppression_import_runner._Fenced):
        await suppression_import_runner._work(runtime, late)

    assert await entries(runtime, list_id) == []
    await jobs.run_suppression_import(runtime, import_id=import_id)
    assert counts(await found(runtime, import_id)) == {"added": 1}


async def test_what_was_stored_before_a_cancel_stays(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_import_runner, "CHUNK", 1)
    list_id = await new_list(runtime)
    import_id = await ready(runtime, list_id, f"value\nnobody\n{ANN}\nbob@mail.example\n")
    runtime.stopping.set()
    await jobs.run_suppression_import(runtime, import_id=import_id)
    runtime.stopping.clear()
    async with transaction(runtime.pool) as conn:
        await transfers.cancel_import(conn, SYSTEM, import_id, runtime.clock())
    await jobs.run_suppression_import(runtime, import_id=import_id)

    run = await found(runtime, import_id)
    assert (run.state, counts(run)) == (RunState.CANCELLED, {"rejected": 1})
    assert "nobody" in await read_file(runtime, run.rejects_file_id)


async def test_a_list_that_is_deleted_takes_its_runs_with_it(runtime: Runtime, db: Connection) -> None:
    list_id = await new_list(runtime)
    import_id = await ready(runtime, list_id, f"value\n{ANN}\n")
    await suppression.delete_list(db, SYSTEM, list_id)

    await jobs.run_suppression_import(runtime, import_id=import_id)

    with pytest.raises(NotFound):
        await transfers.get_import(db, import_id)


async def test_the_life_of_a_run_has_its_moves_only(runtime: Runtime, db: Connection) -> None:
    list_id, now = await new_list(runtime), runtime.clock()
    run, _ = await transfers.create_import(db, SYSTEM, runtime.files, list_id, file_name="x.csv", now=now)
    with pytest.raises(Conflict, match="not been uploaded"):
        await transfers.start_import(db, SYSTEM, run.id, now)
    done = await imported(runtime, list_id, f"value\n{ANN}\n")
    for move in (transfers.start_import, transfers.cancel_import, transfers.renew_upload):
        with pytest.raises(IllegalMove):
            await move(db, SYSTEM, done.id, now)
    with pytest.raises(NotFound, match="no file of refused rows"):
        await transfers.issue_rejects_ticket(db, SYSTEM, done.id, now)
    export = await transfers.create_export(db, SYSTEM, runtime.files, list_id, file_name="x.csv", now=now)
    with pytest.raises(Conflict, match="ready"):
        await transfers.issue_download_ticket(db, SYSTEM, export.id, now)
    await transfers.cancel_export(db, SYSTEM, export.id, now)
    await jobs.run_suppression_export(runtime, export_id=export.id)
    assert (await transfers.get_export(db, export.id)).state is RunState.CANCELLED
    for options in (
        SuppressionOptions(delimiter="ab"), SuppressionOptions(default_country="ZZ"), SuppressionOptions(origin="a\nb"),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await transfers.create_import(db, SYSTEM, runtime.files, list_id, file_name="x.csv", options=options, now=now)
    with pytest.raises(NotFound):
        await transfers.create_import(db, SYSTEM, runtime.files, 999, file_name="x.csv", now=now)
