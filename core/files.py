"""Uploads and downloads: bytes on disk below `var_dir/files`, reached by one-time URLs of GraphQL. Its own store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from core.db import Connection
from core.errors import Conflict, NotFound
from core.ids import random_name

TICKET_LIFE = timedelta(hours=24)
PART = ".part-"  # in the name of a file whose bytes are still coming; old ones are swept up


class FileKind(StrEnum):
    """What a stored file is for."""

    UPLOAD = "upload"
    REJECTS = "rejects"
    EXPORT = "export"


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


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def create_file(conn: Connection, kind: FileKind, name: str, location: str, created_by: str) -> StoredFile:
    """Register a file whose bytes are still to come."""
    row = await conn.fetchrow(
        """
        INSERT INTO stored_file (kind, name, location, created_by) VALUES ($1, $2, $3, $4)
        RETURNING id, kind, name, location, size, created_at, created_by
        """,
        kind.value, name[:200], location, created_by,
    )  # fmt: skip
    return _file(row)


async def get_file(conn: Connection, file_id: int) -> StoredFile:
    """Raises NotFound."""
    row = await conn.fetchrow(
        "SELECT id, kind, name, location, size, created_at, created_by FROM stored_file WHERE id = $1",
        file_id,
    )
    if row is None:
        raise NotFound("there is no such file", code="FILE_NOT_FOUND")
    return _file(row)


async def complete_file(conn: Connection, file_id: int, size: int) -> None:
    """Say that all bytes are there."""
    await conn.execute("UPDATE stored_file SET size = $2 WHERE id = $1", file_id, size)


async def issue_ticket(conn: Connection, file_id: int, purpose: str, now: datetime) -> Ticket:
    """A one-time right; `purpose` is "write" or "read"."""
    ticket = Ticket(secret=random_name(24), file_id=file_id, expires_at=now + TICKET_LIFE)
    await conn.execute(
        "INSERT INTO file_ticket (secret_hash, file_id, purpose, expires_at) VALUES ($1, $2, $3, $4)",
        _hash(ticket.secret), file_id, purpose, ticket.expires_at,
    )  # fmt: skip
    return ticket


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


def _file(row: object) -> StoredFile:
    values = dict(row)  # type: ignore[call-overload]
    return StoredFile(**{**values, "kind": FileKind(values["kind"])})
