"""Gathers everything that is kept of somebody into one file: a zip with `data.json`, and beside it each table as CSV.

    {"request": {…}, "tables": {"profile": [{…}], …}, "messages": [{"delivery_id": …, "subject": …, "html": …, "text": …}]}

`messages` are what was sent, rendered again from what the ledger has kept.
"""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from core.channel_registry import ChannelRegistry
from core.db import Connection
from core.delivery import reading
from core.delivery.programs import Programs, row_of
from core.delivery.reading import RowKey
from core.errors import ClarionError
from core.log import get_logger
from core.personal import Kept, Person
from core.privacy.perimeter import all_tables
from core.privacy.records import PrivacyRequest
from core.privacy.store import tables as store
from core.profiles.formulas import escaped
from core.public_urls import PublicUrls
from core.runtime import Runtime
from render_ext import RenderError

MESSAGES_AT_ONCE = 200

log = get_logger(__name__)


class _File:
    """The file while it grows: the JSON beside the archive, for an archive takes one member at a time."""

    def __init__(self, archive: zipfile.ZipFile, data: IO[bytes]):
        self._archive = archive
        self._data = data
        self.counts: dict[str, int] = {}

    def begin(self, request: PrivacyRequest) -> None:
        told = {
            "id": request.id, "name": request.name, "kind": request.kind.value, "regulation": request.regulation.value,
            "namespace": request.namespace, "created_at": request.created_at.isoformat(),
        }  # fmt: skip
        self._data.write(b'{"request": ' + msgspec.json.encode(told) + b', "tables": {')

    def add_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._data.write(b", " if self.counts else b"")
        self._data.write(b'"' + name.encode() + b'": ' + msgspec.json.encode(rows))
        self._archive.writestr(f"tables/{name}.csv", _csv(rows))
        self.counts[name] = len(rows)

    def begin_messages(self) -> None:
        self._data.write(b'}, "messages": [')

    def add_message(self, message: Mapping[str, Any], *, first: bool) -> None:
        self._data.write((b"" if first else b", ") + msgspec.json.encode(message))

    def end(self) -> None:
        self._data.write(b"]}\n")


async def gather(conn: Connection, runtime: Runtime, request: PrivacyRequest, person: Person, path: Path) -> dict[str, int]:
    """Write the file of an access request; how many rows of each table it holds. Needs a transaction, for one moment's view."""
    beside = path.with_name(path.name + ".json")
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, beside.open("wb") as data:
            file = _File(archive, data)
            file.begin(request)
            keys = await _add_tables(conn, file, person)
            file.begin_messages()
            first = True
            async for message in _messages(conn, runtime, keys):
                await asyncio.to_thread(file.add_message, message, first=first)
                first = False
            file.end()
            data.flush()
            await asyncio.to_thread(archive.write, beside, "data.json")
        return file.counts
    finally:
        await asyncio.to_thread(beside.unlink, missing_ok=True)


async def _add_tables(conn: Connection, file: _File, person: Person) -> list[RowKey]:
    """Every declared table that has rows of the person; the keys of the ledger rows among them."""
    by_name: dict[str, list[Kept]] = defaultdict(list)
    for kept in await all_tables(conn):
        by_name[kept.table].append(kept)
    keys: list[RowKey] = []
    for name, declared in sorted(by_name.items()):
        if not any(kept.rows for kept in declared):
            continue
        rows = [row async for row in store.rows_of(conn, declared, person)]
        if rows:
            await asyncio.to_thread(file.add_table, name, rows)
        if name == "ledger":
            names = ("delivery_id", "recipient_kind", "recipient_id", "occurrence")
            keys = [(row[names[0]], row[names[1]], row[names[2]], row[names[3]]) for row in rows if row["program_id"]]
    return keys


async def _messages(conn: Connection, runtime: Runtime, keys: Sequence[RowKey]) -> AsyncIterator[dict[str, Any]]:
    """What was sent, or is still to be."""
    programs = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring), sends=False)
    for start in range(0, len(keys), MESSAGES_AT_ONCE):
        found = await reading.get_rows(conn, keys[start : start + MESSAGES_AT_ONCE])
        for row in found.values():
            if row.program_id is None:
                continue
            told = {"delivery_id": row.delivery_id, "occurrence": row.occurrence, "address": row.address}
            try:
                loaded = await programs.get(conn, row.program_id)
                recipient = row_of(loaded, row)
                parts = None if recipient is None else loaded.program.parts(recipient)
            except (ClarionError, RenderError) as error:
                log.warning("a message cannot be rendered again", delivery_id=row.delivery_id, error=type(error).__name__)
                continue
            if parts is not None:
                yield {**told, "subject": parts.subject, "html": parts.html, "text": parts.text}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escaped(value) if isinstance(value, str) else msgspec.json.encode(value).decode()
