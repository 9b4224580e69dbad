"""What questions say of linked rows: paths of links, the rows at their end, and what is made of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.targeting.catalogue import CatalogueField, CatalogueLink, Entity, Kind
from core.targeting.checked import Checker
from core.targeting.errors import BAD_VALUE, SYNTAX, TOO_LARGE, UNKNOWN_FIELD, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.language import (
    MAX_LINKS,
    MAX_SEPARATOR,
    MAX_STEPS,
    MAX_TOP,
    MAX_YEARS,
    Aggregate,
    Field,
    Following,
    Measure,
    Operand,
    Place,
    Selection,
    Stage,
    Top,
    Unit,
)
from core.targeting.operators import MEASURES, ORDERED, TIMES
from core.targeting.scopes import Scope
from core.targeting.value_checks import DAYS, a, too_large


def find_field(
    checker: Checker, node: Field, *, text: bool = False, values: Mapping[str, int | str] = MappingProxyType({})
) -> CatalogueField:
    """The field; `text` and `values` say what else its name may have been meant as."""
    *links, name = node.path
    scope = follow(checker, links, node.place, to_one=True)
    fields = scope.entity.fields
    if name not in fields:
        raise _unknown(checker, node, scope, name, text and not links, values)
    _read(checker, scope, name)
    checker.fields[id(node)] = fields[name]
    return fields[name]


def _unknown(
    checker: Checker, node: Field, scope: Scope, name: str, text: bool, values: Mapping[str, int | str]
) -> ExpressionError:  # fmt: skip
    entity = scope.entity
    if isinstance(scope.step(name), CatalogueLink | Scope):
        return ExpressionError(
            f"{entity.name}.{name} is a link, not a field", code=WRONG_TYPE, place=node.place, found=shown(name),
            expected="a field of what it leads to, or a question such as exists or count",
            suggestion=f"exists({'.'.join(node.path)})",
        )  # fmt: skip
    quoted = f"'{name}' in quotes"
    near = closest(name, entity.fields) or (quoted if text else None)
    return ExpressionError(
        f"{entity.name} has no field {shown(name)}", code=UNKNOWN_FIELD, place=node.place,
        found=shown(name), expected=f"a field of {entity.name}", suggestion=quoted if name in values else near,
    )  # fmt: skip


def _read(checker: Checker, scope: Scope, name: str) -> None:
    entity = scope.entity.name
    checker.reads.add(name if entity == "profile" else f"{entity}.{name}")


def follow(checker: Checker, links: Sequence[str], place: Place, *, to_one: bool) -> Scope:
    """The row, or the rows, at the end of a path of links."""
    scope = checker.scope
    followed = 0
    for index, name in enumerate(links):
        step = scope.step(name)
        if step is None:
            raise _no_link(scope.entity, name, links, place, to_one=to_one)
        if isinstance(step, Scope):
            if followed and (to_one or step is not checker.scope or index < len(links) - 1):
                raise ExpressionError(
                    f"{name} leads back to the row that one came from", code=WRONG_TYPE, place=place, found=shown(name),
                    expected="links that lead on",
                )  # fmt: skip
            scope = step
            continue
        followed += 1
        if followed > MAX_LINKS:
            raise too_large("a path has too many links", place, "another link", MAX_LINKS)
        if step.many and to_one:
            raise ExpressionError(
                f"{name} leads to many rows", code=WRONG_TYPE, place=place, found=shown(name),
                expected="a question about them", suggestion=f"exists({name} where …) or max({name}.…)",
            )  # fmt: skip
        _read(checker, scope, name)
        checker.entities.add(step.target)
        scope = scope.within(checker.catalogue.entities[step.target], step)
    return scope


def rows_of(checker: Checker, node: Selection, depth: int, *, many: bool = False) -> Scope:
    """The rows of a selection; its condition is about them."""
    checker.count(node.place, depth)
    scope = follow(checker, node.path, node.place, to_one=False)
    if many and not _leads_to_many(scope, checker.scope):
        raise ExpressionError(
            f"{node.path[-1]} leads to one row", code=WRONG_TYPE, place=node.place, found=shown(node.path[-1]),
            expected="a link to many rows", suggestion="a field of it, as in " + ".".join(node.path) + ".name",
        )  # fmt: skip
    if scope is checker.scope or scope.parent is None:
        raise ExpressionError(
            f"{node.path[-1]} is the row that is asked about itself", code=WRONG_TYPE, place=node.place,
            found=shown(node.path[-1]), expected="a link to other rows",
        )  # fmt: skip
    if node.where is not None:
        with checker.about(scope):
            checker.condition(node.where, depth + 1)
    return scope


def check_aggregate(checker: Checker, node: Aggregate, depth: int) -> Kind:
    rule = MEASURES[node.measure]
    scope = rows_of(checker, node.selection, depth + 1, many=True)
    if node.distinct and node.measure is not Measure.COUNT:
        raise ExpressionError(
            f"{node.measure.value} takes every value", code=SYNTAX, place=node.place, found="distinct",
            expected="no distinct here", suggestion="count(distinct …)",
        )  # fmt: skip
    _check_separator(node)
    with checker.about(scope):
        kind = None if node.value is None else checker.kind(node.value, depth + 1)
        if kind is not None and kind not in rule.takes:
            assert node.value is not None
            raise ExpressionError(
                f"{node.measure.value} does not work with {a(kind)}", code=WRONG_TYPE, place=node.value.place,
                found=a(kind), expected=" or ".join(a(kind) for kind in Kind if kind in rule.takes),
            )  # fmt: skip
        if rule.ordered:
            _moment(checker, node.by, scope, node.place, depth)
        elif node.by is not None:
            raise ExpressionError(
                f"{node.measure.value} has no order", code=SYNTAX, place=node.by.place, found="by",
                expected="no by here", suggestion="first or last",
            )  # fmt: skip
    if rule.gives is not None:
        return rule.gives
    assert kind is not None, "only counts are without a value"
    assert node.value is not None
    if (field := checker.fields.get(id(node.value))) is not None:
        checker.fields[id(node)] = field
    return kind


def _check_separator(node: Aggregate) -> None:
    if node.separator is None:
        return
    if node.measure is not Measure.JOIN:
        raise ExpressionError(
            f"{node.measure.value} puts nothing between", code=SYNTAX, place=node.place, found="a separator",
            expected="no separator here", suggestion="join(… , ', ')",
        )  # fmt: skip
    if len(node.separator) > MAX_SEPARATOR:
        raise too_large("a separator is too long", node.place, f"{len(node.separator)} characters", MAX_SEPARATOR, "characters")


def _moment(
    checker: Checker, by: Operand | None, scope: Scope, place: Place, depth: int, kinds: frozenset[Kind] = ORDERED
) -> Kind:
    """What orders rows: what is said, or the time that their entity has."""
    if by is None:
        time = scope.entity.time
        if time is not None:
            _read(checker, scope, time)
            return scope.entity.fields[time].kind
        times = [field.name for field in scope.entity.fields.values() if field.kind in TIMES]
        raise ExpressionError(
            f"{scope.entity.name} has {'several times' if times else 'no time'}", code=SYNTAX, place=place, found="no by",
            expected="by and a time of these rows" if times else "rows that have a time, or by and what puts them in order",
            suggestion=f"by {times[-1]}" if times else None,
        )  # fmt: skip
    return check_order(checker, by, depth, kinds)


def check_order(checker: Checker, by: Operand, depth: int, kinds: frozenset[Kind] = ORDERED) -> Kind:
    """Rows can be put in order by an operand. Raises ExpressionError."""
    kind = checker.kind(by, depth + 1)
    if kind not in kinds:
        raise ExpressionError(
            f"rows are not put in order by {a(kind)}", code=WRONG_TYPE, place=by.place, found=a(kind),
            expected=" or ".join(a(kind) for kind in Kind if kind in kinds),
        )  # fmt: skip
    return kind


def check_following(checker: Checker, node: Following, depth: int) -> None:
    checker.count(node.place, depth)
    links = sum(len(stage.selection.path) for stage in node.stages)
    if links > MAX_STEPS:
        raise too_large("a sequence has too many steps", node.place, f"{links} steps and links", MAX_STEPS)
    kinds = []
    for index, stage in enumerate(node.stages):
        scope = rows_of(checker, stage.selection, depth + 1)
        with checker.about(scope):
            kinds.append(_moment(checker, stage.by, scope, stage.selection.place, depth, TIMES))
        if stage.within is not None:
            _check_within(checker, stage, index, kinds)


def _check_within(checker: Checker, stage: Stage, index: int, kinds: Sequence[Kind]) -> None:
    assert stage.within is not None
    unit, amount = stage.within
    place = stage.selection.place
    if index == 0:
        raise ExpressionError(
            "the first of a sequence follows nothing", code=SYNTAX, place=place, found="within",
            expected="within after a later step",
        )  # fmt: skip
    if amount < 1:
        raise ExpressionError(
            "within no time nothing follows", code=BAD_VALUE, place=place, found=f"{amount} {unit.value}",
            expected="1 or more",
        )  # fmt: skip
    if amount * DAYS[unit] > MAX_YEARS * 366:
        raise too_large("a step of a sequence is too long", place, "a longer time", MAX_YEARS, "years")
    if Kind.DATE in kinds[-2:] and unit in (Unit.HOURS, Unit.MINUTES, Unit.SECONDS):
        raise ExpressionError(
            f"a day has no {unit.value}", code=WRONG_TYPE, place=place, found=unit.value,
            expected="years, months, weeks or days",
        )  # fmt: skip


def check_top(checker: Checker, node: Top, depth: int) -> None:
    checker.count(node.place, depth)
    if not checker.scope.entity.single:
        raise ExpressionError(
            f"there is no top of {checker.scope.entity.name}", code=WRONG_TYPE, place=node.place,
            found=f"a top of {checker.scope.entity.name}", expected="a top of rows that have a number of their own",
        )  # fmt: skip
    if not 1 <= node.size <= MAX_TOP:
        raise ExpressionError(
            "a top has too many rows or none", code=TOO_LARGE, place=node.place, found=f"{node.size} rows",
            expected=f"a number from 1 to {MAX_TOP}",
        )  # fmt: skip
    with checker.about(Scope(entity=checker.scope.entity)):
        check_order(checker, node.by, depth)
        if node.where is not None:
            checker.condition(node.where, depth + 1)


def _no_link(entity: Entity, name: str, links: Sequence[str], place: Place, *, to_one: bool) -> ExpressionError:
    known = sorted(entity.links)
    suggestion = closest(name, known)
    if name in entity.fields and len(links) > 1:
        suggestion = f"{'.'.join(links[:-1])} where not {name} is_null"
    return ExpressionError(
        f"{entity.name} has no link {shown(name)}", code=UNKNOWN_FIELD, place=place, found=shown(name),
        expected="one of " + " ".join(known) if known and not to_one else f"a field of {entity.name}",
        suggestion=suggestion,
    )  # fmt: skip


def _leads_to_many(scope: Scope, origin: Scope) -> bool:
    while scope is not origin and scope.parent is not None:
        if scope.via is not None and scope.via.many:
            return True
        scope = scope.parent
    return False
