"""Which test profiles are the traps of a delivery, and their rows in its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, column, false, func, or_, select, table
from sqlalchemy.sql.expression import bindparam

from core.datamodel.physical import column_of
from core.datamodel.present import present_model
from core.datamodel.records import FieldKind, Model
from core.db import Connection
from core.delivery import patience
from core.delivery.population import Population
from core.errors import Invalid
from core.planning.seed_records import Traps
from core.planning.seeds import MOST_TRAPS
from core.profiles.test_profile_records import TestProfileUse
from core.targeting.audiences import open_question
from core.targeting.checked import CheckedExpression
from core.targeting.linked import entity_table
from core.targeting.listed import Brought
from core.targeting.sql import Statement, compile_statement, predicate
from core.targeting.store import list_columns


async def insert(conn: Connection, population: Population, traps: Traps | None, at: datetime, last_id: int) -> None:
    """Put the traps into the ledger, once the target's rows are there and somebody is to get the message.

    Raises ExpressionError, Invalid (TOO_MANY_TRAPS), LimitReached (QUESTION_TOO_SLOW).
    """
    if traps is None:
        return
    asked = None if traps.question is None else await open_question(conn, traps.question)
    found = await patience.fetch(conn, _choice(traps, asked, at, population.zone), "traps")
    chosen = [row["id"] for row in found]
    if len(chosen) > MOST_TRAPS:
        raise Invalid(
            f"the question finds more test profiles than the {MOST_TRAPS} that a delivery may have as traps",
            code="TOO_MANY_TRAPS", path="question", hint="Narrow it down.",
        )  # fmt: skip
    if chosen:
        columns = await columns_shared(conn, population.columns)
        written = population.traps_statement(chosen, not_copied(await present_model(conn)), last_id, columns)
        await patience.execute(conn, written, "traps")


async def columns_shared(conn: Connection, columns: Sequence[Brought]) -> list[Brought]:
    """Those whose values traps have from a member: what is personal may say who that is."""
    known = await list_columns(conn, sorted({one.audience_id for one in columns}))
    impersonal = {(audience_id, one.name) for audience_id, some in known.items() for one in some if not one.personal}
    return [one for one in columns if (one.audience_id, one.name) in impersonal]


def not_copied(model: Model) -> frozenset[str]:
    """Columns of the team whose values stay their owner's: marked as sensitive, or a key by which somebody is known."""
    profile = model.find("profile")
    if profile is None:
        return frozenset()
    keys = {name for key in profile.keys for name in key.fields}
    own = (one for one in profile.fields if one.sensitive or one.kind is FieldKind.AUTOMATIC_ID or one.name in keys)
    return frozenset(column_of(one.name) for one in own)


def _choice(traps: Traps, asked: CheckedExpression | None, at: datetime, zone: ZoneInfo) -> Statement:
    """The ids of test profiles that are named or found, as far as they are traps. A question about a person's fields is asked
    of theirs; what it asks of linked rows, they have none of.
    """
    names = ["id"] if asked is None else [one.name for one in entity_table(asked.entity).c]
    rows = table("test_profile", *(column(name) for name in names if name != "merged_into"), column("uses", ARRAY(Text())))
    source = rows.alias("t")
    named = source.c.id == func.any(bindparam(None, list(traps.test_profile_ids), type_=_BIGINTS))
    found: ColumnElement[bool] = false() if asked is None else predicate(asked, at=at, zone=zone, source=source)
    is_trap = bindparam(None, TestProfileUse.TRAP.value, Text()) == func.any(source.c.uses)
    limit = MOST_TRAPS + 1
    return compile_statement(select(source.c.id).where(is_trap, or_(named, found)).order_by(source.c.id).limit(limit))


_BIGINTS: ARRAY[int] = ARRAY(BigInteger())
