"""Exports with chosen expressions, of any dimension: asked for. Watching, cancelling and downloading are as of plain ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from types import MappingProxyType
from zoneinfo import ZoneInfo

from core.access import Actor, Permission, require
from core.clock import UTC_ZONE
from core.db import Connection
from core.errors import Invalid
from core.files import Files
from core.profiles.export_options import ExportOptions
from core.profiles.exports import begin_export
from core.profiles.run_records import ExportContent, ExportRun
from core.targeting.audiences import get_audience
from core.targeting.json_form import to_json
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression
from core.transfers.composing import Dimension, find_dimension, open_question, open_value
from core.transfers.cost import check_cost

LONGEST_NAME = 63  # bytes of a column's: as long as a name in a database
MOST_COLUMNS = 500


async def create_export(
    conn: Connection,
    actor: Actor,
    files: Files,
    *,
    file_name: str | None = None,
    dimension: str = "profile",
    columns: Sequence[str] | None = None,
    computed: Mapping[str, Expression] = MappingProxyType({}),
    audience_id: int | None = None,
    expression: Expression | None = None,
    options: ExportOptions | None = None,
    zone: ZoneInfo = UTC_ZONE,
    now: datetime,
) -> ExportRun:
    """Begin to write rows of a dimension: all, an audience's, or those that a question finds.

    Expressions mean the days of the zone. `columns` None: all fields; those of `computed` stand where they are named, else
    behind the others.

    Raises Invalid (UNKNOWN_FIELD, DUPLICATE_FIELD, NO_COLUMNS, BAD_NAME, TWO_SELECTIONS, AUDIENCE_OF_PEOPLE, and as
    `check_export_options` does), NotFound (DIMENSION_NOT_FOUND, AUDIENCE_NOT_FOUND), LimitReached (QUESTION_TOO_COSTLY),
    Conflict (as `open_question` of a file that is not reconciled), ExpressionError.
    """
    require(actor, Permission.EXPORT)
    found = await find_dimension(conn, dimension)
    if audience_id is not None and dimension != "profile":
        raise Invalid(
            "an audience is of profiles", code="AUDIENCE_OF_PEOPLE", path="audience_id",
            hint="Ask with an expression: it may say member of 'name' of the profile that a row is linked to.",
        )  # fmt: skip
    if columns is None:
        _check_apart(computed, found)
    fields = found.columns if columns is None else columns
    chosen = (*fields, *(name for name in computed if name not in fields))
    _check_names(chosen, computed, found)
    values = [await open_value(conn, found, one) for one in computed.values()]
    question = None if expression is None else await open_question(conn, found, expression)
    asked = question
    if audience_id is not None and expression is None:
        asked = await open_question(conn, found, read_stored((await get_audience(conn, audience_id)).expression))
    await check_cost(conn, found, asked, values, at=now, zone=zone)
    content = ExportContent(
        columns=chosen, dimension=dimension, audience_id=audience_id, time_zone=zone.key,
        computed={name: to_json(one) for name, one in computed.items()},
        expression=None if question is None else to_json(question.expression),
    )  # fmt: skip
    return await begin_export(conn, actor, files, content, file_name=file_name, options=options, now=now)


def _check_names(columns: Sequence[str], computed: Mapping[str, Expression], dimension: Dimension) -> None:
    if not 1 <= len(columns) <= MOST_COLUMNS:
        raise Invalid(f"an export has 1 to {MOST_COLUMNS} columns", code="NO_COLUMNS", path="columns")
    seen: set[str] = set()
    for position, name in enumerate(columns):
        path = f"columns.{position}"
        if name in computed:
            _check_name(name, f"computed.{list(computed).index(name)}.name")
        elif name not in dimension.columns:
            near = get_close_matches(name, dimension.columns, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {', '.join(dimension.columns)}."
            message = f"a {dimension.entity.name} has no field {name[:80]!r}"
            raise Invalid(message, code="UNKNOWN_FIELD", path=path, hint=hint)
        if name in seen:
            raise Invalid(f"the column {name!r} is named twice", code="DUPLICATE_FIELD", path=path)
        seen.add(name)


def _check_apart(computed: Mapping[str, Expression], dimension: Dimension) -> None:
    """Nobody chose which of the two goes out."""
    for position, name in enumerate(computed):
        if name in dimension.columns:
            raise Invalid(
                f"the column {name!r} is a field that goes out, too", code="DUPLICATE_FIELD", path=f"computed.{position}.name",
                hint="Give it another name, or name the columns.",
            )  # fmt: skip


def _check_name(name: str, path: str) -> None:
    if not name.strip() or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        raise Invalid(
            f"a column's name is one line of 1 to {LONGEST_NAME} bytes", code="BAD_NAME", path=path,
            hint="Give it a short name, such as 'total'.",
        )  # fmt: skip
