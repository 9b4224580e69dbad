"""Saved filters within questions: a call of a filter becomes its question, with the arguments in the place of its parameters.

`big_spender(100)` calls the filter `big_spender`, in whose question `parameter('minimum')` stands for the 100. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from core.targeting.catalogue import Kind
from core.targeting.errors import CYCLE, SYNTAX, TOO_LARGE, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.functions import FUNCTIONS
from core.targeting.language import (
    MAX_PARTS,
    NOWHERE,
    Anchor,
    Call,
    Condition,
    Expression,
    Literal,
    Place,
    Relative,
    Unit,
    every_node,
    relative,
)
from core.targeting.member_columns import FUNCTION as COLUMN_FUNCTION
from core.targeting.records import Parameter
from core.targeting.text_form import to_text
from core.targeting.value_checks import a, described, kind_of_literal

PARAMETER = "parameter"
UNKNOWN_PARAMETER = "UNKNOWN_PARAMETER"
MAX_FILTERS = 20  # within each other
MOST_FOLDED = 1_000  # years, days, …: no such time is out of reach

_MOVING = {f"add_{unit.value}": unit for unit in Unit}

_OURS = frozenset({PARAMETER, COLUMN_FUNCTION, *FUNCTIONS})
_TAKES: Mapping[Kind, frozenset[Kind]] = {
    Kind.TEXT: frozenset({Kind.TEXT}),
    Kind.INTEGER: frozenset({Kind.INTEGER}),
    Kind.DECIMAL: frozenset({Kind.INTEGER, Kind.DECIMAL}),
    Kind.BOOLEAN: frozenset({Kind.BOOLEAN}),
    Kind.DATE: frozenset({Kind.DATE}),
    Kind.INSTANT: frozenset({Kind.INSTANT}),
}
PARAMETER_KINDS = frozenset(_TAKES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a call of a filter stands for."""

    name: str
    parameters: tuple[Parameter, ...]
    root: Condition

    @property
    def signature(self) -> str:
        """How it is called: `big_spender(minimum, since?)`."""
        names = [one.name + ("?" if one.default is not None else "") for one in self.parameters]
        return f"{self.name}({', '.join(names)})"


def filters_called(root: Any) -> Iterator[Call]:
    """Every call of what is no function: of a filter, if there is one of the name."""
    return (node for node in every_node(root) if isinstance(node, Call) and node.function not in _OURS)


def expand(root: Condition, definitions: Mapping[str, Definition]) -> Condition:
    """The question with its filters' questions in it; calls of what is no filter are left to `check`.

    Raises ExpressionError: wrong arguments, AUDIENCE_CYCLE for a filter that is made of itself, too large a whole.
    """
    return _Expander(definitions).expanded(root, ())


def filled(root: Condition, values: Mapping[str, Literal | Relative]) -> Condition:
    """The question with values in the place of its parameters. Raises ExpressionError (UNKNOWN_PARAMETER)."""

    def change(node: Any) -> Any:
        if not isinstance(node, Call) or node.function != PARAMETER:
            return None
        name = _name_of(node)
        if name not in values:
            raise ExpressionError(
                f"there is no parameter {shown(name)}", code=UNKNOWN_PARAMETER, place=node.place, found=shown(name),
                expected="one of " + " ".join(values) if values else "a question without parameters",
                suggestion=closest(name, values),
            )  # fmt: skip
        return values[name]

    found: Condition = _rebuilt(root, change)
    return found


def given(expression: Expression, values: Mapping[str, Condition]) -> Expression:
    """A question with the values of its parameters in it. Raises ExpressionError (UNKNOWN_PARAMETER, WRONG_TYPE)."""
    known: dict[str, Literal | Relative] = {}
    for name, value in values.items():
        if not isinstance(value, (Literal, Relative)):
            raise ExpressionError(
                f"the parameter {shown(name)} is given a value", code=WRONG_TYPE, place=value.place, found="another operand",
                expected="a value that is written down",
            )  # fmt: skip
        known[name] = value
    root = filled(expression.root, known)
    asked = {_name_of(node) for node in every_node(expression.root) if isinstance(node, Call) and node.function == PARAMETER}
    for name in known.keys() - asked:
        raise ExpressionError(
            f"the question has no parameter {shown(name)}", code=UNKNOWN_PARAMETER, place=NOWHERE, found=shown(name),
            expected="one of " + " ".join(sorted(asked)) if asked else "a question with parameters",
            suggestion=closest(name, asked),
        )  # fmt: skip
    return expression if root is expression.root else Expression(root=root, text=to_text(root))


def check_value_of(parameter: Parameter, value: Condition, place: Place) -> Literal | Relative:
    """A value that is fit for a parameter. Raises ExpressionError (WRONG_TYPE)."""
    if isinstance(value, Literal):
        kind = kind_of_literal(value)
    elif isinstance(value, Relative):
        kind = Kind.INSTANT if value.anchor is Anchor.NOW else Kind.DATE
    else:
        raise ExpressionError(
            f"the parameter {parameter.name} is given a value", code=WRONG_TYPE, place=place, found="another operand",
            expected=f"{a(parameter.kind)} that is written down",
        )  # fmt: skip
    if kind not in _TAKES[parameter.kind]:
        raise ExpressionError(
            f"the parameter {parameter.name} is {a(parameter.kind)}", code=WRONG_TYPE, place=place,
            found=described(value, kind), expected=a(parameter.kind),
        )  # fmt: skip
    return value


class _Expander:
    """Counts what it makes, for filters in filters can make much of little."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._parts = 0

    def expanded(self, root: Condition, within: tuple[str, ...]) -> Condition:
        def change(node: Any) -> Any:
            if isinstance(node, Call) and node.function in self._definitions:
                return self._call(node, within)
            return None

        found: Condition = _rebuilt(root, change)
        return found

    def _call(self, node: Call, within: tuple[str, ...]) -> Condition:
        definition = self._definitions[node.function]
        if node.function in within:
            raise ExpressionError(
                f"the filter {node.function} is made of itself", code=CYCLE, place=node.place, found=shown(node.function),
                expected="filters that are made without it",
            )  # fmt: skip
        if len(within) >= MAX_FILTERS:
            raise _too_large("filters are nested too deeply", node.place, MAX_FILTERS)
        self._parts += sum(1 for _ in every_node(definition.root))
        if self._parts > MAX_PARTS:
            raise _too_large("the filters have too many parts together", node.place, MAX_PARTS)
        root = filled(_placed(definition.root, node.place), _arguments(definition, node))
        return self.expanded(_folded(root), (*within, node.function))


def _arguments(definition: Definition, node: Call) -> dict[str, Literal | Relative]:
    given: Sequence[Any] = node.arguments
    needed = sum(1 for one in definition.parameters if one.default is None)
    if not needed <= len(given) <= len(definition.parameters):
        raise ExpressionError(
            f"the filter {definition.name} has the wrong number of arguments", code=SYNTAX, place=node.place,
            found=str(len(given)), expected=definition.signature,
        )  # fmt: skip
    values = {one.name: one.default for one in definition.parameters if one.default is not None}
    for parameter, value in zip(definition.parameters, given, strict=False):
        values[parameter.name] = check_value_of(parameter, value, value.place)
    return values


def _name_of(node: Call) -> str:
    if len(node.arguments) == 1 and isinstance(one := node.arguments[0], Literal) and isinstance(one.value, str):
        return one.value
    raise ExpressionError(
        "a parameter is named by a text", code=SYNTAX, place=node.place, found=f"{len(node.arguments)} arguments",
        expected="one text, as in parameter('minimum')",
    )  # fmt: skip


def _rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """A tree in which some nodes are others; what stays as it was is the same object."""
    found = change(node)
    return _with_parts(node, lambda part: _rebuilt(part, change)) if found is None else found


def _with_parts(node: Any, make: Callable[[Any], Any]) -> Any:
    """A node with something made of each below it; the same object where nothing is another."""
    parts = {one.name: getattr(node, one.name) for one in fields(node)}
    made = {name: _each(part, make) for name, part in parts.items()}
    different = {name: value for name, value in made.items() if value is not parts[name]}
    return replace(node, **different) if different else node


def _each(part: Any, make: Callable[[Any], Any]) -> Any:
    if isinstance(part, tuple):
        made = tuple(_each(one, make) for one in part)
        return made if any(one is not other for one, other in zip(made, part, strict=True)) else part
    return make(part) if is_dataclass(part) and not isinstance(part, Place) else part


def _folded(node: Any) -> Any:
    """A tree in which what a parameter moves now by is written as questions write it: `add_days(now, 0 - 5)` as `now - 5 days`.
    Of these it is known when they come to pass."""
    made = _with_parts(node, _folded)
    match made:
        case Call(function="subtract", arguments=(left, right)):
            whole, less = _small(left), _small(right)
            if whole is not None and less is not None:
                return Literal(whole - less, made.place)
        case Call(function=name, arguments=(Relative(anchor=Anchor.NOW, offsets=()), right)) if name in _MOVING:
            by = _small(right)
            if by is not None:
                return relative(Anchor.NOW, [(_MOVING[name], by)], made.place)
    return made


def _small(node: Any) -> int | None:
    """A whole number that is written down, where no time so far away is out of reach."""
    value = node.value if isinstance(node, Literal) else None
    return value if type(value) is int and abs(value) <= MOST_FOLDED else None


def _placed(node: Any, place: Place) -> Any:
    """A copy of a tree that stands all at one place: that of the call which it is made of."""
    if isinstance(node, tuple):
        return tuple(_placed(one, place) for one in node)
    if isinstance(node, Place):
        return place
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return replace(node, **{one.name: _placed(getattr(node, one.name), place) for one in fields(node)})


def _too_large(message: str, place: Place, most: int) -> ExpressionError:
    return ExpressionError(message, code=TOO_LARGE, place=place, found="more", expected=f"at most {most}")
