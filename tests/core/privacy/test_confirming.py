"""The states of requests (feature map 2.69): which way each leads, and which ways there are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import ClarionError
from core.privacy import jobs, requests
from core.privacy.records import PrivacyRequest, RequestKind, RequestState
from core.privacy.work import KEEP_VALUES, work
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person
from tests.core.privacy.asking import ask, get

ANN = "ann@mail.example"


@pytest.fixture
def careful(runtime: Runtime) -> Runtime:
    """A runtime of an installation where deletions are confirmed."""
    return replace(runtime, settings=runtime.settings.model_copy(update={"privacy_confirm_delete": True}))


async def confirm(runtime: Runtime, request_id: int) -> PrivacyRequest:
    async with transaction(runtime.pool) as conn:
        return await requests.confirm_delete(conn, SYSTEM, request_id, runtime.clock())


async def retry(runtime: Runtime, request_id: int) -> PrivacyRequest:
    async with transaction(runtime.pool) as conn:
        return await requests.retry_request(conn, SYSTEM, request_id)


async def refused(runtime: Runtime, what: Callable[[Runtime, int], Awaitable[PrivacyRequest]], request_id: int) -> str:
    before = await get(runtime, request_id)
    with pytest.raises(ClarionError) as caught:
        await what(runtime, request_id)
    assert await get(runtime, request_id) == before
    return caught.value.code


async def state_of(runtime: Runtime, request_id: int) -> RequestState:
    return (await get(runtime, request_id)).state


async def announced(db: Connection) -> int:
    found: int = await db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'privacy_request.ready'")
    return found


async def test_a_deletion_waits_until_it_is_confirmed(careful: Runtime, db: Connection) -> None:
    await add_person(db, ANN)
    request_id = await ask(careful, RequestKind.DELETE, "email", ANN)
    assert await state_of(careful, request_id) is RequestState.NEW
    assert await refused(careful, confirm, request_id) == "ILLEGAL_MOVE"
    await work(careful)
    assert await state_of(careful, request_id) is RequestState.DELETE_PENDING
    await work(careful)  # however often somebody looks
    assert await state_of(careful, request_id) is RequestState.DELETE_PENDING
    assert await db.fetchval("SELECT count(*) FROM profile") == 1
    assert await db.fetchval("SELECT count(*) FROM erased_address") == 0
    assert await refused(careful, retry, request_id) == "ILLEGAL_MOVE"

    before = await announced(db)
    confirmed = await confirm(careful, request_id)
    assert (confirmed.state, confirmed.confirmed_by) == (RequestState.DELETE_IN_PROGRESS, SYSTEM.name)
    assert await announced(db) == before + 1
    assert await confirm(careful, request_id) == confirmed  # once more changes nothing
    assert await announced(db) == before + 1
    await work(careful)
    ended = await get(careful, request_id)
    assert (ended.state, ended.profiles_found) == (RequestState.COMPLETE, 1)
    assert await db.fetchval("SELECT count(*) FROM profile") == 0
    assert (await confirm(careful, request_id)).state is RequestState.COMPLETE
    assert await refused(careful, retry, request_id) == "ILLEGAL_MOVE"
    told = await db.fetch("SELECT action FROM audit_entry WHERE object_type = 'privacy_request' ORDER BY id")
    assert [row["action"] for row in told] == ["privacy_request.create", "privacy_request.confirm"]


async def test_who_comes_between_asking_and_confirming_is_meant_too(careful: Runtime, db: Connection) -> None:
    await add_person(db, ANN)
    request_id = await ask(careful, RequestKind.DELETE, "email", ANN)
    await work(careful)
    await add_person(db, ANN)
    await confirm(careful, request_id)
    await work(careful)
    assert (await get(careful, request_id)).profiles_found == 2
    assert await db.fetchval("SELECT count(*) FROM profile") == 0


async def test_what_finds_nobody_is_tried_again(careful: Runtime, db: Connection) -> None:
    request_id = await ask(careful, RequestKind.DELETE, "email", ANN)
    await work(careful)
    ended = await get(careful, request_id)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (RequestState.ERROR, "NOBODY_FOUND")
    assert await refused(careful, confirm, request_id) == "ILLEGAL_MOVE"
    await add_person(db, ANN)

    again = await retry(careful, request_id)
    assert (again.state, again.error, again.finished_at) == (RequestState.RETRY_PENDING, None, None)
    assert await refused(careful, retry, request_id) == "ILLEGAL_MOVE"
    await work(careful)
    assert await state_of(careful, request_id) is RequestState.DELETE_PENDING
    await confirm(careful, request_id)
    await work(careful)
    assert await state_of(careful, request_id) is RequestState.COMPLETE


async def test_who_left_between_asking_and_confirming_is_nobody(careful: Runtime, db: Connection) -> None:
    await add_person(db, ANN)
    request_id = await ask(careful, RequestKind.DELETE, "email", ANN)
    await work(careful)
    await db.execute("DELETE FROM profile")
    await confirm(careful, request_id)
    await work(careful)
    ended = await get(careful, request_id)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (RequestState.ERROR, "NOBODY_FOUND")
    assert ended.confirmed_at is not None
    await add_person(db, ANN)
    await retry(careful, request_id)  # it was confirmed once
    await work(careful)
    assert await state_of(careful, request_id) is RequestState.COMPLETE


async def test_whether_it_waits_is_settled_when_it_is_made(careful: Runtime, runtime: Runtime, db: Connection) -> None:
    await add_person(db, ANN)
    await add_person(db, "bob@mail.example")
    waits = await ask(careful, RequestKind.DELETE, "email", ANN)
    goes = await ask(runtime, RequestKind.DELETE, "email", "bob@mail.example")
    await work(careful)
    assert await state_of(careful, waits) is RequestState.DELETE_PENDING
    assert await state_of(careful, goes) is RequestState.COMPLETE
    await work(runtime)
    assert await state_of(careful, waits) is RequestState.DELETE_PENDING


async def test_access_is_never_confirmed(careful: Runtime, db: Connection) -> None:
    await add_person(db, ANN)
    request_id = await ask(careful, RequestKind.ACCESS, "email", ANN)
    assert await refused(careful, confirm, request_id) == "ILLEGAL_MOVE"
    await work(careful)
    assert await state_of(careful, request_id) is RequestState.COMPLETE
    assert await refused(careful, confirm, request_id) == "ILLEGAL_MOVE"


async def test_an_error_is_not_tried_again_once_its_value_is_forgotten(runtime: Runtime, db: Connection, times: Times) -> None:
    request_id = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    times.move(seconds=KEEP_VALUES.total_seconds() - 1)
    await jobs.sweep(runtime)
    assert await db.fetchval("SELECT value FROM privacy_request") is not None
    times.move(seconds=timedelta(seconds=2).total_seconds())
    await jobs.sweep(runtime)
    assert await db.fetchval("SELECT value FROM privacy_request") is None
    assert await refused(runtime, retry, request_id) == "VALUE_FORGOTTEN"


async def failed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> int:
    """A deletion that has erased somebody and could not be finished."""

    async def broken(*_: object) -> bool:
        raise RuntimeError("no files")

    request_id = await ask(runtime, RequestKind.DELETE, "email", ANN)
    with monkeypatch.context() as patched:
        patched.setattr("core.privacy.work.remove_files", broken)
        with pytest.raises(RuntimeError, match="no files"):
            await work(runtime)
    assert await state_of(runtime, request_id) is RequestState.ERROR
    return request_id


async def kept(db: Connection, request_id: int) -> tuple[bool, bool]:
    """Whether a request has its value, and whom it found."""
    row = await db.fetchrow("SELECT value IS NOT NULL, person IS NOT NULL FROM privacy_request WHERE id = $1", request_id)
    assert row is not None
    return row[0], row[1]


async def test_whom_a_failed_deletion_has_found_is_kept_no_longer_than_its_value(
    runtime: Runtime, db: Connection, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(db, ANN, first_name="Ann")
    request_id = await failed(runtime, monkeypatch)
    times.move(seconds=KEEP_VALUES.total_seconds() - 1)
    await jobs.sweep(runtime)
    assert await kept(db, request_id) == (True, True), "it can be tried again"
    times.move(seconds=2)
    await jobs.sweep(runtime)
    assert await kept(db, request_id) == (False, False)
    assert await refused(runtime, retry, request_id) == "VALUE_FORGOTTEN"

    # And one that lost its value before this was so
    await add_person(db, ANN, first_name="Ann")
    request_id = await failed(runtime, monkeypatch)
    await db.execute("UPDATE privacy_request SET value = NULL WHERE id = $1", request_id)
    assert await kept(db, request_id) == (False, True)
    await jobs.sweep(runtime)
    assert await kept(db, request_id) == (False, False)


async def test_whom_a_failed_deletion_has_found_goes_with_a_complete_one(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(db, ANN)
    first = await failed(runtime, monkeypatch)
    assert await kept(db, first) == (True, True)
    await add_person(db, ANN)
    again = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    assert await state_of(runtime, again) is RequestState.COMPLETE
    assert await kept(db, first) == await kept(db, again) == (False, False)

    # And one that fails behind a complete one
    await add_person(db, ANN)
    assert await kept(db, await failed(runtime, monkeypatch)) == (False, False)


async def test_a_failed_deletion_is_finished_by_another_try(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(db, ANN)
    request_id = await failed(runtime, monkeypatch)
    await retry(runtime, request_id)
    await work(runtime)
    assert await state_of(runtime, request_id) is RequestState.COMPLETE
    assert await kept(db, request_id) == (False, False)


async def test_what_is_not_there_is_not_found(runtime: Runtime) -> None:
    for what in (confirm, retry):
        with pytest.raises(ClarionError) as caught:
            await what(runtime, 4711)
        assert caught.value.code == "PRIVACY_REQUEST_NOT_FOUND"
