"""Audiences that questions name: found with all that they name in turn, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from core.db import Connection
from core.targeting import store
from core.targeting.catalogue import Catalogue
from core.targeting.check import Audiences, CheckedExpression, check
from core.targeting.errors import CYCLE, TOO_LARGE, ExpressionError
from core.targeting.json_form import read_stored
from core.targeting.language import Condition, Member, every_node
from core.targeting.records import AudienceKind, NamedAudience

MAX_NAMED = 200  # audiences that a question names, those that they name included

Name = tuple[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a question names: all audiences, ready to be asked about, and those that nothing else holds.

    Held by itself are those that it names, and those that an old version, where it is pinned, named: the audience of that
    version may name them no longer.
    """

    audiences: Audiences
    held: tuple[NamedAudience, ...]


def members_named(root: Condition) -> Iterator[Member]:
    """Every place where a question names an audience."""
    return (node for node in every_node(root) if isinstance(node, Member))


async def find_references(
    conn: Connection, root: Condition, catalogue: Catalogue, *, saved_as: str | None = None
) -> References:
    """Look up all audiences that are named; names that are nobody's are left to `check`.

    Raises ExpressionError: AUDIENCE_CYCLE when the question, saved under the name, would name itself; too many.
    """
    named = await find_named(conn, root, saved_as=saved_as)
    first = {(one.audience, one.version) for one in members_named(root)}
    return References(audiences=open_named(named, catalogue), held=tuple(_held(first, named)))


async def find_named(conn: Connection, root: Condition, *, saved_as: str | None = None) -> dict[Name, NamedAudience]:
    """All audiences that are named, those that they name included. Raises as `find_references`."""
    named: dict[Name, NamedAudience] = {}
    missing: Set[Name] = {(one.audience, one.version) for one in members_named(root)}
    while missing:
        found = await store.find_named(conn, sorted(missing, key=lambda name: (name[0], name[1] or 0)))
        named |= found
        wanted = {
            (one.audience, one.version) for each in found.values() if each.kind is AudienceKind.QUERY
            for one in members_named(read_stored(each.expression).root)
        }  # fmt: skip
        missing = wanted - named.keys() if found else set()
        _check_closure(root, named, saved_as)
    return named


def open_named(named: Mapping[Name, NamedAudience], catalogue: Catalogue) -> Audiences:
    """What they ask, ready to be asked. Raises ExpressionError."""
    audiences: dict[Name, CheckedExpression | int] = {}
    for name in named:
        _open(name, named, catalogue, audiences)
    return audiences


def _held(first: Iterable[Name], named: Mapping[Name, NamedAudience]) -> Iterator[NamedAudience]:
    waiting, seen = list(first), set(first)
    while waiting:
        name = waiting.pop()
        if name not in named:
            continue
        yield named[name]
        if name[1] is not None and named[name].kind is AudienceKind.QUERY:
            inner = {(one.audience, one.version) for one in members_named(read_stored(named[name].expression).root)} - seen
            seen |= inner
            waiting += inner


def _check_closure(root: Condition, named: Mapping[Name, NamedAudience], saved_as: str | None) -> None:
    place = next(members_named(root)).place
    if len(named) > MAX_NAMED:
        raise ExpressionError(
            "the audiences that are named name too many others", code=TOO_LARGE, place=place, found=f"{len(named)} audiences",
            expected=f"at most {MAX_NAMED}",
        )  # fmt: skip
    if saved_as is not None and (saved_as, None) in named:
        raise ExpressionError(
            f"the audience {saved_as!r} would be made of itself", code=CYCLE, place=place, found=repr(saved_as),
            expected="audiences that are made without it",
        )  # fmt: skip


def _open(
    name: Name, named: Mapping[Name, NamedAudience], catalogue: Catalogue, opened: dict[Name, CheckedExpression | int]
) -> None:
    """Those that it names first. Of what is saved, nothing names itself."""
    one = named[name]
    if name in opened:
        return
    if one.kind is AudienceKind.LIST:
        opened[name] = one.id
        return
    expression = read_stored(one.expression)
    for member in members_named(expression.root):
        inner = (member.audience, member.version)
        if inner in named:
            _open(inner, named, catalogue, opened)
    opened[name] = check(expression, catalogue, audiences=opened)
