"""Addresses to upload an import's file to: which of them still work, and when."""

from __future__ import annotations

import asyncio

import pytest

from core import files as stored_files
from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import Conflict, NotFound
from core.profiles import imports
from core.profiles.records import ImportRun, MatchKey
from core.runtime import Runtime
from tests.core.profiles.house import Times


async def test_an_address_ends_when_a_newer_one_is_asked_for(runtime: Runtime, db: Connection, times: Times) -> None:
    run, first = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EXTERNAL_ID, now=times.now
    )
    second = await imports.renew_upload(db, SYSTEM, run.id, times.now)

    with pytest.raises(NotFound) as caught:
        await stored_files.redeem_ticket(db, first.secret, "write", times.now)

    assert caught.value.code == "TICKET_NOT_FOUND"
    assert (await stored_files.redeem_ticket(db, second.secret, "write", times.now)).id == run.file_id


async def test_no_other_file_comes_in_once_an_import_is_started(runtime: Runtime, db: Connection, times: Times) -> None:
    run, used = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EXTERNAL_ID, now=times.now
    )
    await stored_files.redeem_ticket(db, used.secret, "write", times.now)
    await stored_files.complete_file(db, run.file_id, 14)
    unused = await imports.renew_upload(db, SYSTEM, run.id, times.now)
    await imports.start_import(db, SYSTEM, run.id, times.now)

    with pytest.raises(NotFound) as caught:
        await stored_files.redeem_ticket(db, unused.secret, "write", times.now)
    assert caught.value.code == "TICKET_NOT_FOUND"
    with pytest.raises(Conflict):
        await stored_files.redeem_ticket(db, used.secret, "write", times.now)


async def test_a_start_waits_for_the_upload_that_is_being_completed(runtime: Runtime, db: Connection, times: Times) -> None:
    run, ticket = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EXTERNAL_ID, now=times.now
    )
    await stored_files.complete_file(db, run.file_id, 14)  # an earlier upload

    async def start() -> ImportRun:
        async with transaction(runtime.pool) as conn:
            return await imports.start_import(conn, SYSTEM, run.id, times.now)

    async with db.transaction():
        await stored_files.redeem_ticket(db, ticket.secret, "write", times.now)
        starting = asyncio.create_task(start())
        await asyncio.sleep(0.2)
        assert not starting.done()
        await stored_files.complete_file(db, run.file_id, 99)

    assert (await starting).bytes_total == 99
