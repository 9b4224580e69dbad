"""The commands over a running installation, as one person uses them one after the other."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
from pathlib import Path

from api.graphql.schema import SDL_FILE
from tests.flows.client import Client
from tests.flows.house import House, house
from tests.flows.journey import create_account
from tests.flows.post import sink_process

PROXY = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")


async def clarion(made: House, *arguments: object, token: str = "", ends: int = 0) -> str:
    """Run a command beside the installation; returns what it says."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "api.cli.main", *map(str, arguments)],
        env={**made.environment, **PROXY, "CLARION_TOKEN": token, "COLUMNS": "300"}, cwd=Path(__file__).parents[3],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ends, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


async def test_a_day_with_the_commands(tmp_path: Path) -> None:
    """On embedded servers, behind a proxy that leads nowhere."""
    async with house(tmp_path, database_url=None, allow_private_egress=False) as made:
        token = (await clarion(made, "token", "create", "[story]", "--role", "administration")).strip()
        assert token.startswith("clarion_")
        assert "[story]" in await clarion(made, "token", "list")
        await _people(made, token, tmp_path)
        async with sink_process(tmp_path / "mail") as port, Client(made.settings.base_url, made.token) as client:
            await create_account(client, port)
            said = await clarion(made, "doctor")
        assert "✗" not in said
        assert "account account" in said
        assert "the database is at revision" in await clarion(made, "migrate")
        await clarion(made, "schema", "-o", tmp_path / "schema.graphql")
        assert (tmp_path / "schema.graphql").read_text() == SDL_FILE.read_text()


async def _people(made: House, token: str, folder: Path) -> None:
    """In and out again, with one line that cannot be read."""
    file = folder / "[people].csv"
    file.write_text("email,first_name\nana@x.example,Ana\nzoë at y,Zoë\n")
    said = await clarion(made, "import", file, token=token)
    assert "inserted 1" in said
    assert "rejected 1" in said
    rejects = folder / "[people]-rejects.csv"
    assert str(rejects) in said
    assert "zoë at y" in rejects.read_text()
    await clarion(made, "export", folder / "out.csv", "--time-zone", "Asia/Tokyo", token=token)
    with (folder / "out.csv").open(encoding="utf-8-sig", newline="") as out:
        assert [row["email"] for row in csv.DictReader(out)] == ["ana@x.example"]
    file.write_text("no,such\ncolumns,here\n")
    said = await clarion(made, "import", file, token=token, ends=1)
    assert "(line 1, column 1)" in said
