"""Columns that members of a list or a file bring along: how questions name them, and what columns there may be.

`audience_column('vip', 'score')` is the value that the person asked about has in the column `score` of the audience `vip`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.authored import LABEL_LENGTH, check_label
from core.errors import Conflict, Invalid
from core.targeting.catalogue import Kind
from core.targeting.language import NAME, RESERVED, Call, Literal
from core.targeting.records import AudienceKind, MemberColumn

FUNCTION = "audience_column"
SIGNATURE = f"{FUNCTION}('audience', 'column')"
MAX_COLUMNS = 500  # of one audience
NAME_LENGTH = 63
KINDS = frozenset({Kind.TEXT, Kind.INTEGER, Kind.DECIMAL, Kind.BOOLEAN, Kind.DATE, Kind.INSTANT})


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column as a question names it."""

    audience: str
    column: str


def column_named(node: Any) -> ColumnName | None:
    """The column that a node is the value of; None for other nodes, and for calls that name none."""
    if not isinstance(node, Call) or node.function != FUNCTION:
        return None
    values = [one.value for one in node.arguments if isinstance(one, Literal) and isinstance(one.value, str)]
    if len(values) != 2 or len(node.arguments) != 2:
        return None
    return ColumnName(str(values[0]), str(values[1]))


def check_reconciled(name: str, kind: AudienceKind, reconciled: bool) -> None:
    """Raises Conflict (AUDIENCE_NOT_RECONCILED) for a file of which nobody knows yet whom its rows are about."""
    if kind is AudienceKind.FILE and not reconciled:
        raise Conflict(
            f"the audience {name!r} is a file whose rows are not reconciled with profiles", code="AUDIENCE_NOT_RECONCILED",
            path="audience_id", hint="Load its file and reconcile it first, by the columns that say whom its rows are about.",
        )  # fmt: skip


def check_columns(columns: Sequence[MemberColumn], path: str = "columns") -> None:
    """Raises Invalid (TOO_MANY_COLUMNS, BAD_COLUMN, DUPLICATE_COLUMN, BAD_LABEL)."""
    check_number(len(columns), path)
    seen: set[str] = set()
    for number, one in enumerate(columns):
        place = f"{path}.{number}"
        if not NAME.fullmatch(one.name) or one.name.lower() in RESERVED:
            raise Invalid(
                f"{one.name[:80]!r} cannot be the name of a column", code="BAD_COLUMN", path=f"{place}.name",
                hint=f"Use up to {NAME_LENGTH} letters, digits and underscores, and no word of the language.",
            )  # fmt: skip
        if one.name in seen:
            raise Invalid(f"the column {one.name!r} is there twice", code="DUPLICATE_COLUMN", path=f"{place}.name")
        if one.kind not in KINDS:
            raise Invalid(
                f"a column cannot hold values of the kind {one.kind.value}", code="BAD_COLUMN", path=f"{place}.kind",
                hint="Make a text, a number, a boolean or a time of it.",
            )  # fmt: skip
        check_label(one.label, f"{place}.label")
        seen.add(one.name)


def check_number(columns: int, path: str = "columns") -> None:
    """Raises Invalid (TOO_MANY_COLUMNS)."""
    if columns > MAX_COLUMNS:
        raise Invalid(
            f"an audience has at most {MAX_COLUMNS} columns, not {columns}", code="TOO_MANY_COLUMNS", path=path,
            hint="Leave out those that nobody needs.",
        )  # fmt: skip


def names_of(titles: Iterable[str]) -> list[str]:
    """A name for each title of a file, no two the same: `Customer No.` is `customer_no`."""
    found: list[str] = []
    taken: set[str] = set()
    for number, title in enumerate(titles, start=1):
        base = plain_name(title) or f"column_{number}"
        name, again = base, 2
        while name in taken:
            name = f"{base[: NAME_LENGTH - 7]}_{again}"
            again += 1
        taken.add(name)
        found.append(name)
    return found


def label_of(title: str, name: str) -> str:
    """A title as a label; the name where it cannot be one."""
    label = "".join(sign for sign in title.strip() if sign.isprintable())[:LABEL_LENGTH].strip()
    return label or name


def plain_name(title: str) -> str:
    """What a column is called after a title, unless it is taken; nothing where no letter of it can stand in a name."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:NAME_LENGTH]
    return f"column_{name}"[:NAME_LENGTH] if name and (name[0].isdigit() or name in RESERVED) else name
