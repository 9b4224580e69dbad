"""`kill -9` of the API in the middle of a body: whole portions are stored, and sending it again stores the rest, once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from api.http.events import EVENTS_AT_ONCE
from core.accounts.tokens import first_admin_token
from core.db import Pool, transaction
from core.secrets import new_key_text, parse_keyring
from tests.core.events.told import NOW, add_profile, save
from tests.flows.house import free_port

EVENTS = 2 * EVENTS_AT_ONCE + 2_000
FIRST_PART = EVENTS_AT_ONCE + 1_000  # the second portion is not complete with it


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[tuple[subprocess.Popen[bytes], int]]:
    """An API process and its port."""
    port = free_port()
    command = [sys.executable, "-m", "api.server", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[3])
    try:
        async with httpx.AsyncClient() as http:
            for _ in range(600):
                try:
                    await http.get(f"http://127.0.0.1:{port}/health")
                    break
                except httpx.TransportError:
                    assert process.poll() is None
                    await asyncio.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


def line(n: int) -> bytes:
    event = {
        "type": "purchase", "profile": {"externalId": "ann"}, "occurredAt": NOW.isoformat(), "key": f"k{n}",
        "payload": {"amount": n},
    }  # fmt: skip
    return json.dumps(event).encode() + b"\n"


async def test_a_killed_api_leaves_whole_portions(pool: Pool, database_url: str, tmp_path: Path) -> None:
    keys = new_key_text(1)
    async with transaction(pool) as conn:
        await save(conn)
        await add_profile(conn)
        made = await first_admin_token(conn, parse_keyring(keys), NOW)
    assert made is not None
    values = {"database_url": database_url, "var_dir": tmp_path, "secret_keys": keys, "log_level": "ERROR"}
    environment = {**os.environ, **{f"CLARION_{name.upper()}": str(value) for name, value in values.items()}}
    body = [line(n) for n in range(EVENTS)]

    # Given a body of which more than one portion has come, and one is stored
    async with serving(environment) as (process, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made[1]}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {sum(map(len, body))}\r\n\r\n"
        )
        writer.write(head.encode() + b"".join(body[:FIRST_PART]))
        await writer.drain()
        # The server hands pieces of a megabyte on: go on until the first portion is there
        sent = FIRST_PART
        while not await pool.fetchval("SELECT count(*) FROM event_change"):
            writer.write(b"".join(body[sent : sent + 50]))
            await writer.drain()
            sent += 50
            assert sent < EVENTS
            await asyncio.sleep(0.05)
        # When the process is killed while it works on
        writer.write(b"".join(body[sent:]))
        process.kill()
        await asyncio.to_thread(process.wait)
        writer.close()

    # Then whole portions are stored, with all that belongs to them
    stored = await pool.fetchval("SELECT count(*) FROM e_purchase")
    assert stored in (EVENTS_AT_ONCE, 2 * EVENTS_AT_ONCE, EVENTS)
    assert await pool.fetchval("SELECT count(*) FROM event_key") == stored
    assert await pool.fetchval("SELECT sum(events) FROM event_change") == stored

    # And sending the same again stores the rest
    async with serving(environment) as (_, port), httpx.AsyncClient(timeout=60) as http:
        headers = {"authorization": f"Bearer {made[1]}", "content-type": "application/x-ndjson"}
        answer = (await http.post(f"http://127.0.0.1:{port}/events", content=b"".join(body), headers=headers)).json()
    assert (answer["repeated"], answer["stored"], answer["rejected"]) == (stored, EVENTS - stored, 0)
    assert await pool.fetchval("SELECT count(DISTINCT key) FROM e_purchase") == EVENTS
    assert await pool.fetchval("SELECT sum(events) FROM event_change") == EVENTS
