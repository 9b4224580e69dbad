"""Uploads and downloads by one-time addresses, hostile ones included."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from api.app import App
from api.http import files as door
from core import housekeeping
from core.clock import system_clock
from core.db import transaction
from core.files import FileKind, complete_file, create_file, get_file, issue_ticket
from core.runtime import Runtime
from tests.api.conftest import settings_for


@pytest_asyncio.fixture
async def small(api_database: str, tmp_path: Path) -> AsyncIterator[App]:
    """An API that takes files of up to 3 MB."""
    app = App(settings_for(api_database, tmp_path / "var", upload_max_bytes=3_000_000))
    await app.start()
    yield app
    await app.stop()


@pytest_asyncio.fixture
async def client(small: App) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with an address and nothing else."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=small), base_url="http://clarion.test") as http:
        yield http


async def upload_ticket(app: App, name: str = "people.csv") -> tuple[int, str]:
    """A file to come: its id and the path to send it to."""
    runtime = app.runtime
    async with transaction(runtime.pool) as conn:
        file = await create_file(conn, FileKind.UPLOAD, name, runtime.files.new_location(name), "tests")
        ticket = await issue_ticket(conn, file.id, "write", runtime.clock())
    return file.id, f"/files/{ticket.secret}"


async def download_ticket(app: App, body: bytes, name: str = "export.csv") -> str:
    """The path of a finished file."""
    runtime = app.runtime
    async with transaction(runtime.pool) as conn:
        file = await create_file(conn, FileKind.EXPORT, name, runtime.files.new_location(name), "tests")
        runtime.files.path(file).write_bytes(body)
        await complete_file(conn, file.id, len(body), runtime.clock())
        ticket = await issue_ticket(conn, file.id, "read", runtime.clock())
    return f"/files/{ticket.secret}"


async def stored(app: App, file_id: int) -> bytes | None:
    """The bytes of a file once it is complete."""
    async with app.runtime.pool.acquire() as conn:
        file = await get_file(conn, file_id)
    if file.size is None:
        return None
    body = app.runtime.files.path(file).read_bytes()
    assert len(body) == file.size
    return body


def left_over(app: App) -> list[Path]:
    """Files whose bytes never became complete."""
    return list(app.runtime.files.root.glob("*.part-*"))


def code_of(response: httpx.Response) -> str:
    """The code of a refusal."""
    code: str = response.json()["errors"][0]["extensions"]["code"]
    return code


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("size", [0, 1, 2_999_999, 3_000_000])
async def test_a_file_is_stored_whole(small: App, client: httpx.AsyncClient, method: str, size: int) -> None:
    file_id, path = await upload_ticket(small)
    body = os.urandom(size)

    response = await client.request(method, path, content=body)

    assert (response.status_code, response.json()) == (201, {"size": size})
    assert await stored(small, file_id) == body
    assert left_over(small) == []


async def test_a_file_may_come_in_pieces_without_a_length(small: App, client: httpx.AsyncClient) -> None:
    file_id, path = await upload_ticket(small)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 20_000

    assert (await client.put(path, content=pieces())).status_code == 201
    assert await stored(small, file_id) == b"x" * 2_000_000


async def test_an_address_works_once(small: App, client: httpx.AsyncClient) -> None:
    file_id, path = await upload_ticket(small)
    await client.put(path, content=b"first")

    again = await client.put(path, content=b"second")

    assert (again.status_code, code_of(again)) == (409, "TICKET_USED")
    assert await stored(small, file_id) == b"first"


async def test_of_two_uploads_at_once_one_wins_whole(small: App, client: httpx.AsyncClient) -> None:
    file_id, path = await upload_ticket(small)
    bodies = [bytes([letter]) * 1_500_000 for letter in b"abcd"]

    answers = await asyncio.gather(*(client.put(path, content=body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    winner = [answer.status_code for answer in answers].index(201)
    assert await stored(small, file_id) == bodies[winner]
    assert left_over(small) == []


async def test_an_upload_that_is_cut_off_leaves_nothing_and_may_be_tried_again(small: App, client: httpx.AsyncClient) -> None:
    # Given an upload whose connection is lost half-way
    file_id, path = await upload_ticket(small)
    messages: Iterator[dict[str, object]] = iter(
        [
            {"type": "http.request", "body": b"half", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(message: object) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {"type": "http", "method": "PUT", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await small(scope, receive, send)
    assert await stored(small, file_id) is None
    assert left_over(small) == []

    # When it is sent again to the same address
    response = await client.put(path, content=b"whole")

    # Then it is there
    assert response.status_code == 201
    assert await stored(small, file_id) == b"whole"


async def test_an_upload_that_stands_still_is_given_up(
    small: App, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STALL_SECONDS", 0.05)
    _, path = await upload_ticket(small)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0.5)
        yield b"y"

    response = await client.put(path, content=slowly())

    assert code_of(response) == "UPLOAD_STALLED"
    assert left_over(small) == []


async def test_an_attachment_is_refused_that_no_content_would_take(
    small: App, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.content.attachments.LARGEST", 1000)
    async with transaction(small.runtime.pool) as conn:
        file = await create_file(conn, FileKind.ATTACHMENT, "a.pdf", small.runtime.files.new_location("a.pdf"), "anna")
        ticket = await issue_ticket(conn, file.id, "write", small.runtime.clock())
    response = await client.put(f"/files/{ticket.secret}", content=b"x" * 1001)
    assert (response.status_code, code_of(response)) == (413, "FILE_TOO_LARGE")
    assert response.json()["errors"][0]["extensions"]["hint"] == "Link to large files instead."
    assert (await client.put(f"/files/{ticket.secret}", content=b"x" * 1000)).status_code == 201


@pytest.mark.parametrize("declared", [True, False])
async def test_a_file_that_is_too_large_is_refused(small: App, client: httpx.AsyncClient, declared: bool) -> None:
    file_id, path = await upload_ticket(small)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 1_000_000

    response = await client.put(path, content=b"x" * 3_000_001 if declared else pieces())

    assert (response.status_code, code_of(response)) == (413, "FILE_TOO_LARGE")
    assert await stored(small, file_id) is None
    assert left_over(small) == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-type": "multipart/form-data; boundary=x"}, "FORM_REFUSED"),
        ({"content-encoding": "gzip"}, "ENCODING_REFUSED"),
    ],
)
async def test_what_is_not_the_bare_file_is_refused(
    small: App, client: httpx.AsyncClient, headers: dict[str, str], code: str
) -> None:
    _, path = await upload_ticket(small)

    response = await client.put(path, content=b"x", headers=headers)

    assert (response.status_code, code_of(response)) == (400, code)


@pytest.mark.parametrize(
    "path",
    ["/files/unknown", "/files/" + "x" * 5_000, "/files/%2e%2e%2fsecret-keys", "/files/%00", "/files/..%2f..%2fetc%2fpasswd"],
)
@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_guessed_addresses_find_nothing(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path, content=b"x" if method == "PUT" else None)

    assert response.status_code in (400, 404)


async def test_an_address_to_write_is_none_to_read_and_the_other_way_round(small: App, client: httpx.AsyncClient) -> None:
    _, to_write = await upload_ticket(small)
    to_read = await download_ticket(small, b"x")

    assert (await client.get(to_write)).status_code == 404
    assert (await client.put(to_read, content=b"y")).status_code == 404


async def test_an_address_expires(small: App, client: httpx.AsyncClient) -> None:
    file_id, path = await upload_ticket(small)
    async with small.runtime.pool.acquire() as conn:
        await conn.execute("UPDATE file_ticket SET expires_at = now() WHERE file_id = $1", file_id)

    response = await client.put(path, content=b"late")

    assert (response.status_code, code_of(response)) == (404, "TICKET_NOT_FOUND")
    assert await stored(small, file_id) is None


async def test_a_file_is_fetched_once_as_an_attachment(small: App, client: httpx.AsyncClient) -> None:
    body = os.urandom(2_500_000)
    path = await download_ticket(small, body, name='Größe; "x"\r\n.csv')

    head = await client.head(path)
    first = await client.get(path)
    again = await client.get(path)

    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(body)), b"")
    assert first.content == body
    assert first.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%3B%20%22x%22%0D%0A.csv"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in first.headers["content-security-policy"]
    assert first.headers["cache-control"] == "no-store"
    assert (again.status_code, code_of(again)) == (409, "TICKET_USED")


async def test_a_download_that_is_cut_off_may_be_tried_again(small: App, client: httpx.AsyncClient) -> None:
    # Given somebody who goes away in the middle of a download
    path = await download_ticket(small, b"x" * 2_500_000)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent = 0

    async def send(message: dict[str, object]) -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise ConnectionResetError

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await small(scope, receive, send)  # type: ignore[arg-type]
    assert sent == 3

    # When the address is asked again
    response = await client.get(path)

    # Then the whole file comes
    assert len(response.content) == 2_500_000


async def test_a_file_that_is_gone_from_the_disk_is_told_so(small: App, client: httpx.AsyncClient) -> None:
    path = await download_ticket(small, b"x")
    for file in small.runtime.files.root.iterdir():
        file.unlink()

    response = await client.get(path)

    assert (response.status_code, code_of(response)) == (404, "FILE_GONE")


async def test_a_removed_file_is_told_so(small: App, client: httpx.AsyncClient) -> None:
    path = await download_ticket(small, b"x")

    await sweep(replace(small.runtime, clock=lambda: system_clock() + timedelta(days=31)))
    response = await client.get(path)

    assert (response.status_code, code_of(response)) == (404, "FILE_REMOVED")
    assert "after 31 days" in response.json()["errors"][0]["message"]
    assert response.json()["errors"][0]["extensions"]["hint"].startswith("Export again.")


async def test_a_download_outlives_the_removal_of_its_file(small: App) -> None:
    # Given somebody in the middle of a download
    path = await download_ticket(small, b"x" * 2_500_000)
    pieces: list[bytes] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        pieces.append(message.get("body", b""))  # type: ignore[arg-type]
        if len(pieces) == 2:  # When the sweep removes the file
            await sweep(replace(small.runtime, clock=lambda: system_clock() + timedelta(days=31)))
            assert not list(small.runtime.files.root.iterdir())

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await small(scope, receive, send)  # type: ignore[arg-type]

    # Then it comes whole, to its last frame
    assert len(b"".join(pieces)) == 2_500_000
    assert pieces[-1] == b""


async def sweep(runtime: Runtime) -> None:
    """A round of housekeeping, in which addresses that are still good stay so though the clock is moved."""
    async with runtime.pool.acquire() as conn:
        kept = await conn.fetch("SELECT * FROM file_ticket")
        await housekeeping.sweep(runtime)
        await conn.copy_records_to_table("file_ticket", records=[tuple(row) for row in kept])
