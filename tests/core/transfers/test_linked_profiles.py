"""Files of profiles say to which rows of the team people are linked: by number, by a key, and back out again."""

from __future__ import annotations

import pytest

from core.datamodel import jobs as datamodel
from core.datamodel.records import LinkKind
from core.db import Connection
from core.profiles.import_options import ImportTarget
from core.profiles.run_records import EmptyCells, ImportOptions
from core.runtime import Runtime
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, unique
from tests.core.profiles.house import export_people, read_file, read_rejects
from tests.core.transfers.house import counts, import_rows, rows

PEOPLE = ImportTarget()


async def stores(runtime: Runtime, db: Connection) -> list[int]:
    await dataset(db, "store", field("chain", max_length=20), field("code", max_length=20))
    await unique(db, "by_code", "chain", "code", entity="store")
    await point(db, link("favourite", "store", label="Favourite store"), "profile")
    await point(db, link("friend", reverse_name="friends"), "profile")
    await point(db, link("seat", "store", LinkKind.ONE_TO_ONE, reverse_name="seated"), "profile")
    await unique(db, "by_place", "favourite", "friend", entity="profile")
    await publish_draft(db)
    await datamodel.build(runtime)
    found = await db.fetch("INSERT INTO x_store (x_chain, x_code) VALUES ('A', '1'), ('A', '2'), ('B', '1') RETURNING id")
    return [row["id"] for row in found]


async def test_by_a_key_beside_an_email_and_out_again(runtime: Runtime, db: Connection) -> None:
    first, second, third = await stores(runtime, db)
    file = (
        "external_id,email,favourite.chain,favourite.code,friend.email,city\n"
        "C-1,a@mail.example,A,2,,Paris\nC-2,b@mail.example,B,1,A@MAIL.example,Lyon\nC-3,c@mail.example,,,,\n"
        "C-4,d@mail.example,C,1,,\nC-5,e@mail.example,A,,,\n"
    )
    await db.execute("INSERT INTO profile (external_id, email, email_key) VALUES ('C-1', 'a@mail.example', 'a@mail.example')")
    run = await import_rows(runtime, file, "external_id", target=PEOPLE)
    assert counts(run) == {"inserted": 2, "updated": 1, "rejected": 2}
    assert [(row["code"], row["column"]) for row in await read_rejects(runtime, run)] == [("NOT_FOUND", "favourite.chain")] * 2
    (one, *_) = [row["id"] for row in await db.fetch("SELECT id FROM profile ORDER BY id")]
    stored = await rows(db, "profile", "external_id", "x_favourite_id", "x_friend_id", "city")
    assert stored == [("C-1", second, None, "Paris"), ("C-2", third, one, "Lyon"), ("C-3", None, None, None)]

    columns = ["external_id", "favourite", "friend", "seat"]
    out = await read_file(runtime, (await export_people(runtime, columns=columns)).file_id)
    assert out.splitlines()[:2] == ["external_id,favourite,friend,seat", f"C-1,{second},,"]
    assert counts(await import_rows(runtime, out, "external_id", target=PEOPLE)) == {"unchanged": 3}
    await db.execute("UPDATE profile SET x_favourite_id = NULL, x_friend_id = NULL")
    assert counts(await import_rows(runtime, out, "external_id", target=PEOPLE)) == {"updated": 2, "unchanged": 1}
    assert await rows(db, "profile", "external_id", "x_favourite_id", "x_friend_id", "city") == stored
    assert first not in (second, third)


async def test_numbers_of_nothing_are_refused_and_empty_cells_keep_or_clear(runtime: Runtime, db: Connection) -> None:
    first, _, _ = await stores(runtime, db)
    run = await import_rows(runtime, f"external_id,Favourite store\nC-1,{first}\nC-2,999\n", "external_id", target=PEOPLE)
    assert counts(run) == {"inserted": 1, "rejected": 1}
    empty = "external_id,favourite\nC-1,\n"
    assert counts(await import_rows(runtime, empty, "external_id", target=PEOPLE)) == {"unchanged": 1}
    cleared = await import_rows(runtime, empty, "external_id", target=PEOPLE, empty=EmptyCells.CLEAR)
    assert counts(cleared) == {"updated": 1}
    assert await rows(db, "profile", "x_favourite_id") == [(None,)]


async def test_a_link_may_find_the_profile_and_one_to_one_has_no_second(runtime: Runtime, db: Connection) -> None:
    first, second, _ = await stores(runtime, db)
    await db.execute("INSERT INTO profile (external_id) VALUES ('C-0')")
    data = f"external_id,favourite,friend.external_id,seat\nC-1,{first},C-0,{second}\n"
    assert counts(await import_rows(runtime, data, "external_id", target=PEOPLE)) == {"inserted": 1}
    by_place = "favourite.chain,favourite.code,friend.external_id,city\nA,1,C-0,Paris\nA,2,C-0,Lyon\n"
    assert counts(await import_rows(runtime, by_place, "by_place", target=PEOPLE)) == {"updated": 1, "inserted": 1}
    assert await rows(db, "profile", "external_id", "city") == [("C-0", None), ("C-1", "Paris"), (None, "Lyon")]
    run = await import_rows(runtime, f"external_id,seat\nC-9,{second}\n", "external_id", target=PEOPLE)
    assert [row["code"] for row in await read_rejects(runtime, run)] == ["VALUE_TAKEN"]


@pytest.mark.parametrize("header", ["favourite,favourite.code,favourite.chain", "favourite.code"])
async def test_columns_that_do_not_say_which_row(runtime: Runtime, db: Connection, header: str) -> None:
    await stores(runtime, db)
    run = await import_rows(
        runtime, f"external_id,{header}\nC-1{',1' * len(header.split(','))}\n", "external_id", target=PEOPLE
    )
    assert run.error is not None
    assert run.error.code == "BAD_LINK_COLUMNS"


async def test_a_dry_run_looks_and_writes_nothing(runtime: Runtime, db: Connection) -> None:
    first, _, _ = await stores(runtime, db)
    options = ImportOptions(dry_run=True)
    data = f"external_id,favourite\nC-1,{first}\nC-2,999\n"
    run = await import_rows(runtime, data, "external_id", target=PEOPLE, dry_run=options.dry_run)
    assert counts(run) == {"inserted": 1, "rejected": 1}
    assert await db.fetchval("SELECT count(*) FROM profile") == 0


@pytest.mark.parametrize("column", [".code", "favourite.code.x", "favourite.__class__", "nobody.code", "favourite.note"])
async def test_columns_of_links_that_there_are_not(runtime: Runtime, db: Connection, column: str) -> None:
    await stores(runtime, db)
    run = await import_rows(runtime, f"external_id,{column}\nC-1,1\n", "external_id", target=PEOPLE)
    assert run.error is not None
    assert run.error.code == "UNKNOWN_COLUMN"
