"""The commands' door: a sentence and what to do, never a traceback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx
import pytest

from api.cli import main
from api.cli.troubles import tell

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def clarion(bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clarion:
    """Runs commands in this process, which shall not be tied to its parent."""
    monkeypatch.setattr(main, "die_with_parent", lambda: None)
    monkeypatch.setattr(main, "set_up_logging", lambda *_: None)
    return Clarion(monkeypatch, capsys)


class Clarion:
    """`clarion …` as somebody types it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def complaint(self, *arguments: object) -> str:
        """What a command that fails says."""
        self._monkeypatch.setattr("sys.argv", ["clarion", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == 1
        return self._capsys.readouterr().err


@pytest.mark.parametrize("command", [["migrate"], ["doctor"], ["up"], ["api"], ["token", "list"], ["demo"]])
def test_a_database_url_that_cannot_be_read(clarion: Clarion, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Whoever uses it."""
    monkeypatch.setenv("CLARION_DATABASE_URL", "postgresql://h:abc/x")
    assert clarion.complaint(*command).startswith("Error: CLARION_DATABASE_URL cannot be read")


@pytest.mark.parametrize(("revision", "words"), [("9999", "run a newer Clarion"), ("0001", "run `clarion migrate`")])
def test_workers_run_on_no_other_database_than_theirs(
    clarion: Clarion, monkeypatch: pytest.MonkeyPatch, database_url: str, revision: str, words: str
) -> None:
    async def change() -> None:
        conn = await asyncpg.connect(database_url)
        await conn.execute("UPDATE alembic_version SET version_num = $1", revision)
        await conn.close()

    asyncio.run(change())
    monkeypatch.setenv("CLARION_DATABASE_URL", database_url)
    monkeypatch.setenv("CLARION_BROKER_URL", "redis://127.0.0.1:1/0")
    assert words in clarion.complaint("worker")


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "postgresql://me@/x?host=/no/such/folder"])
def test_a_database_that_is_away(clarion: Clarion, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever the socket is made of."""
    monkeypatch.setenv("CLARION_DATABASE_URL", url)
    assert "the database cannot be used" in clarion.complaint("migrate")


def test_a_database_without_tables(clarion: Clarion, monkeypatch: pytest.MonkeyPatch, empty_database: str) -> None:
    """Somebody was quicker than `clarion migrate`."""
    monkeypatch.setenv("CLARION_DATABASE_URL", empty_database)
    assert "Run `clarion migrate`" in clarion.complaint("token", "list")


@pytest.mark.parametrize("url", ["http://h:abc", "http://[::1", "ftp://x", "x:80", "http://"])
def test_a_url_that_is_none(clarion: Clarion, bare: Path, url: str) -> None:
    """Of the API."""
    assert "is no address of an API" in clarion.complaint("export", bare / "x.csv", "--token", "x", "--url", url)


def test_an_api_that_is_away(clarion: Clarion, bare: Path) -> None:
    """As before the first `clarion up`."""
    assert "no API answers at" in clarion.complaint("export", bare / "x.csv", "--token", "x", "--url", NOWHERE)


def test_an_export_into_no_folder_is_not_made(clarion: Clarion, bare: Path) -> None:
    """It is told before anything is asked."""
    assert "there is no folder" in clarion.complaint("export", bare / "no" / "such" / "x.csv", "--token", "x", "--url", NOWHERE)


def test_a_file_that_cannot_be_written(clarion: Clarion, bare: Path) -> None:
    """With its name."""
    assert "No such file or directory" in clarion.complaint("schema", "-o", bare / "no" / "schema.graphql")


def test_foreign_text_is_no_markup(clarion: Clarion, bare: Path) -> None:
    """It would vanish, or end in an error of its own."""
    assert "there is no folder " + str(bare / "[mx.example]" / "[") in clarion.complaint(
        "export", bare / "[mx.example]" / "[" / "x", "--token", "x"
    )
    assert "[/x]" in clarion.complaint("export", bare / "[" / "x]" / "x.csv", "--token", "x")


def test_several_at_once() -> None:
    """The visitors of the demo, when the API dies: the first one speaks for all."""
    lost = [httpx.ReadError("it closed"), TimeoutError(), asyncio.IncompleteReadError(b"", 1)]
    told = tell(ExceptionGroup("visits", [ExceptionGroup("more", lost)]))
    assert told is not None
    assert told[0] == "the API went away: it closed"


def test_a_bug_keeps_its_traceback() -> None:
    """Also beside what was foreseen."""
    assert tell(KeyError("x")) is None
    assert tell(ExceptionGroup("both", [httpx.ReadError("x"), KeyError("x")])) is None


def test_other_trouble_with_the_database() -> None:
    """In the driver's words."""
    told = tell(asyncpg.InsufficientPrivilegeError("permission denied"))
    assert told is not None
    assert told[0] == "the database cannot be used: permission denied"
