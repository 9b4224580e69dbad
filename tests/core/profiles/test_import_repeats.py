"""Rows of one file that have a key or a unique value in common, with each other or with people who are there."""

from __future__ import annotations

import pytest

from core.profiles import import_runner
from core.profiles.run_records import MatchKey
from core.runtime import Runtime
from tests.core.profiles.house import counts, import_people, people, read_rejects


async def test_a_key_that_comes_again_is_applied_in_order(runtime: Runtime) -> None:
    data = "external_id,first_name,city\nA,Ann,Paris\nB,Bob,\nA,,Lyon\n"

    first = await import_people(runtime, data)
    again = await import_people(runtime, data)

    assert counts(first) == {"inserted": 2, "repeated": 1}
    assert counts(again) == {"unchanged": 2, "repeated": 1}
    assert sorted(await people(runtime, "external_id", "first_name", "city")) == [("A", "Ann", "Lyon"), ("B", "Bob", None)]


async def test_a_key_that_comes_again_in_another_batch_is_written_twice(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 2)
    data = "external_id,city\nA,Paris\nB,Rome\nA,Lyon\n"

    first, second = await import_people(runtime, data), await import_people(runtime, data)

    assert counts(first) == {"inserted": 2, "updated": 1}
    assert counts(second) == {"unchanged": 1, "updated": 2}  # Paris again, and Lyon again
    assert sorted(await people(runtime, "external_id", "city")) == [("A", "Lyon"), ("B", "Rome")]


async def test_other_unique_fields_of_somebody_else_are_refused(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,crypted_id,first_name\nA,ka,Ann\nB,kb,Bob\n")

    run = await import_people(
        runtime,
        "external_id,crypted_id,first_name\n"
        "A,ka,Anna\n"  # its own
        "B,ka,Bobby\n"  # Ann's
        "C,kb,Cy\n"  # Bob's
        "D,kd,Di\n"
        "E,kd,Ed\n"  # taken a line ago
        "F,,Flo\n"
        "G,,Gil\n",
    )
    rejects = await read_rejects(runtime, run)

    assert counts(run) == {"inserted": 3, "updated": 1, "rejected": 3}
    assert [(one["line"], one["column"], one["code"], one["reason"]) for one in rejects] == [
        ("3", "crypted_id", "VALUE_TAKEN", "Crypted id is that of another profile"),
        ("4", "crypted_id", "VALUE_TAKEN", "Crypted id is that of another profile"),
        ("6", "crypted_id", "VALUE_TAKEN", "Crypted id is that of an earlier row"),
    ]
    assert sorted(await people(runtime, "external_id", "crypted_id", "first_name")) == sorted(
        [("A", "ka", "Anna"), ("B", "kb", "Bob"), ("D", "kd", "Di"), ("F", None, "Flo"), ("G", None, "Gil")]
    )


async def test_a_row_that_is_refused_takes_none_of_the_same_key_with_it(runtime: Runtime) -> None:
    await import_people(runtime, "external_id\nTAKEN\n")

    run = await import_people(
        runtime, "email,external_id,city\nfam@mail.example,NEW,Paris\nfam@mail.example,TAKEN,Rome\n", key=MatchKey.EMAIL
    )

    assert counts(run) == {"inserted": 1, "rejected": 1}
    assert [(one["line"], one["code"]) for one in await read_rejects(runtime, run)] == [("3", "VALUE_TAKEN")]
    found = await people(runtime, "email", "external_id", "city")
    assert found == [(None, "TAKEN", None), ("fam@mail.example", "NEW", "Paris")]


async def test_a_value_is_never_refused_to_the_profile_that_has_it(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,crypted_id,city\nA,ka,Paris\nB,kb,Paris\n")

    run = await import_people(runtime, "external_id,crypted_id,city\nA,kb,Rome\nB,kb,Lyon\nB,kb,\n")

    assert counts(run) == {"updated": 1, "rejected": 1, "repeated": 1}
    assert [(one["line"], one["reason"]) for one in await read_rejects(runtime, run)] == [
        ("2", "Crypted id is that of another profile")
    ]
    assert sorted(await people(runtime, "external_id", "crypted_id", "city")) == [("A", "ka", "Paris"), ("B", "kb", "Lyon")]


async def test_a_row_refused_for_one_value_holds_no_other(runtime: Runtime) -> None:
    await import_people(runtime, "external_id\nTAKEN\n")

    run = await import_people(
        runtime, "email,crypted_id,external_id\na@mail.example,k,TAKEN\nb@mail.example,k,B\n", key=MatchKey.EMAIL
    )

    assert counts(run) == {"inserted": 1, "rejected": 1}
    assert await people(runtime, "external_id", "crypted_id") == [("TAKEN", None), ("B", "k")]


async def test_by_email_an_external_id_is_set_and_kept_apart(runtime: Runtime) -> None:
    await import_people(runtime, "email,external_id\na@mail.example,A\nb@mail.example,B\n", key=MatchKey.EMAIL)

    run = await import_people(
        runtime, "email,external_id\na@mail.example,A2\nb@mail.example,A\nc@mail.example,B\n", key=MatchKey.EMAIL
    )

    # what is held when the batch begins is taken, even if the batch lets go of it
    assert counts(run) == {"updated": 1, "rejected": 2}
    assert await people(runtime, "email_key", "external_id") == [("a@mail.example", "A2"), ("b@mail.example", "B")]
