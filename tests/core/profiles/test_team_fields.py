"""Files hold the fields that a team has published, in both directions."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import SYSTEM
from core.audit import list_entries
from core.datamodel.drafts import remove_field
from core.datamodel.hidden import drop_hidden
from core.datamodel.records import FILLED_KINDS, Choice, DataField, Entity, FieldKind, Model
from core.db import Connection, Pool, transaction
from core.errors import Invalid
from core.profiles import export_runner, exports, import_runner
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.import_columns import plan_columns
from core.profiles.profiles import create_profile, update_profile
from core.profiles.run_records import EmptyCells, ImportOptions, MatchKey, RunState
from core.profiles.team_fields import fields_of
from core.profiles.team_rows import Extended, get_team_values
from core.profiles.values import Reading, clean
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, field, publish_draft, publish_fields
from tests.core.profiles.house import counts, export_people, get_import, import_people, read_file, read_rejects, ready_import

LEVELS = (Choice(name="gold", label="Best customers"), Choice(name="silver", label="Silver"))
FIELDS = (
    field("nickname", max_length=10, label="Nick name"),
    field("points", FieldKind.INTEGER),
    field("spent", FieldKind.DECIMAL),
    field("vip", FieldKind.BOOLEAN),
    field("joined", FieldKind.DATE),
    field("seen", FieldKind.INSTANT),
    field("tier", FieldKind.ENUMERATION, choices=LEVELS),
    field("size", choices=(Choice(name="S", label="Small"), Choice(name="M", label="Medium"))),
    field("home", FieldKind.POINT),
)
NOT_THE_SAME = (FieldKind.JSON, FieldKind.POINT, *FILLED_KINDS)  # as texts of a file and as values
COLUMNS = ["nickname", "points", "spent", "vip", "joined", "seen", "tier", "size"]
HEADER = "external_id,Nick name,POINTS,spent,vip,joined,seen,tier,size\n"
ANN = "C-1,Annie,42,9.9900,yes,1066-10-14,2026-03-01T12:00:00+02:00,Best customers,M\n"


async def stored(db: Connection, external_id: str = "C-1") -> tuple[Any, ...]:
    """What a person has in the team's columns."""
    names = ", ".join(f"x_{name}" for name in COLUMNS)
    return tuple(await db.fetchrow(f"SELECT {names} FROM profile WHERE external_id = $1", external_id))


async def exported(runtime: Runtime, columns: list[str]) -> list[list[str]]:
    run = await export_people(runtime, columns=columns)
    return list(csv.reader(io.StringIO(await read_file(runtime, run.file_id), newline="")))


async def test_values_come_in_go_out_and_come_in_unchanged(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    run = await import_people(runtime, HEADER + ANN + "C-2,,,,,,,,\n")

    assert counts(run) == {"inserted": 2}
    seen = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert await stored(db) == ("Annie", 42, Decimal("9.99"), True, date(1066, 10, 14), seen, "gold", "M")
    assert await stored(db, "C-2") == (None,) * 8

    rows = await exported(runtime, ["external_id", *COLUMNS])
    assert rows == [
        ["external_id", *COLUMNS],
        ["C-1", "Annie", "42", "9.9900", "true", "1066-10-14", "2026-03-01T10:00:00.000000Z", "gold", "M"],
        ["C-2", "", "", "", "", "", "", "", ""],
    ]
    again = await import_people(runtime, "\n".join(map(",".join, rows)))
    assert counts(again) == {"unchanged": 2}


async def test_an_export_without_columns_has_them(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    run = await export_people(runtime)
    assert run.columns[-9:] == (*COLUMNS, "home")


async def test_rows_with_wrong_values_are_refused_and_told(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    rows = {
        "Elevenchars,,,,,,,": "TOO_LONG",
        ",4.5,,,,,,": "BAD_VALUE",
        ",9223372036854775808,,,,,,": "BAD_VALUE",
        ",,1e999,,,,,": "BAD_VALUE",
        ",,NaN,,,,,": "BAD_VALUE",
        ",,,maybe,,,,": "BAD_VALUE",
        ",,,,2025-02-29,,,": "BAD_DATE",
        ",,,,,2026-03-01 12:00,,": "BAD_DATE",
        ",,,,,,bronze,": "BAD_VALUE",
        ",,,,,,,XL": "BAD_VALUE",
        ",,,,,,,m": "BAD_VALUE",
    }
    run = await import_people(runtime, HEADER + "".join(f"C-{n},{row}\n" for n, row in enumerate(rows)))

    assert counts(run) == {"rejected": len(rows)}
    assert [row["code"] for row in await read_rejects(runtime, run)] == list(rows.values())


async def test_empty_cells_keep_or_clear(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    await import_people(runtime, HEADER + ANN)
    await import_people(runtime, "external_id,points,tier\nC-1,,silver\n")
    assert (await stored(db))[1] == 42
    await import_people(runtime, "external_id,points,tier\nC-1,,\n", options=ImportOptions(empty=EmptyCells.CLEAR))
    assert (await stored(db))[1] is None
    assert (await stored(db))[6] is None


async def test_formulas_in_texts_are_escaped_and_taken_back(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    await db.execute("INSERT INTO profile (external_id, x_nickname) VALUES ('C-1', '=1+1')")
    rows = await exported(runtime, ["external_id", "nickname"])
    assert rows[1] == ["C-1", "'=1+1"]
    assert counts(await import_people(runtime, "\n".join(map(",".join, rows)))) == {"unchanged": 1}


async def test_a_hidden_field_is_no_column_any_more(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    waiting = await ready_import(runtime, HEADER + ANN)
    mapped = await ready_import(runtime, "id,p\nC-1,3\n", options=ImportOptions(mapping={"id": "external_id", "p": "points"}))
    async with transaction(runtime.pool) as conn:
        late = await exports.create_export(conn, SYSTEM, runtime.files, columns=["points"], now=runtime.clock())
    await remove_field(db, SYSTEM, "profile", "points", now=NOW)
    await publish_draft(db)

    for import_id, code in ((waiting, "UNKNOWN_COLUMN"), (mapped, "UNKNOWN_FIELD")):
        await import_runner.run_import(runtime, import_id=import_id)
        run = await get_import(runtime, import_id)
        assert run.state is RunState.FAILED
        assert run.error is not None
        assert run.error.code == code
    await export_runner.run_export(runtime, export_id=late.id)
    async with transaction(runtime.pool) as conn:
        ended = await exports.get_export(conn, late.id)
        assert ended.error is not None
        assert (ended.state, ended.error.code) == (RunState.FAILED, "FIELD_GONE")
        with pytest.raises(Invalid):
            await exports.create_export(conn, SYSTEM, runtime.files, columns=["points"], now=runtime.clock())


async def test_a_field_that_is_dropped_in_the_middle_ends_the_import_with_its_reason(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish_fields(db, *FIELDS)
    monkeypatch.setattr(import_runner, "CHUNK", 1)
    waiting = await ready_import(runtime, "external_id,points\n" + "".join(f"C-{n},{n}\n" for n in range(3)))
    store = import_runner._store
    stored: list[int] = []

    async def drop_after_the_first(*args: Any) -> None:
        if len(stored) == 1:
            await remove_field(db, SYSTEM, "profile", "points", now=NOW)
            await publish_draft(db)
            await drop_hidden(db, SYSTEM, "profile", "points", confirm="profile.points")
        stored.append(1)
        await store(*args)

    monkeypatch.setattr(import_runner, "_store", drop_after_the_first)
    await import_runner.run_import(runtime, import_id=waiting)

    run = await get_import(runtime, waiting)
    assert run.error is not None
    assert (run.state, run.error.code, run.inserted) == (RunState.FAILED, "FIELD_GONE", 1)


async def test_by_hand_they_are_set_changed_and_cleared_like_ours(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS)
    made = await create_profile(conn, SYSTEM, {"first_name": "Ann"}, {"points": "7", "tier": "GOLD", "spent": "0.10"}, now=NOW)
    assert (await get_team_values(conn, Extended.PROFILE, [made.id, made.id + 1]))[made.id] == {
        **dict.fromkeys([*COLUMNS, "home"]), "points": 7, "tier": "gold", "spent": Decimal("0.10"),
    }  # fmt: skip
    later = NOW + timedelta(hours=1)

    same = await update_profile(conn, SYSTEM, made.id, {}, {"points": 7, "spent": "0.1"}, now=later)
    assert same == made
    changed = await update_profile(
        conn, SYSTEM, made.id, {"city": "Bonn"}, {"points": None, "vip": True, "spent": 0.1}, now=later
    )

    assert (changed.city, changed.updated_at) == ("Bonn", later)
    found = (await get_team_values(conn, Extended.PROFILE, [made.id]))[made.id]
    assert (found["points"], found["vip"], found["tier"]) == (None, True, "gold")
    entries = await list_entries(conn, object_type="profile", object_ids=[str(made.id)], before_id=None, limit=5)
    assert [entry.changes for entry in entries] == [
        {"fields": ["city", "points", "vip"]}, {"fields": ["first_name", "points", "spent", "tier"]},
    ]  # fmt: skip


async def test_every_problem_by_hand_is_told_at_once_and_nothing_is_kept(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS)
    with pytest.raises(FieldsInvalid) as refused:
        await create_profile(conn, SYSTEM, {}, {"points": "x", "pionts": 1, "home": [1, 2], "email": "a@b.example"}, now=NOW)
    told = [(one.code, one.path, one.hint) for one in refused.value.problems]
    assert told[:2] == [
        ("BAD_VALUE", "team_fields.points", "Write it like -12."),
        ("UNKNOWN_FIELD", "team_fields.pionts", "Did you mean 'points'?"),
    ]
    assert [code for code, _, _ in told[2:]] == ["WRONG_TYPE", "UNKNOWN_FIELD"]
    assert await conn.fetchval("SELECT count(*) FROM profile") == 0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (field("tier", max_length=10), field("tier", max_length=20)),
        (field("tier", FieldKind.INTEGER), field("tier", FieldKind.DECIMAL)),
    ],
)
async def test_a_connection_that_has_read_a_column_reads_it_when_it_has_become_another(
    pool: Pool, first: DataField, then: DataField
) -> None:
    async with transaction(pool) as conn:
        await publish_fields(conn, first)
        made = await create_profile(conn, SYSTEM, {}, {"tier": "1"}, now=NOW)
    async with pool.acquire() as reader:
        async with reader.transaction():
            assert str((await get_team_values(reader, Extended.PROFILE, [made.id]))[made.id]["tier"]) == "1"
        async with transaction(pool) as conn:
            if then.kind is not first.kind:
                await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
                await publish_draft(conn)
                await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="profile.tier")
            await publish_fields(conn, then)
        async with reader.transaction():
            await update_profile(reader, SYSTEM, made.id, {}, {"tier": "22"}, now=NOW)
            assert str((await get_team_values(reader, Extended.PROFILE, [made.id]))[made.id]["tier"]) == "22"


async def test_an_import_of_the_same_header_when_a_column_has_become_another(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("tier", FieldKind.INTEGER))
    file = "external_id,tier\nC-1,%s\n"
    assert counts(await import_people(runtime, file % 1)) == {"inserted": 1}
    await remove_field(db, SYSTEM, "profile", "tier", now=NOW)
    await publish_draft(db)
    await drop_hidden(db, SYSTEM, "profile", "tier", confirm="profile.tier")
    await publish_fields(db, field("tier"))

    assert counts(await import_people(runtime, file % "gold")) == {"updated": 1}
    assert await db.fetchval("SELECT x_tier FROM profile") == "gold"


def test_a_header_that_is_a_name_is_that_field() -> None:
    model = Model(
        entities=(
            Entity(
                name="profile",
                label="P",
                built_in=True,
                fields=(field("surname"), field("city2", label="City")),
            ),
        )
    )
    plan = plan_columns(["external_id", "surname", "city2", "city"], MatchKey.EXTERNAL_ID, ImportOptions(), fields_of(model))
    assert [one.name for _, one in plan.fields] == ["external_id", "surname", "city2", "city"]


def test_the_name_of_a_choice_goes_before_the_label_of_another_and_long_decimals_come_back() -> None:
    one = _field(field("one", FieldKind.ENUMERATION, choices=(Choice(name="a", label="B "), Choice(name="b", label="C"))))
    assert [clean(one, text, READING) for text in ("a", "b", "B", "c")] == ["a", "b", "b", "b"]
    number = _field(field("one", FieldKind.DECIMAL))
    for text in ("1e-200", "-1e200"):
        value = clean(number, text, READING)
        assert clean(number, f"{value:f}", READING) == value
    for wrong in (10**5000, "1e-201", "1e201"):
        with pytest.raises(BadValue):
            clean(number, wrong, READING)


READING = Reading(region="FR", today=date(2026, 3, 1))
VALUES = st.one_of(
    st.tuples(st.just(FieldKind.INTEGER), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(
        st.just(FieldKind.DECIMAL), st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
    ),
    st.tuples(st.just(FieldKind.BOOLEAN), st.booleans()),
    st.tuples(st.just(FieldKind.DATE), st.dates()),
    st.tuples(st.just(FieldKind.INSTANT), st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC))),
)


@given(VALUES)
def test_what_is_typed_and_what_is_written_are_read_alike(pair: tuple[FieldKind, Any]) -> None:
    kind, value = pair
    one = _field(field("one", kind))
    written = value.isoformat() if hasattr(value, "isoformat") else str(value)
    assert clean(one, value, READING) == clean(one, written, READING) == value


@given(st.sampled_from([kind for kind in FieldKind if kind not in NOT_THE_SAME]), st.text(max_size=30))
def test_any_text_is_read_or_refused(kind: FieldKind, text: str) -> None:
    one = _field(field("one", kind, choices=LEVELS) if kind is FieldKind.ENUMERATION else field("one", kind))
    try:
        value = clean(one, text, READING)
    except BadValue:
        return
    assert value is None or clean(one, value, READING) == value


def _field(one: DataField) -> Any:
    model = Model(entities=(Entity(name="profile", label="Profile", built_in=True, fields=(one,)),))
    return fields_of(model).all["one"]


async def test_an_automatic_id_is_given_to_who_comes_later_and_set_by_nobody(runtime: Runtime, db: Connection) -> None:
    before = await create_profile(db, SYSTEM, {"external_id": "A"}, now=NOW)
    await publish_fields(db, field("uid", FieldKind.AUTOMATIC_ID), field("tier"))
    after = await create_profile(db, SYSTEM, {"external_id": "B"}, now=NOW)
    values = await get_team_values(db, Extended.PROFILE, [before.id, after.id])
    assert (values[before.id]["uid"], values[after.id]["uid"].version) == (None, 4)

    for wrong in ({"uid": str(values[after.id]["uid"])}, {"uid": None}):
        with pytest.raises(FieldsInvalid) as refused:
            await update_profile(db, SYSTEM, after.id, {}, wrong, now=NOW)
        assert refused.value.problems[0].code == "READ_ONLY_FIELD"
    rows = await exported(runtime, ["external_id", "uid"])
    assert rows[1:] == [["A", ""], ["B", str(values[after.id]["uid"])]]
    run = await import_people(runtime, f"external_id,uid,tier\nB,{UUID(int=7)},gold\nC,{UUID(int=7)},gold\n")
    assert counts(run) == {"inserted": 1, "updated": 1}
    found = await db.fetch("SELECT x_uid FROM profile ORDER BY id")
    assert [row["x_uid"] for row in found[:2]] == [None, values[after.id]["uid"]]
    assert found[2]["x_uid"].version == 4
