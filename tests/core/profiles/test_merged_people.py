"""Imports and exports with merged people: a file that knows an old key changes the survivor, and nobody is exported twice."""

from __future__ import annotations

from core.access import SYSTEM
from core.db import transaction
from core.profiles import merging
from core.profiles.records import MatchKey, MergePlan
from core.runtime import Runtime
from tests.core.profiles.house import counts, export_people, import_people, people, read_file, read_rejects

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
