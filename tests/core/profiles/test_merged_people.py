"""Imports and exports with merged people: a file that knows an old key changes the survivor, and nobody is exported twice."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.db import transaction
from core.profiles import merging
from core.profiles.export_options import ExportFormat
from core.profiles.import_options import ImportMode
from core.profiles.merge_records import MergePlan, MergeRule
from core.profiles.run_records import EmptyCells, ImportOptions, MatchKey
from core.runtime import Runtime
from tests.core.profiles.house import counts, export_people, import_people, options_of, people, read_file, read_rejects

PEOPLE = """external_id,crypted_id,email,first_name,city
A,ca,ann@mail.example,Ann,
B,cb,bea@mail.example,,
C,cc,cat@mail.example,Cat,
"""


async def merged(runtime: Runtime) -> None:
    """B stands under A; C is somebody else."""
    await import_people(runtime, PEOPLE)
    async with transaction(runtime.pool) as conn:
        ids = {row["external_id"]: row["id"] for row in await conn.fetch("SELECT id, external_id FROM profile")}
        await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ids["A"], other_ids=(ids["B"],)), now=runtime.clock())


async def test_a_row_with_an_old_key_changes_the_survivor_and_no_key(runtime: Runtime) -> None:
    await merged(runtime)

    run = await import_people(runtime, "external_id,crypted_id,city\nB,cb,Paris\n")
    again = await import_people(runtime, "external_id,crypted_id,city\nB,cb,Paris\n")

    assert counts(run) == {"updated": 1}
    assert counts(again) == {"unchanged": 1}
    assert await people(runtime, "external_id", "crypted_id", "city") == [
        ("A", "ca", "Paris"), ("B", "cb", None), ("C", "cc", None),
    ]  # fmt: skip


async def test_an_old_email_finds_the_survivor_and_leaves_its_email(runtime: Runtime) -> None:
    await merged(runtime)

    run = await import_people(runtime, "email,city\nBea@mail.example,Lyon\nANN@mail.example,\n", key=MatchKey.EMAIL)

    assert counts(run) == {"updated": 2}
    assert await people(runtime, "email", "city") == [
        ("ANN@mail.example", "Lyon"), ("bea@mail.example", None), ("cat@mail.example", None),
    ]  # fmt: skip


async def test_rows_with_several_keys_of_one_person_are_applied_one_after_the_other(runtime: Runtime) -> None:
    await merged(runtime)

    run = await import_people(runtime, "external_id,first_name,city\nB,Anna,Rome\nC,Cleo,\nA,,Nice\nB,,Oslo\nX,Xe,\n")

    assert counts(run) == {"updated": 3, "inserted": 1, "repeated": 1}
    assert await people(runtime, "external_id", "first_name", "city") == [
        ("A", "Anna", "Oslo"), ("B", None, None), ("C", "Cleo", None), ("X", "Xe", None),
    ]  # fmt: skip


async def test_a_unique_value_of_another_person_is_still_refused(runtime: Runtime) -> None:
    await merged(runtime)

    run = await import_people(runtime, "external_id,crypted_id\nC,cb\nA,cc\n")

    assert counts(run) == {"rejected": 2}
    assert [row["code"] for row in await read_rejects(runtime, run)] == ["VALUE_TAKEN", "VALUE_TAKEN"]


async def test_whoever_is_merged_is_not_exported(runtime: Runtime) -> None:
    await merged(runtime)

    everybody = await export_people(runtime, columns=["external_id"])

    assert (await read_file(runtime, everybody.file_id)).split() == ["external_id", "A", "C"]
    assert everybody.rows_total == everybody.rows_written == 2


async def test_any_of_several_keys_finds_the_survivor_and_no_old_key_moves(runtime: Runtime) -> None:
    await merged(runtime)
    keys = ImportOptions(more_keys=(MatchKey.CRYPTED_ID, MatchKey.EMAIL))

    run = await import_people(runtime, "external_id,crypted_id,email,city\nNew,cb,,Paris\n", options=keys)
    more = await import_people(runtime, "external_id,crypted_id,email,city\n,,Bea@mail.example,Lyon\n", options=keys)
    last = await import_people(runtime, "external_id,crypted_id,email,city\nB,,new@mail.example,Lyon\n", options=keys)

    assert [counts(one) for one in (run, more, last)] == [{"updated": 1}] * 3
    assert await people(runtime, "external_id", "crypted_id", "email", "city") == [
        ("New", "ca", "new@mail.example", "Lyon"), ("B", "cb", "bea@mail.example", None), ("C", "cc", "cat@mail.example", None),
    ]  # fmt: skip


@pytest.mark.parametrize("empty", [EmptyCells.KEEP, EmptyCells.CLEAR])
async def test_a_survivor_without_a_key_of_its_own_gets_none_of_the_old_ones(runtime: Runtime, empty: EmptyCells) -> None:
    await import_people(runtime, "external_id,email\nA,ann@mail.example\nB,bea@mail.example\n")
    await import_people(runtime, "external_id,crypted_id\nB,cb\n")
    async with transaction(runtime.pool) as conn:
        ids = {row["external_id"]: row["id"] for row in await conn.fetch("SELECT id, external_id FROM profile")}
        plan = MergePlan(survivor_id=ids["A"], other_ids=(ids["B"],), default=MergeRule.SURVIVOR)
        await merging.merge_profiles(conn, SYSTEM, plan, now=runtime.clock())

    options = ImportOptions(more_keys=(MatchKey.CRYPTED_ID,), empty=empty)
    run = await import_people(runtime, "external_id,crypted_id,city\n,cb,Paris\n", options=options)

    assert counts(run) == {"updated": 1}
    assert await people(runtime, "external_id", "crypted_id", "city") == [("A", None, "Paris"), ("B", "cb", None)]


async def test_several_keys_of_one_person_in_one_file_are_one_row(runtime: Runtime) -> None:
    await merged(runtime)

    run = await import_people(
        runtime,
        "external_id,email,first_name,city\nB,,Anna,Rome\n,cat@mail.example,Cleo,\nA,,,Nice\n,bea@mail.example,,Oslo\n",
        options=ImportOptions(more_keys=(MatchKey.EMAIL,)),
    )  # fmt: skip

    assert counts(run) == {"updated": 2, "repeated": 2}
    assert await people(runtime, "external_id", "email", "first_name", "city") == [
        ("A", "ann@mail.example", "Anna", "Oslo"),
        ("B", "bea@mail.example", None, None),
        ("C", "cat@mail.example", "Cleo", None),
    ]  # fmt: skip


async def test_an_old_id_changes_the_survivor_and_what_waits_is_applied_in_every_mode(runtime: Runtime) -> None:
    await merged(runtime)
    ids = [one for (one,) in await people(runtime, "id")]

    run = await import_people(
        runtime, f"id,first_name,city\n{ids[1]},Anna,Rome\n{ids[0]},,Nice\n", key=MatchKey.ID,
        options=ImportOptions(mode=ImportMode.UPDATE),
    )  # fmt: skip

    assert counts(run) == {"updated": 2}
    assert (await people(runtime, "first_name", "city"))[:2] == [("Anna", "Nice"), (None, None)]


@pytest.mark.parametrize(
    ("key", "more", "data", "column"),
    [
        (MatchKey.EXTERNAL_ID, (), "external_id\nB\nC\n", "external_id"),
        (MatchKey.EMAIL, (), "email\nBEA@mail.example\ncat@mail.example\n", "email"),
        (MatchKey.EXTERNAL_ID, (MatchKey.EMAIL,), "external_id,email\n,bea@mail.example\nC,\n", "email"),
    ],
)
async def test_a_merged_profile_is_not_deleted_alone(
    runtime: Runtime, key: MatchKey, more: tuple[MatchKey, ...], data: str, column: str
) -> None:
    await merged(runtime)

    run = await import_people(runtime, data, key=key, options=ImportOptions(mode=ImportMode.DELETE, more_keys=more))

    assert (run.deleted, run.rejected, run.skipped) == (1, 1, 0)
    (refused,) = await read_rejects(runtime, run)
    assert (refused["line"], refused["column"], refused["code"]) == ("2", column, "PROFILE_MERGED")
    assert await people(runtime, "external_id") == [("A",), ("B",)]


async def test_deleting_a_survivor_takes_its_parts_along_and_says_so_once(runtime: Runtime) -> None:
    await merged(runtime)
    ids = [one for (one,) in await people(runtime, "id")]

    dry = await import_people(runtime, "external_id\nA\n", options=ImportOptions(mode=ImportMode.DELETE, dry_run=True))
    run = await import_people(runtime, "external_id\nA\nX\n", options=ImportOptions(mode=ImportMode.DELETE))

    assert (dry.deleted, run.deleted, run.skipped) == (1, 1, 1)
    assert await people(runtime, "external_id") == [("C",)]
    async with runtime.pool.acquire() as conn:
        told = await conn.fetch("SELECT ids FROM outbox WHERE topic = 'profiles.deleted'")
    assert [row["ids"] for row in told] == [{"profile_ids": ids[:2]}]


@pytest.mark.parametrize("format", ExportFormat)
async def test_no_format_has_whoever_is_merged(runtime: Runtime, format: ExportFormat) -> None:
    await merged(runtime)

    run = await export_people(runtime, columns=["external_id"], options=options_of(format, 1))

    assert run.rows_total == run.rows_written == 2
