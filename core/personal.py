"""How a room declares what it keeps of people: the contract between rooms that keep it and the one that gives and erases it.

Every room with tables has a `personal.py` with `TABLES`, and `core/privacy/perimeter.py` lists them all. A test goes through
the database's catalogue: each table and each column of it has to be declared in one of five ways:

    personal   goes when the person is erased: with its row (`Goes.ROWS`), or it becomes NULL (`Goes.VALUES`)
    texts      free text in which somebody's values may be quoted: blotted out wherever it quotes those of an erased person
    authored   what the team wrote (contents, questions): never changed, but a proof of erasure names where it quotes a person
    other      says nothing about a person
    rows       not a column: which rows are a person's. They are given to whoever asks for access, whole or those columns of
               them that `given` names. None: no row is.

Conditions are made of columns of the declared table with bound values. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, FromClause, Text, and_, cast, column, false, func, literal, or_, table
from sqlalchemy import select as _select
from sqlalchemy.sql.expression import TableClause

BLOT = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a request is about: what their rows are found by."""

    profile_ids: tuple[int, ...] = ()  # of all profiles that match, with all that is merged with them
    addresses: tuple[tuple[str, str], ...] = ()  # kind and normalised address: those that nobody else has
    words: tuple[str, ...] = ()  # what names them in a text, each by itself: addresses, identifiers, …
    names: tuple[tuple[str, ...], ...] = ()  # what names them where all of it stands together: first and last name
    known_by: tuple[str, ...] = ()  # the fields of which each of the profiles has a value among the words
    linked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by a profile's column: what is compared with it
    nobodys: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # by table: rows that were found and are nobody's

    @property
    def has_rows(self) -> bool:
        """Whether there is a profile, or a row that belongs to none."""
        return bool(self.profile_ids or any(self.nobodys.values()))


Rows = Callable[[FromClause, Person], ColumnElement[bool]]


class Goes(StrEnum):
    """What an erasure does to a person's rows."""

    ROWS = "rows"  # they are deleted
    VALUES = "values"  # they stay, for totals are made of them; their personal columns become NULL
    ELSEWHERE = "elsewhere"  # an eraser of the room's own sees to them
    NOTHING = "nothing"  # they hold nothing personal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one table keeps of people. Columns are named in one string, with blanks between them."""

    table: str
    rows: Rows | None = None
    goes: Goes = Goes.NOTHING
    personal: str = ""
    texts: Mapping[str, Any] = field(default_factory=dict)  # what each becomes where it quotes somebody
    authored: str = ""
    other: str = ""
    given: str = ""  # what whoever asks is given of these rows, where they are somebody else's and name the person; empty: all
    setting: str | None = None  # that has to be "on" while rows are deleted
    ended: str | None = None  # texts of a row without a value in this column are left alone: somebody works by them

    @property
    def columns(self) -> frozenset[str]:
        """All that are declared."""
        return frozenset((*self.personal.split(), *self.texts, *self.authored.split(), *self.other.split()))

    def clause(self) -> TableClause:
        """The table with its declared columns."""
        return table(self.table, *(column(name) for name in sorted(self.columns)))


def of_profile(name: str = "profile_id") -> Rows:
    """Rows whose column holds the id of a profile."""
    return lambda rows, person: rows.c[name] == func.any(ids(person))


def of_nobody(name: str) -> Rows:
    """Rows of this table that were found for a person, as long as nobody has said whose they are."""
    return lambda rows, person: and_(rows.c.profile_id.is_(None), rows.c.id == func.any(_numbers(person.nobodys.get(name, ()))))


def of_found(name: str) -> Rows:
    """Rows of this table that were themselves found for a person, and belong to nobody else."""
    return lambda rows, person: rows.c.id == func.any(_numbers(person.nobodys.get(name, ())))


def of_any(*ways: Rows) -> Rows:
    """Rows that are a person's in one of these ways."""
    return lambda rows, person: or_(false(), *(one(rows, person) for one in ways))


def of_address(key: str, kind: str) -> Rows:
    """Rows whose columns hold a normalised address and its kind."""
    return lambda rows, person: _addressed(rows.c[key], person, lambda name: rows.c[kind] == name)


def of_address_of(kind: str, key: str) -> Rows:
    """Rows whose column holds a normalised address of one kind."""
    return lambda rows, person: _addressed(rows.c[key], person, lambda name: literal(name) == kind)


def of_object(type_column: str, id_column: str, name: str) -> Rows:
    """Rows that name a thing by its type and its id, where that thing is the profile."""
    return lambda rows, person: and_(
        rows.c[type_column] == name, rows.c[id_column] == func.any(texts(tuple(str(one) for one in person.profile_ids)))
    )


def of_recipient(deliveries: str) -> Rows:
    """Rows of what was sent to a profile. Their keys begin with the delivery, which `deliveries` knows: one probe for each."""

    def rows_of(rows: FromClause, person: Person) -> ColumnElement[bool]:
        known = table(deliveries, column("delivery_id"))
        return and_(
            rows.c.delivery_id.in_(_select(known.c.delivery_id)),
            rows.c.recipient_kind == 1,
            rows.c.recipient_id == func.any(ids(person)),
        )

    return rows_of


def of_parent(name: str, parent: Kept, key: str = "id") -> Rows:
    """Rows whose column holds the key of a row of another table that is the person's."""

    def rows_of(rows: FromClause, person: Person) -> ColumnElement[bool]:
        above = parent.clause()
        assert parent.rows is not None
        return rows.c[name].in_(_select(above.c[key]).where(parent.rows(above, person)))

    return rows_of


def ids(person: Person) -> ColumnElement[Any]:
    """The profiles' ids, as an array."""
    return _numbers(person.profile_ids)


def texts(values: tuple[str, ...]) -> ColumnElement[Any]:
    """Texts, as an array."""
    return cast(literal(list(values), ARRAY(Text)), ARRAY(Text))


def _numbers(values: tuple[int, ...]) -> ColumnElement[Any]:
    return cast(literal(list(values), ARRAY(BigInteger)), ARRAY(BigInteger))


def _addressed(key: Any, person: Person, is_kind: Callable[[str], ColumnElement[bool]]) -> ColumnElement[bool]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name, address in person.addresses:
        by_kind[name].append(address)
    return or_(false(), *(and_(is_kind(name), key == func.any(texts(tuple(found)))) for name, found in by_kind.items()))
