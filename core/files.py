"""Uploads and downloads: bytes on disk below `var_dir/files`, reached by one-time URLs of GraphQL. Its own store.

Bytes are not kept for ever. A file that nobody works with is `idle_since` some time; when that is long enough ago it is
marked removed, and then its bytes go. Its row stays. Marks are committed before bytes go, and what goes is found by
listing the folder, so after a crash at any point the next sweep does the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.db import Connection
from core.errors import Conflict, NotFound
from core.ids import random_name

TICKET_LIFE = timedelta(hours=24)
STRAY_LIFE = timedelta(days=2)  # of bytes that no row knows: their transaction may still be open
PART = ".part-"  # in the name of a file whose bytes are still coming; no row knows it

COLUMNS = "id, kind, name, location, size, created_at, created_by, idle_since, removed_at"


class FileKind(StrEnum):
    """What a stored file is for."""

    UPLOAD = "upload"
    REJECTS = "rejects"
    EXPORT = "export"
    ATTACHMENT = "attachment"
    ACCESS = "access"  # what an access request has gathered


_AGAIN = {
    FileKind.UPLOAD: "Ask for another upload address and upload it again.",
    FileKind.REJECTS: "Import the file again.",
    FileKind.EXPORT: "Export again.",
    FileKind.ATTACHMENT: "Upload it again.",
    FileKind.ACCESS: "Make another request.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file known to the database. `size` is None until its bytes are complete."""

    id: int
    kind: FileKind
    name: str  # what a person sees
    location: str  # below the files folder
    size: int | None
    created_at: datetime
    created_by: str
    idle_since: datetime | None  # waiting for its bytes, or complete; None while a run needs it
    removed_at: datetime | None  # nobody is given it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A one-time right to write or read one file. Only a hash of the secret is kept."""

    secret: str
    file_id: int
    expires_at: datetime


class Files:
    """The folder that holds the bytes."""

    def __init__(self, root: Path):
        self.root = root

    def path(self, file: StoredFile) -> Path:
        """Where the bytes of a file are."""
        return self.root / file.location

    def new_location(self, name: str) -> str:
        """A fresh place; its folder exists afterwards."""
        self.root.mkdir(parents=True, exist_ok=True)
        suffix = "".join(Path(name).suffixes[-2:])[:16]
        return random_name() + "".join(c for c in suffix if c.isalnum() or c == ".")

    @asynccontextmanager
    async def part(self, location: str) -> AsyncIterator[Path]:
        """Where to write a file until it is whole, another place for each writer; it is removed unless it was moved away."""
        part = self.root / f"{location}{PART}{random_name(6)}"
        try:
            yield part
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)

    def listing(self, before: datetime) -> dict[str, bool]:
        """The names in the folder, each with whether it was last written before then."""
        if not self.root.is_dir():
            return {}
        found = {}
        for path in self.root.iterdir():
            with suppress(FileNotFoundError):  # removed, or moved to its place, meanwhile
                if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                    found[path.name] = path.stat().st_mtime < before.timestamp()
        return found

    def remove(self, names: Sequence[str]) -> list[tuple[str, OSError]]:
        """Remove bytes; a name that is gone is no error. Returns those that would not go, and why."""
        refused = []
        for name in names:
            try:
                (self.root / name).unlink(missing_ok=True)
            except OSError as error:
                refused.append((name, error))
        return refused


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def create_file(conn: Connection, kind: FileKind, name: str, location: str, created_by: str) -> StoredFile:
    """Register a file whose bytes are still to come; its maker needs it until it is complete or let go."""
    row = await conn.fetchrow(
        f"INSERT INTO stored_file (kind, name, location, created_by) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}",
        kind.value, name[:200], location, created_by,
    )  # fmt: skip
    return _file(row)


async def get_file(conn: Connection, file_id: int, path: str | None = None) -> StoredFile:
    """Raises NotFound (FILE_NOT_FOUND)."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM stored_file WHERE id = $1", file_id)
    if row is None:
        raise NotFound("there is no such file", code="FILE_NOT_FOUND", path=path)
    return _file(row)


def check_kept(file: StoredFile, path: str | None = None) -> None:
    """Raises NotFound (FILE_REMOVED) for a file that was kept long enough."""
    if file.removed_at is None:
        return
    days = (file.removed_at - (file.idle_since or file.created_at)).days
    raise NotFound(
        f"the file was removed after {days} {'day' if days == 1 else 'days'}", code="FILE_REMOVED", path=path,
        hint=f"{_AGAIN[file.kind]} CLARION_FILE_RETENTION_DAYS says how long files are kept.",
    )  # fmt: skip


async def complete_file(conn: Connection, file_id: int, size: int, now: datetime) -> None:
    """Say that all bytes are there. From now on the file is kept for so many days."""
    await conn.execute("UPDATE stored_file SET size = $2, idle_since = $3 WHERE id = $1", file_id, size, now)


async def hold_file(conn: Connection, file_id: int, path: str | None = None) -> None:
    """Somebody works with the file: it is kept until it is let go. Raises NotFound (FILE_REMOVED)."""
    row = await conn.fetchrow(
        f"""
        UPDATE stored_file SET idle_since = CASE WHEN removed_at IS NOT NULL THEN idle_since END WHERE id = $1
        RETURNING {COLUMNS}
        """,
        file_id,
    )
    check_kept(_file(row), path)


async def let_go(conn: Connection, file_id: int, now: datetime) -> None:
    """Nobody works with the file any more: its time begins."""
    await conn.execute("UPDATE stored_file SET idle_since = $2 WHERE id = $1 AND removed_at IS NULL", file_id, now)


async def issue_ticket(conn: Connection, file_id: int, purpose: str, now: datetime, path: str | None = None) -> Ticket:
    """A one-time right; `purpose` is "write" or "read". Raises NotFound (FILE_REMOVED) where there is nothing to read."""
    if purpose == "write":
        await _await_bytes(conn, file_id, now)
    else:
        check_kept(await get_file(conn, file_id), path)
    ticket = Ticket(secret=random_name(24), file_id=file_id, expires_at=now + TICKET_LIFE)
    await conn.execute(
        "INSERT INTO file_ticket (secret_hash, file_id, purpose, expires_at) VALUES ($1, $2, $3, $4)",
        _hash(ticket.secret), file_id, purpose, ticket.expires_at,
    )  # fmt: skip
    return ticket


async def _await_bytes(conn: Connection, file_id: int, now: datetime) -> None:
    """The file waits for bytes. One that was removed gets another place: a sweep may be about to empty the old one."""
    await conn.execute(
        """
        UPDATE stored_file
           SET idle_since = $2, removed_at = NULL,
               size = CASE WHEN removed_at IS NULL THEN size END,
               location = CASE WHEN removed_at IS NULL THEN location
                               ELSE $3 || coalesce(substring(location FROM '[.].*'), '') END
         WHERE id = $1
        """,
        file_id, now, random_name(),
    )  # fmt: skip


async def withdraw_tickets(conn: Connection, file_id: int, purpose: str) -> None:
    """Take back the rights that were not used. Waits for those being used right now."""
    await conn.execute("DELETE FROM file_ticket WHERE file_id = $1 AND purpose = $2 AND used_at IS NULL", file_id, purpose)


async def redeem_ticket(conn: Connection, secret: str, purpose: str, now: datetime) -> StoredFile:
    """Use a ticket up. Raises NotFound for an unknown or expired one, Conflict for one used before."""
    row = await conn.fetchrow(
        """
        UPDATE file_ticket SET used_at = coalesce(used_at, $3), uses = uses + 1
         WHERE secret_hash = $1 AND purpose = $2 AND expires_at > $3
        RETURNING file_id, uses
        """,
        _hash(secret), purpose, now,
    )  # fmt: skip
    if row is None:
        raise NotFound(
            "this address is unknown or has expired",
            code="TICKET_NOT_FOUND",
            hint="Ask the API for a new one.",
        )
    if row["uses"] > 1:
        raise Conflict("this address was used already", code="TICKET_USED", hint="Ask the API for a new one.")
    return await get_file(conn, row["file_id"])


async def forget_tickets(conn: Connection, now: datetime) -> int:
    """Drop tickets that have expired; returns how many."""
    done: str = await conn.execute("DELETE FROM file_ticket WHERE expires_at < $1", now)
    return int(done.rpartition(" ")[2])


async def mark_removed(conn: Connection, now: datetime, kept: timedelta, limit: int) -> int:
    """Give up files that were kept long enough, and those whose bytes did not come in time; returns how many.

    Whoever works with a file has its row say so, so none of them is taken, also not one that begins this moment.
    """
    done: str = await conn.execute(
        """
        UPDATE stored_file SET removed_at = $1
         WHERE id IN (SELECT id FROM stored_file
                       WHERE removed_at IS NULL
                         AND (size IS NOT NULL AND idle_since < $2 OR size IS NULL AND idle_since < $3)
                       LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
        """,
        now, now - kept, now - TICKET_LIFE, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def list_of_kinds(
    conn: Connection, kinds: Collection[FileKind], before: datetime | None, after: int, limit: int
) -> list[StoredFile]:
    """Complete files of some kinds, made before a moment if one is given, in the order of ids behind one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM stored_file
         WHERE id > $3 AND kind = ANY($1::text[]) AND ($2::timestamptz IS NULL OR created_at <= $2) AND size IS NOT NULL
           AND removed_at IS NULL
         ORDER BY id LIMIT $4
        """,
        [one.value for one in kinds], before, after, limit,
    )  # fmt: skip
    return [_file(row) for row in rows]


async def give_up(conn: Connection, file_ids: Sequence[int], now: datetime) -> list[int]:
    """Nobody is given these files any more, from the commit on; their bytes may go then. Returns those that somebody works
    with, and that therefore stay."""
    rows = await conn.fetch(
        """
        WITH given_up AS (
            UPDATE stored_file SET removed_at = $2
             WHERE id = ANY($1::bigint[]) AND removed_at IS NULL AND idle_since IS NOT NULL
        )
        SELECT id FROM stored_file WHERE id = ANY($1::bigint[]) AND removed_at IS NULL AND idle_since IS NULL
        """,
        file_ids, now,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def find_unwanted(conn: Connection, listing: Mapping[str, bool]) -> list[str]:
    """Of names in the folder, each with whether it is old: those of removed files, and old ones that no row knows."""
    rows = await conn.fetch("SELECT location, removed_at FROM stored_file WHERE location = ANY($1::text[])", list(listing))
    removed = {row["location"]: row["removed_at"] is not None for row in rows}
    return [name for name, old in listing.items() if removed.get(name, old)]


def _file(row: Any) -> StoredFile:
    values = dict(row)
    return StoredFile(**{**values, "kind": FileKind(values["kind"])})
