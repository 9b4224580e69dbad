"""`clarion token`: make, list and revoke API tokens, make master keys and change them. Works on the database directly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.installation import database
from core import idempotency
from core.access import SYSTEM, Role
from core.accounts import tokens
from core.clock import system_clock
from core.config import load_settings
from core.db import Connection, transaction
from core.delivery import programs
from core.paging import PageRequest
from core.planning import channel_accounts
from core.profiles import erased, quarantine
from core.runtime import Runtime, open_runtime
from core.secrets import new_key_text

app = typer.Typer(no_args_is_help=True, help="API tokens and master keys.")
T = TypeVar("T")


def on_database(work: Callable[[Runtime, Connection], Awaitable[T]]) -> T:
    """Run one piece of work in a transaction on the installation's database."""

    async def run() -> T:
        with database(load_settings()) as settings:
            async with open_runtime(settings, "cli") as runtime, transaction(runtime.pool) as conn:
                return await work(runtime, conn)

    return asyncio.run(run())


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    role: Annotated[list[Role], typer.Option(help="A role; may be given several times.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; without, it does not.")] = None,
) -> None:
    """Make a token and print it. It is shown this once."""

    async def work(runtime: Runtime, conn: Connection) -> str:
        now = system_clock()
        expires_at = None if days is None else now + timedelta(days=days)
        _, text = await tokens.create_token(
            conn, SYSTEM, runtime.keyring, name=name, roles=role, expires_at=expires_at, now=now
        )
        return text

    print(on_database(work))


@app.command(name="list")
def list_all() -> None:
    """Show all tokens, without their text."""

    async def work(runtime: Runtime, conn: Connection) -> Table:
        table = Table("id", "name", "roles", "expires", "revoked", "last used")
        after: int | None = None
        while True:
            page = await tokens.list_tokens(conn, PageRequest(first=500, after=after))
            for one in page.rows:
                times = (one.expires_at, one.revoked_at, one.last_used_at)
                shown = ["" if at is None else f"{at:%Y-%m-%d %H:%M}" for at in times]
                table.add_row(str(one.id), escape(one.name), ", ".join(sorted(one.roles)), *shown)
            if not page.has_next:
                return table
            after = page.rows[-1].id

    Console().print(on_database(work))


@app.command()
def revoke(token_id: Annotated[int, typer.Argument(metavar="ID", help="The id, as `token list` shows it.")]) -> None:
    """End a token for good."""

    async def work(runtime: Runtime, conn: Connection) -> None:
        await tokens.revoke_token(conn, SYSTEM, token_id, system_clock())

    on_database(work)
    print(f"token {token_id} is revoked")


@app.command()
def key(key_id: Annotated[int, typer.Argument(min=0, max=255, help="An id never used before.")] = 1) -> None:
    """Print a fresh master key for CLARION_SECRET_KEYS; put it in front of those that are there."""
    print(new_key_text(key_id))


@app.command()
def reseal() -> None:
    """Encrypt channel secrets with the newest master key, and say what still needs the older ones."""

    async def work(runtime: Runtime, conn: Connection) -> list[str]:
        resealed = await channel_accounts.reseal_accounts(conn, SYSTEM, runtime.keyring)
        newest = runtime.keyring.newest.key_id
        first = f"channel accounts whose secrets are encrypted with master key {newest} from now on: {resealed}"
        return [first, *await _older_keys(runtime, conn)]

    for line in on_database(work):
        print(line)


async def _older_keys(runtime: Runtime, conn: Connection) -> list[str]:
    """What needs each key but the newest, for those that are missing too."""
    uses = (
        ("live API tokens", await tokens.count_live_by_key(conn, system_clock()), "refused without it: make new ones first"),
        (
            "deliveries", await programs.count_deliveries_by_key(conn),
            "without it links in messages already sent answer like forged ones, and what is left is not sent",
        ),
        (
            "audit entries on quarantined addresses", await quarantine.count_audit_references_by_key(conn),
            "not found by the address without it",
        ),
        (
            "addresses of people who were erased", await erased.count_by_key(conn),
            "without it whoever comes back with one of them is written to",
        ),
        ("stored answers to requests", await idempotency.count_by_key(conn), "gone within a day or so"),
    )  # fmt: skip
    known = runtime.keyring.by_id
    told = []
    for key_id in sorted({*known, *(key_id for _, counts, _ in uses for key_id in counts)} - {runtime.keyring.newest.key_id}):
        needed = [f"  {what}: {counts[key_id]} ({loss})" for what, counts, loss in uses if key_id in counts]
        place = "" if key_id in known else ", which is not in CLARION_SECRET_KEYS,"
        told.append(f"master key {key_id}{place} {'is still needed by' if needed else 'is needed by nothing stored any more'}")
        told += needed
    return told
