"""Files of every format become profiles: rules for cells, modes, keys, dry runs, and refused rows that come back."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.db import Connection
from core.errors import Invalid
from core.profiles import import_runner, imports
from core.profiles.import_options import (
    ColumnRule,
    FileFormat,
    FileShape,
    FixedColumn,
    ImportMode,
    OnError,
    OtherValues,
    TextCase,
)
from core.profiles.run_records import EmptyCells, ImportOptions, ImportRun, MatchKey, RunState
from core.runtime import Runtime
from tests.core.profiles.house import counts, get_import, import_people, people, read_file, read_rejects, ready_import
from tests.core.profiles.test_file_formats import FORMATS, as_parquet, as_workbook, as_zip


@pytest.mark.parametrize("name", ["utf-16", "gzip", "zip", "json lines", "fixed width", "workbook", "parquet"])
async def test_people_of_every_format(runtime: Runtime, name: str) -> None:
    data, options = FORMATS[name]
    run = await import_people(runtime, data, key=MatchKey.EMAIL, options=options)

    assert (run.state, counts(run)) == (RunState.FINISHED, {"inserted": 3})
    assert run.bytes_read == run.bytes_total == len(data)
    assert run.header == ("email", "first_name", "city")
    assert await people(runtime, "email", "first_name", "city") == [
        ("ann@mail.example", "Ann", "Zürich"),
        ("bob@mail.example", "Bob", None),
        ("cy@mail.example", 'Cy "C", Jr.', "Łódź"),
    ]


@pytest.mark.parametrize("name", ["gzip of utf-16", "json lines", "fixed width", "workbook", "parquet"])
async def test_an_import_goes_on_after_a_crash(runtime: Runtime, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 1)
    data, options = FORMATS[name]
    import_id = await ready_import(runtime, data, key=MatchKey.EMAIL, options=options)
    store = import_runner._store_once
    chunks = 0

    async def dies(*arguments: Any) -> int:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            runtime.stopping.set()
        return await store(*arguments)

    monkeypatch.setattr(import_runner, "_store_once", dies)
    await import_runner.run_import(runtime, import_id=import_id)
    halfway = await get_import(runtime, import_id)
    runtime.stopping.clear()
    await import_runner.run_import(runtime, import_id=import_id)
    run = await get_import(runtime, import_id)

    assert (halfway.state, halfway.rows) == (RunState.READY, 2)
    assert (run.state, counts(run)) == (RunState.FINISHED, {"inserted": 3})


async def test_columns_by_position(runtime: Runtime) -> None:
    options = ImportOptions(delimiter="|", file=FileShape(header=False, quote=None), mapping={"1": "external_id", "3": "city"})
    run = await import_people(runtime, 'A|x|"Paris"\nB|y|Rome\n', options=options)

    assert counts(run) == {"inserted": 2}
    assert await people(runtime, "external_id", "city") == [("A", '"Paris"'), ("B", "Rome")]


async def test_rules_for_cells(runtime: Runtime) -> None:
    options = ImportOptions(
        mapping={"Naissance": "birth_date", "Sexe": "gender", "Lat": "latitude", "Ville": "city", "Langue": "language"},
        columns=(
            ColumnRule(column="Naissance", date_format="DD/MM/YYYY", nulls=("00/00/0000",)),
            ColumnRule(column="Sexe", values={"H": "male", "F": "female"}, other_values=OtherValues.DEFAULT, default="unknown"),
            ColumnRule(column="Lat", decimal_mark=",", thousands_mark=" ", on_error=OnError.EMPTY_CELL),
            ColumnRule(column="Ville", case=TextCase.CAPITALIZE, collapse_blanks=True, required=True),
            ColumnRule(column="Langue", default="fr", on_error=OnError.DEFAULT),
        ),
        constants={"country": "FR", "opt_out_postal": "yes"},
        nulls=("n/a",),
    )
    run = await import_people(
        runtime,
        "external_id,Naissance,Sexe,Lat,Ville,Langue\n"
        'A,31/12/1984,H,"48,8566",SAINT  étienne,pt-BR\n'
        'B,00/00/0000,X,north,L\'ISLE-ADAM,"not a language"\n'
        "C,1984-12-31,F,n/a,Paris,\n"
        "D,,,,n/a,\n",
        options=options,
    )
    rejects = await read_rejects(runtime, run)

    assert counts(run) == {"inserted": 2, "rejected": 2}
    assert await people(
        runtime, "external_id", "birth_date::text", "gender", "latitude", "city", "language", "country", "opt_out_postal"
    ) == [
        ("A", "1984-12-31", 1, 48.8566, "Saint Étienne", "pt-BR", "FR", True),
        ("B", None, 0, None, "L'Isle-Adam", "fr", "FR", True),
    ]
    assert [(one["line"], one["column"], one["code"], one["reason"]) for one in rejects] == [
        ("4", "Naissance", "BAD_DATE", "Birth date '1984-12-31' is not written like DD/MM/YYYY"),
        ("5", "Ville", "MISSING", "City is missing"),
    ]


async def test_refused_rows_are_corrected_and_come_back(runtime: Runtime) -> None:
    """Of a format that no text is, with the same mapping and rules."""
    options = ImportOptions(
        mapping={"Né": "birth_date", "-key": "external_id"}, columns=(ColumnRule(column="Né", date_format="DD.MM.YYYY"),),
        file=FileShape(format=FileFormat.WORKBOOK, sheet="People"),
    )  # fmt: skip
    first = await import_people(
        runtime, as_workbook([["-key", "Né", "City"], ["A", "01.02.2003", "x"], ["'=B", "2003", "'=y"]]), options=options
    )
    assert counts(first) == {"inserted": 1, "rejected": 1}
    text = await read_file(runtime, first.rejects_file_id)
    assert text.splitlines()[0] == "line,column,code,reason,row,'-key,Né,City"

    for corrected in (text, "\ufeff" + text.replace(",", ";")):
        second = await import_people(runtime, corrected.replace("2003", "03.02.2001"), options=options)
        assert second.error is None

    assert await people(runtime, "external_id", "birth_date::text", "city") == [
        ("A", "2003-02-01", "x"), ("=B", "2001-02-03", "=y"),
    ]  # fmt: skip


async def test_modes(runtime: Runtime) -> None:
    async def go(mode: ImportMode, data: str, **more: Any) -> dict[str, int]:
        run = await import_people(runtime, data, options=ImportOptions(mode=mode, **more))
        assert run.error is None
        return {
            name: getattr(run, name)
            for name in ("inserted", "updated", "unchanged", "deleted", "skipped")
            if getattr(run, name)
        }

    data = "external_id,city\nA,Paris\nB,Rome\n"
    assert await go(ImportMode.UPDATE, data) == {"skipped": 2}
    assert await go(ImportMode.INSERT, data, dry_run=True) == {"inserted": 2}
    assert await people(runtime, "id") == []
    assert await go(ImportMode.INSERT, data) == {"inserted": 2}
    assert await go(ImportMode.INSERT, "external_id,city\nB,Oslo\nC,Bonn\n") == {"inserted": 1, "skipped": 1}
    later = "external_id,city\nA,Lyon\nB,Rome\nD,Ulm\n"
    assert await go(ImportMode.UPDATE, later, dry_run=True) == {"updated": 1, "unchanged": 1, "skipped": 1}
    assert await go(ImportMode.INSERT_OR_UPDATE, later, dry_run=True) == {"updated": 1, "unchanged": 1, "inserted": 1}
    assert await go(ImportMode.UPDATE, later) == {"updated": 1, "unchanged": 1, "skipped": 1}
    assert sorted(await people(runtime, "external_id", "city")) == [("A", "Lyon"), ("B", "Rome"), ("C", "Bonn")]
    assert await go(ImportMode.DELETE, "external_id\nA\nX\nA\n", dry_run=True) == {"deleted": 1, "skipped": 1}
    assert await go(ImportMode.DELETE, "external_id\nA\nX\n") == {"deleted": 1, "skipped": 1}
    assert sorted(await people(runtime, "external_id")) == [("B",), ("C",)]


async def test_a_dry_run_writes_nothing_and_tells_all(runtime: Runtime) -> None:
    data = "external_id,email\nA,ann@mail.example\nB,nobody\n"
    run = await import_people(runtime, data, options=ImportOptions(dry_run=True))

    assert (run.state, counts(run)) == (RunState.FINISHED, {"inserted": 1, "rejected": 1})
    assert [one["code"] for one in await read_rejects(runtime, run)] == ["BAD_EMAIL"]
    assert await people(runtime, "id") == []


KEYS = ImportOptions(more_keys=(MatchKey.EMAIL, MatchKey.CRYPTED_ID))


async def test_the_first_key_that_finds_somebody_counts(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,email,crypted_id,city\nA,a@x.example,ka,1\nB,b@x.example,kb,2\n")

    run = await import_people(
        runtime,
        "external_id,email,crypted_id,city\n"
        "A,new@x.example,ka,by the first\n"
        ",b@x.example,,by the second\n"
        "C,,kc,somebody new\n"
        ",,,nobody\n"
        ",,kc,the new one again\n"
        "D,b@x.example,,a new key for the second\n"
        "E,e@x.example,ka,the value of another\n",
        options=KEYS,
    )
    rejects = await read_rejects(runtime, run)

    assert [(one["line"], one["code"]) for one in rejects] == [("5", "NO_KEY")]
    assert counts(run) == {"inserted": 1, "updated": 2, "repeated": 3, "rejected": 1}
    assert sorted(await people(runtime, "external_id", "email", "crypted_id", "city")) == [
        ("C", None, "kc", "the new one again"),
        ("D", "b@x.example", "kb", "a new key for the second"),
        ("E", "e@x.example", "ka", "the value of another"),
    ]


async def test_a_key_is_never_cleared_by_another(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,email,city\nA,a@x.example,Paris\n")

    run = await import_people(
        runtime, "external_id,email,city\n,a@x.example,\n",
        options=ImportOptions(more_keys=(MatchKey.EMAIL,), empty=EmptyCells.CLEAR),
    )  # fmt: skip

    assert counts(run) == {"updated": 1}
    assert await people(runtime, "external_id", "email", "city") == [("A", "a@x.example", None)]


async def test_rows_about_one_person_by_different_keys_are_one(runtime: Runtime, db: Connection) -> None:
    await import_people(runtime, "external_id,email\nA,a@x.example\n")

    run = await import_people(
        runtime,
        "external_id,email,city,state\nA,,Paris,\n,a@x.example,,Seine\n",
        options=ImportOptions(more_keys=(MatchKey.EMAIL,)),
    )

    assert counts(run) == {"updated": 1, "repeated": 1}
    assert await people(runtime, "external_id", "city", "state") == [("A", "Paris", "Seine")]


async def test_whom_a_row_is_about_does_not_change_when_rows_become_one(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of the row that is made of several are those of somebody else too."""
    people_before = "external_id,email,city\n,e@x.example,seven\n,f@x.example,nine\n"
    data = (
        "external_id,email,city\n"
        "Z,e@x.example,one\n"  # seven, by email; it is called Z from now on
        "Z,f@x.example,two\n"  # Z, though nine has the email
        "Q,,three\n"  # somebody new
        "Q,f@x.example,four\n"  # the same, though others have the email
    )
    found = []
    for chunk in (1, 100):
        monkeypatch.setattr(import_runner, "CHUNK", chunk)
        await import_people(runtime, people_before, key=MatchKey.EMAIL)
        run = await import_people(runtime, data, options=ImportOptions(more_keys=(MatchKey.EMAIL,)))
        assert run.inserted == 1
        found.append(await people(runtime, "external_id", "email", "city"))
        async with runtime.pool.acquire() as conn:
            await conn.execute("DELETE FROM profile")

    assert found[0] == found[1]
    assert set(found[0]) == {("Z", "f@x.example", "two"), (None, "f@x.example", "nine"), ("Q", "f@x.example", "four")}


async def test_by_id_only_whom_it_finds(runtime: Runtime, db: Connection) -> None:
    await import_people(runtime, "external_id,city\nA,Paris\n")
    known = await db.fetchval("SELECT id FROM profile")
    data = f"id,city\n{known},Lyon\n{known + 1},Rome\n"

    run = await import_people(runtime, data, key=MatchKey.ID)
    assert counts(run) == {"updated": 1, "rejected": 1}
    assert [(one["line"], one["column"], one["code"]) for one in await read_rejects(runtime, run)] == [("3", "id", "NOT_FOUND")]
    assert await people(runtime, "external_id", "city") == [("A", "Lyon")]

    gone = await import_people(runtime, f"id\n{known}\n", key=MatchKey.ID, options=ImportOptions(mode=ImportMode.DELETE))
    assert gone.deleted == 1


async def test_by_mobile_phone_the_oldest(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,mobile_phone\nA,+33612345678\nB,+33612345678\n")

    run = await import_people(
        runtime, "mobile_phone\n06 12 34 56 78\n", key=MatchKey.MOBILE_PHONE, options=ImportOptions(mode=ImportMode.DELETE)
    )

    assert (run.deleted, run.ambiguous) == (1, 1)
    (remark,) = await read_rejects(runtime, run)
    assert "several profiles have this mobile phone" in remark["reason"]
    assert await people(runtime, "external_id") == [("B",)]


async def test_too_many_refused_rows_stop_an_import(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 2)
    data = "external_id,email\nA,a@x.example\nB,bad\nC,bad\nD,bad\nE,e@x.example\n"

    run = await import_people(runtime, data, options=ImportOptions(most_rejects=2))

    assert (run.state, counts(run)) == (RunState.FAILED, {"inserted": 1, "rejected": 3})
    assert run.error is not None
    assert (run.error.code, run.error.path) == ("TOO_MANY_REJECTS", "line 5")
    assert len(await read_rejects(runtime, run)) == 3
    done = await import_people(runtime, data, options=ImportOptions(most_rejects=3))
    assert done.state is RunState.FINISHED


async def test_a_damaged_file_keeps_what_came_before(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 100)
    monkeypatch.setattr("core.profiles.csv_lines.BLOCK", 1000)
    monkeypatch.setattr("core.profiles.files.streams.BLOCK", 1000)
    whole = gzip.compress("".join(["external_id\n", *(f"{n * 7919 % 100_003}\n" for n in range(20_000))]).encode())

    run = await import_people(runtime, whole[: len(whole) // 2])

    assert run.state is RunState.FAILED
    assert run.error is not None
    assert run.error.code == "BROKEN_ARCHIVE"
    assert 0 < run.inserted < 20_000


FIXED, DATES = "options.file.fixed_columns", "options.columns.0.date_format"


@pytest.mark.parametrize(
    ("options", "code", "path"),
    [
        (ImportOptions(delimiter="ab"), "BAD_DELIMITER", "options.delimiter"),
        (ImportOptions(delimiter="  "), "BAD_DELIMITER", "options.delimiter"),
        (ImportOptions(delimiter="\u0663"), "BAD_DELIMITER", "options.delimiter"),  # a digit
        (ImportOptions(delimiter=" ", file=FileShape(quote=" ")), "BAD_QUOTE", "options.file.quote"),
        (ImportOptions(file=FileShape(quote="''")), "BAD_QUOTE", "options.file.quote"),
        (ImportOptions(delimiter="'", file=FileShape(quote="'")), "BAD_QUOTE", "options.file.quote"),
        (ImportOptions(file=FileShape(escape='"')), "BAD_QUOTE", "options.file.escape"),
        (ImportOptions(file=FileShape(encoding="rot13")), "BAD_ENCODING", "options.file.encoding"),
        (ImportOptions(file=FileShape(encoding="zip")), "BAD_ENCODING", "options.file.encoding"),
        (ImportOptions(file=FileShape(encoding="idna")), "BAD_ENCODING", "options.file.encoding"),
        (ImportOptions(file=FileShape(encoding="\0")), "BAD_ENCODING", "options.file.encoding"),
        (ImportOptions(file=FileShape(skip_lines=-1)), "BAD_LIMIT", "options.file.skip_lines"),
        (ImportOptions(file=FileShape(format=FileFormat.FIXED_WIDTH)), "BAD_COLUMNS", "options.file.fixed_columns"),
        (ImportOptions(file=FileShape(fixed_columns=(FixedColumn(name="a", width=0),))), "BAD_COLUMNS", FIXED),
        (
            ImportOptions(file=FileShape(fixed_columns=(FixedColumn(name="a", width=1),) * 2)),
            "DUPLICATE_COLUMN", "options.file.fixed_columns",
        ),
        (ImportOptions(most_rejects=-1), "BAD_LIMIT", "options.most_rejects"),
        (ImportOptions(more_keys=(MatchKey.EXTERNAL_ID,)), "DUPLICATE_KEY", "options.more_keys"),
        (ImportOptions(more_keys=(MatchKey.ID,), mode=ImportMode.INSERT), "BAD_KEY", "match_key"),
        (ImportOptions(constants={"shoe": "1"}), "UNKNOWN_FIELD", "options.constants.shoe"),
        (ImportOptions(constants={"country": "France"}), "BAD_VALUE", "options.constants.country"),
        (ImportOptions(constants={"city": "x"}, mapping={"c": "city"}), "DUPLICATE_FIELD", "options.constants.city"),
        (ImportOptions(columns=(ColumnRule(column="a"), ColumnRule(column="a "))), "DUPLICATE_COLUMN", "options.columns"),
        (ImportOptions(columns=(ColumnRule(column="a", date_format="D-M-Y"),)), "BAD_DATE_FORMAT", DATES),
        (ImportOptions(columns=(ColumnRule(column="a", date_format="%d"),)), "BAD_DATE_FORMAT", DATES),
        (ImportOptions(columns=(ColumnRule(column="a", time_zone="Paris"),)), "BAD_TIME_ZONE", "options.columns.0.time_zone"),
        (ImportOptions(columns=(ColumnRule(column="a", decimal_mark="1"),)), "BAD_MARK", "options.columns.0.decimal_mark"),
        (ImportOptions(columns=(ColumnRule(column="a", thousands_mark="."),)), "BAD_MARK", "options.columns.0.thousands_mark"),
        (ImportOptions(columns=(ColumnRule(column="a", on_error=OnError.DEFAULT),)), "NO_DEFAULT", "options.columns.0.default"),
        (ImportOptions(columns=(ColumnRule(column="email", default="x"),)), "BAD_EMAIL", "options.columns.0.default"),
        (ImportOptions(nulls=("x" * 2000,)), "BAD_TEXT", "options.nulls"),
    ],
)  # fmt: skip
async def test_options_that_no_file_makes_good(
    runtime: Runtime, db: Connection, options: ImportOptions, code: str, path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await imports.create_import(
            db, SYSTEM, runtime.files, file_name="x", match_key=MatchKey.EXTERNAL_ID, options=options, now=runtime.clock()
        )
    assert (caught.value.code, caught.value.path) == (code, path)


async def test_options_are_kept_as_they_were_given(runtime: Runtime) -> None:
    options = ImportOptions(
        file=FileShape(fixed_columns=(FixedColumn(name="external_id", width=3),), header=False),
        columns=(ColumnRule(column="external_id", values={"A": "B"}, case=TextCase.UPPER),),
        constants={"city": "Paris"}, mode=ImportMode.INSERT,
    )  # fmt: skip
    run: ImportRun = await get_import(runtime, await ready_import(runtime, "a\n", options=options))
    assert run.options == options


async def test_an_archive_of_json_lines_with_mistakes(runtime: Runtime) -> None:
    lines = [
        {"external_id": 1, "city": "Paris"},
        {"external_id": 2, "city": ["a"]},
        {"external_id": None},
        {"external_id": "\ud800"},
    ]
    run = await import_people(runtime, as_zip(("people.jsonl", "".join(json.dumps(one) + "\n" for one in lines).encode())))

    assert counts(run) == {"inserted": 2, "rejected": 2}
    assert [(one["line"], one["code"]) for one in await read_rejects(runtime, run)] == [("3", "NO_KEY"), ("4", "BAD_TEXT")]
    assert await people(runtime, "external_id", "city") == [("1", "Paris"), ("2", '["a"]')]


async def test_imports_of_the_same_people_at_once_take_turns(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """By different keys, in opposite orders: whoever waits waits for one lock, so there is no circle."""
    monkeypatch.setattr(import_runner, "CHUNK", 20)
    rows = [f"K{n},p{n}@x.example," for n in range(100)]
    head = "external_id,email,"
    files = [
        (
            MatchKey.EXTERNAL_ID,
            ImportOptions(more_keys=(MatchKey.EMAIL,)),
            f"{head}city\n" + "".join(f"{row}Paris\n" for row in rows),
        ),
        (MatchKey.EMAIL, ImportOptions(), f"{head}state\n" + "".join(f"{row}Seine\n" for row in reversed(rows))),
        (MatchKey.EMAIL, ImportOptions(), f"{head}zip_code\n" + "".join(f"{row}75\n" for row in rows)),
    ]
    ids = [await ready_import(runtime, data, key=key, options=options) for key, options, data in files]

    await asyncio.gather(*(import_runner.run_import(runtime, import_id=one) for one in ids))

    runs = [await get_import(runtime, one) for one in ids]
    assert all(run.state is RunState.FINISHED and not run.rejected for run in runs)
    assert sum(run.inserted for run in runs) == 100
    assert sum(run.updated for run in runs) == 200
    assert set(await people(runtime, "city", "state", "zip_code")) == {("Paris", "Seine", "75")}


@settings(max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "c"])] * 3), min_size=1, max_size=12), min_size=1, max_size=3),
    st.sampled_from(list(ImportMode)),
    st.permutations([MatchKey.EXTERNAL_ID, MatchKey.EMAIL, MatchKey.CRYPTED_ID]),
)
async def test_any_rows_by_several_keys_are_each_counted_once(
    runtime: Runtime, files: list[list[tuple[str, str, str]]], mode: ImportMode, keys: list[MatchKey]
) -> None:
    async with runtime.pool.acquire() as conn:
        await conn.execute("DELETE FROM profile")
    for number, rows in enumerate(files):
        data = "external_id,email,crypted_id\n" + "".join(f"{a},{b and b + '@x.example'},{c}\n" for a, b, c in rows)
        options = ImportOptions(mode=mode if number else ImportMode.INSERT_OR_UPDATE, more_keys=tuple(keys[1:]))
        run = await import_people(runtime, data, key=keys[0], options=options)
        assert run.error is None
        assert run.rows == len(rows)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (pyarrow.date32(), 2**30),
        (pyarrow.date32(), 20_000_101),
        (pyarrow.timestamp("us"), 2**62),
        (pyarrow.timestamp("s"), -(2**52)),
    ],
)
async def test_a_day_out_of_the_calendar_in_parquet_costs_its_row(runtime: Runtime, kind: pyarrow.DataType, bad: int) -> None:
    emails = ["ann@mail.example", "bob@mail.example", "cy@mail.example"]
    data = as_parquet({"email": emails, "birth_date": pyarrow.array([0, bad, None], kind)})

    run = await import_people(runtime, data, key=MatchKey.EMAIL)

    assert counts(run) == {"inserted": 2, "rejected": 1}
    (reject,) = await read_rejects(runtime, run)
    assert (reject["line"], reject["column"], reject["code"]) == ("2", "birth_date", "BAD_DATE")
    assert await people(runtime, "email", "birth_date::text") == [(emails[0], "1970-01-01"), (emails[2], None)]
