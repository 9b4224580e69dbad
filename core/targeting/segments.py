"""Segments: a population is cut up by rules, in their order, and every piece may be limited (feature map 3.34-3.36).

A member is in the first segment whose rule it meets and whose limit has room, unless segments may overlap; who is in none
is the complement. The same seed draws the same people. Members of lists bring the code of their segment along in a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
    true,
    union_all,
)

from core.access import Actor, Permission, require
from core.authored import check_label
from core.db import Connection
from core.errors import Invalid
from core.targeting import lists, member_store, store
from core.targeting.audiences import open_question, open_value
from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.language import Expression
from core.targeting.linked import entity_table
from core.targeting.operators import ORDERED
from core.targeting.records import Audience, MemberColumn
from core.targeting.sql import population, predicate, value

MAX_SEGMENTS = 50
CODE_LENGTH = 40  # characters
FINEST = Decimal("0.000001")  # per cent
CODE_COLUMN = MemberColumn(name="segment", label="Segment", kind=Kind.TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A rule and a limit. Who of those that meet the rule gets in is drawn by lot, or are those with the highest `by`.

    `share` is per cent of the population, `size` a number of people; with `per` both are of each group that has the same there,
    the share then of those of the group who meet the rule.
    """

    code: str
    label: str
    where: Expression | None = None
    share: Decimal | None = None
    size: int | None = None
    by: Expression | None = None
    lowest: bool = False
    per: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """The segments in their order. `complement` is the code of who is in none; None: they are left out."""

    segments: tuple[Segment, ...]
    overlap: bool = False
    complement: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCount:
    """How many are in a segment."""

    code: str
    label: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A segment whose expressions are checked."""

    segment: Segment
    where: CheckedExpression | None
    by: CheckedValue | None
    per: CheckedValue | None


async def count_segments(
    conn: Connection, whole: Expression, wanted: Segmentation, *, at: datetime, zone: ZoneInfo
) -> list[SegmentCount]:
    """How many of a population are in each segment, in their order, the complement last. Raises ExpressionError, Invalid."""
    found = await store.count_by_code(conn, await split_up(conn, whole, wanted, at=at, zone=zone))
    labels = [(one.code, one.label) for one in wanted.segments]
    labels += [] if wanted.complement is None else [(wanted.complement, "")]
    return [SegmentCount(code=code, label=label, count=found.get(code, 0)) for code, label in labels]


async def list_segments(
    conn: Connection, actor: Actor, whole: Expression, wanted: Segmentation, *, prefix: str, now: datetime, zone: ZoneInfo
) -> list[Audience]:
    """A list for each segment, called by the prefix and the code: who is in it now.

    Raises ExpressionError, Invalid (BAD_NAME and as `check_segmentation`), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.EDIT)
    split = await split_up(conn, whole, wanted, at=now, zone=zone)
    labels = {one.code: one.label for one in wanted.segments}
    made = {code: await _list(conn, actor, f"{prefix}{code}", labels.get(code) or code, now, zone) for code in codes_of(wanted)}
    await member_store.add_by_code(
        conn, split, {code: audience.id for code, audience in made.items()}, now, column=CODE_COLUMN.name
    )  # fmt: skip
    return list(made.values())


async def list_together(
    conn: Connection,
    actor: Actor,
    whole: Expression,
    wanted: Segmentation,
    *,
    name: str,
    label: str,
    now: datetime,
    zone: ZoneInfo,
) -> Audience:
    """One list of all segments, whose members bring their codes along: one delivery writes to all of them.

    Raises as `list_segments`, Invalid (OVERLAP) where a member might have several codes.
    """
    require(actor, Permission.EDIT)
    check_codes_exclude(wanted)
    split = await split_up(conn, whole, wanted, at=now, zone=zone)
    made = await _list(conn, actor, name, label, now, zone)
    await member_store.add_by_code(conn, split, dict.fromkeys(codes_of(wanted), made.id), now, column=CODE_COLUMN.name)
    return made


def codes_of(wanted: Segmentation) -> list[str]:
    """Of the segments in their order, the complement's last."""
    return [*(one.code for one in wanted.segments), *([] if wanted.complement is None else [wanted.complement])]


async def _list(conn: Connection, actor: Actor, name: str, label: str, now: datetime, zone: ZoneInfo) -> Audience:
    """An empty one."""
    made = await lists.create_list(conn, actor, name=name, label=label, whom=(), now=now, zone=zone)
    await store.insert_columns(conn, made.id, [CODE_COLUMN])
    return made


async def split_up(conn: Connection, whole: Expression, wanted: Segmentation, *, at: datetime, zone: ZoneInfo) -> Select[Any]:
    """Codes and keys, all segments in one statement. Raises ExpressionError, Invalid."""
    check_segmentation(wanted)
    checked = await open_question(conn, whole)
    opened = [await _open(conn, one) for one in wanted.segments]
    base = population(checked, at=at, zone=zone).cte("base")
    pieces: list[CTE] = []
    for number, one in enumerate(opened):
        before = [] if wanted.overlap else pieces
        pieces.append(_piece(checked, base, one, before, wanted.seed + number, at, zone).cte(f"segment_{number}"))
    parts = [select(_code(one.segment.code), piece.c.key) for one, piece in zip(opened, pieces, strict=True)]
    if wanted.complement is not None:
        (key,) = base.c
        rest = select(_code(wanted.complement), key.label("key")).where(*(key.not_in(select(piece.c.key)) for piece in pieces))
        parts.append(rest)
    united = union_all(*parts).subquery()
    code, key = united.c
    return select(code.label("code"), key.label("key"))


def _code(code: str) -> ColumnElement[str]:
    return bindparam(None, code, Text()).label("code")


def _piece(
    checked: CheckedExpression, base: CTE, one: _Opened, before: Sequence[CTE], seed: int, at: datetime, zone: ZoneInfo
) -> Select[Any]:
    """The keys of a segment: those of the base who are in none before, meet its rule and have room."""
    rows = entity_table(checked.entity).alias()
    key = rows.c[checked.entity.key]
    (base_key,) = base.c
    tests = [key == base_key]
    if one.where is not None:
        tests.append(predicate(one.where, at=at, zone=zone, source=rows))
    free = and_(true(), *(key.not_in(select(earlier.c.key)) for earlier in before))
    segment = one.segment
    if segment.share is None and segment.size is None:
        return select(key.label("key")).where(*tests, free)
    order = _order(one, rows, key, seed, at, zone)
    group = None if one.per is None else value(one.per, at=at, zone=zone, source=rows)
    if group is None or segment.share is None:
        place = func.row_number().over(partition_by=group, order_by=order)
        ranked = select(key.label("key"), place.label("place")).where(*tests, free).subquery()
        wanted = select(ranked.c.key)
    else:  # the share is of all in the group who meet the rule, also of those in a segment before
        place = func.row_number().over(partition_by=[group, free], order_by=order)
        members = func.count().over(partition_by=group)
        named = key.label("key"), place.label("place"), members.label("members"), free.label("free")
        ranked = select(*named).where(*tests).subquery()
        wanted = select(ranked.c.key).where(ranked.c.free)
    limits: list[ColumnElement[Any]] = []
    if segment.size is not None:
        limits.append(bindparam(None, segment.size, BigInteger()))
    if segment.share is not None:
        whole = select(func.count()).select_from(base).scalar_subquery() if group is None else ranked.c.members
        limits.append(func.round(cast(whole, Numeric()) * bindparam(None, segment.share / 100, Numeric())))
    return wanted.where(ranked.c.place <= (func.least(*limits) if len(limits) > 1 else limits[0]))


def _order(
    one: _Opened, rows: FromClause, key: ColumnElement[Any], seed: int, at: datetime, zone: ZoneInfo
) -> list[ColumnElement[Any]]:
    if one.by is None:
        return [func.hashint8extended(key, bindparam(None, seed, BigInteger())), key]
    by = value(one.by, at=at, zone=zone, source=rows)
    return [by.asc().nulls_last() if one.segment.lowest else by.desc().nulls_last(), key]


async def _open(conn: Connection, one: Segment) -> _Opened:
    by = None if one.by is None else await open_value(conn, one.by)
    if by is not None and by.kind not in ORDERED:
        raise Invalid(
            f"the segment {one.code!r} cannot be put in order by a value of the kind {by.kind.value}", code="BAD_ORDER",
            path="by", hint="Use a number, a text or a time.",
        )  # fmt: skip
    return _Opened(
        segment=one, where=None if one.where is None else await open_question(conn, one.where), by=by,
        per=None if one.per is None else await open_value(conn, one.per),
    )  # fmt: skip


def check_segmentation(wanted: Segmentation) -> None:
    """Raises Invalid (BAD_SEGMENTS, BAD_CODE, BAD_LABEL, BAD_SHARE, BAD_SIZE, NO_LIMIT)."""
    if not 1 <= len(wanted.segments) <= MAX_SEGMENTS:
        raise Invalid(f"give 1 to {MAX_SEGMENTS} segments", code="BAD_SEGMENTS", path="segments")
    codes = codes_of(wanted)
    for number, code in enumerate(codes):
        if not 0 < len(code) <= CODE_LENGTH or not code.isprintable():
            raise Invalid(
                f"a segment's code is 1 to {CODE_LENGTH} printable characters", code="BAD_CODE", path=f"segments.{number}.code"
            )
    if len(set(codes)) < len(codes):
        raise Invalid("two segments have the same code", code="BAD_CODE", path="segments", hint="Give each its own.")
    for number, one in enumerate(wanted.segments):
        if one.label:
            check_label(one.label)
        if one.share is not None and not _is_share(one.share):
            raise Invalid(
                "a share is more than 0 and up to 100 per cent, with up to six decimals", code="BAD_SHARE",
                path=f"segments.{number}.share",
            )  # fmt: skip
        if one.size is not None and one.size < 1:
            raise Invalid("a segment has room for one at least", code="BAD_SIZE", path=f"segments.{number}.size")
        limited = one.share is not None or one.size is not None
        if not limited and (one.by is not None or one.per is not None):
            raise Invalid(
                "an order or groups make a difference to a limit only", code="NO_LIMIT", path=f"segments.{number}",
                hint="Give a share or a size.",
            )  # fmt: skip


def check_codes_exclude(wanted: Segmentation) -> None:
    """Raises Invalid (OVERLAP) where a member of one list might have several codes."""
    if wanted.overlap:
        raise Invalid(
            "whoever is in several segments would have several codes", code="OVERLAP", path="into.overlap",
            hint="Let segments not overlap, or put each on a list of its own.",
        )  # fmt: skip


def _is_share(share: Decimal) -> bool:
    return share.is_finite() and 0 < share <= 100 and share == share.quantize(FINEST)
