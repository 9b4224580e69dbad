"""Kept audiences with their questions as they are now: opened once, and again when something that they are made of changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.db import Connection
from core.errors import Conflict
from core.recent import Recent
from core.targeting import store as audiences
from core.targeting.catalogue import Catalogue
from core.targeting.compiled import Plan
from core.targeting.errors import ExpressionError
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression
from core.targeting.linked import entity_table
from core.targeting.membership.due import due_of
from core.targeting.membership.evaluation import Opened, stamp_of
from core.targeting.membership.records import Kept
from core.targeting.membership.sources import sources_of
from core.targeting.membership.store import kept as store
from core.targeting.moments import asked_at
from core.targeting.published import present_catalogue
from core.targeting.records import Audience
from core.targeting.references import open_expression

SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # whether a question moves with time is the same at all times

# With the catalogue, by whose identity it is known.
_REMEMBERED: Recent[tuple[Any, ...], tuple[Catalogue, Opened]] = Recent(1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A kept audience whose question means nothing at present, and why."""

    kept: Kept
    trouble: str


async def open_kept(conn: Connection) -> tuple[list[Opened], list[Failed]]:
    """All audiences whose members are kept."""
    found = await store.list_kept(conn)
    catalogue = await present_catalogue(conn)
    remembered = {one.id: _REMEMBERED.get(_key(one, catalogue)) for one in found}
    missing = [one.audience_id for one in found if remembered[one.id] is None]
    saved = {one.id: one for one in await audiences.find_audiences(conn, missing)} if missing else {}
    opened: list[Opened] = []
    failed: list[Failed] = []
    for one in found:
        known = remembered[one.id]
        try:
            made = known[1] if known else await _open(conn, one, saved[one.audience_id], catalogue)
        except (ExpressionError, Conflict) as error:  # Conflict: it names a file that is not reconciled
            failed.append(Failed(kept=one, trouble=str(error)))
            continue
        if known is None:
            _REMEMBERED.keep(_key(one, catalogue), (catalogue, made))
        opened.append(replace(made, kept=one))
    return await _with_months(conn, opened), failed


def _key(kept: Kept, catalogue: Catalogue) -> tuple[Any, ...]:
    return kept.id, kept.named, id(catalogue.entities), catalogue.merged


async def _open(conn: Connection, kept: Kept, audience: Audience, catalogue: Catalogue) -> Opened:
    """Raises ExpressionError."""
    expression = Expression(root=read_stored(audience.expression).root, text=audience.expression_text)
    checked = await open_expression(conn, expression, catalogue)
    zone = ZoneInfo(kept.time_zone)
    due = due_of(checked, asked=asked_at(SOME_TIME, zone), source=entity_table(checked.entity), plan=Plan.ALL_AT_ONCE)
    # Whether anybody is merged changes the SQL and not the members: their stamp is that of the longer one.
    whole = checked if catalogue.merged else await open_expression(conn, expression, replace(catalogue, merged=True))
    return Opened(
        kept=kept, checked=checked, zone=zone, sources=sources_of(checked), stamp=stamp_of(whole, zone), upkeep=due.upkeep,
        reasons=tuple(sorted(due.often | due.daily)),
    )  # fmt: skip


async def _with_months(conn: Connection, opened: list[Opened]) -> list[Opened]:
    """What retention drops, month by month, nobody notes: the oldest months are part of the stamp."""
    tables = {source.table for one in opened for source in one.sources.values()}
    months = await store.oldest_months(conn, sorted(tables)) if tables else {}
    return [
        replace(one, stamp=one.stamp + ",".join(sorted(months.get(table, "") for table in one.tables)).encode())
        for one in opened
    ]
