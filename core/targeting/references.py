"""Audiences that questions name: found with all that they name in turn, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from core.db import Connection
from core.recent import per_object
from core.targeting import store
from core.targeting.catalogue import Catalogue
from core.targeting.check import NO_AUDIENCES, Audiences, CheckedExpression, check
from core.targeting.checked import Listed
from core.targeting.errors import CYCLE, TOO_LARGE, ExpressionError
from core.targeting.expansion import filters_called
from core.targeting.filters_called import by_shortcuts, expand_all
from core.targeting.json_parse import read_stored
from core.targeting.language import And, Condition, Expression, Member, Place, every_node
from core.targeting.member_columns import check_reconciled, column_named
from core.targeting.records import AudienceKind, NamedAudience

MAX_NAMED = 200  # audiences that a question names, those that they name included
_MOST_KEPT = 500

Name = tuple[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a question names: all audiences, ready to be asked about, and those that nothing else holds; and its tree, in which
    the questions of filters stand in the place of their calls.

    Held by itself are those that it names, and those that an old version, where it is pinned, named: the audience of that
    version may name them no longer.
    """

    root: Condition
    audiences: Audiences
    held: tuple[NamedAudience, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A question and all audiences that it names, with their trees; in all of them filters' questions stand for their calls."""

    root: Condition
    named: Mapping[Name, NamedAudience]
    roots: Mapping[Name, Condition]
    as_written: bool  # nothing calls a filter of the team's: what is written is what is asked

    def within(self, expression: Expression) -> Expression:
        """The expression with the questions of filters in it; the same object where it calls none."""
        return expression if self.root is expression.root else Expression(root=self.root, text=expression.text)


def members_named(root: Condition) -> Iterator[Member]:
    """Every place where a question names an audience, or a column of its members."""
    for node in every_node(root):
        if isinstance(node, Member):
            yield node
        elif (column := column_named(node)) is not None:
            yield Member(column.audience, None, node.place)


@per_object(_MOST_KEPT)
def _names_nothing(root: Condition) -> bool:
    """Whether a question is all there is to itself: it names no audience and calls no filter."""
    return not any(members_named(root)) and not any(filters_called(root))


async def find_references(
    conn: Connection, root: Condition, catalogue: Catalogue, *, saved_as: str | None = None
) -> References:
    """Look up all audiences that are named; names that are nobody's are left to `check`.

    Raises ExpressionError: AUDIENCE_CYCLE when the question, saved under the name, would name itself; too many.
    """
    found = await find_named(conn, root, saved_as=saved_as)
    first = {(one.audience, one.version) for one in members_named(found.root)}
    return References(
        root=found.root, audiences=open_named(found, catalogue), held=tuple(_held(first, found.named, found.roots))
    )


async def find_named(conn: Connection, root: Condition, *, saved_as: str | None = None) -> Found:
    """All audiences that are named, those that they name included, by the question and by its filters.

    Raises as `find_references`.
    """
    if _names_nothing(root):
        return Found(root=root, named={}, roots={}, as_written=True)
    (expanded,) = await expand_all(conn, [root])
    as_written, root = by_shortcuts(root) is not None, expanded
    named: dict[Name, NamedAudience] = {}
    roots: dict[Name, Condition] = {}
    missing: Set[Name] = {(one.audience, one.version) for one in members_named(root)}
    while missing:
        found = await store.find_named(conn, sorted(missing, key=lambda name: (name[0], name[1] or 0)))
        named |= found
        asked = [name for name, each in found.items() if each.kind is AudienceKind.QUERY]
        written = [read_stored(found[name].expression).root for name in asked]
        opened = await expand_all(conn, written)
        as_written = as_written and all(by_shortcuts(one) is not None for one in written)
        roots |= dict(zip(asked, opened, strict=True))
        wanted = {(one.audience, one.version) for name in asked for one in members_named(roots[name])}
        missing = wanted - named.keys() if found else set()
        _check_closure(root, named, saved_as)
    return Found(root=root, named=named, roots=roots, as_written=as_written)


async def open_all(
    conn: Connection, roots: Sequence[Condition], catalogue: Catalogue, *, strict: bool = True
) -> Audiences:  # fmt: skip
    """All audiences that some questions name, whose filters are written out, ready to be asked about.

    Raises ExpressionError, Conflict (AUDIENCE_NOT_RECONCILED); where it is not `strict`, a file that is not reconciled has
    nobody, and of what cannot be asked there is nothing.
    """
    if all(map(_names_nothing, roots)):
        return NO_AUDIENCES
    try:
        found = await find_named(conn, And(terms=tuple(roots)))
        if not strict:
            found = replace(found, named={name: replace(one, reconciled=True) for name, one in found.named.items()})
        return open_named(found, catalogue)
    except ExpressionError:
        if strict:
            raise
        return NO_AUDIENCES


async def hold_names(conn: Connection, *roots: Condition) -> None:
    """Before what names audiences or calls filters is saved: until the transaction ends, none of their names is taken away."""
    if not all(map(_names_nothing, roots)):
        await store.hold_names(conn)


def open_named(found: Found, catalogue: Catalogue) -> Audiences:
    """What they ask, ready to be asked. Raises ExpressionError, Conflict (AUDIENCE_NOT_RECONCILED)."""
    audiences: dict[Name, CheckedExpression | Listed] = {}
    for name in found.named:
        _open(name, found.named, found.roots, catalogue, audiences)
    return audiences


def _held(
    first: Iterable[Name], named: Mapping[Name, NamedAudience], roots: Mapping[Name, Condition]
) -> Iterator[NamedAudience]:
    waiting, seen = list(first), set(first)
    while waiting:
        name = waiting.pop()
        if name not in named:
            continue
        yield named[name]
        if name[1] is not None and named[name].kind is AudienceKind.QUERY:
            inner = {(one.audience, one.version) for one in members_named(roots[name])} - seen
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
        raise _circular(saved_as, place)


def _circular(name: str, place: Place) -> ExpressionError:
    return ExpressionError(
        f"the audience {name!r} would be made of itself", code=CYCLE, place=place, found=repr(name),
        expected="audiences that are made without it",
    )  # fmt: skip


def _open(
    name: Name, named: Mapping[Name, NamedAudience], roots: Mapping[Name, Condition], catalogue: Catalogue,
    opened: dict[Name, CheckedExpression | Listed], within: tuple[Name, ...] = (),
) -> None:  # fmt: skip
    """Those that it names first. Of what is saved nothing names itself, but through a filter that is being saved it may."""
    one = named[name]
    if name in opened:
        return
    if one.kind is not AudienceKind.QUERY:
        check_reconciled(one.name, one.kind, one.reconciled)
        opened[name] = Listed(id=one.id, columns=one.columns)
        return
    for member in members_named(roots[name]):
        inner = (member.audience, member.version)
        if inner == name or inner in within:
            raise _circular(member.audience, member.place)
        if inner in named:
            _open(inner, named, roots, catalogue, opened, (*within, name))
    opened[name] = check(Expression(root=roots[name], text=""), catalogue, audiences=opened)


async def open_expression(conn: Connection, expression: Expression, catalogue: Catalogue) -> CheckedExpression:
    """A question with all that it names, held against a catalogue. Raises as `open_named`."""
    found = await find_named(conn, expression.root)
    return check(found.within(expression), catalogue, audiences=open_named(found, catalogue))
