"""What this room keeps of people: on which lists they are, what the files of audiences say of them, and by which ids outside
systems push them."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    and_,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    table,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.datamodel.physical import PREFIX, column_of
from core.db import Connection
from core.personal import BLOT, Goes, Kept, Person, of_profile, texts
from core.targeting import file_store, run_store
from core.targeting.member_columns import plain_name
from core.targeting.row_keys import OURS

_DIGITS = 7  # of a phone number, that are enough to know it by
_PHONES = frozenset({"mobile_phone", "phone"})


async def key_columns(conn: Connection) -> tuple[str, ...]:
    """The columns of profiles with whose values rows of files were ever compared."""
    return tuple(map(_column, await run_store.list_key_fields(conn)))


async def erase(conn: Connection, person: Person, now: datetime) -> dict[str, int]:
    """A file without a header has somebody's values for titles, and columns are called after these."""
    return {"audience_column": await file_store.rename_columns(conn, [name for name in map(plain_name, person.words) if name])}


def _column(field: str) -> str:
    return "email_key" if field == "email" else field if field in OURS else column_of(field)


def _field(name: str) -> str:
    return "email" if name == "email_key" else name.removeprefix(PREFIX)


def _by_keys(rows: FromClause, person: Person) -> ColumnElement[bool]:
    """Rows of files that belong to nobody, but have a value of the person's in a column by which they were compared."""
    run = table("audience_run", *map(column, ("audience_id", "request")))
    key = func.jsonb_array_elements(_member(run.c.request, "keys", "->")).table_valued("value").alias("key")
    row = table("audience_row", *map(column, ("audience_id", "line", "profile_id", "data"))).alias("of_nobody")
    others = func.coalesce(_member(key.c.value, "also", "->"), cast(literal("[]"), JSONB))
    part = func.jsonb_array_elements(func.jsonb_build_array(key.c.value).op("||")(others)).table_valued("value").alias("part")
    cell = row.c.data.op("->>")(_member(part.c.value, "column", "->>"))
    ways = [
        and_(_member(part.c.value, "field", "->>") == cast(literal(_field(name)), Text), _has(name, cell, values))
        for name, values in person.linked.items()
    ]
    differs = exists(select(part.c.value).where(not_(func.coalesce(or_(false(), *ways), false()))))  # in a part of the key
    found = select(row.c.audience_id, row.c.line).select_from(run.join(key, literal(True)), row)
    return tuple_(rows.c.audience_id, rows.c.line).in_(
        found.where(row.c.audience_id == run.c.audience_id, row.c.profile_id.is_(None), not_(differs))
    )


def _by_id(rows: FromClause, person: Person) -> ColumnElement[bool]:
    """Ids of an outside system that are taken for nobody's, but are a value of the person's in the segment's key."""
    segment = table("external_segment", *map(column, ("audience_id", "key")))
    ways = [
        and_(segment.c.key == cast(literal(_field(name)), Text), rows.c.value == func.any(texts(values)))
        for name, values in person.linked.items()
    ]
    found = select(segment.c.audience_id).where(segment.c.audience_id == rows.c.audience_id, or_(false(), *ways))
    return and_(rows.c.profile_id.is_(None), exists(found))


def _member(of: ColumnElement[object], name: str, way: str) -> ColumnElement[object]:
    return of.op(way)(cast(literal(name), Text))


def _has(name: str, cell: ColumnElement[object], values: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a cell is one of the values of a profile's column, as far as SQL can tell."""
    if name in _PHONES:
        ends = tuple(re.sub(r"\D", "", value)[-_DIGITS:] for value in values)
        return cast(func.right(func.regexp_replace(cell, r"\D", "", "g"), _DIGITS), Text) == func.any(texts(ends))
    return cast(func.lower(func.btrim(cell)), Text) == func.any(texts(tuple(value.lower() for value in values)))


TABLES = (
    Kept(
        table="audience_member", rows=of_profile(), goes=Goes.ROWS, texts={"data": {}}, other="audience_id profile_id added_at",
    ),
    Kept(
        table="audience",
        authored="name label description expression expression_text",
        other="id kind version created_at updated_at created_by reads expires_at counted counted_at",
    ),
    Kept(table="audience_version", authored="expression expression_text", other="audience_id version created_at"),
    Kept(table="audience_use", other="audience_id used_id"),
    Kept(
        table="audience_column", authored="name", texts={"label": BLOT}, other="audience_id position kind personal",
    ),
    Kept(table="audience_file", authored="options", other="audience_id file_id loaded_at reconciled_at"),
    # Of whom a row is may be unknown: then it goes by the keys that were tried, and is blotted out if it quotes somebody.
    Kept(
        table="audience_row", rows=lambda rows, person: or_(of_profile()(rows, person), _by_keys(rows, person)),
        goes=Goes.ROWS, texts={"data": {}}, other="audience_id line profile_id outcome",
    ),
    Kept(
        table="external_segment", authored="source snapshot completed",
        other="audience_id key fresh_hours received_at snapshots",
    ),
    Kept(
        table="external_segment_id", rows=lambda rows, person: or_(of_profile()(rows, person), _by_id(rows, person)),
        goes=Goes.ROWS, personal="value", other="audience_id profile_id ambiguous snapshot",
    ),
    Kept(
        table="audience_run", texts={"error": {"code": "ERASED", "message": BLOT}, "result": {}, "request": {}},
        ended="finished_at",
        other="id task state audience_id file_id time_zone seconds total done position lines_read fence created_by created_at"
        " started_at heartbeat_at finished_at",
    ),
    Kept(
        table="question_filter", authored="name label parameters expression expression_text",
        other="id entity reads version created_at updated_at created_by",
    ),
    Kept(
        table="kept_audience",
        other="id audience_id time_zone state stamp upkeep reasons trouble counted_at counting_since log_dropped recount_at"
        " members created_by created_at",
    ),
    # Whose profile goes leaves by the log, which holds numbers of profiles alone.
    Kept(table="kept_member", rows=of_profile(), other="profile_id kept_id entered_at due_at"),
    Kept(table="membership_log", rows=of_profile(), other="kept_id position profile_id entered at"),
    Kept(table="membership_change", other="id at entity columns profile_ids"),
)  # fmt: skip
