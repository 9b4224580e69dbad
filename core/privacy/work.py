"""Carries requests out, one after the other, by one worker at a time: whoever holds the lock of the database.

A deletion goes on in steps, each committed by itself and harmless when it is done again:

1. whom it is about is found, and everything that is declared is erased; from that moment nobody writes to them;
2. it waits for what had begun before and may have read them: transactions, imports and exports, messages in flight;
3. whoever came back meanwhile (by a file that was being read) is found and erased like before;
4. once nobody is found any more, uploads that name the person or may hold them go; behind them all tables are gone through a
   last time, and texts that quote the person are blotted out; behind that go files and stored answers that were made of
   these, and what the database has sampled of the person's values for its plans; and the proof is made.

What it waits for it looks at again with every sweep. A worker that is killed lets go of the lock by that, and the next one goes
on with what is committed.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record_many
from core.db import TRY_LATER, Connection, transaction
from core.errors import ClarionError, Invalid, NotFound
from core.files import FileKind
from core.log import get_logger
from core.outbox import announce_all
from core.personal import Person
from core.privacy import answers, erasing
from core.privacy.finding import find_person
from core.privacy.gathering import gather
from core.privacy.proofs import make_proof
from core.privacy.records import OPEN, Namespace, PrivacyRequest, RequestError, RequestKind, RequestState
from core.privacy.removing import GIVEN, MADE, remove_files
from core.privacy.sealing import hash_of, open_person, open_value, seal_person
from core.privacy.store import namespaces as namespace_store
from core.privacy.store import people, requests
from core.privacy.words import quoted_in, quotes_of
from core.profiles import erased
from core.runtime import Runtime

KEEP_VALUES = timedelta(days=30)  # of requests that ended in an error, for trying again

log = get_logger(__name__)


async def work(runtime: Runtime) -> None:
    """Carry out what is open. Returns at once when another worker is at it."""
    async with runtime.pool.acquire() as holder:
        if not await requests.take_work(holder):
            return
        try:
            for request_id in await requests.list_open(holder):
                if runtime.stopping.is_set():
                    return
                await _carry_out(runtime, request_id)
        finally:
            await requests.leave_work(holder)


async def _carry_out(runtime: Runtime, request_id: int) -> None:
    """One request, as far as it goes now."""
    try:
        request = await _begin(runtime, request_id)
        if request is None:
            return
        if request.kind is RequestKind.ACCESS:
            await _give(runtime, request)
        else:
            await _delete(runtime, request)
    except TRY_LATER:
        raise  # the sweep looks again
    except ClarionError as error:
        await _fail(runtime, request_id, RequestError(code=error.code, message=error.message, hint=error.hint))
    except Exception as error:
        log.error("a privacy request failed", request_id=request_id, error=type(error).__name__)
        await _fail(runtime, request_id, RequestError(code="INTERNAL", message="something went wrong on our side"))
        raise


async def _begin(runtime: Runtime, request_id: int) -> PrivacyRequest | None:
    async with transaction(runtime.pool) as conn:
        found = await requests.lock_request(conn, request_id)
        if found is None or found.state not in OPEN:
            return None
        moves = {
            RequestState.NEW: RequestState.PROCESSING,
            RequestState.RETRY_PENDING: RequestState.RETRY_IN_PROGRESS,
        }
        if found.state in moves:
            await requests.set_state(conn, request_id, moves[found.state], runtime.clock())
        return found


async def _fail(runtime: Runtime, request_id: int, error: RequestError) -> None:
    log.info("privacy request ended in an error", request_id=request_id, code=error.code)
    async with transaction(runtime.pool) as conn:
        await requests.fail(conn, request_id, error, await _hashes(conn, runtime, request_id), runtime.clock())


async def _hashes(conn: Connection, runtime: Runtime, request_id: int) -> list[str]:
    """What stands for a request's value in each of the namespaces that name the same field, or may have named it."""
    sealed, _ = await requests.get_sealed(conn, request_id)
    if sealed is None:
        return []
    try:
        value = open_value(runtime.keyring, request_id, sealed)
    except Invalid:
        return []
    (request,) = await requests.get_requests(conn, [request_id])
    own = await _namespace(conn, request)
    every = await namespace_store.list_namespaces(conn)
    same = [one.name for one in every if (one.entity, one.field) == (own.entity, own.field)]
    return [hash_of(runtime.keyring, one, value) for one in (*same, *await requests.list_left_namespaces(conn))]


async def _find(conn: Connection, runtime: Runtime, request: PrivacyRequest, *, gone_too: bool) -> Person:
    """Whom a request is about, now. Raises Invalid (VALUE_FORGOTTEN, SECRET_UNREADABLE, UNKNOWN_FIELD)."""
    sealed, _ = await requests.get_sealed(conn, request.id)
    if sealed is None:
        raise Invalid("the value of this request is not kept any more", code="VALUE_FORGOTTEN", hint="Make another request.")
    value = open_value(runtime.keyring, request.id, sealed)
    return await find_person(conn, await _namespace(conn, request), value, gone_too=gone_too)


async def _namespace(conn: Connection, request: PrivacyRequest) -> Namespace:
    assert request.namespace_id is not None  # of a request that has a value
    return (await namespace_store.get_namespaces(conn, [request.namespace_id]))[0]


def _nobody() -> NotFound:
    return NotFound("nobody has this value", code="NOBODY_FOUND", hint="Check the namespace and the value, and try again.")


async def _give(runtime: Runtime, request: PrivacyRequest) -> None:
    """Gather what an access request asks for. Raises NotFound (NOBODY_FOUND)."""
    name = f"access-request-{request.id}.zip"
    location = runtime.files.new_location(name)
    async with runtime.files.part(location) as part:
        async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            found = await _find(conn, runtime, request, gone_too=True)
            if not await _is_somebody(conn, found):
                raise _nobody()
            person, _ = await erasing.without_shared(conn, found)
            counts = await gather(conn, runtime, request, person, part)
        size = (await asyncio.to_thread(part.stat)).st_size
        async with transaction(runtime.pool) as conn:
            held = await requests.lock_request(conn, request.id)
            if held is None or held.state not in OPEN:
                return
            file = await stored_files.create_file(conn, FileKind.ACCESS, name, location, request.created_by)
            await stored_files.complete_file(conn, file.id, size, runtime.clock())
            await requests.add_counts(conn, request.id, counts)
            await requests.complete(conn, request.id, profiles=len(person.profile_ids), file_id=file.id, now=runtime.clock())
            await asyncio.to_thread(part.replace, runtime.files.path(file))


async def _delete(runtime: Runtime, request: PrivacyRequest) -> None:
    if request.needs_confirm and request.confirmed_at is None:
        await _ask(runtime, request)
        return
    while True:
        await _erase_found(runtime, request)
        if await _waits(runtime, request):
            return
        async with transaction(runtime.pool) as conn:
            again = (await _find(conn, runtime, request, gone_too=False)).has_rows
        if not again:
            await _finish(runtime, request)
            return


async def _ask(runtime: Runtime, request: PrivacyRequest) -> None:
    """Let somebody confirm it. Raises NotFound (NOBODY_FOUND)."""
    async with transaction(runtime.pool) as conn:
        person = await _find(conn, runtime, request, gone_too=True)
        if not await _is_somebody(conn, person):
            raise _nobody()
        await requests.set_state(conn, request.id, RequestState.DELETE_PENDING, runtime.clock())


async def _is_somebody(conn: Connection, person: Person) -> bool:
    if person.has_rows:
        return True
    return any([await people.is_known_address(conn, kind, key) for kind, key in person.addresses])


async def _erase_found(runtime: Runtime, request: PrivacyRequest) -> None:
    """Erase whom the value names now, with all that was found for the request before. Raises NotFound (NOBODY_FOUND)."""
    async with transaction(runtime.pool) as conn:
        await requests.lock_request(conn, request.id)
        _, sealed = await requests.get_sealed(conn, request.id)
        before = [] if sealed is None else [open_person(runtime.keyring, request.id, sealed)]
        found = await _find(conn, runtime, request, gone_too=not before)
        if before and not found.has_rows:
            return
        if not before and not await _is_somebody(conn, found):
            raise _nobody()
        now = runtime.clock()
        person, others = await erasing.without_shared(conn, found)
        await erased.keep_out(conn, runtime.keyring, found.addresses, others, now)
        person = erasing.together([*before, person])
        await record_many(conn, SYSTEM, "profile.erase", "profile", found.profile_ids, {"request_id": request.id})
        await announce_all(conn, "profiles.deleted", "profile_ids", found.profile_ids)
        counts = await erasing.erase(conn, person, now)
        await requests.set_state(conn, request.id, RequestState.DELETE_IN_PROGRESS, now)
        await requests.add_counts(conn, request.id, counts)
        sealed = seal_person(runtime.keyring, request.id, person)
        await requests.set_erased(conn, request.id, sealed, len(person.profile_ids), now)


async def _person(conn: Connection, runtime: Runtime, request: PrivacyRequest) -> Person:
    _, sealed = await requests.get_sealed(conn, request.id)
    assert sealed is not None
    return open_person(runtime.keyring, request.id, sealed)


async def _waits(runtime: Runtime, request: PrivacyRequest) -> bool:
    """Whether something has to end first, which is written down. Asked in a transaction that began after the erasure."""
    async with transaction(runtime.pool) as conn:
        gone_at = await requests.set_gone(conn, request.id)
    async with transaction(runtime.pool) as conn:
        person = await _person(conn, runtime, request)
        (held,) = await requests.get_requests(conn, [request.id])
        keys = [key for _, key in person.addresses]
        assert held.erased_at is not None
        waits_for = await people.still_at_work(conn, person.profile_ids, keys, held.erased_at, gone_at)
        await requests.set_waiting(conn, request.id, waits_for)
        return waits_for is not None


async def _finish(runtime: Runtime, request: PrivacyRequest) -> None:
    """The last round, with the proof. Where somebody has begun to work with a file that names the person it waits on."""
    async with transaction(runtime.pool) as conn:
        person = await _person(conn, runtime, request)
    if not await remove_files(runtime, request, person, GIVEN):
        return
    async with transaction(runtime.pool) as conn:
        counts = await erasing.erase(conn, person, runtime.clock())
        for table, number in (await erasing.blot_out(conn, person)).items():
            counts[table] = counts.get(table, 0) + number
        counts["stored_answer"] = await answers.forget_answers(conn, runtime.keyring, person)
        await _clean_requests(conn, runtime, person)
        await requests.add_counts(conn, request.id, {name: number for name, number in counts.items() if number})
    if await _waits(runtime, request) or not await remove_files(runtime, request, person, MADE):
        return
    async with transaction(runtime.pool) as conn:
        if not await erasing.sample_again(conn, person):
            await requests.set_waiting(conn, request.id, "transactions")
            return
    async with transaction(runtime.pool) as conn:
        held = await requests.lock_request(conn, request.id)
        if held is None or held.state not in OPEN:
            return
        quoted = await erasing.quoted_by_authors(conn, person)
        proof = make_proof(runtime.keyring, held, held.counts, quoted, runtime.clock())
        await requests.complete(conn, request.id, profiles=held.profiles_found or 0, proof=proof, now=runtime.clock())


async def _clean_requests(conn: Connection, runtime: Runtime, person: Person) -> None:
    """Take the person out of other requests: out of their names, and values of those that have ended."""
    quotes = quotes_of(person)
    await requests.rename_quoting(conn, list(quotes.words))
    naming = []
    for request_id, sealed in await requests.list_ended_with_value(conn):
        try:
            value = open_value(runtime.keyring, request_id, sealed)
        except Invalid:
            value = None
        if value is None or value in person.words or quoted_in(value, person):
            naming.append(request_id)
    await requests.forget_value(conn, naming)
