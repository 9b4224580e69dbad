"""Files on their way: whole or not at all, and past every proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from api.cli import transfer
from api.graphql.schema import SDL_FILE
from core.errors import Conflict, Unavailable

SCHEMA = build_schema(SDL_FILE.read_text(encoding="utf-8"))


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that reads a request and says the same to everybody; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"chunked" in await reader.readuntil(b"\r\n\r\n"):
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/files/x"


def contents(folder: Path) -> dict[str, str]:
    """Every file by its name."""
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def _proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many companies; nobody listens there."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("document", transfer.OPERATIONS)
def test_fits_the_schema(document: str) -> None:
    """Fields, arguments and types."""
    assert validate(SCHEMA, parse(document)) == []


async def test_an_upload_meets_no_proxy(tmp_path: Path) -> None:
    """People's data stay on this machine."""
    (tmp_path / "people.csv").write_text("email\nana@x.example\n")
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as url:
        await transfer._upload(url, tmp_path / "people.csv")


async def test_a_download_meets_no_proxy(tmp_path: Path) -> None:
    """And stands under its name once it is whole."""
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nemail\n") as url:
        await transfer._download(url, tmp_path / "people.csv")
    assert contents(tmp_path) == {"people.csv": "email\n"}


async def test_half_a_file_is_none(tmp_path: Path) -> None:
    """What was there before stays."""
    (tmp_path / "people.csv").write_text("before")
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\nemail\n") as url:
        with pytest.raises(Unavailable, match="the download broke off"):
            await transfer._download(url, tmp_path / "people.csv")
    assert contents(tmp_path) == {"people.csv": "before"}


async def test_a_ticket_that_is_over_says_so(tmp_path: Path) -> None:
    """In the API's words."""
    async with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nit is old") as url:
        with pytest.raises(Conflict, match="the download was refused: it is old"):
            await transfer._download(url, tmp_path / "people.csv")
    assert contents(tmp_path) == {}


async def test_an_upload_to_nobody(tmp_path: Path) -> None:
    """The API went away meanwhile."""
    (tmp_path / "people.csv").write_text("email\n")
    with pytest.raises(Unavailable, match="the upload broke off"):
        await transfer._upload("http://127.0.0.1:1/files/x", tmp_path / "people.csv")


def test_a_run_that_failed_says_where() -> None:
    """And what to do."""
    run = {"state": "FAILED", "error": {"code": "X", "message": "no such column", "path": "line 1", "hint": "Add it."}}
    with pytest.raises(Conflict) as refused:
        transfer._check_finished(run)
    assert (refused.value.path, refused.value.hint) == ("line 1", "Add it.")
    with pytest.raises(Conflict, match="it was cancelled"):
        transfer._check_finished({"state": "CANCELLED", "error": None})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("people.csv", {"format": "CSV"}),
        ("people", {"format": "CSV"}),
        ("people.txt", {"format": "CSV"}),
        ("people.csv.gz", {"format": "CSV", "gzip": True}),
        ("people.jsonl.gz", {"format": "JSON_LINES", "gzip": True}),
        ("people.csv.zip", {"format": "CSV", "zip": True}),
        ("people.xlsx", {"format": "WORKBOOK"}),
        ("people.parquet", {"format": "PARQUET"}),
    ],
)
def test_the_name_of_a_file_says_how_it_is_written(name: str, expected: dict[str, Any]) -> None:
    assert transfer._options(Path(name)) == expected
