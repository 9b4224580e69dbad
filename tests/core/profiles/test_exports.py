"""Files of people go out: complete, safe to open, and able to come back unchanged."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import files as stored_files
from core import housekeeping
from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import TRY_LATER, Connection, transaction
from core.errors import Conflict, Forbidden, IllegalMove, Invalid, NotFound
from core.files import PART
from core.outbox import take
from core.paging import PageRequest
from core.profiles import export_ranges, export_runner, exports, jobs, profiles
from core.profiles.errors import FieldsInvalid
from core.profiles.exports import SELECTION_RESOURCE, Selection
from core.profiles.fields import FIELDS
from core.profiles.formulas import escaped
from core.profiles.run_records import EmptyCells, ExportRun, ImportOptions, RunState
from core.profiles.store import exports as store
from core.runtime import Runtime
from loadtests.people import write_people
from tests.core.profiles.house import Times, counts, cut_connections, export_people, import_people, people, read_file


async def create(runtime: Runtime, times: Times, **values: Any) -> int:
    """A committed profile's id."""
    async with transaction(runtime.pool) as conn:
        return (await profiles.create_profile(conn, SYSTEM, values, now=times.now)).id


async def rows_of(runtime: Runtime, run: ExportRun) -> list[list[str]]:
    """The rows of a finished export, its header first."""
    return list(csv.reader(io.StringIO(await read_file(runtime, run.file_id), newline="")))


async def test_every_field_goes_out_in_a_form_that_people_read(runtime: Runtime, times: Times) -> None:
    profile_id = await create(
        runtime, times, external_id="C-1", email="Ann@Mail.example", first_name='Zoé "Z"', city="Köln, am Rhein",
        gender="female", birth_date="1984-12-31", mobile_phone="+33612345678", latitude="-1.5", opt_out_email=True,
        email_format="html",
    )  # fmt: skip

    run = await export_people(runtime)
    header, row = await rows_of(runtime, run)
    found = dict(zip(header, row, strict=True))

    assert header == list(FIELDS)
    assert UUID(found.pop("opt_in_id")), "each profile is given one"
    assert {name: value for name, value in found.items() if value not in ("", "false", "unknown")} == {
        "id": str(profile_id), "external_id": "C-1", "email": "Ann@Mail.example", "email_domain": "mail.example",
        "first_name": 'Zoé "Z"', "gender": "female", "birth_date": "1984-12-31", "mobile_phone": "'+33612345678",
        "city": "Köln, am Rhein", "latitude": "-1.5", "email_format": "html", "opt_out_email": "true",
        "created_at": "2026-03-01T12:00:00.000000Z", "updated_at": "2026-03-01T12:00:00.000000Z",
    }  # fmt: skip
    assert (run.state, run.rows_total, run.rows_written) == (RunState.FINISHED, 1, 1)


async def test_chosen_columns_come_in_their_order(runtime: Runtime, times: Times) -> None:
    await create(runtime, times, first_name="Ann", city="Paris")

    run = await export_people(runtime, columns=["city", "first_name"])

    assert await rows_of(runtime, run) == [["city", "first_name"], ["Paris", "Ann"]]


async def test_an_empty_export_has_a_header(runtime: Runtime) -> None:
    run = await export_people(runtime, columns=["email"])

    assert (run.state, run.rows_written) == (RunState.FINISHED, 0)
    assert await read_file(runtime, run.file_id) == "email\n"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "'=1", "''+x", "'-"])
async def test_what_a_spreadsheet_would_compute_is_escaped(runtime: Runtime, times: Times, cell: str) -> None:
    await create(runtime, times, external_id="A", last_name=cell)

    run = await export_people(runtime, columns=["external_id", "last_name"])

    assert (await rows_of(runtime, run))[1][1] == "'" + cell


@pytest.mark.parametrize("cell", ["'s Gravenhage", "'", "O'Neil", "a=b", "1-2", "“=”"])
async def test_what_is_harmless_stays(runtime: Runtime, times: Times, cell: str) -> None:
    await create(runtime, times, external_id="A", last_name=cell)

    run = await export_people(runtime, columns=["external_id", "last_name"])

    assert (await rows_of(runtime, run))[1][1] == cell


async def test_the_database_escapes_what_imports_take_off_again(runtime: Runtime) -> None:
    signs = ["=", "+", "-", "@", "\t", "\r", "\n", "'", '"', ",", " ", "0", ":", "?", "A", "a", "é", "“", "\u00a0", "😀"]
    cells = ["", *signs, *(one + other for one in signs for other in signs), *(f"''{one}1" for one in signs), "'" * 5 + "="]
    async with transaction(runtime.pool) as conn:
        await conn.execute("INSERT INTO profile (last_name) SELECT cell FROM unnest($1::text[]) AS cell", cells)

    run = await export_people(runtime, columns=["id", "last_name"])

    assert [row[1] for row in (await rows_of(runtime, run))[1:]] == [escaped(cell) for cell in cells]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["'=", "=1", "\t", "a\r\nb", '"', ","])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries({"first_name": TEXT, "city": TEXT, "email": st.emails() | st.just(""), "address_line1": TEXT}),
        max_size=8,
    )
)
async def test_an_export_comes_back_unchanged(runtime: Runtime, times: Times, found: list[dict[str, str]]) -> None:
    async with runtime.pool.acquire() as conn:
        await conn.execute("DELETE FROM profile")
    for number, values in enumerate(found):
        try:
            await create(runtime, times, external_id=f"C-{number}", **values)
        except FieldsInvalid:
            continue  # it cannot be stored, so it cannot go out
    before = await people(runtime, "to_jsonb(profile)")

    exported = await export_people(runtime)
    data = await read_file(runtime, exported.file_id)
    for options in (ImportOptions(), ImportOptions(empty=EmptyCells.CLEAR, lift_opt_outs=True)):
        run = await import_people(runtime, data, options=options)
        assert counts(run) == ({"unchanged": len(before)} if before else {})
    assert await people(runtime, "to_jsonb(profile)") == before

    # And into an empty table, as other people with the same values.
    async with runtime.pool.acquire() as conn:
        await conn.execute("DELETE FROM profile")
    await import_people(runtime, data)
    again = await export_people(runtime)
    assert _as_entered(await rows_of(runtime, again)) == _as_entered(await rows_of(runtime, exported))


def _as_entered(rows: list[list[str]]) -> list[list[str]]:
    """Without what every profile is given anew."""
    given = [rows[0].index(name) for name in ("id", "opt_in_id")]
    return [[cell for place, cell in enumerate(row) if place not in given] for row in rows]


async def test_a_realistic_file_survives_the_way_in_out_and_in(runtime: Runtime, times: Times, tmp_path: Any) -> None:
    made = write_people(tmp_path / "people.csv", 1500, bad_share=0.0, without_email_share=0.1)
    await import_people(runtime, made.path.read_bytes())

    exported = await export_people(runtime)
    back = await import_people(runtime, await read_file(runtime, exported.file_id))

    assert exported.rows_written == 1500
    assert counts(back) == {"unchanged": 1500}


async def choose(conn: Connection, run: ExportRun, now: Any) -> Selection:
    """Stands for the room that knows audiences: its selection has bound values."""
    return Selection(
        "SELECT id FROM profile WHERE city = $1 AND created_at <= $2 AND first_name <> ALL($3)", ("Paris", now, ["'; DROP"])
    )


async def test_an_audience_is_selected_by_the_room_that_knows_it(runtime: Runtime, times: Times) -> None:
    await create(runtime, times, first_name="Ann", city="Paris")
    await create(runtime, times, first_name="Bob", city="Rome")
    await create(runtime, times, first_name="Cy", city="Paris")
    runtime.resources[SELECTION_RESOURCE] = choose

    by_audience = await export_people(runtime, columns=["first_name"], audience_id=7)
    by_expression = await export_people(runtime, columns=["first_name"], expression={"any": "tree"})

    for run in (by_audience, by_expression):
        assert await rows_of(runtime, run) == [["first_name"], ["Ann"], ["Cy"]]
        assert (run.rows_total, run.rows_written) == (2, 2)
    assert by_expression.expression == {"any": "tree"}


async def test_a_selection_that_is_wrong_ends_the_export_with_its_error(runtime: Runtime, times: Times) -> None:
    async def refuse(conn: Connection, run: ExportRun, now: Any) -> Selection:
        raise NotFound("there is no audience 7", code="AUDIENCE_NOT_FOUND", path="audience_id")

    nobody_knows = await export_people(runtime, audience_id=7)
    runtime.resources[SELECTION_RESOURCE] = refuse
    refused = await export_people(runtime, audience_id=7)

    assert nobody_knows.state is refused.state is RunState.FAILED
    assert nobody_knows.error is not None
    assert refused.error is not None
    assert (nobody_knows.error.code, refused.error.code) == ("NO_SELECTION", "AUDIENCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("arguments", "code", "path"),
    [
        ({"columns": []}, "NO_COLUMNS", "columns"),
        ({"columns": ["city", "ctiy"]}, "UNKNOWN_FIELD", "columns.1"),
        ({"columns": ["city", "city"]}, "DUPLICATE_FIELD", "columns.1"),
        ({"columns": ["id; DROP TABLE profile"]}, "UNKNOWN_FIELD", "columns.0"),
        ({"columns": ["email_key"]}, "UNKNOWN_FIELD", "columns.0"),
        ({"audience_id": 1, "expression": {}}, "TWO_SELECTIONS", "expression"),
    ],
)
async def test_a_wrong_request_is_refused_at_once(
    runtime: Runtime, db: Connection, times: Times, arguments: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await exports.create_export(db, SYSTEM, runtime.files, now=times.now, **arguments)

    assert (caught.value.code, caught.value.path) == (code, path)
    assert await exports.count_exports(db) == 0


async def test_only_with_the_permission(runtime: Runtime, db: Connection, times: Times) -> None:
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    run = await export_people(runtime, columns=["email"])

    with pytest.raises(Forbidden):
        await exports.create_export(db, reader, runtime.files, now=times.now)
    for operation in (exports.cancel_export, exports.issue_download_ticket):
        with pytest.raises(Forbidden):
            await operation(db, reader, run.id, times.now)


async def test_the_life_of_an_export(runtime: Runtime, db: Connection, times: Times) -> None:
    run = await exports.create_export(db, SYSTEM, runtime.files, columns=["email"], now=times.now)
    assert [(one.topic, one.ids) for one in await take(db, 10)] == [("export.ready", {"export_id": run.id})]
    with pytest.raises(Conflict) as caught:
        await exports.issue_download_ticket(db, SYSTEM, run.id, times.now)
    assert caught.value.code == "EXPORT_NOT_FINISHED"

    await export_runner.run_export(runtime, export_id=run.id)
    await export_runner.run_export(runtime, export_id=run.id)

    ticket = await exports.issue_download_ticket(db, SYSTEM, run.id, times.now)
    file = await stored_files.redeem_ticket(db, ticket.secret, "read", times.now)
    assert (file.name, file.size) == ("profiles.csv", 6)
    with pytest.raises(IllegalMove):
        await exports.cancel_export(db, SYSTEM, run.id, times.now)
    with pytest.raises(NotFound):
        await exports.get_export(db, run.id + 1)
    with pytest.raises(NotFound):
        await exports.cancel_export(db, SYSTEM, run.id + 1, times.now)
    told = await list_entries(db, object_type="export", object_ids=[str(run.id)], before_id=None, limit=9)
    assert [entry.action for entry in told] == ["export.download", "export.finish", "export.create"]
    assert list(await exports.get_exports(db, [run.id, run.id + 1])) == [run.id]
    page = await exports.list_exports(db, PageRequest(first=1))
    assert ([one.id for one in page.rows], page.has_next) == ([run.id], False)


Patch = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture
def between_ranges(monkeypatch: pytest.MonkeyPatch) -> Patch:
    """Have something happen while the file is being written, after its first range."""

    def patch(happens: Callable[[], Awaitable[None]]) -> None:
        fetch_range = store.fetch_range
        done: list[bool] = []

        async def interrupted(*args: Any, **named: Any) -> Any:
            fetched = await fetch_range(*args, **named)
            if not done:
                done.append(True)
                await happens()
            return fetched

        monkeypatch.setattr(store, "fetch_range", interrupted)
        monkeypatch.setattr(export_ranges, "RANGE", 500)
        monkeypatch.setattr(export_runner, "REPORT_EVERY", timedelta(0))

    return patch


async def leftovers(runtime: Runtime) -> list[str]:
    """Names of unfinished files."""
    return [path.name for path in runtime.files.root.iterdir() if PART in path.name]


async def test_a_cancelled_export_leaves_nothing(runtime: Runtime, db: Connection, times: Times, between_ranges: Patch) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(3000)))
    run = await exports.create_export(db, SYSTEM, runtime.files, now=times.now)

    async def cancel() -> None:
        await exports.cancel_export(db, SYSTEM, run.id, times.now)

    between_ranges(cancel)
    await export_runner.run_export(runtime, export_id=run.id)

    assert (await exports.get_export(db, run.id)).state is RunState.CANCELLED
    assert await leftovers(runtime) == []
    assert not runtime.files.path(await stored_files.get_file(db, run.file_id)).exists()
    # the connection that streamed is fit for use
    assert (await export_people(runtime, columns=["id"])).rows_written == 3000


@pytest.fixture
def slow_selection(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom an export holds is found by a statement that would take minutes."""

    async def choose(conn: Connection, run: ExportRun, now: Any) -> Selection:
        return Selection("SELECT id FROM profile, pg_sleep(300)", ())

    runtime.resources[SELECTION_RESOURCE] = choose
    monkeypatch.setattr(export_runner, "LOOK_SECONDS", 0.05)


SELECTING = """
SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE TEMPORARY TABLE export_selection%'
"""


async def selecting(db: Connection) -> None:
    """Return once the database is at it."""
    while not await db.fetchval(SELECTING):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("slow_selection")
async def test_finding_the_rows_ends_in_the_database_when_the_export_is_cancelled(
    runtime: Runtime, db: Connection, times: Times
) -> None:
    run = await exports.create_export(db, SYSTEM, runtime.files, audience_id=7, now=times.now)
    work = asyncio.create_task(export_runner.run_export(runtime, export_id=run.id))
    await asyncio.wait_for(selecting(db), 20)

    await exports.cancel_export(db, SYSTEM, run.id, times.now)
    await asyncio.wait_for(work, 20)

    assert (await exports.get_export(db, run.id)).state is RunState.CANCELLED
    assert await db.fetchval(SELECTING) == 0
    assert await leftovers(runtime) == []
    # the connection that was selecting is fit for use
    assert (await export_people(runtime, columns=["id"])).state is RunState.FINISHED


@pytest.mark.usefixtures("slow_selection")
async def test_finding_the_rows_is_left_to_another_when_the_process_ends(
    runtime: Runtime, db: Connection, times: Times
) -> None:
    run = await exports.create_export(db, SYSTEM, runtime.files, audience_id=7, now=times.now)
    work = asyncio.create_task(export_runner.run_export(runtime, export_id=run.id))
    await asyncio.wait_for(selecting(db), 20)

    runtime.stopping.set()
    await asyncio.wait_for(work, 20)

    assert (await exports.get_export(db, run.id)).state is RunState.READY
    assert await db.fetchval(SELECTING) == 0


async def test_an_export_is_written_where_the_sweep_finds_what_a_killed_worker_leaves(
    runtime: Runtime, db: Connection, times: Times, between_ranges: Patch
) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(3000)))
    run = await exports.create_export(db, SYSTEM, runtime.files, now=times.now)
    name = (await stored_files.get_file(db, run.file_id)).location
    seen: list[str] = []

    async def look() -> None:
        seen.extend(path.name for path in runtime.files.root.iterdir() if path.name.startswith(name))

    between_ranges(look)
    await export_runner.run_export(runtime, export_id=run.id)

    assert [one.startswith(name + PART) for one in seen] == [True]
    assert await leftovers(runtime) == []


async def test_a_process_that_ends_hands_over(runtime: Runtime, db: Connection, times: Times, between_ranges: Patch) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(3000)))
    run = await exports.create_export(db, SYSTEM, runtime.files, now=times.now)
    await take(db, 100)

    async def end() -> None:
        runtime.stopping.set()

    between_ranges(end)
    await export_runner.run_export(runtime, export_id=run.id)

    assert (await exports.get_export(db, run.id)).state is RunState.READY
    assert [one.ids for one in await take(db, 10)] == [{"export_id": run.id}]
    runtime.stopping.clear()
    await export_runner.run_export(runtime, export_id=run.id)
    assert (await exports.get_export(db, run.id)).rows_written == 3000


async def test_a_worker_that_was_thought_dead_does_not_spoil_the_file(
    runtime: Runtime, db: Connection, times: Times, between_ranges: Patch
) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(3000)))
    run = await exports.create_export(db, SYSTEM, runtime.files, columns=["external_id"], now=times.now)
    await take(db, 100)

    async def another_takes_over() -> None:
        times.move(seconds=jobs.QUIET.total_seconds() + 1)
        await jobs.sweep(runtime)
        (wake_up,) = await take(db, 10)
        await export_runner.run_export(runtime, **wake_up.ids)

    between_ranges(another_takes_over)
    await export_runner.run_export(runtime, export_id=run.id)

    done = await exports.get_export(db, run.id)
    assert (done.state, done.rows_written) == (RunState.FINISHED, 3000)
    assert len(await rows_of(runtime, done)) == 3001
    assert await leftovers(runtime) == []


async def test_a_killed_connection_is_worked_on_again(
    runtime: Runtime, db: Connection, times: Times, between_ranges: Patch
) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(3000)))
    run = await exports.create_export(db, SYSTEM, runtime.files, columns=["external_id"], now=times.now)
    await take(db, 100)

    async def kill() -> None:
        await cut_connections(runtime, db)

    between_ranges(kill)
    with pytest.raises(TRY_LATER):
        await export_runner.run_export(runtime, export_id=run.id)
    assert (await exports.get_export(db, run.id)).state is RunState.RUNNING
    times.move(seconds=jobs.QUIET.total_seconds() + 1)
    await jobs.sweep(runtime)
    (wake_up,) = await take(db, 10)
    await export_runner.run_export(runtime, **wake_up.ids)

    assert (await exports.get_export(db, run.id)).rows_written == 3000


async def test_a_mistake_of_ours_is_told(runtime: Runtime, times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "count_all", broken)
    async with transaction(runtime.pool) as conn:
        run = await exports.create_export(conn, SYSTEM, runtime.files, now=times.now)
    with pytest.raises(ZeroDivisionError):
        await export_runner.run_export(runtime, export_id=run.id)

    async with runtime.pool.acquire() as conn:
        failed = await exports.get_export(conn, run.id)
    assert failed.state is RunState.FAILED
    assert failed.error is not None
    assert failed.error.code == "INTERNAL"


async def test_a_value_that_the_database_does_not_hold_is_told_by_name(
    runtime: Runtime, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_much(conn: Connection) -> None:
        await conn.fetchval("SELECT length(repeat('x', 1200000000))")

    monkeypatch.setattr(store, "count_all", too_much)
    async with transaction(runtime.pool) as conn:
        run = await exports.create_export(conn, SYSTEM, runtime.files, now=times.now)
    await export_runner.run_export(runtime, export_id=run.id)

    async with runtime.pool.acquire() as conn:
        failed = await exports.get_export(conn, run.id)
    assert failed.state is RunState.FAILED
    assert failed.error is not None
    assert failed.error.code == "VALUE_TOO_LARGE"


async def test_an_export_that_was_kept_long_enough_is_told_to_be_gone(runtime: Runtime, db: Connection, times: Times) -> None:
    run = await export_people(runtime)
    waits = await exports.create_export(db, SYSTEM, runtime.files, now=times.now)
    times.move(days=31)
    await housekeeping.sweep(runtime)

    with pytest.raises(NotFound, match="removed after 31 days") as caught:
        await exports.issue_download_ticket(db, SYSTEM, run.id, times.now)
    assert (caught.value.code, caught.value.path) == ("FILE_REMOVED", "export_id")

    # One that no worker took so long is written all the same
    await export_runner.run_export(runtime, export_id=waits.id)
    await exports.issue_download_ticket(db, SYSTEM, waits.id, times.now)
    times.move(days=29)
    await housekeeping.sweep(runtime)
    assert [path.name for path in runtime.files.root.iterdir()] == [(await stored_files.get_file(db, waits.file_id)).location]
