"""The tree of a question: frozen nodes, the same for both spellings.

A condition is `And`, `Or`, `Not`, an `Operation` between operands, a question about linked rows (`Exists`, `Following`), about
the whole population (`Top`), about another audience (`Member`), or a boolean operand. An operand is a `Field`, a `Literal`, a
`Relative` time, a `Call`, a `Case`, an `Aggregate` of linked rows, or a `Rank` among all rows; arguments of calls may be
conditions. Fields are paths, operations take any operands and calls any names, so links and functions add rows to the tables of
`catalogue` and `functions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

MAX_LENGTH = 50_000  # characters of an expression, or of all texts in its JSON spelling
MAX_DEPTH = 40  # groups within groups
MAX_LEVELS = 200  # nodes within nodes, of any kind: what is deeper is not walked through
MAX_NODES = 2_000  # conditions and operands, the values of `in` not counted
MAX_PARTS = 10_000  # as nodes, but values counted, with all audiences that are named, as often as they are named
MAX_VALUES = 1_000  # values of one `in`
MAX_LIST_VALUES = 5_000  # values of all `in` together
MAX_LINKS = 10  # of one path: each is a join
MAX_STEPS = 30  # of one sequence, its links counted: likewise
MAX_TOP = 10_000_000  # rows of one `top`
MAX_RANKS = 10  # of one question, those of audiences that it names included: each puts all rows in order
MAX_KEYS = 10  # by which the rows of one `rank` are put in order and in groups
MAX_SEPARATOR = 200  # characters between the texts of a `join`
SEPARATOR = ", "
MAX_YEARS = 1_000  # how far a relative time may reach

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
RESERVED = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "between",
        "contains",
        "starts_with",
        "ends_with",
        "is_null",
        "is",
        "now",
        "today",
        "true",
        "false",
        "null",
        "where",
        "of",
        "by",
        "then",
        "within",
        "distinct",
        "case",
    ]
)  # words that cannot name a field


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the source: line and column, both from 1, or a JSON pointer (RFC 6901)."""

    line: int | None = None
    column: int | None = None
    pointer: str | None = None

    def __str__(self) -> str:
        if self.pointer is not None:
            return self.pointer or "/"
        return f"line {self.line}, column {self.column}"


NOWHERE = Place(line=1, column=1)

# Arithmetic as it is written, and the functions that it is.
SIGNS: Mapping[str, str] = MappingProxyType({"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "mod"})


class Anchor(StrEnum):
    """What a relative time starts from: the instant of evaluation, or its calendar day."""

    NOW = "now"
    TODAY = "today"


class Unit(StrEnum):
    """Steps of relative times, largest first: the order in which they are applied."""

    YEARS = "years"
    MONTHS = "months"
    WEEKS = "weeks"
    DAYS = "days"
    HOURS = "hours"
    MINUTES = "minutes"
    SECONDS = "seconds"


class Measure(StrEnum):
    """What is made of many rows, as it is written."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    AVG = "avg"
    FIRST = "first"  # the value of the earliest row
    LAST = "last"
    JOIN = "join"  # texts, one after the other


class Operator(StrEnum):
    """Operators between operands, as they are written."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"
    BETWEEN = "between"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    IS_NULL = "is_null"


Scalar: TypeAlias = bool | int | Decimal | str | date | datetime


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its path: `("country",)`; a link's name comes before the field's."""

    path: tuple[str, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written. A `datetime` without offset is a wall-clock time of the zone asked in."""

    value: Scalar
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Relative:
    """A time relative to the evaluation. Offsets have distinct units, largest first, and are never zero."""

    anchor: Anchor
    offsets: tuple[tuple[Unit, int], ...] = ()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of operands and conditions. Arithmetic is one too: `a + b` is `add(a, b)`."""

    function: str
    arguments: tuple[Condition, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """The operand beside the first condition that holds, else the last one, or no value."""

    branches: tuple[tuple[Condition, Operand], ...]
    otherwise: Operand | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator and its operands: one for `is_null`, three for `between`, two or more for `in`, else two.

    Its place is the operator's.
    """

    operator: Operator
    operands: tuple[Operand, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    terms: tuple[Condition, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    terms: tuple[Condition, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; never unknown."""

    term: Condition
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows that are linked to the one asked about: a path of links, and what must hold of those at its end."""

    path: tuple[str, ...]
    where: Condition | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """There is such a row."""

    selection: Selection
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One value of many rows. `value` is asked of each (none: rows are counted); `by` orders them, where order matters."""

    measure: Measure
    selection: Selection
    value: Operand | None = None
    by: Operand | None = None
    distinct: bool = False  # `count` of different values
    separator: str | None = None  # what stands between the texts of `join`; None: SEPARATOR
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a sequence: a row, the time in it (`by`), and how soon it comes after the one before."""

    selection: Selection
    by: Operand | None = None
    within: tuple[Unit, int] | None = None


@dataclass(frozen=True, slots=True)
class Following:
    """Rows that follow each other in time: two or more."""

    stages: tuple[Stage, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Top:
    """Among the `size` rows with the highest value, or the lowest, of those for which `where` holds."""

    size: int
    by: Operand
    lowest: bool = False
    where: Condition | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are put in order by: the lowest first, or the highest."""

    value: Operand
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Rank:
    """Which of all rows one is, from 1, in the order of `by`, of those with the same `per` for which `where` holds."""

    by: tuple[Order, ...]
    per: tuple[Operand, ...] = ()
    where: Condition | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """In another audience, as it is now or as a version of it was."""

    audience: str
    version: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Operand: TypeAlias = Field | Literal | Relative | Call | Case | Aggregate | Rank
Test: TypeAlias = And | Or | Not | Operation | Exists | Following | Top | Member  # true or false, and no operand
Condition: TypeAlias = Test | Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A question as understood, and as text: what its author typed, or what the JSON spelling reads as."""

    root: Condition
    text: str = field(compare=False)


def relative(anchor: Anchor, offsets: Iterable[tuple[Unit, int]], place: Place = NOWHERE) -> Relative:
    """A relative time in its one form: amounts of a unit added up, zeros dropped, largest unit first."""
    totals = dict.fromkeys(Unit, 0)
    for unit, amount in offsets:
        totals[unit] += amount
    return Relative(anchor, tuple((unit, total) for unit, total in totals.items() if total), place)


def too_deep(root: Condition) -> Place | None:
    """The place of a node that lies deeper than anything may; told without following the tree down, so of any tree."""
    level: list[Any] = [root]
    for _ in range(MAX_LEVELS):
        level = [part for node in level for part in parts_below(node)]
        if not level:
            return None
    return next((node.place for node in level if hasattr(node, "place")), NOWHERE)


def every_node(root: Any) -> Iterator[Any]:
    """A node and all below it, in the order in which they are written."""
    yield root
    for part in parts_below(root):
        yield from every_node(part)


def parts_below(node: Any) -> Iterator[Any]:
    """Nodes right below one."""
    for name in node.__dataclass_fields__:
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for each in value:
            yield from _nodes(each)
    elif is_dataclass(value) and not isinstance(value, Place):
        yield value


def operand_count(operator: Operator) -> tuple[int, int]:
    """The least and the most operands an operator takes."""
    if operator is Operator.IS_NULL:
        return 1, 1
    if operator is Operator.BETWEEN:
        return 3, 3
    return (2, MAX_VALUES + 1) if operator is Operator.IN else (2, 2)
