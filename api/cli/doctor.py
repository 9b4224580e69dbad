"""`clarion doctor`: look at everything an installation depends on, and say what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
import typer
from rich.console import Console
from rich.text import Text

from api.cli.addresses import is_this_machine, with_known_address
from api.cli.installation import database
from core.channel_registry import ChannelRegistry
from core.config import Settings, load_settings
from core.db import Connection
from core.errors import ClarionError
from core.paging import PageRequest
from core.planning import channel_accounts
from core.planning.records import ChannelAccount
from core.runtime import Runtime, open_runtime
from core.secrets import load_keyring
from core.workers.broker import make_broker, touch
from migrations.runner import DatabaseTooNew, DatabaseTooOld, check_schema

PAGE = 500
LARGEST_SKEW = 2.0  # seconds between this machine's clock and the database's


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `hint` says what to do where it is not well."""

    well: bool
    message: str
    hint: str | None = None


async def _database(settings: Settings) -> list[Finding]:
    url = str(settings.database_url)
    try:
        conn = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [
            Finding(False, f"the database does not answer: {error}", "Check CLARION_DATABASE_URL and that the server runs.")
        ]
    try:
        version: int = conn.get_server_version().major
        now: datetime = await conn.fetchval("SELECT clock_timestamp()")
        folds: bool = await conn.fetchval("SELECT lower('É') = 'é'")
    finally:
        await conn.close()
    skew = abs((now - datetime.now(UTC)).total_seconds())
    found = [
        Finding(version >= 15, f"PostgreSQL {version}", None if version >= 15 else "Clarion needs PostgreSQL 15 or newer."),
        Finding(
            skew < LARGEST_SKEW, f"clocks differ by {skew:.2f} s",
            None if skew < LARGEST_SKEW else "Leases and links depend on time: run an NTP client here and beside the database.",
        ),
    ]  # fmt: skip
    if not folds:
        hint = "Make the database with a UTF-8 locale (LC_CTYPE), or comparisons will mind the case of accented letters."
        found.append(Finding(False, "the database does not fold the case of accented letters", hint))
    try:
        await check_schema(url)
        found.append(Finding(True, "the schema is up to date"))
    except (DatabaseTooNew, DatabaseTooOld) as error:
        found.append(Finding(False, str(error)))
    return found


async def _broker(settings: Settings) -> list[Finding]:
    if settings.broker_url is None:
        return [Finding(True, "broker: the embedded Redis, which `clarion up` starts")]
    try:
        broker = make_broker(settings.broker_url)
        await asyncio.to_thread(touch, broker)
        await asyncio.to_thread(broker.close)
    except ClarionError as error:
        return [Finding(False, error.message, error.hint)]
    except Exception as error:  # every client has errors of its own; what to do is the same
        return [Finding(False, f"the broker does not answer: {error}", "Check CLARION_BROKER_URL and that the server runs.")]
    return [Finding(True, "the broker answers")]


async def _secrets(settings: Settings) -> list[Finding]:
    try:
        keyring = load_keyring(settings)
    except ClarionError as error:
        return [Finding(False, error.message, error.hint)]
    return [Finding(True, f"{len(keyring.by_id)} master key(s), newest {keyring.newest.key_id}")]


async def _address(settings: Settings) -> list[Finding]:
    try:
        address = with_known_address(settings).base_url
    except ClarionError as error:  # each start takes another port
        return [Finding(True, error.message, error.hint)]
    if not urlsplit(address).hostname:
        return [Finding(False, f"CLARION_BASE_URL {address!r} is no address", "Set it to https://your.public.host")]
    return [Finding(True, f"links will point to {address}")]


async def _production(settings: Settings) -> list[Finding]:
    """What is right for development only."""
    found = []
    if settings.secret_keys is None:
        hint = f"Keep a copy of {settings.var_dir / 'secret-keys'}, or set CLARION_SECRET_KEYS: without it passwords are lost."
        found.append(Finding(True, "the master key was made for development", hint))
    if "base_url" not in settings.model_fields_set or is_this_machine(urlsplit(settings.base_url).hostname or ""):
        hint = "Set CLARION_BASE_URL to the public address before you send."
        found.append(Finding(True, "recipients cannot reach the address of links", hint))
    if settings.allow_private_egress:
        found.append(Finding(True, "private addresses may be reached", "Unset CLARION_ALLOW_PRIVATE_EGRESS in production."))
    return found


async def _channels(settings: Settings) -> list[Finding]:
    registry = ChannelRegistry.load()
    found = [Finding(False, f"channel {one.name}: {one.message}", one.hint) for one in registry.problems]
    found.append(Finding(True, f"channels: {', '.join(registry.names())}"))
    try:
        async with open_runtime(settings, "doctor") as runtime, runtime.pool.acquire() as conn:
            async for account in _accounts(conn):
                found.append(await _account(runtime, registry, account))
    except ClarionError as error:
        found.append(Finding(False, error.message, error.hint))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        found.append(Finding(False, "accounts were not looked at", "Mend the database first."))
    return found


async def _accounts(conn: Connection) -> AsyncIterator[ChannelAccount]:
    after: int | None = None
    while True:
        page = await channel_accounts.list_accounts(conn, PageRequest(first=PAGE, after=after))
        for account in page.rows:
            yield account
        if not page.has_next:
            return
        after = page.rows[-1].id


async def _account(runtime: Runtime, registry: ChannelRegistry, account: ChannelAccount) -> Finding:
    """What the channel itself says of an account; it may be a stranger's plugin, which may raise anything."""
    try:
        config = channel_accounts.open_config(account, runtime.keyring)
        io = channel_accounts.io_of(account, config, runtime.io)
        result = await registry.make(account.channel, config).check(io)
        return Finding(result.ok, f"account {account.name}: {io.redacted(result.message)}", result.hint)
    except ClarionError as error:
        return Finding(False, f"account {account.name}: {error.message}", error.hint)
    except Exception as error:
        message = f"account {account.name}: the check of channel {account.channel} failed: {type(error).__name__}: {error}"
        return Finding(False, message, "Mend or uninstall the plugin.")


Look = Callable[[Settings], Awaitable[list[Finding]]]
LOOKS: tuple[Look, ...] = (_address, _secrets, _database, _broker, _channels)


def doctor() -> None:
    """Check database, broker, channels, clock, secrets and settings, and say what to do."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Clarion on {socket.gethostname()}", markup=False)
    given = load_settings()
    looks = LOOKS if given.database_url is None else (*LOOKS, _production)  # with an embedded database this is no production
    with database(given) as settings:
        findings = asyncio.run(_look(looks, settings))
    for finding in findings:
        _show(console, finding)
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


async def _look(looks: tuple[Look, ...], settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    for look in looks:
        found += await look(settings)
    return found


def _show(console: Console, finding: Finding) -> None:
    """As text: what servers and plugins say is no markup of ours."""
    mark = ("✗", "red") if not finding.well else ("!", "yellow") if finding.hint else ("✓", "green")
    console.print(Text.assemble(mark, f" {finding.message}"))
    if finding.hint:
        console.print(f"    {finding.hint}", markup=False)
