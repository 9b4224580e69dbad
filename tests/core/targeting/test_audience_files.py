"""Audiences of files: rows of whom nobody knows yet, and the profiles that they turn out to be about."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import ClarionError
from core.paging import PageRequest
from core.profiles.fields import Field, FieldType
from core.profiles.import_keys import ImportKey
from core.profiles.import_options import FileFormat, FileShape, FixedColumn
from core.profiles.run_records import RunState
from core.profiles.team_fields import OURS, Fields
from core.runtime import Runtime
from core.targeting import audience_files, audience_runs, jobs, loading, reconciling, row_keys
from core.targeting.audiences import count, delete_audience, get_audience, open_audience, open_question, sample
from core.targeting.catalogue import Kind
from core.targeting.file_rows import LONGEST
from core.targeting.member_columns import MAX_COLUMNS
from core.targeting.parse import parse_text
from core.targeting.records import FileColumn, FileOptions, RowKey, RowOutcome
from tests.core.targeting.files import (
    exported,
    loaded,
    members,
    reconciled,
    rows,
    seen,
    uploaded,
    worked,
)
from tests.core.targeting.files import loading as load_run

ZONE = ZoneInfo("UTC")
FILE = """email,First Name,score
ann@x.example,Ann,10
BOB@x.example,Bob,2.50
nobody@x.example,Eve,7
"""


async def people(db: Connection, *emails: str) -> list[int]:
    found = await db.fetch(
        """
        INSERT INTO profile (email, email_key, email_domain) SELECT e, e, 'x.example' FROM unnest($1::text[]) AS e
        RETURNING id
        """,
        emails,
    )
    return [row["id"] for row in found]


async def found(runtime: Runtime, question: str) -> list[int]:
    async with runtime.pool.acquire() as conn:
        checked = await open_question(conn, parse_text(question))
        return await sample(conn, checked, size=100, at=runtime.clock(), zone=ZONE)


async def refused(code: str, work: Any) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        await work
    assert caught.value.code == code
    return caught.value


async def test_a_file_is_loaded_reconciled_and_targeted(runtime: Runtime, db: Connection) -> None:
    # Given two people and a file of three rows
    ann, bob = await people(db, "ann@x.example", "bob@x.example")
    columns = (FileColumn(column="score", kind=Kind.DECIMAL, personal=False),)
    audience_id, run = await loaded(runtime, FILE, options=FileOptions(columns=columns))
    # When it is loaded, its rows are kept with their columns
    assert (run.state, run.result) == (RunState.FINISHED, {"rows": 3, "rejected": 0, "rejects": []})
    assert (await rows(runtime, audience_id))[0] == (
        2, RowOutcome.WAITING, {"email": "ann@x.example", "first_name": "Ann", "score": "10"},
    )  # fmt: skip
    # And it is refused as a target, by a name that says what to do
    async with runtime.pool.acquire() as conn:
        audience = await get_audience(conn, audience_id)
        error = await refused("AUDIENCE_NOT_RECONCILED", open_audience(conn, audience))
        assert "reconcile" in (error.hint or "")
        await refused("AUDIENCE_NOT_RECONCILED", open_question(conn, parse_text("in_audience('file')")))
        await refused("AUDIENCE_NOT_RECONCILED", open_question(conn, parse_text("audience_column('file', 'score') > 1")))
    # Once it is reconciled, the audience is of profiles
    run = await reconciled(runtime, audience_id)
    assert run.result == {"matched": 2, "repeated": 0, "unmatched": 1, "ambiguous": 0}
    assert (run.done, run.total) == (3, 3)
    async with runtime.pool.acquire() as conn:
        audience = await get_audience(conn, audience_id)
        assert await count(conn, await open_audience(conn, audience), at=runtime.clock(), zone=ZONE) == 2
        assert (audience.counted, audience.version) == (2, 4)
    assert await members(runtime, audience_id) == {
        ann: {"email": "ann@x.example", "first_name": "Ann", "score": "10"},
        bob: {"email": "BOB@x.example", "first_name": "Bob", "score": "2.50"},
    }
    assert await found(runtime, "audience_column('file', 'score') > 2.5") == [ann]
    assert await found(runtime, "audience_column('file', 'first_name') starts_with 'b'") == [bob]
    # And the rest can be listed and exported
    assert await rows(runtime, audience_id, RowOutcome.UNMATCHED) == [
        (4, RowOutcome.UNMATCHED, {"email": "nobody@x.example", "first_name": "Eve", "score": "7"})
    ]
    assert await exported(runtime, audience_id, RowOutcome.UNMATCHED) == [
        {"line": "4", "outcome": "unmatched", "profile_id": "", "email": "nobody@x.example", "first_name": "Eve", "score": "7"}
    ]
    assert len(await exported(runtime, audience_id)) == 3


async def test_it_can_be_loaded_and_reconciled_in_one_go(runtime: Runtime, db: Connection) -> None:
    (ann,) = await people(db, "ann@x.example")
    audience_id = await uploaded(runtime, FILE)
    run_id = await load_run(runtime, audience_id, (RowKey(field="email", column="email"),))
    assert (await worked(runtime, run_id)).state is RunState.FINISHED
    async with runtime.pool.acquire() as conn:
        following = (await audience_runs.list_runs(conn, audience_id, PageRequest(first=100))).rows[-1]
    assert (await worked(runtime, following.id)).result["matched"] == 1
    assert list(await members(runtime, audience_id)) == [ann]


@pytest.mark.parametrize("where", ["csv", "jsonl", "gzip", "fixed"])
async def test_every_format_of_imports_is_read(runtime: Runtime, where: str) -> None:
    text = {"email": "ann@x.example", "First Name": "Ann"}
    options = FileOptions()
    match where:
        case "csv":
            data = b"email;First Name\nann@x.example;Ann\n"
        case "jsonl":
            data = json.dumps(text).encode()
        case "gzip":
            data = gzip.compress(b"email,First Name\nann@x.example,Ann\n")
        case _:
            data = b"ann@x.example  Ann  \n"
            fixed = (FixedColumn(name="email", width=15), FixedColumn(name="First Name", width=5))
            options = FileOptions(file=FileShape(format=FileFormat.FIXED_WIDTH, header=False, fixed_columns=fixed))
    audience_id, run = await loaded(runtime, data, options=options)
    assert run.state is RunState.FINISHED, run.error
    assert [data for _, _, data in await rows(runtime, audience_id)] == [{"email": "ann@x.example", "first_name": "Ann"}]


async def test_the_first_key_that_finds_one_alone_counts(runtime: Runtime, db: Connection) -> None:
    # Given two with one address, one of whom a number tells apart, and one known by an external id
    one, two = await people(db, "both@x.example", "both@x.example")
    await db.execute("UPDATE profile SET mobile_phone = '+33612345678' WHERE id = $1", two)
    (three,) = [row["id"] for row in await db.fetch("INSERT INTO profile (external_id) VALUES ('C-1') RETURNING id")]
    data = """mail,tel,code
Both@X.example,06 12 34 56 78,
both@x.example,,
,,C-1
,,c-1
not an address,+33,nobody
both@x.example,06 12 34 56 78,C-1
"""
    audience_id, _ = await loaded(runtime, data)
    # When they are reconciled by several keys in order
    keys = [
        RowKey(field="email", column="mail"),
        RowKey(field="mobile_phone", column="tel"),
        RowKey(field="external_id", column="code"),
    ]
    run = await reconciled(runtime, audience_id, *keys, region="FR")
    # Then each row has the first person that a key finds alone, and who is found again is repeated
    assert [outcome.value for _, outcome, _ in await rows(runtime, audience_id)] == [
        "matched", "ambiguous", "matched", "unmatched", "unmatched", "repeated",
    ]  # fmt: skip
    assert run.result == {"matched": 2, "repeated": 1, "unmatched": 2, "ambiguous": 1}
    assert sorted(await members(runtime, audience_id)) == sorted([two, three])
    assert one not in await members(runtime, audience_id)


async def test_who_is_merged_is_found_as_the_survivor(runtime: Runtime, db: Connection) -> None:
    one, two = await people(db, "ann@x.example", "bob@x.example")
    await db.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", one, two)
    audience_id, _ = await loaded(runtime, FILE)
    run = await reconciled(runtime, audience_id)
    assert list(await members(runtime, audience_id)) == [one]
    assert (run.result["matched"], run.result["repeated"]) == (1, 1)


async def test_reconciling_once_more_begins_anew(runtime: Runtime, db: Connection) -> None:
    audience_id, _ = await loaded(runtime, FILE)
    assert (await reconciled(runtime, audience_id)).result["matched"] == 0
    (eve,) = await people(db, "nobody@x.example")
    await db.execute("UPDATE profile SET external_id = 'Bob' WHERE id = $1", eve)
    assert (await reconciled(runtime, audience_id)).result["matched"] == 1
    assert (await members(runtime, audience_id))[eve]["first_name"] == "Eve"
    assert (await reconciled(runtime, audience_id, RowKey(field="external_id", column="first_name"))).result["matched"] == 1
    assert (await members(runtime, audience_id))[eve]["first_name"] == "Bob"


async def test_rows_of_who_is_deleted_go(runtime: Runtime, db: Connection) -> None:
    (ann,) = await people(db, "ann@x.example")
    audience_id, _ = await loaded(runtime, FILE + "ANN@x.example,Annie,1\n")
    await reconciled(runtime, audience_id)
    assert await db.fetchval("SELECT count(*) FROM audience_row WHERE profile_id = $1", ann) == 2
    await db.execute("DELETE FROM profile WHERE id = $1", ann)
    assert [line for line, _, _ in await rows(runtime, audience_id)] == [3, 4]
    assert await members(runtime, audience_id) == {}


async def test_a_teams_unique_key_finds_people(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `test_team_keys` of imports has them: a field alone in a key that is really built."""
    await db.execute("ALTER TABLE profile ADD COLUMN x_card bigint")
    (ann,) = await people(db, "ann@x.example")
    await db.execute("UPDATE profile SET x_card = 77 WHERE id = $1", ann)
    card = Field(name="card", label="Card", type=FieldType.INTEGER, stored_as="x_card", unique=True)

    async def known(conn: Connection) -> Fields:
        return Fields({**OURS.all, "card": card}, OURS.settable)

    monkeypatch.setattr(row_keys, "fields_by_keys", known)
    audience_id, _ = await loaded(runtime, "no\n77\n78\nx\n")
    assert (await reconciled(runtime, audience_id, RowKey(field="card", column="no"))).result["matched"] == 1
    assert list(await members(runtime, audience_id)) == [ann]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "1 to 10 keys"),
        ([RowKey(field="first_name", column="email")], "not known by 'first_name'"),
        ([RowKey(field="emial", column="email")], "not known by 'emial'"),
        ([RowKey(field="email", column="e_mail")], "no column 'e_mail'"),
        ([RowKey(field="email", column="email' OR '1'='1")], "no column"),
        ([RowKey(field="id = id --", column="email")], "not known by"),
        ([RowKey(field="email", column="email")] * 11, "1 to 10 keys"),
    ],
)
async def test_keys_that_are_none_are_refused(runtime: Runtime, keys: Sequence[RowKey], said: str) -> None:
    audience_id, _ = await loaded(runtime, FILE)
    async with runtime.pool.acquire() as conn:
        error = await refused("BAD_KEY", audience_files.reconcile(conn, SYSTEM, audience_id, keys, runtime.clock()))
    assert said in error.message


async def test_steps_out_of_order_have_names(runtime: Runtime) -> None:
    audience_id = await uploaded(runtime, FILE)
    key = [RowKey(field="email", column="email")]
    async with runtime.pool.acquire() as conn:
        await refused("AUDIENCE_NOT_LOADED", audience_files.reconcile(conn, SYSTEM, audience_id, key, runtime.clock()))
    run_id = await load_run(runtime, audience_id)
    async with runtime.pool.acquire() as conn:
        await refused("AUDIENCE_BUSY", audience_files.load_file(conn, SYSTEM, audience_id, runtime.clock()))
    await worked(runtime, run_id)
    async with runtime.pool.acquire() as conn:
        await refused("AUDIENCE_LOADED", audience_files.load_file(conn, SYSTEM, audience_id, runtime.clock()))
        await refused("AUDIENCE_LOADED", audience_files.renew_upload(conn, SYSTEM, audience_id, runtime.clock()))


async def test_a_file_that_is_not_there_yet_is_not_read(runtime: Runtime) -> None:
    async with transaction(runtime.pool) as conn:
        audience, _ = await audience_files.create_file_audience(
            conn, SYSTEM, runtime.files, name="a", label="a", file_name="a.csv", options=FileOptions(), now=runtime.clock()
        )
    async with runtime.pool.acquire() as conn:
        await refused("FILE_NOT_UPLOADED", audience_files.load_file(conn, SYSTEM, audience.id, runtime.clock()))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY_FILE"),
        (",".join(f"c{n}" for n in range(2000)).encode() + b"\n", "TOO_MANY_COLUMNS"),
        (b"PK\x03\x04 no archive", None),
        (b"\xd0\xcf\x11\xe0rest", "OLD_WORKBOOK"),
        (b"\xff\xfe\xff\xfe\xff", None),
    ],
)
async def test_hostile_files_fail_with_a_name(runtime: Runtime, data: bytes, code: str | None) -> None:
    audience_id, run = await loaded(runtime, data)
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert run.error.code == code if code else run.error.code != "INTERNAL"
    assert await rows(runtime, audience_id) == []


async def test_rows_that_cannot_be_read_are_left_out_and_told_without_their_cells(runtime: Runtime) -> None:
    columns = (FileColumn(column="score", kind=Kind.INTEGER), FileColumn(column="on", kind=Kind.DATE))
    long = "x" * (LONGEST + 1)
    lines = ["a@x,1,2024-05-01", "b@x,secret,", "c@x,,2024-02-30", "d@x,3", "\x01@x,3,", f"{long},3,", ",,", "=1+1,4,"]
    data = "\n".join(["email,score,on", *lines, ""])
    audience_id, run = await loaded(runtime, data, options=FileOptions(columns=columns))
    assert [data for _, _, data in await rows(runtime, audience_id)] == [
        {"email": "a@x", "score": 1, "on": "2024-05-01"},
        {"email": "=1+1", "score": 4},
    ]
    assert (run.result["rows"], run.result["rejected"]) == (2, 5)
    assert "secret" not in str(run.result)
    assert {(one["line"], one["column"], one["code"]) for one in run.result["rejects"]} >= {
        (3, "score", "BAD_VALUE"), (4, "on", "BAD_DATE"), (6, "email", "BAD_TEXT"), (7, "email", "TOO_LONG"),
    }  # fmt: skip
    assert (await exported(runtime, audience_id))[1]["email"] == "'=1+1"


async def test_columns_named_like_fields_and_like_each_other(runtime: Runtime, db: Connection) -> None:
    (ann,) = await people(db, "ann@x.example")
    audience_id, _ = await loaded(runtime, 'email,id,ID,"1; DROP TABLE x",where\nann@x.example,5,6,7,8\n')
    await reconciled(runtime, audience_id)
    assert await members(runtime, audience_id) == {
        ann: {"email": "ann@x.example", "id": "5", "id_2": "6", "column_1_drop_table_x": "7", "column_where": "8"}
    }
    assert await found(runtime, "audience_column('file', 'id_2') = '6' and id > 0") == [ann]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (FileOptions(delimiter="ab"), "BAD_DELIMITER"),
        (FileOptions(file=FileShape(encoding="no-such")), "BAD_ENCODING"),
        (FileOptions(columns=(FileColumn(column="a", kind=Kind.POINT),)), "BAD_COLUMN"),
        (FileOptions(columns=(FileColumn(column="a"), FileColumn(column=" a "))), "DUPLICATE_COLUMN"),
        (FileOptions(columns=tuple(FileColumn(column=str(n)) for n in range(MAX_COLUMNS + 1))), "TOO_MANY_COLUMNS"),
    ],
)
async def test_options_that_no_file_could_make_good_are_refused(
    conn: Connection, runtime: Runtime, options: FileOptions, code: str
) -> None:
    await refused(
        code,
        audience_files.create_file_audience(
            conn, SYSTEM, runtime.files, name="a", label="a", file_name="a.csv", options=options, now=runtime.clock()
        ),
    )


async def test_a_column_that_the_file_does_not_have_fails_the_load(runtime: Runtime) -> None:
    _, run = await loaded(runtime, FILE, options=FileOptions(columns=(FileColumn(column="skore", kind=Kind.INTEGER),)))
    assert run.error is not None
    assert (run.error.code, run.error.hint) == ("UNKNOWN_COLUMN", "Did you mean 'score'?")


async def test_columns_can_be_left_out_and_named(runtime: Runtime) -> None:
    columns = (FileColumn(column="First Name", keep=False), FileColumn(column="score", name="points"))
    audience_id, _ = await loaded(runtime, FILE, options=FileOptions(columns=columns))
    assert (await rows(runtime, audience_id))[0][2] == {"email": "ann@x.example", "points": "10"}


async def test_loading_goes_on_where_a_crash_left_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a worker that dies after the second of many chunks
    monkeypatch.setattr(loading, "CHUNK", 10)
    data = "email\n" + "".join(f"p{n}@x.example\n" for n in range(100))
    audience_id = await uploaded(runtime, data)
    run_id = await load_run(runtime, audience_id)
    storing, chunks = loading._store, 0

    async def dies(*given: Any) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            raise ConnectionResetError
        await storing(*given)

    monkeypatch.setattr(loading, "_store", dies)
    with pytest.raises(ConnectionResetError):
        await jobs.run(runtime, run_id=run_id)
    assert (await seen(runtime, run_id)).state is RunState.RUNNING
    assert (await seen(runtime, run_id)).done == 20
    # When the sweep gives it to another
    runtime.clock.move(seconds=11)  # type: ignore[attr-defined]
    await jobs.sweep(runtime)
    run = await worked(runtime, run_id)
    # Then every row is there once
    assert run.state is RunState.FINISHED
    assert [data["email"] for _, _, data in await rows(runtime, audience_id)] == [f"p{n}@x.example" for n in range(100)]
    assert run.result["rows"] == 100


async def test_reconciling_goes_on_where_a_crash_left_it(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "CHUNK", 10)
    emails = [f"p{n}@x.example" for n in range(50)]
    await people(db, *emails)
    audience_id, _ = await loaded(runtime, "email\n" + "\n".join(emails * 2) + "\n")
    async with transaction(runtime.pool) as conn:
        run = await audience_files.reconcile(
            conn, SYSTEM, audience_id, [RowKey(field="email", column="email")], runtime.clock()
        )
    settling, chunks = reconciling.settle, 0

    async def dies(*given: Any) -> None:
        nonlocal chunks
        chunks += 1
        await settling(*given)
        if chunks == 3:
            raise ConnectionResetError

    monkeypatch.setattr(reconciling, "settle", dies)
    with pytest.raises(ConnectionResetError):
        await jobs.run(runtime, run_id=run.id)
    assert len(await members(runtime, audience_id)) == 20
    async with runtime.pool.acquire() as conn:
        await refused("AUDIENCE_NOT_RECONCILED", open_audience(conn, await get_audience(conn, audience_id)))
    runtime.clock.move(seconds=11)  # type: ignore[attr-defined]
    await jobs.sweep(runtime)
    assert (await worked(runtime, run.id)).result == {"matched": 50, "repeated": 50, "unmatched": 0, "ambiguous": 0}
    assert len(await members(runtime, audience_id)) == 50


async def test_a_worker_that_was_thought_dead_stores_nothing_more(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CHUNK", 10)
    audience_id = await uploaded(runtime, "email\n" + "".join(f"p{n}@x.example\n" for n in range(40)))
    run_id = await load_run(runtime, audience_id)
    storing = loading._store
    held, other = asyncio.Event(), asyncio.Event()

    async def waits(*given: Any) -> None:
        if not held.is_set():
            held.set()
            await other.wait()
        await storing(*given)

    monkeypatch.setattr(loading, "_store", waits)
    first = asyncio.create_task(jobs.run(runtime, run_id=run_id))
    await held.wait()
    runtime.clock.move(seconds=11)  # type: ignore[attr-defined]
    await jobs.sweep(runtime)
    run = await worked(runtime, run_id)
    other.set()
    await first
    assert run.state is RunState.FINISHED
    assert len(await rows(runtime, audience_id)) == 40


async def test_what_is_cancelled_stores_nothing_more_and_can_be_loaded_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHUNK", 10)
    audience_id = await uploaded(runtime, "email\n" + "".join(f"p{n}@x.example\n" for n in range(40)))
    run_id = await load_run(runtime, audience_id)
    storing = loading._store

    async def cancelled(*given: Any) -> None:
        await storing(*given)
        async with transaction(runtime.pool) as conn:
            await audience_runs.cancel_run(conn, SYSTEM, run_id, runtime.clock())

    monkeypatch.setattr(loading, "_store", cancelled)
    assert (await worked(runtime, run_id)).state is RunState.CANCELLED
    assert len(await rows(runtime, audience_id)) == 10
    monkeypatch.setattr(loading, "_store", storing)
    assert (await worked(runtime, await load_run(runtime, audience_id))).result["rows"] == 40
    assert len(await rows(runtime, audience_id)) == 40


async def test_an_audience_that_is_deleted_takes_its_rows_and_lets_its_file_go(runtime: Runtime) -> None:
    audience_id = await uploaded(runtime, FILE)
    run_id = await load_run(runtime, audience_id)
    async with transaction(runtime.pool) as conn:
        file_id = await conn.fetchval("SELECT file_id FROM audience_file WHERE audience_id = $1", audience_id)
        assert await conn.fetchval("SELECT idle_since FROM stored_file WHERE id = $1", file_id) is None
        await delete_audience(conn, SYSTEM, audience_id, runtime.clock())
        assert await conn.fetchval("SELECT idle_since FROM stored_file WHERE id = $1", file_id) is not None
        assert await conn.fetchval("SELECT count(*) FROM audience_run WHERE id = $1", run_id) == 0


async def test_a_key_of_several_fields_finds_people(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a unique key of two fields, each of which many have
    await db.execute("ALTER TABLE profile ADD COLUMN x_shop varchar(50), ADD COLUMN x_card bigint")
    ann, bob, eve = await people(db, "ann@x.example", "bob@x.example", "eve@x.example")
    for who, place, number in ((ann, "Paris", 1), (bob, "Paris", 2), (eve, "Lyon", 1)):
        await db.execute("UPDATE profile SET x_shop = $2, x_card = $3 WHERE id = $1", who, place, number)
    shop = Field(name="shop", label="Shop", type=FieldType.TEXT, stored_as="x_shop", max_length=50)
    card = Field(name="card", label="Card", type=FieldType.INTEGER, stored_as="x_card")
    key = ImportKey(name="member", label="Member", fields=("shop", "card"), columns=("x_shop", "x_card"))

    async def known(conn: Connection) -> Fields:
        return Fields({**OURS.all, "shop": shop, "card": card}, OURS.settable, keys={**OURS.keys, "member": key})

    monkeypatch.setattr(row_keys, "fields_by_keys", known)
    # When rows name both, in any order, then who has both is found
    audience_id, _ = await loaded(runtime, "no,place,code\n1,Lyon,a\n2,Paris,b\n2,Lyon,c\n1,,d\nx,Paris,e\n1,Lyon,f\n")
    by = RowKey(field="card", column="no", also=(RowKey(field="shop", column="place"),))
    run = await reconciled(runtime, audience_id, by)
    assert run.result == {"matched": 2, "repeated": 1, "unmatched": 3, "ambiguous": 0}
    assert {who: data["code"] for who, data in (await members(runtime, audience_id)).items()} == {eve: "a", bob: "b"}

    # And what is no key together, or names a column that is not there, is refused
    for wrong, said in (
        (RowKey(field="card", column="no", also=(RowKey(field="email", column="place"),)), "no unique key together"),
        (RowKey(field="card", column="no", also=(RowKey(field="shop' --", column="place"),)), "no unique key together"),
        (RowKey(field="card", column="no", also=(RowKey(field="shop", column="nowhere"),)), "no column 'nowhere'"),
        (RowKey(field="card", column="no"), "not known by 'card'"),
    ):
        assert said in (await refused("BAD_KEY", reconciled(runtime, audience_id, wrong))).message
