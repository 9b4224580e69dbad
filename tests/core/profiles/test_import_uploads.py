"""An import's file: which addresses to upload it to still work, and how long it stays."""

from __future__ import annotations

import asyncio

import pytest

from core import files as stored_files
from core import housekeeping
from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import Conflict, NotFound
from core.profiles import import_runner, imports
from core.profiles.run_records import ImportRun, MatchKey, RunState
from core.runtime import Runtime
from tests.core.profiles.house import Times, import_people


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
    await stored_files.complete_file(db, run.file_id, 14, times.now)
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
    await stored_files.complete_file(db, run.file_id, 14, times.now)  # an earlier upload

    async def start() -> ImportRun:
        async with transaction(runtime.pool) as conn:
            return await imports.start_import(conn, SYSTEM, run.id, times.now)

    async with db.transaction():
        await stored_files.redeem_ticket(db, ticket.secret, "write", times.now)
        starting = asyncio.create_task(start())
        await asyncio.sleep(0.2)
        assert not starting.done()
        await stored_files.complete_file(db, run.file_id, 99, times.now)

    assert (await starting).bytes_total == 99


async def waiting(runtime: Runtime, db: Connection, times: Times) -> ImportRun:
    """An import whose file is there."""
    run, _ = await imports.create_import(
        db, SYSTEM, runtime.files, file_name="x.csv", match_key=MatchKey.EXTERNAL_ID, now=times.now
    )
    runtime.files.path(await stored_files.get_file(db, run.file_id)).write_text("external_id\nA\n")
    await stored_files.complete_file(db, run.file_id, 14, times.now)
    return run


async def test_an_import_that_was_never_started_loses_its_file_and_may_be_given_it_again(
    runtime: Runtime, db: Connection, times: Times
) -> None:
    run = await waiting(runtime, db, times)
    times.move(days=31)
    await housekeeping.sweep(runtime)

    with pytest.raises(NotFound, match="removed after 31 days") as caught:
        await imports.start_import(db, SYSTEM, run.id, times.now)
    assert (caught.value.code, caught.value.path) == ("FILE_REMOVED", "import_id")

    await imports.renew_upload(db, SYSTEM, run.id, times.now)
    with pytest.raises(Conflict, match="not been uploaded"):
        await imports.start_import(db, SYSTEM, run.id, times.now)
    again = await stored_files.get_file(db, run.file_id)
    runtime.files.path(again).write_text("external_id\nA\n")
    await stored_files.complete_file(db, run.file_id, 14, times.now)
    await imports.start_import(db, SYSTEM, run.id, times.now)
    await import_runner.run_import(runtime, import_id=run.id)
    assert (await imports.get_import(db, run.id)).inserted == 1


async def test_the_file_of_an_import_stays_until_it_ends(runtime: Runtime, db: Connection, times: Times) -> None:
    # Given an import that no worker took for a year
    run = await waiting(runtime, db, times)
    await imports.start_import(db, SYSTEM, run.id, times.now)
    times.move(days=365)
    await housekeeping.sweep(runtime)

    # When one does
    await import_runner.run_import(runtime, import_id=run.id)

    # Then it finds the file, and thirty days after the end the file goes
    assert (await imports.get_import(db, run.id)).state is RunState.FINISHED
    for days, left in ((29, 1), (2, 0)):
        times.move(days=days)
        await housekeeping.sweep(runtime)
        assert len(list(runtime.files.root.iterdir())) == left


async def test_the_file_of_an_import_that_was_cancelled_or_failed_goes_too(
    runtime: Runtime, db: Connection, times: Times
) -> None:
    cancelled, failed = await waiting(runtime, db, times), await waiting(runtime, db, times)
    for run in (cancelled, failed):
        await imports.start_import(db, SYSTEM, run.id, times.now)
    await imports.cancel_import(db, SYSTEM, cancelled.id, times.now)
    runtime.files.path(await stored_files.get_file(db, failed.file_id)).write_text("nobody\nA\n")
    await import_runner.run_import(runtime, import_id=failed.id)
    assert (await imports.get_import(db, failed.id)).state is RunState.FAILED

    times.move(days=31)
    await housekeeping.sweep(runtime)

    assert list(runtime.files.root.iterdir()) == []


async def test_rejects_that_were_kept_long_enough_are_told_to_be_gone(runtime: Runtime, db: Connection, times: Times) -> None:
    run = await import_people(runtime, "external_id,country\nA,Atlantis\n")
    times.move(days=31)
    await housekeeping.sweep(runtime)

    with pytest.raises(NotFound, match="removed after 31 days") as caught:
        await imports.issue_rejects_ticket(db, SYSTEM, run.id, times.now)

    assert (caught.value.code, caught.value.path) == ("FILE_REMOVED", "import_id")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Import the file again.")
