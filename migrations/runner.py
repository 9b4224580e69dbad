"""Brings a database to the schema of this code, or says why not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.db import connect

LOCK = 0x436C6172  # advisory lock: one migration at a time
FOLDER = Path(__file__).parent


class DatabaseTooNew(Exception):
    """The database was migrated by a newer version of Clarion."""


class DatabaseTooOld(Exception):
    """The database lacks migrations of this version."""


def run_sql(sql: str) -> None:
    """Run a script of several statements in the migration's transaction (called from a revision)."""
    op.get_bind().connection.run_async(lambda conn: conn.execute(sql))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def newest_revision() -> str:
    """The revision this code expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def known_revisions() -> set[str]:
    """Every revision of this code."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


async def current_revision(url: str) -> str | None:
    """The revision a database is at; None for an empty one."""
    conn = await connect(url)
    try:
        if await conn.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
            return None
        revision: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await conn.close()


async def check_schema(url: str) -> None:
    """Raises DatabaseTooNew or DatabaseTooOld unless the database is at this code's revision."""
    current = await current_revision(url)
    if current == newest_revision():
        return
    if current is not None and current not in known_revisions():
        raise DatabaseTooNew(f"the database is at revision {current}, which this version does not know; run a newer Clarion")
    raise DatabaseTooOld("the database is older than this version; run `clarion migrate`")


async def migrate(url: str, to: str | None = None) -> str:
    """Apply what is missing (up to a revision), under an advisory lock, and return the one reached. Raises DatabaseTooNew."""
    wanted = to or newest_revision()
    lock = await connect(url)
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", LOCK)
        current = await current_revision(url)
        if current is not None and current not in known_revisions():
            raise DatabaseTooNew(
                f"the database is at revision {current}, which this version does not know; run a newer Clarion"
            )
        if current != wanted:
            await _upgrade(url, wanted)
        return wanted
    finally:
        await lock.close()


async def _upgrade(url: str, to: str) -> None:
    # The URL goes to asyncpg as it is: several hosts and socket directories are its own spelling, not SQLAlchemy's.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(url), poolclass=NullPool)
    try:
        async with engine.begin() as conn:
            await conn.run_sync(_run_alembic, to)
    finally:
        await engine.dispose()


def _run_alembic(connection: Connection, to: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def new_revision(name: str) -> Path:
    """Write an empty revision file after the newest one."""
    number = f"{int(newest_revision()) + 1:04d}"
    script = command.revision(_config(), message=name, rev_id=number)
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def migrate_now(url: str) -> str:
    """`migrate` for callers without a loop."""
    return asyncio.run(migrate(url))
