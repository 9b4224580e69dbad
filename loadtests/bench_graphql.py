"""GraphQL over HTTP: 50 rows × 8 fields from Postgres, one process, beside bare Strawberry and asyncpg on the same machine.

Ours does all that an API must (token, limits, permissions, ids, cursors); the reference does nothing but answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request

import uvloop

from core.accounts.tokens import first_admin_token
from core.db import transaction
from core.runtime import open_runtime
from loadtests.campaign import connect, fill_profiles
from loadtests.figures import alternate, print_figure
from loadtests.stage import Stage, stage

RUNS = int(os.environ.get("RUNS", "5"))
PAGE = 50  # rows of an answer: what is measured, not how much of it
SECONDS = 3.0
WARM_UP = 1.0
CONNECTIONS = 16
PEOPLE = 10_000
QUERY = f"{{ profiles(first: {PAGE}) {{ nodes {{ id email firstName lastName city country birthDate createdAt }} }} }}"


def request(port: int, path: str, token: str | None) -> bytes:
    """The bytes of one request."""
    body = json.dumps({"query": QUERY}).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one response."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    start = head.index(b"content-length:") + len(b"content-length:")
    return await reader.readexactly(int(head[start : head.index(b"\r", start)]))


async def ask(port: int, payload: bytes, size: int, seconds: float) -> float:
    """Requests a second over some connections, as fast as they are answered; every answer must have the size."""
    until = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = 0
        while time.perf_counter() < until:
            writer.write(payload)
            if len(await answer(reader)) != size:
                raise SystemExit("an answer is not like the others")
            answered += 1
        writer.close()
        return answered

    began = time.perf_counter()
    answered = sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS))))
    return answered / (time.perf_counter() - began)


def people(port: int, path: str, token: str | None) -> tuple[int, list[dict[str, object]]]:
    """The size of an answer and the rows in it."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    sent = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps({"query": QUERY}).encode(), headers)
    with urllib.request.urlopen(sent) as response:
        body: bytes = response.read()
    rows: list[dict[str, object]] = json.loads(body)["data"]["profiles"]["nodes"]
    return len(body), rows


async def prepare(stage: Stage) -> str:
    """Fill the table; returns a token."""
    conn = await connect(stage.settings)
    await fill_profiles(conn, PEOPLE)
    await conn.close()
    async with open_runtime(stage.settings, "bench") as runtime, transaction(runtime.pool) as conn:
        made = await first_admin_token(conn, runtime.keyring, runtime.clock())
    assert made is not None
    return made[1]


def check_alike(ours: list[dict[str, object]], theirs: list[dict[str, object]]) -> None:
    """Both must tell the same of the same people, but for the spelling of ids and times."""
    told = ("email", "firstName", "lastName", "city", "country", "birthDate")
    if len(ours) != PAGE or [[row[name] for name in told] for row in ours] != [[row[name] for name in told] for row in theirs]:
        raise SystemExit("the two servers do not answer alike")


def main() -> None:
    """Measure and print."""
    with stage(database_pool_size=10) as ground:
        token = asyncio.run(prepare(ground))
        with ground.serving("api.server") as mine, ground.serving("loadtests.graphql_reference") as other:
            my_size, my_rows = people(mine, "/graphql", token)
            other_size, other_rows = people(other, "/graphql/", None)
            check_alike(my_rows, other_rows)
            my_request, other_request = request(mine, "/graphql", token), request(other, "/graphql/", None)

            def run(port: int, payload: bytes, size: int, seconds: float = SECONDS) -> float:
                return uvloop.run(ask(port, payload, size, seconds))

            run(mine, my_request, my_size, WARM_UP)
            run(other, other_request, other_size, WARM_UP)
            ours, theirs = alternate(
                RUNS, lambda: run(mine, my_request, my_size), lambda: run(other, other_request, other_size)
            )
    print_figure("graphql", ours, theirs, unit="requests/s", against="bare Strawberry + asyncpg", rows=PAGE, fields=8)


if __name__ == "__main__":
    main()
