"""What a function takes and gives, what is said of it, and how its SQL is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement

from core.targeting.catalogue import Kind
from core.targeting.language import Scalar

Sql: TypeAlias = ColumnElement[Any]

MAX_ARGUMENTS = 50

ANY = frozenset(Kind) - {Kind.POINT, Kind.JSON}
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
INTEGERS = frozenset({Kind.INTEGER})
TIMES = frozenset({Kind.DATE, Kind.INSTANT})
DATES = frozenset({Kind.DATE})
INSTANTS = frozenset({Kind.INSTANT})
TEXTS = frozenset({Kind.TEXT, Kind.ENUMERATION, Kind.UUID})
BOOLEANS = frozenset({Kind.BOOLEAN})
POINTS = frozenset({Kind.POINT})
TREES = frozenset({Kind.JSON})


class Nulls(StrEnum):
    """When a function has no value."""

    OF_ANY = "of none"  # when an argument has none, and never else
    PARTIAL = "of none, or where it has none"
    OF_ALL = "if all have none"
    MAY = "as said"
    NEVER = "never"


class Level(IntEnum):
    """What counts when texts are compared."""

    FOLDED = 0  # neither case nor accents
    ACCENTED = 1  # accents only
    EXACT = 2  # both


class Family(StrEnum):
    """The chapters of the list."""

    DATES = "Dates and instants"
    NUMBERS = "Numbers"
    TEXTS = "Texts"
    LOGIC = "Choices and conversions"
    PLACES = "Places"
    TREES = "JSON fields"
    ROWS = "Rows, shares and digests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One place of a function's arguments.

    `group` ties the kinds of several together, `constant` wants a value that is written down, and `refuse`
    says of such a value what should stand there instead of it.
    """

    name: str
    takes: frozenset[Kind]
    group: str | None = None
    constant: bool = False
    refuse: Callable[[Scalar], str | None] = lambda value: None
    plain: bool = False  # its number comes as the column has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An operand as a function's SQL finds it.

    Numbers are `numeric`, enumerations their names, UUIDs texts, instants instants; of a place `parts` are its longitude and
    latitude. `constant` is what was written down.
    """

    kind: Kind
    sql: Sql
    nullable: bool
    constant: Scalar | None = None
    level: Level = Level.FOLDED
    parts: tuple[Sql, Sql] | None = None
    where: tuple[float, float] | None = None  # a place written down: longitude, latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The zone, day and row of a question. What is relative to now is an argument like any other."""

    zone: ZoneInfo
    today: date
    key: Sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function. The last `optional` parameters may be left out; the last `repeated` may come again and again.

    `gives` is a kind, or the group whose kind the arguments decide. `uses` is how often its SQL repeats an
    argument at most.
    """

    name: str
    family: Family
    parameters: tuple[Parameter, ...]
    gives: Kind | str
    build: Callable[..., Sql]
    label: str
    example: str
    formerly: tuple[str, ...] = ()
    optional: int = 0
    repeated: int = 0
    tail: tuple[Parameter, ...] = ()  # may follow once after those that were repeated
    nulls: Nulls = Nulls.OF_ANY
    uses: int = 1
    daily: bool = False  # it asks what day it is, so that its value changes at midnight

    def expects(self, count: int) -> tuple[Parameter, ...] | None:
        """The parameters for so many arguments; None where it does not take so many."""
        needed = len(self.parameters) - self.optional
        if needed <= count <= len(self.parameters):
            return self.parameters[:count]
        if not self.repeated or not len(self.parameters) < count <= MAX_ARGUMENTS:
            return None
        again, rest = divmod(count - len(self.parameters), self.repeated)
        if rest not in (0, len(self.tail) or self.repeated):
            return None
        return self.parameters + self.parameters[-self.repeated :] * again + self.tail[:rest]

    def kind(self, kinds: Sequence[Kind]) -> Kind:
        """What it gives for arguments of these kinds."""
        if isinstance(self.gives, Kind):
            return self.gives
        expected = self.expects(len(kinds)) or ()
        grouped = [kind for kind, parameter in zip(kinds, expected, strict=True) if parameter.group == self.gives]
        return common(grouped) or grouped[0]

    def repeats(self, count: int) -> int:
        """How often its SQL repeats one of so many arguments."""
        return min(self.uses, count // self.repeated) if self.repeated else self.uses

    @property
    def signature(self) -> str:
        """How it is written: `round(x, digits?)`, `joined(x, …)`."""
        needed = len(self.parameters) - self.optional
        names = [one.name + ("?" if place >= needed else "") for place, one in enumerate(self.parameters)]
        names += ["…"] * bool(self.repeated)
        return f"{self.name}({', '.join(names + [one.name + '?' for one in self.tail])})"


def common(kinds: Sequence[Kind]) -> Kind | None:
    """The kind that values of these kinds have together; None where they have none."""
    named = {Kind.TEXT if kind in (Kind.ENUMERATION, Kind.UUID) else kind for kind in kinds}
    if len(named) == 1:
        return next(iter(named))
    return Kind.DECIMAL if named == NUMBERS else None
