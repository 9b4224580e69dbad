"""Looks for texts in everything that a house keeps: every column of every table, every file, every line that it logged."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.db import Connection
from core.errors import Invalid
from core.secrets import Keyring

COLUMNS = """
SELECT c.relname AS table, a.attname AS column, a.atttypid = 'bytea'::regtype AS is_bytes
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
SKIPPED_FOLDERS = {"postgres", "redis"}  # the servers' own; tables are read by SQL


async def in_tables(conn: Connection, keyring: Keyring, markers: Sequence[str]) -> set[str]:
    """The columns, as "table.column", in which one of the markers stands, whatever the capitals; sealed values are opened."""
    found = set()
    for row in await conn.fetch(COLUMNS):
        table, column = row["table"], row["column"]
        if row["is_bytes"]:
            values = [one[0] for one in await conn.fetch(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')]
            opened = [text async for text in _opened(conn, keyring, table, column)]
            if any(_holds(one, markers) for one in (*values, *opened)):
                found.add(f"{table}.{column}")
        elif await conn.fetchval(
            f"""
            SELECT EXISTS (SELECT FROM "{table}" t
                            WHERE EXISTS (SELECT FROM unnest($1::text[]) m WHERE position(m IN lower("{column}"::text)) > 0))
            """,
            [one.lower() for one in markers],
        ):
            found.add(f"{table}.{column}")
    return found


async def _opened(conn: Connection, keyring: Keyring, table: str, column: str):  # type: ignore[no-untyped-def]
    if (table, column) == ("idempotency_key", "response"):
        for row in await conn.fetch("SELECT actor, key, response FROM idempotency_key WHERE response IS NOT NULL"):
            yield keyring.decrypt(row["response"], f"idempotency/{row['actor']}/{row['key']}")
    if table == "privacy_request" and column in ("value", "person"):
        for row in await conn.fetch(f"SELECT id, {column} AS sealed FROM privacy_request WHERE {column} IS NOT NULL"):
            try:
                yield keyring.decrypt(row["sealed"], f"privacy/{row['id']}/{column}")
            except Invalid:  # pragma: no cover - of another key
                continue


def in_files(folder: Path, markers: Sequence[str]) -> set[str]:
    """The files below a folder that hold one of the markers, packed or not; by their paths below it."""
    found = set()
    for path in folder.rglob("*"):
        below = path.relative_to(folder)
        if path.is_file() and not SKIPPED_FOLDERS.intersection(below.parts) and _holds(path.read_bytes(), markers):
            found.add(str(below))
    return found


def _holds(data: bytes, markers: Sequence[str]) -> bool:
    return any(_quotes(one, markers) for one in _unpacked(data))


def _quotes(data: bytes, markers: Sequence[str]) -> bool:
    texts: Iterable[str] = (data.decode(encoding, "replace").lower() for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
    return any(marker.lower() in text for text in texts for marker in markers)


def _unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    try:
        if data[:2] == b"\x1f\x8b":
            yield from _unpacked(gzip.decompress(data))
        elif data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield from _unpacked(archive.read(name))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        return
