"""A namespace goes when the requests by it have ended: they keep its name, and its field can be hidden."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from core.access import SYSTEM
from core.datamodel.drafts import remove_field
from core.db import Connection, transaction
from core.errors import ClarionError, Conflict
from core.privacy import namespaces, proofs, requests
from core.privacy.records import Namespace, RequestKind, RequestState
from core.privacy.work import work
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, columns, field, publish_draft, publish_fields
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import add_namespace, ask, done, get, given


async def delete(runtime: Runtime, one: Namespace) -> None:
    async with transaction(runtime.pool) as conn:
        await namespaces.delete_namespace(conn, SYSTEM, one.id)


async def refused(runtime: Runtime, one: Namespace, code: str) -> None:
    with pytest.raises(ClarionError) as caught:
        await delete(runtime, one)
    assert caught.value.code == code


async def test_what_ended_keeps_the_name_and_the_field_is_hidden(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")
    access = await done(runtime, RequestKind.ACCESS, "card", "C-1")
    erasure = await done(runtime, RequestKind.DELETE, "card", "C-1")

    await delete(runtime, card)
    await remove_field(db, SYSTEM, "profile", "card", now=NOW)
    await publish_draft(db)

    assert "card" not in {one.name for one in await namespaces.list_namespaces(db)}
    for before in (access, erasure):
        now = await get(runtime, before.id)
        assert (now.state, now.namespace, now.namespace_id) == (RequestState.COMPLETE, "card", None)
        assert (now.counts, now.proof, now.value_hash) == (before.counts, before.proof, before.value_hash)
    assert erasure.proof is not None
    assert erasure.proof["namespace"] == "card"
    assert await proofs.verify_proof(db, SYSTEM, runtime.keyring, erasure.proof)
    assert (await requests.count_requests(db), "x_card" in await columns(db)) == (2, True)
    with pytest.raises(ClarionError) as caught:
        await ask(runtime, RequestKind.ACCESS, "card", "C-1")
    assert caught.value.code == "PRIVACY_NAMESPACE_NOT_FOUND"


async def test_a_file_that_was_given_stays_to_be_read(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")
    request = await done(runtime, RequestKind.ACCESS, "card", "C-1")
    await delete(runtime, card)

    data, _ = await given(runtime, db, await get(runtime, request.id))

    assert data["request"]["namespace"] == "card"
    async with transaction(runtime.pool) as conn:
        await requests.issue_download_ticket(conn, SYSTEM, request.id, runtime.clock())


async def test_a_namespace_stays_while_a_request_is_open(runtime: Runtime, db: Connection) -> None:
    """One that nobody has begun, and one that waits for its confirmation; and the built-in ones stay for good."""
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")
    request_id = await ask(runtime, RequestKind.DELETE, "card", "C-1")
    await db.execute("UPDATE privacy_request SET needs_confirm = true")
    ended = await done(runtime, RequestKind.ACCESS, "card", "C-2")
    await refused(runtime, card, "IN_USE")
    assert (await get(runtime, ended.id)).namespace_id == card.id, "nothing is half done"
    assert (await get(runtime, request_id)).state is RequestState.DELETE_PENDING
    await remove_field(db, SYSTEM, "profile", "card", now=NOW)
    with pytest.raises(Conflict, match="privacy namespace 'card'"):
        await publish_draft(db)

    async with transaction(runtime.pool) as conn:
        await requests.confirm_delete(conn, SYSTEM, request_id, runtime.clock())
    await work(runtime)
    await delete(runtime, card)

    (built_in, *_) = await namespaces.list_namespaces(db)
    await refused(runtime, built_in, "BUILT_IN")
    await refused(runtime, card, "PRIVACY_NAMESPACE_NOT_FOUND")


async def test_what_ended_in_an_error_is_not_tried_again_without_it(runtime: Runtime, db: Connection) -> None:
    """Its value goes with the namespace, also where another of the same name is made."""
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    request = await done(runtime, RequestKind.DELETE, "card", "C-1")
    assert request.state is RequestState.ERROR
    await delete(runtime, card)
    await add_namespace(runtime, "card", "card")

    row = await db.fetchrow("SELECT value, person FROM privacy_request")

    assert row is not None
    assert tuple(row) == (None, None)
    with pytest.raises(Conflict) as caught:
        async with transaction(runtime.pool) as conn:
            await requests.retry_request(conn, SYSTEM, request.id)
    assert caught.value.code == "VALUE_FORGOTTEN"
    assert (await get(runtime, request.id)).error == request.error


async def test_a_deletion_that_failed_half_way_keeps_it(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another try has to finish it."""
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")

    async def fails(*_: object) -> bool:
        raise Conflict("for once", code="ONCE")

    with monkeypatch.context() as patched:
        patched.setattr("core.privacy.work.remove_files", fails)
        request = await done(runtime, RequestKind.DELETE, "card", "C-1")
    assert request.error is not None
    assert (request.error.code, request.erased_at is None) == ("ONCE", False)
    await refused(runtime, card, "IN_USE")
    async with transaction(runtime.pool) as conn:
        await requests.retry_request(conn, SYSTEM, request.id)
    await work(runtime)
    assert (await get(runtime, request.id)).state is RequestState.COMPLETE
    await delete(runtime, card)


async def test_the_value_of_somebody_erased_by_it_is_not_kept_either(runtime: Runtime, db: Connection) -> None:
    """Whoever asks again by another namespace over the same."""
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    await add_namespace(runtime, "ticket", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")
    await done(runtime, RequestKind.DELETE, "card", "C-1")
    await delete(runtime, card)

    for value in ("C-1", "C-2"):
        assert (await done(runtime, RequestKind.ACCESS, "ticket", value)).state is RequestState.ERROR

    assert await db.fetchval("SELECT count(*) FROM privacy_request WHERE value IS NOT NULL") == 1


async def test_a_request_that_is_made_meanwhile_keeps_it(runtime: Runtime, db: Connection) -> None:
    """Whoever deletes the namespace waits for it; and no request is made by a namespace that is going."""
    await publish_fields(db, field("card"))
    card = await add_namespace(runtime, "card", "card")
    async with transaction(runtime.pool) as conn:
        await conn.execute("SELECT FROM privacy_namespace WHERE id = $1 FOR KEY SHARE", card.id)
        deleting = asyncio.create_task(delete(runtime, card))
        await asyncio.sleep(0.2)
        assert not deleting.done()
        request_id = await ask(runtime, RequestKind.ACCESS, "card", "C-1")
    with pytest.raises(Conflict):
        await deleting
    await work(runtime)
    assert (await get(runtime, request_id)).state is RequestState.ERROR
    async with transaction(runtime.pool) as conn:
        await namespaces.delete_namespace(conn, SYSTEM, card.id)
        asking = asyncio.create_task(ask(runtime, RequestKind.ACCESS, "card", "C-2"))
        await asyncio.sleep(0.2)
        assert not asking.done()
    with pytest.raises(ClarionError) as caught:
        await asking
    assert caught.value.code == "PRIVACY_NAMESPACE_NOT_FOUND"


async def test_no_request_that_can_be_worked_on_is_without_one(runtime: Runtime, db: Connection) -> None:
    """The database says so too."""
    await ask(runtime, RequestKind.ACCESS, "email", "ann@mail.example")
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute("UPDATE privacy_request SET namespace_id = NULL")
    await work(runtime)
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute("UPDATE privacy_request SET namespace_id = NULL")
