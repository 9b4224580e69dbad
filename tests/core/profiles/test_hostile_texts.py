"""Whatever a file, an event, an entry or a filter says is a name or a value: it comes back as it was told, or is refused."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import ClarionError
from core.events.event_types import save_event_type
from core.events.history import list_events
from core.events.records import OutcomeStatus, UnknownFields
from core.profiles import quarantine, suppression, suppression_entries
from core.profiles.errors import BadValue
from core.profiles.quarantine_records import QuarantineFilter
from core.profiles.run_records import ImportOptions, ImportRun, RunState, UnknownColumns
from core.profiles.suppression_records import EntryOutcome, SuppressionDraft, SuppressionKind, SuppressionListDraft
from core.profiles.values import clean_text
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from tests.core.events import told
from tests.core.hostile import HOSTILE
from tests.core.profiles.house import import_people, people

KEYRING = parse_keyring(new_key_text(1))
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
LONGEST_CITY = 100


def as_stored(text: str) -> str | None:
    """What a field of text holds of it. Raises BadValue."""
    found = clean_text(text)
    if found is not None and len(found) > LONGEST_CITY:
        raise BadValue("TOO_LONG", "is too long")
    return found


def file_of(header: list[str], *rows: list[str]) -> bytes:
    """A file, also of texts that no file should have."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return out.getvalue().encode("utf-8", "surrogatepass")


async def city_after(runtime: Runtime, data: bytes, **options: Any) -> tuple[ImportRun | None, str | None]:
    """The import of a row for A, who has no city before; none when its options were refused."""
    async with transaction(runtime.pool) as conn:
        await conn.execute("DELETE FROM profile")
    try:
        run = await import_people(runtime, data, options=ImportOptions(**options))
    except ClarionError:
        return None, None
    assert run.error is None or run.error.code not in ("INTERNAL", "")
    return run, next((city for key, city in await people(runtime, "external_id", "city") if key == "A"), None)


async def a_value(runtime: Runtime, text: str) -> None:
    run, city = await city_after(runtime, file_of(["external_id", "city"], ["A", text]), unescape_formulas=False)
    assert run is not None
    try:
        assert (city, run.rejected) == (as_stored(text), 0)
    except BadValue:
        assert (city, run.rejected) == (None, 1)


async def a_header(runtime: Runtime, text: str) -> None:
    data = file_of(["external_id", "city", text], ["A", "Paris", "x"])
    run, city = await city_after(runtime, data, unknown_columns=UnknownColumns.IGNORE)
    assert run is not None
    assert run.state is RunState.FINISHED or run.error is not None
    assert city == ("Paris" if run.error is None else None)
    run, city = await city_after(runtime, data)
    assert run is not None
    assert (city, run.error is None) in ((None, False), ("Paris", True))  # a column without a name is nothing


async def a_mapped_header(runtime: Runtime, text: str) -> None:
    run, city = await city_after(runtime, file_of(["external_id", text], ["A", "Paris"]), mapping={text: "city"})
    assert city == ("Paris" if run is not None and run.error is None else None)
    run, city = await city_after(runtime, file_of(["external_id", "where"], ["A", "Paris"]), mapping={"where": text})
    assert run is None, "no field is called so"


async def a_constant(runtime: Runtime, text: str) -> None:
    run, city = await city_after(runtime, file_of(["external_id"], ["A"]), constants={"city": text})
    if run is not None:
        assert run.error is None
        assert city == as_stored(text)
    run, city = await city_after(runtime, file_of(["external_id"], ["A"]), constants={text: "Paris"})
    assert run is None, "no field is called so"


FILES: dict[str, Callable[[Runtime, str], Awaitable[None]]] = {
    "a value": a_value, "a header": a_header, "a mapped header": a_mapped_header, "a constant": a_constant,
}  # fmt: skip


@pytest.mark.parametrize("door", FILES)
async def test_texts_of_files_and_of_how_they_are_read(runtime: Runtime, db: Connection, door: str) -> None:
    tables = await db.fetch(TABLES)
    for text in HOSTILE:
        await FILES[door](runtime, text)
    assert await db.fetch(TABLES) == tables


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_and_values_of_events(conn: Connection, text: str) -> None:
    await told.save(conn)
    ann = await told.add_profile(conn)
    await save_event_type(conn, SYSTEM, told.draft("visit", told.PRODUCT, unknown_fields=UnknownFields.IGNORE), now=told.NOW)
    tables = await conn.fetch(TABLES)

    value, name, ignored, key, kind = await told.tell(
        conn,
        told.event("1", payload={"amount": "1", "product": text}), told.event("2", payload={"amount": "1", text: "x"}),
        told.event("3", type="visit", payload={"product": "shoe", text: "x"}), told.event(text), told.event("5", type=text),
    )  # fmt: skip

    for one in (value, name, key, kind):
        assert one.error is None or one.error.code not in ("INTERNAL", "")
    assert (name.status, kind.status) == (OutcomeStatus.REJECTED, OutcomeStatus.REJECTED)
    found = {one.key: dict(one.payload) for one in (await list_events(conn, [ann], limit=9))[ann].rows}
    if value.error is None:
        assert found["1"].get("product") == as_stored(text)
    assert ignored.status is OutcomeStatus.STORED
    assert found["3"] == {"product": "shoe"}
    assert (text in found) == (key.error is None)
    assert await conn.fetch(TABLES) == tables


@pytest.mark.parametrize("text", HOSTILE)
async def test_entries_of_suppression_lists(conn: Connection, text: str) -> None:
    tables = await conn.fetch(TABLES)
    draft = SuppressionListDraft(name="never", label="Never", kind=SuppressionKind.EMAIL)
    listed = await suppression.create_list(conn, SYSTEM, draft)
    drafts = [
        SuppressionDraft(value=text), SuppressionDraft(value=f"{text}@mail.example"),
        SuppressionDraft(value="ann@mail.example", comment=text), SuppressionDraft(value="bea@mail.example", origin=text),
    ]  # fmt: skip

    results = await suppression_entries.add_entries(conn, SYSTEM, KEYRING, listed.id, drafts, now=told.NOW)
    stored = {one.value: one for one in await suppression_entries.list_entries(conn, listed.id, None, 9)}

    assert all(one.error is None or one.error.code not in ("INTERNAL", "") for one in results)
    assert len(stored) == sum(one.outcome is EntryOutcome.ADDED for one in results)
    for n, value in ((2, "ann@mail.example"), (3, "bea@mail.example")):
        if results[n].error is None:
            told_text = stored[value].comment if n == 2 else stored[value].origin
            assert told_text.strip() == unicodedata.normalize("NFC", text).strip()
    removed = await suppression_entries.remove_entries(conn, SYSTEM, KEYRING, listed.id, drafts)
    assert sum(one.outcome is EntryOutcome.REMOVED for one in removed) == len(stored)
    assert await conn.fetch(TABLES) == tables


@pytest.mark.parametrize("text", HOSTILE)
async def test_filters_of_the_quarantine(conn: Connection, text: str) -> None:
    tables = await conn.fetch(TABLES)
    storable = text[:500].replace("\0", "").replace("\ud800", "?")
    for address, said in (("ann@mail.example", f"550 {text} no"), ("bea@mail.example", "550 nobody")):
        await quarantine.put_in(conn, SYSTEM, KEYRING, "email", [address], text=said, now=told.NOW)

    async def found(**asked: Any) -> list[str]:
        try:
            rows = await quarantine.list_entries(conn, QuarantineFilter(**asked), limit=9)
            assert await quarantine.count_entries(conn, QuarantineFilter(**asked)) == len(rows)
        except ClarionError:
            return []
        return [one.address_key for one in rows]

    assert "ann@mail.example" in await found(text=f"550 {storable}")
    assert await found(text=f"551 {text}") == []
    assert await found(address=text) == await found(prefix=f"{text}@") == []
    assert await conn.fetchval("SELECT count(*) FROM quarantine") == 2
    assert await conn.fetch(TABLES) == tables
