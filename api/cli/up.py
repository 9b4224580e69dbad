"""`clarion up`, `clarion api`, `clarion worker`: processes that run until they are told to stop."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import asyncpg
from rich.console import Console
from rich.markup import escape

from api.cli.addresses import check_broker_url, check_database_url, with_address, with_known_address
from api.cli.child import Child
from api.cli.counting import counting, telling
from api.cli.installation import WORKER_STOP_SECONDS, Installation, check_port, plan
from api.cli.supervisor import Supervisor
from core.accounts.tokens import first_admin_token
from core.clock import system_clock
from core.config import Settings, load_settings
from core.db import transaction
from core.errors import Invalid
from core.runtime import open_runtime
from core.secrets import load_keyring
from migrations.runner import check_schema

STOP_SECONDS = 9.0  # of everything; within the ten that are promised


def up() -> None:
    """Run API and workers (and embedded servers where no URL is set) as one process tree. Ctrl-C ends it."""
    installation = plan(load_settings())
    _check(installation.settings)
    load_keyring(installation.settings)  # made before the processes start, so that they all read the same one
    with counting(installation.settings):
        children = [*installation.embedded, *installation.api(), installation.worker_master()]
        Supervisor(children, stop_seconds=STOP_SECONDS).run(lambda: _welcome(installation))


def api() -> None:
    """Run the API processes. They need a database; set CLARION_DATABASE_URL, or use `clarion up`."""
    installation = _with_urls(with_address(load_settings()), "database_url")
    check_port(installation.settings)
    with counting(installation.settings):
        Supervisor(installation.api(), stop_seconds=STOP_SECONDS, together=True).run()


def worker() -> None:
    """Run worker processes and a relay. They need a database and a broker; set their URLs, or use `clarion up`.

    Raises DatabaseTooNew, DatabaseTooOld.
    """
    installation = _with_urls(with_known_address(load_settings()), "database_url", "broker_url")
    check_broker_url(str(installation.settings.broker_url))
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # the processes wait for a database that is away
        asyncio.run(check_schema(str(installation.settings.database_url)))
    with counting(installation.settings), telling(installation.settings):
        children: list[Child] = installation.workers()
        Supervisor(children, stop_seconds=WORKER_STOP_SECONDS, together=True).run()


def _check(settings: Settings) -> None:
    """Say once what every child would say again and again. Raises Conflict (PORT_TAKEN), Invalid (BAD_BROKER_URL)."""
    check_port(settings)
    check_broker_url(str(settings.broker_url))


def _with_urls(settings: Settings, *names: str) -> Installation:
    for name in names:
        if getattr(settings, name) is None:
            raise Invalid(
                f"CLARION_{name.upper()} is not set",
                code="NO_URL",
                hint="Set it, or run `clarion up`, which starts embedded servers.",
            )
    check_database_url(str(settings.database_url))
    return Installation(settings=settings, embedded=())


def _welcome(installation: Installation) -> None:
    settings = installation.settings
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold]Clarion is up:[/bold] {escape(settings.base_url)}")
    console.print(f"  GraphQL and explorer: {escape(settings.base_url)}/graphql")
    text = asyncio.run(_first_token(settings))
    if text is None:
        program = escape(sys.argv[0])
        console.print(
            f"  Administrators exist already; make another token with: {program} token create NAME --role administration"
        )
    else:
        console.print(f"  First admin token (shown once): [bold]{text}[/bold]")
        console.print("  The explorer asks for it; commands such as `clarion import` take it from CLARION_TOKEN.")
    console.print("  Ctrl-C stops everything.\n")


async def _first_token(settings: Settings) -> str | None:
    async with open_runtime(settings, "up") as runtime, transaction(runtime.pool) as conn:
        made = await first_admin_token(conn, runtime.keyring, system_clock())
    return None if made is None else made[1]
