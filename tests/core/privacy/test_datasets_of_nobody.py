"""Rows of datasets that nothing ties to people: found by a namespace over a field of theirs, given and erased."""

from __future__ import annotations

from typing import Any

import pytest

from core import idempotency
from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.datamodel.links import remove_link
from core.datamodel.records import LinkKind, OnDelete
from core.db import Connection, transaction
from core.errors import ClarionError
from core.privacy.records import PrivacyRequest, RequestKind, RequestState
from core.privacy.work import work
from core.profiles.import_options import ImportTarget, TargetKind
from core.rows.identities import row_id
from core.runtime import Runtime
from core.transfers import jobs
from core.transfers.exports import create_export
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, unique
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import add_namespace, ask, done, get, given
from tests.core.transfers.house import import_rows

BOB = "bob@mail.example"


async def contest(runtime: Runtime, db: Connection) -> None:
    """Entries of nobody with what goes, what stays and what is paired with them; and two entries."""
    await dataset(db, "entry", field("ticket"), field("mail", personal=True), field("words"))
    await dataset(db, "photo", field("place"))
    await dataset(db, "call", field("number", sensitive=True), field("day"))
    await dataset(db, "prize", field("what"))
    await point(db, link("entry", "entry", on_delete=OnDelete.DELETE), "photo")
    await point(db, link("about", "entry", source_fields=("day",), target_fields=("words",)), "call")
    await point(db, link("hoped_for", "prize", LinkKind.MANY_TO_MANY), "entry")
    await publish_draft(db)
    await add_namespace(runtime, "ticket", "ticket", "entry")
    for number in (1, 2):
        await db.execute(
            "INSERT INTO x_entry (x_ticket, x_mail, x_words) VALUES ($1, $2, $3)",
            f"T-{number}", f"told{number}@mail.example", f"day {number}",
        )  # fmt: skip
        await db.execute("INSERT INTO x_photo (x_place, x_entry_id) SELECT $1, max(id) FROM x_entry", f"place {number}")
        await db.execute("INSERT INTO x_call (x_number, x_day) VALUES ($1, $2)", f"+3311111111{number}", f"day {number}")
    await db.execute("INSERT INTO x_prize (x_what) VALUES ('a bicycle')")
    await db.execute("INSERT INTO x__entry__hoped_for (source_id, target_id) SELECT e.id, p.id FROM x_entry e, x_prize p")


async def rows(db: Connection, columns: str, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch(f"SELECT {columns} FROM {table} ORDER BY id")]


def erased(request: PrivacyRequest) -> dict[str, int]:
    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    assert request.proof is not None
    counts: dict[str, int] = request.proof["erased"]
    return counts


async def test_rows_that_are_nobodys_are_given_with_what_goes_with_them(runtime: Runtime, db: Connection) -> None:
    await contest(runtime, db)

    request = await done(runtime, RequestKind.ACCESS, "ticket", "T-1")

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 0)
    data, archive = await given(runtime, db, request)
    tables = data["tables"]
    assert sorted(tables) == ["x__entry__hoped_for", "x_call", "x_entry", "x_photo"]
    assert [(one["x_ticket"], one["x_mail"], one["x_words"]) for one in tables["x_entry"]] == [
        ("T-1", "told1@mail.example", "day 1")
    ]
    assert [one["x_place"] for one in tables["x_photo"]] == ["place 1"]
    assert [one["x_number"] for one in tables["x_call"]] == ["+33111111111"]
    assert "T-2" not in str(data)
    assert "told1@mail.example" in archive.read("tables/x_entry.csv").decode()


async def test_they_are_erased_and_others_stay(runtime: Runtime, db: Connection) -> None:
    await contest(runtime, db)
    bob = await add_person(db, BOB)

    counts = erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1"))

    assert counts == {"x_entry": 1, "x_photo": 1, "x_call": 1, "x__entry__hoped_for": 1}
    assert await rows(db, "x_ticket", "x_entry") == [("T-2",)]
    assert await rows(db, "x_place", "x_photo") == [("place 2",)]
    assert await rows(db, "x_number, x_day", "x_call") == [(None, None), ("+33111111112", "day 2")]
    assert await rows(db, "x_what", "x_prize") == [("a bicycle",)]
    assert await rows(db, "id", "profile") == [(bob,)]
    again = await done(runtime, RequestKind.ACCESS, "ticket", "T-1")
    assert again.error is not None
    assert again.error.code == "NOBODY_FOUND"


async def test_texts_and_answers_that_name_them_go_too(runtime: Runtime, db: Connection) -> None:
    """By what is marked in the row, but not by an address that somebody has: anybody can enter it."""
    await contest(runtime, db)
    await add_person(db, BOB)
    await db.execute("UPDATE x_entry SET x_mail = 'Bob@mail.example' WHERE x_ticket = 'T-2'")
    quarantine = "INSERT INTO quarantine (address_kind, address_key, status, error_text) VALUES ('email', $1, 'quarantine', $2)"
    await db.execute(quarantine, "one@mail.example", "as told1@mail.example said")
    await db.execute(quarantine, "two@mail.example", f"as {BOB} said")

    for ticket in ("T-1", "T-2"):
        erased(await done(runtime, RequestKind.DELETE, "ticket", ticket))

    told = {row[0]: row[1] for row in await db.fetch("SELECT address_key, error_text FROM quarantine")}
    assert (told["one@mail.example"], told["two@mail.example"]) == ("…", f"as {BOB} said")


async def test_files_of_the_dataset_go_and_others_stay(runtime: Runtime, db: Connection) -> None:
    """Those of what goes with its rows too; not those of people, nor of other datasets."""
    await contest(runtime, db)
    await add_person(db, BOB, last_name="Other")
    files = {}
    for dimension, columns in (("entry", ["words"]), ("photo", ["place"]), ("prize", ["what"]), ("profile", ["last_name"])):
        async with transaction(runtime.pool) as conn:
            run = await create_export(
                conn, SYSTEM, runtime.files, dimension=dimension, columns=columns, computed={}, now=runtime.clock()
            )
        await jobs.run_export(runtime, export_id=run.id)
        files[dimension] = run.file_id
    for name, key in (("entry", "ticket"), ("prize", "what")):
        await unique(db, f"by_{key}", key, entity=name)
    await publish_draft(db)
    await datamodel.build(runtime)
    for name, text, key in (("entry", "ticket,words\nT-3,day 3\n", "by_ticket"), ("prize", "what\na car\n", "by_what")):
        imported = await import_rows(runtime, text, key, target=ImportTarget(kind=TargetKind.DATASET, dataset=name))
        files[f"upload of {name}"] = imported.file_id

    counts = erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1"))

    assert counts["file_not_searchable"] == 3
    kept = "SELECT removed_at IS NULL FROM stored_file WHERE id = $1"
    assert {name: await db.fetchval(kept, one) for name, one in files.items()} == {
        "entry": False, "photo": False, "prize": True, "profile": True, "upload of entry": False, "upload of prize": True,
    }  # fmt: skip


async def test_a_row_that_comes_back_while_a_deletion_waits_goes_too(runtime: Runtime, db: Connection) -> None:
    await contest(runtime, db)
    async with runtime.pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.fetchval("SELECT count(*) FROM x_prize")
        request_id = await ask(runtime, RequestKind.DELETE, "ticket", "T-1")
        await work(runtime)
        await held.rollback()
    assert (await get(runtime, request_id)).waits_for == "transactions"
    await db.execute("INSERT INTO x_entry (x_ticket) VALUES ('T-1')")

    await work(runtime)

    assert erased(await get(runtime, request_id))["x_entry"] == 2
    assert await rows(db, "x_ticket", "x_entry") == [("T-2",)]


async def test_a_row_that_rows_of_people_hold_stays(runtime: Runtime, db: Connection) -> None:
    """Nothing is half erased; another try finishes it."""
    await contest(runtime, db)
    await dataset(db, "vote", field("mark"))
    await point(db, link("voter"), "vote")
    await point(db, link("about", "entry", on_delete=OnDelete.REFUSE, reverse_name="votes"), "vote")
    await publish_draft(db)
    bob = await add_person(db, BOB)
    await db.execute("INSERT INTO x_vote (x_mark, x_voter_id, x_about_id) SELECT 'good', $1, min(id) FROM x_entry", bob)

    access = await done(runtime, RequestKind.ACCESS, "ticket", "T-1")
    refused = await done(runtime, RequestKind.DELETE, "ticket", "T-1")

    assert "x_vote" not in access.counts, "that is bob's"
    assert refused.error is not None
    assert refused.error.code == "LINKED"
    assert len(await rows(db, "id", "x_entry")) == len(await rows(db, "id", "x_photo")) == 2
    await db.execute("UPDATE x_vote SET x_about_id = NULL")
    assert erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1"))["x_entry"] == 1
    assert await rows(db, "x_mark", "x_vote") == [("good",)]


@pytest.mark.parametrize(("on_delete", "stay"), [(OnDelete.CLEAR, [("good", None)]), (OnDelete.DELETE, [])])
async def test_rows_of_people_do_as_their_link_says_and_are_not_given(
    runtime: Runtime, db: Connection, on_delete: OnDelete, stay: list[tuple[Any, ...]]
) -> None:
    await contest(runtime, db)
    await dataset(db, "vote", field("mark", personal=True))
    await point(db, link("voter"), "vote")
    await point(db, link("about", "entry", on_delete=on_delete, reverse_name="votes"), "vote")
    await publish_draft(db)
    bob = await add_person(db, BOB)
    await db.execute("INSERT INTO x_vote (x_mark, x_voter_id, x_about_id) SELECT 'good', $1, min(id) FROM x_entry", bob)

    access = await done(runtime, RequestKind.ACCESS, "ticket", "T-1")
    erasure = erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1"))

    assert "x_vote" not in access.counts
    assert (erasure["x_entry"], "x_vote" in erasure) == (1, False)
    assert await rows(db, "x_mark, x_about_id", "x_vote") == stay


async def test_datasets_that_are_tied_otherwise_are_no_namespace(runtime: Runtime, db: Connection) -> None:
    """Over another dataset, by pairs, or because people are linked to them."""
    for name in ("order", "line", "club", "shop", "town"):
        await dataset(db, name, field("code"))
    await point(db, link("who"), "order")
    await point(db, link("order", "order"), "line")
    await point(db, link("members", kind=LinkKind.MANY_TO_MANY), "club")
    await point(db, link("shop", "shop"), "profile")
    await publish_draft(db)
    for name in ("line", "club", "shop"):
        with pytest.raises(ClarionError) as caught:
            await add_namespace(runtime, name, "code", name)
        assert caught.value.code == "NOT_LINKED"
    await add_namespace(runtime, "town", "code", "town")
    await add_namespace(runtime, "order", "code", "order")


async def test_a_link_that_is_hidden_lets_a_row_be_erased(runtime: Runtime, db: Connection) -> None:
    """Its column is still there, and nobody sees whose the row was."""
    await dataset(db, "entry", field("ticket"))
    await point(db, link("who"), "entry")
    await publish_draft(db)
    bob = await add_person(db, BOB)
    await db.execute("INSERT INTO x_entry (x_ticket, x_who_id) VALUES ('T-1', $1)", bob)
    await remove_link(db, SYSTEM, "entry", "who", now=NOW)
    await publish_draft(db)
    await add_namespace(runtime, "ticket", "ticket", "entry")

    assert erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1")) == {"x_entry": 1}
    assert await rows(db, "id", "profile") == [(bob,)]


async def test_what_was_answered_of_a_row_is_forgotten(runtime: Runtime, db: Connection) -> None:
    await contest(runtime, db)
    for name in ("one", "two"):
        await idempotency.claim(db, runtime.keyring, "client", name, b"asked")
    keys = [key for (key,) in await rows(db, "id", "x_entry")]
    for name, key in zip(("one", "two"), keys, strict=True):
        answer = f'{{"row": {{"id": "{row_id("entry", key)}"}}}}'
        await idempotency.keep_answer(db, runtime.keyring, "client", name, answer.encode())

    assert erased(await done(runtime, RequestKind.DELETE, "ticket", "T-1"))["stored_answer"] == 1
