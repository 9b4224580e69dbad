"""Promise 8 under `kill -9`: an erasure whose worker dies at any step goes on where it was, and ends with one proof."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from core.secrets import parse_keyring
from tests.flows.client import Client
from tests.flows.house import House, deadline_of, house
from tests.flows.journey import import_people
from tests.flows.scan import in_files, in_tables
from tests.flows.test_crash import RESUME_SECONDS, WORKER, kill_one
from tests.flows.test_erasure import check_signed, do, until

MARK = "Zq8Marker"
EMAIL = f"{MARK}.Ann@story.example"
PEOPLE = f"email,first_name,last_name\n{EMAIL},{MARK}First,{MARK}Last\nbob@story.example,Bob,Bobson\nno address {EMAIL},,\n"


@asynccontextmanager
async def held_up(made: House, table: str) -> AsyncIterator[None]:
    """Whoever wants to write to a table waits until this ends."""
    conn = await made.connect()
    try:
        async with conn.transaction():
            await conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
    finally:
        await conn.close()


async def waits_at(conn: asyncpg.Connection, table: str) -> None:
    """Wait until somebody wants to write to a table that is held up."""
    deadline = deadline_of(RESUME_SECONDS)
    text = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)"
    while not await conn.fetchval(text, table):
        assert time.monotonic() < deadline, f"nobody waits at {table}"
        await asyncio.sleep(0.05)


async def test_an_erasure_whose_worker_is_killed_at_every_step_ends_complete(tmp_path: Path) -> None:
    async with (
        house(tmp_path, worker_processes=1, reconcile_seconds=0.5) as made,
        Client(made.settings.base_url, made.token) as client,
    ):
        await import_people(client, PEOPLE.encode(), fileName=f"{EMAIL}.csv")
        conn, before = await made.connect(), await made.connect()

        # Given an erasure whose worker is killed in the transaction that erases, which leaves everything as it was
        async with held_up(made, "profile"):
            asked = await do(
                client, "createPrivacyRequest", "CreatePrivacyRequestInput", "privacyRequest { id }", name="gone", label="Gone",
                namespaceName="email", reconciliationValue=EMAIL, type="DELETE", regulation="GDPR",
            )  # fmt: skip
            request = asked["privacyRequest"]["id"]
            await waits_at(conn, "profile")
            await kill_one(made, WORKER)
            assert await conn.fetchval("SELECT count(*) FROM profile") == 2
            assert await conn.fetchval("SELECT count(*) FROM erased_address") == 0
            older = before.transaction()
            await older.start()
            await before.fetch("SELECT 1")

        # And while it waits for a transaction that had begun before
        await until(client, "privacyRequest", request, "waitsFor", "transactions")
        await kill_one(made, WORKER)
        assert await conn.fetchval("SELECT count(*) FROM profile") == 1

        # And while it blots out texts
        async with held_up(made, "import_reject"):
            await older.rollback()
            await waits_at(conn, "import_reject")
            await kill_one(made, WORKER)
            assert MARK in await conn.fetchval("SELECT string_agg(name, ' ') FROM stored_file")

        # And when that is committed, and the files that were made of it are to go
        async with AsyncExitStack() as stack:
            async with held_up(made, "suppression_reject"):
                await waits_at(conn, "suppression_reject")
                files = asyncio.create_task(stack.enter_async_context(held_up(made, "stored_file")))
                await waits_at(conn, "stored_file")
            await files
            await waits_at(conn, "stored_file")
            await kill_one(made, WORKER)
            assert MARK not in await conn.fetchval("SELECT string_agg(name, ' ') FROM stored_file")
            assert await conn.fetchval("SELECT proof FROM privacy_request") is None

        # When nobody kills it any more, then it ends, everything was erased and counted once, and there is one proof
        await until(client, "privacyRequest", request, "status", "COMPLETE")
        found = await client.ask("query ($id: ID!) { privacyRequest(id: $id) { proof profilesFound } }", id=request)
        proof = found["privacyRequest"]["proof"]
        assert found["privacyRequest"]["profilesFound"] == 1
        assert (proof["erased"]["profile"], proof["erased"]["file"], proof["erased"]["stored_file"]) == (1, 2, 2)
        await check_signed(client, proof)
        assert await conn.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'profile.erase'") == 1
        assert await conn.fetchval("SELECT count(*) FROM erased_address") == 1
        assert [row["email"] for row in await conn.fetch("SELECT email FROM profile")] == ["bob@story.example"]
        assert made.settings.secret_keys is not None
        keyring = parse_keyring(made.settings.secret_keys.get_secret_value())
        assert await in_tables(conn, keyring, [MARK]) == set()
        assert in_files(made.settings.var_dir, [MARK]) == set()
        assert MARK.lower() not in made.output.read_text(errors="replace").lower()
        await before.close()
        await conn.close()
