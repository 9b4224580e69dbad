"""Dynamic content: which variant of a place a recipient sees is decided by the first condition that is true."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, SmallInteger, case, cast, literal, select

from core.clock import UTC_ZONE
from core.content.data import is_storable
from core.content.expansion import MAX_CHARACTERS
from core.content.records import ContentWarning, DynamicContent
from core.content.suggestions import nearest
from core.errors import Invalid
from core.targeting.catalogue import CATALOGUE, Catalogue
from core.targeting.check import NO_AUDIENCES, Audiences, CheckedExpression, check
from core.targeting.errors import ExpressionError
from core.targeting.expansion import Definition, expand, filters_called
from core.targeting.language import Expression
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.references import members_named
from core.targeting.shortcuts import SHORTCUT_DEFINITIONS, SHORTCUTS
from core.targeting.sql import compile_statement, predicate
from core.targeting.text_form import to_text

MOST_PLACES = 50
MOST_VARIANTS = 50  # of one place
MOST_VALUES = 10_000  # that all conditions of a content compare with: a statement takes 32,767
VARIANTS = "#dynamic"  # the numbers of a recipient's variants among the values of its ledger row; no field is called so
Definitions: TypeAlias = Mapping[str, Definition]  # of filters, by name
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def check_dynamic(
    dynamic: Sequence[DynamicContent],
    catalogue: Catalogue = CATALOGUE,
    definitions: Definitions = SHORTCUT_DEFINITIONS,
    audiences: Audiences = NO_AUDIENCES,
) -> Iterator[Invalid]:
    """One problem for each thing that cannot be decided, with its place such as `dynamic.hero.variants.0.condition:1:5`."""
    if len(dynamic) > MOST_PLACES:
        yield _invalid("dynamic", "TOO_MANY_VARIANTS", f"there are more than {MOST_PLACES} dynamic contents")
        return
    seen: set[str] = set()
    values = 0
    for place in dynamic:
        path = f"dynamic.{place.name[:80]}"
        if not _NAME.fullmatch(place.name):
            yield _invalid(path, "BAD_DYNAMIC_NAME", f"{place.name[:80]!r} is not a name of letters, digits and '_'")
        if place.name in seen:
            yield _invalid(path, "BAD_DYNAMIC_NAME", f"there are two dynamic contents {place.name!r}")
        seen.add(place.name)
        if not 1 <= len(place.variants) <= MOST_VARIANTS:
            yield _invalid(path, "TOO_MANY_VARIANTS", f"dynamic content has 1 to {MOST_VARIANTS} variants besides the default")
            continue
        yield from _bad_text(path, place.html, place.text)
        for index, variant in enumerate(place.variants):
            yield from _bad_text(f"{path}.variants.{index}", variant.html, variant.text)
            try:
                checked(
                    variant.condition, catalogue, definitions, audiences
                )  # first as it was written: for the places of errors
                written = written_out(variant.condition, definitions)
                values += _count(checked(written, catalogue, audiences=audiences))
            except ExpressionError as error:
                where = f"{path}.variants.{index}.condition:{error.place.line}:{error.place.column}"
                yield Invalid(error.message, code=error.code, path=where, hint=error.hint)
    if values > MOST_VALUES:
        message = f"the conditions compare with {values:,} values, more than {MOST_VALUES:,}"
        yield _invalid("dynamic", "EXPRESSION_TOO_LARGE", message)


def checked(
    condition: str,
    catalogue: Catalogue = CATALOGUE,
    definitions: Definitions = SHORTCUT_DEFINITIONS,
    audiences: Audiences = NO_AUDIENCES,
) -> CheckedExpression:
    """A condition on profiles, which may call filters and name audiences. Raises ExpressionError."""
    written = parse_text(condition)
    return check(Expression(root=expand(written.root, definitions), text=written.text), catalogue, audiences=audiences)


def written_out(condition: str, definitions: Definitions = SHORTCUT_DEFINITIONS) -> str:
    """The condition without calls of filters: what they ask now, whatever becomes of them. Raises ExpressionError."""
    written = parse_text(condition)
    root = expand(written.root, definitions)
    return condition if root is written.root else to_text(root)


def filters_of(condition: str, definitions: Definitions) -> set[str]:
    """The saved filters that a condition calls, also through others."""
    waiting, found = [parse_text(condition).root], set[str]()
    while waiting:
        names = {call.function for call in filters_called(waiting.pop())} & definitions.keys() - found
        found |= names
        waiting += [definitions[name].root for name in names]
    return found - SHORTCUTS.keys()


def audiences_of(condition: CheckedExpression) -> Iterator[str]:
    """The audiences that a condition names, and those that old versions of theirs, where it is pinned to them, named."""
    for member in members_named(condition.expression.root):
        yield member.audience
        found = condition.audiences.get((member.audience, member.version))
        if member.version is not None and isinstance(found, CheckedExpression):
            yield from audiences_of(found)


def variant_number(
    conditions: Sequence[str],
    *,
    at: datetime,
    zone: ZoneInfo,
    profile: FromClause,
    catalogue: Catalogue = CATALOGUE,
    audiences: Audiences = NO_AUDIENCES,
) -> ColumnElement[int]:
    """The number of the first condition that is true, from 1; 0 where none is, also for want of a value."""
    cases = [
        (predicate(checked(condition, catalogue, audiences=audiences), at=at, zone=zone, source=profile), literal(number))
        for number, condition in enumerate(conditions, 1)
    ]
    return cast(case(*cases, else_=0), SmallInteger)


def check_chosen(dynamic: Sequence[DynamicContent], variants: Mapping[str, int]) -> Iterator[Invalid]:
    """One problem for each variant that somebody asked to see and that is not there (UNKNOWN_DYNAMIC, UNKNOWN_VARIANT)."""
    places = {place.name: place for place in dynamic}
    for name, number in variants.items():
        if name not in places:
            near = nearest(name, places)
            hint = f"Did you mean {near!r}?" if near else f"There are {', '.join(places)}." if places else "There is none."
            yield Invalid(f"there is no dynamic content {name[:80]!r}", code="UNKNOWN_DYNAMIC", path="variants", hint=hint)
        elif not 0 <= number <= len(places[name].variants):
            yield Invalid(
                f"{name!r} has no variant {number}", code="UNKNOWN_VARIANT", path="variants",
                hint=f"It has 1 to {len(places[name].variants)}, and 0 for the default.",
            )  # fmt: skip


def unused(dynamic: Sequence[DynamicContent], used: Collection[str]) -> Iterator[ContentWarning]:
    """A warning for each that is neither shown nor asked for."""
    for place in dynamic:
        if place.name not in used:
            yield ContentWarning(
                code="DYNAMIC_UNUSED", message=f"nothing shows the dynamic content {place.name!r}",
                hint=f'Write {{% dynamic "{place.name}" %}} where it belongs, or take it out.', part=f"dynamic.{place.name}",
            )  # fmt: skip


def _count(condition: CheckedExpression) -> int:
    rows = entity_table(condition.entity)
    built = predicate(condition, at=datetime(2000, 1, 1, tzinfo=UTC_ZONE), zone=UTC_ZONE, source=rows)
    return len(compile_statement(select(built)).args)


def _bad_text(path: str, html: str, text: str | None) -> Iterator[Invalid]:
    for name, source in (("html", html), ("text", text or "")):
        if len(source) > MAX_CHARACTERS:
            yield _invalid(f"{path}.{name}", "PART_TOO_LARGE", f"longer than {MAX_CHARACTERS:,} characters")
        elif not is_storable(source):
            yield _invalid(f"{path}.{name}", "BAD_TEXT", "it contains NUL or half a character")


def _invalid(path: str, code: str, message: str) -> Invalid:
    return Invalid(message, code=code, path=path)
