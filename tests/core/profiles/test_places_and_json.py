"""Places and JSON among a team's fields: by hand, in files of every format, through merges, and what cannot be kept."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import SYSTEM
from core.audit import list_entries
from core.datamodel.records import FieldKind
from core.db import Connection
from core.planning.campaigns import create_campaign, update_campaign
from core.planning.records import CampaignDraft
from core.profiles import merging, test_profiles
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.export_options import ExportFormat, ExportOptions
from core.profiles.merge_records import FieldRule, MergePlan, MergeRule
from core.profiles.profiles import create_profile, update_profile
from core.profiles.run_records import EmptyCells, ImportOptions
from core.profiles.team_fields import field_of
from core.profiles.team_rows import Extended, get_team_values
from core.profiles.test_profile_records import TestProfileDraft as Draft
from core.profiles.test_profile_records import TestProfileUse as Use
from core.profiles.typed_values import is_same, read_typed
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, field, publish_fields
from tests.core.profiles.house import counts, export_people, import_people, read_bytes, read_rejects

HOME, FACTS = field("home", FieldKind.POINT), field("facts", FieldKind.JSON)
PARIS = {"longitude": 2.3522, "latitude": 48.8566}
SIZES = {"size": 42, "tags": ["a", None, True, 1.5], "é": {"deep": [[]]}}
HEADER = "external_id,home,facts\n"
LATER = NOW + timedelta(hours=1)


async def values(conn: Connection, profile_id: int, of: Extended = Extended.PROFILE) -> tuple[Any, Any]:
    found = (await get_team_values(conn, of, [profile_id]))[profile_id]
    return found["home"], found["facts"]


async def refused(conn: Connection, **team: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(FieldsInvalid) as caught:
        await create_profile(conn, SYSTEM, {}, team, now=NOW)
    return [(one.code, one.path) for one in caught.value.problems]


async def test_by_hand_they_are_set_changed_and_cleared(conn: Connection) -> None:
    await publish_fields(conn, HOME, FACTS)
    made = await create_profile(conn, SYSTEM, {}, {"home": PARIS, "facts": SIZES}, now=NOW)
    assert await values(conn, made.id) == ((2.3522, 48.8566), SIZES)

    same = await update_profile(conn, SYSTEM, made.id, {}, {"home": PARIS, "facts": dict(reversed(SIZES.items()))}, now=LATER)
    assert same == made
    await update_profile(conn, SYSTEM, made.id, {}, {"home": None, "facts": {"size": 1}}, now=LATER)
    assert await values(conn, made.id) == (None, {"size": 1})
    changed = await update_profile(conn, SYSTEM, made.id, {}, {"facts": {"size": True}}, now=LATER + timedelta(hours=1))
    assert changed.updated_at == LATER + timedelta(hours=1)  # to Python True is 1
    assert (await values(conn, made.id))[1] == {"size": True}
    entries = await list_entries(conn, object_type="profile", object_ids=[str(made.id)], before_id=None, limit=5)
    assert [one.changes for one in entries] == [
        {"fields": ["facts"]}, {"fields": ["facts", "home"]}, {"fields": ["facts", "home"]},
    ]  # fmt: skip


async def test_whatever_has_fields_of_the_team_has_them(conn: Connection) -> None:
    for entity in ("profile", "campaign"):
        await publish_fields(conn, HOME, FACTS, entity=entity)
    team = {"home": PARIS, "facts": "a text"}
    draft = Draft(label="A", uses=(Use.PROOF,))
    nobody = await test_profiles.create_test_profile(conn, SYSTEM, draft, {}, team, now=NOW)
    campaign = await create_campaign(conn, SYSTEM, CampaignDraft(name="c", label="C"), team)
    assert await values(conn, nobody.id, Extended.TEST_PROFILE) == ((2.3522, 48.8566), "a text")
    assert await values(conn, campaign.id, Extended.CAMPAIGN) == ((2.3522, 48.8566), "a text")
    assert (await test_profiles.update_test_profile(conn, SYSTEM, nobody.id, {}, {}, team, now=NOW)).version == 1
    assert (await update_campaign(conn, SYSTEM, campaign.id, {}, team)).version == 1
    assert (await update_campaign(conn, SYSTEM, campaign.id, {}, {"facts": []})).version == 2


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ("x" * 10_000_000, "TOO_LONG"), (nested(51), "BAD_VALUE"), (nested(900), "BAD_VALUE"), ({"a": math.nan}, "BAD_VALUE"),
        ([math.inf], "BAD_VALUE"), ({"a\x00": 1}, "BAD_TEXT"), (["\ud800"], "BAD_TEXT"),
    ],
)  # fmt: skip
async def test_json_that_cannot_be_kept(conn: Connection, facts: Any, code: str) -> None:
    await publish_fields(conn, FACTS)
    assert await refused(conn, facts=facts) == [(code, "team_fields.facts")]


@pytest.mark.parametrize("facts", [nested(50), 2**200, 0.1, "x" * 99_998, {}, "null", False])
async def test_json_that_just_fits(conn: Connection, facts: Any) -> None:
    await publish_fields(conn, FACTS, HOME)
    made = await create_profile(conn, SYSTEM, {}, {"facts": facts}, now=NOW)
    assert (await values(conn, made.id))[1] == facts


@pytest.mark.parametrize(
    "home",
    [
        {"longitude": 180.1, "latitude": 0}, {"longitude": 0, "latitude": -91}, {"longitude": math.nan, "latitude": 0},
        {"longitude": math.inf, "latitude": 0}, {"longitude": True, "latitude": 0}, {"longitude": "2", "latitude": 1},
        {"longitude": 1}, {"longitude": 1, "latitude": 1, "altitude": 1}, [1, 2], "(1,2)", 10**400,
        {"longitude": 10**400, "latitude": 0},
    ],
)  # fmt: skip
async def test_places_that_are_none(conn: Connection, home: Any) -> None:
    await publish_fields(conn, HOME)
    ((code, path),) = await refused(conn, home=home)
    assert (code in ("WRONG_TYPE", "BAD_VALUE"), path) == (True, "team_fields.home")


ROWS = HEADER + (
    'C-1,"(2.3522,48.8566)","{""size"": 42, ""tags"": [""a"", null, true, 1.5], ""é"": {""deep"": [[]]}}"\n'
    'C-2,-180 90,"""=1+1"""\n'
    "C-3,,null\n"
    'C-4,"0,0",123456789012345678901234567890.10\n'
)


SUFFIXES = {
    ExportFormat.CSV: ".csv", ExportFormat.JSON_LINES: ".jsonl", ExportFormat.WORKBOOK: ".xlsx",
    ExportFormat.PARQUET: ".parquet",
}  # fmt: skip


@pytest.mark.parametrize("kind", SUFFIXES)
async def test_files_bring_them_and_take_them_back(runtime: Runtime, db: Connection, kind: ExportFormat) -> None:
    await publish_fields(db, HOME, FACTS)
    assert counts(await import_people(runtime, ROWS)) == {"inserted": 4}
    stored = [tuple(row) for row in await db.fetch("SELECT x_home::text, x_facts::text FROM profile ORDER BY id")]
    assert stored == [
        ("(2.3522,48.8566)", '{"é": {"deep": [[]]}, "size": 42, "tags": ["a", null, true, 1.5]}'),
        ("(-180,90)", '"=1+1"'), (None, "null"), ("(0,0)", "123456789012345678901234567890.10"),
    ]  # fmt: skip
    assert counts(await import_people(runtime, ROWS)) == {"unchanged": 4}

    run = await export_people(runtime, columns=["external_id", "home", "facts"], options=ExportOptions(format=kind))
    name = f"people{SUFFIXES[kind]}"
    content = await read_bytes(runtime, run.file_id)
    assert counts(await import_people(runtime, content, name=name)) == {"unchanged": 4}
    await db.execute("UPDATE profile SET x_home = NULL, x_facts = NULL")
    assert counts(await import_people(runtime, content, name=name)) == {"updated": 4}
    assert stored == [tuple(row) for row in await db.fetch("SELECT x_home::text, x_facts::text FROM profile ORDER BY id")]


async def test_an_empty_cell_keeps_or_clears(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, HOME, FACTS)
    await import_people(runtime, HEADER + 'C-1,"1,2",[1]\n')
    empty = HEADER + "C-1,,\n"
    assert counts(await import_people(runtime, empty)) == {"unchanged": 1}
    assert counts(await import_people(runtime, empty, options=ImportOptions(empty=EmptyCells.CLEAR))) == {"updated": 1}
    assert tuple(await db.fetchrow("SELECT x_home, x_facts FROM profile")) == (None, None)


async def test_cells_that_cannot_be_kept_cost_their_rows(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, HOME, FACTS)
    wrong = {
        '"181,0",': "BAD_VALUE", '"0,91",': "BAD_VALUE", "1,": "BAD_VALUE", '"NaN,0",': "BAD_VALUE", ",{": "BAD_VALUE",
        ",[NaN]": "BAD_VALUE", ",[1e999]": "BAD_VALUE", ",1e-99999": "BAD_VALUE", ",0e99999999999999999999": "BAD_VALUE",
        f",0.{'0' * 20_000}1": "BAD_VALUE", f",{'9' * 90_000}": "BAD_VALUE", f",{'[' * 51}1{']' * 51}": "BAD_VALUE",
        f",{'[' * 10_000}{']' * 10_000}": "BAD_VALUE", f',"""{"x" * 100_000}"""': "TOO_LONG",
        ',"[""\\u0000""]"': "BAD_TEXT", ',"[""\\ud800""]"': "BAD_VALUE",
    }  # fmt: skip
    run = await import_people(runtime, HEADER + "".join(f"C-{n},{row}\n" for n, row in enumerate(wrong)) + "C-x,,[]\n")
    assert counts(run) == {"inserted": 1, "rejected": len(wrong)}
    assert [row["code"] for row in await read_rejects(runtime, run)] == list(wrong.values())


async def test_a_merge_takes_them_over_and_gives_them_back(conn: Connection) -> None:
    await publish_fields(conn, HOME, FACTS)
    survivor = await create_profile(conn, SYSTEM, {}, {"facts": {"a": 1}}, now=NOW)
    other = await create_profile(conn, SYSTEM, {}, {"home": PARIS, "facts": [2]}, now=NOW)
    rule = FieldRule(field="facts", rule=MergeRule.VALUE, value={"b": [1, 2]})
    plan = MergePlan(survivor_id=survivor.id, other_ids=(other.id,), rules=(rule,), default=MergeRule.FIRST)
    done = await merging.merge_profiles(conn, SYSTEM, plan, now=LATER)
    assert await values(conn, survivor.id) == ((2.3522, 48.8566), {"b": [1, 2]})
    await merging.undo_merge(conn, SYSTEM, done.id, now=LATER)
    assert await values(conn, survivor.id) == (None, {"a": 1})
    assert await values(conn, other.id) == ((2.3522, 48.8566), [2])


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=20,
)  # fmt: skip


@given(JSONS)
def test_any_json_is_read_as_it_is_or_refused(value: Any) -> None:
    try:
        found = read_typed(field_of(FACTS), value)
    except BadValue:
        return  # a character that cannot be stored
    assert is_same(found, value)


@pytest.mark.parametrize(("one", "other"), [(1, True), ([0], [False]), ({"a": 1}, {"a": 1, "b": 1}), ([1], [1, 2]), ([], {})])
def test_values_that_are_not_the_same(one: Any, other: Any) -> None:
    assert not is_same(one, other)
    assert not is_same(other, one)


@pytest.mark.parametrize("value", [nested(900), 10**5000, {"a": nested(900)}], ids=["deep", "long", "both"])
async def test_values_that_cannot_even_be_shown(conn: Connection, value: Any) -> None:
    kinds = (
        FieldKind.INTEGER,
        FieldKind.DECIMAL,
        FieldKind.BOOLEAN,
        FieldKind.DATE,
        FieldKind.INSTANT,
        FieldKind.TEXT,
        FieldKind.POINT,
    )
    await publish_fields(conn, *(field(kind.value, kind) for kind in sorted(kinds)))
    found = await refused(conn, **{kind.value: value for kind in kinds})
    assert {path for _, path in found} == {f"team_fields.{kind.value}" for kind in kinds}
    assert {code for code, _ in found} <= {"WRONG_TYPE", "BAD_VALUE"}


async def test_a_cell_of_ten_megabytes_costs_its_row_alone(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, FACTS)
    run = await import_people(runtime, f'external_id,facts\nC-1,[]\nC-2,"""{"x" * 10_000_000}"""\nC-3,{{}}\n')
    assert counts(run) == {"inserted": 2, "rejected": 1}
