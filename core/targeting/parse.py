"""Text → tree. Errors carry line and column, what was found, what was expected, and a suggestion (`parse_errors`)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedInput

from core.targeting.errors import SYNTAX, TOO_LARGE, WRONG_TYPE, ExpressionError, shown
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LENGTH,
    NOWHERE,
    SIGNS,
    Aggregate,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Exists,
    Expression,
    Field,
    Following,
    Literal,
    Measure,
    Member,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Order,
    Place,
    Rank,
    Relative,
    Selection,
    Stage,
    Test,
    Top,
    Unit,
    relative,
    too_deep,
)
from core.targeting.literals import day_of, decimal_of, field_of, instant_of, integer_of, text_of
from core.targeting.parse_errors import explain

_SHORT, _MOST_KEPT = 2_000, 1_000  # characters of a text that is remembered, and how many such texts
_Children: TypeAlias = list[Any]
_ALIASES = {"==": "=", "<>": "!="}


def parse_text(source: str) -> Expression:
    """Read the text spelling; the same object for the same text, if it was read lately. Raises ExpressionError."""
    return _remembered(source) if len(source) <= _SHORT else _parsed(source)


@lru_cache(maxsize=_MOST_KEPT)
def _remembered(source: str) -> Expression:
    return _parsed(source)


def _parsed(source: str) -> Expression:
    if len(source) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression is longer than {MAX_LENGTH} characters", code=TOO_LARGE,
            place=NOWHERE, found=f"{len(source)} characters", expected=f"at most {MAX_LENGTH}",
        )  # fmt: skip
    try:
        root: Condition = _parser().parse(source)  # type: ignore[assignment]  # the transformer replaces the tree
    except UnexpectedInput as error:
        raise explain(error, source) from None
    deep = too_deep(root)
    if deep is not None:
        raise ExpressionError(
            "the expression is nested too deeply", code=TOO_LARGE, place=deep, found="another level",
            expected=f"at most {MAX_DEPTH}",
        )  # fmt: skip
    return Expression(root=root, text=source)


def _at(first: Token | Condition) -> Place:
    """Where a rule starts: at its first token, or where its first node does."""
    return Place(line=first.line, column=first.column) if isinstance(first, Token) else first.place


def _unit_of(word: Token) -> Unit:
    return Unit(word.lower().rstrip("s") + "s")


def _maybe_not(children: _Children, condition: Condition) -> Condition:
    """`x not in (…)` is `not x in (…)`."""
    negated = any(isinstance(child, Token) and child.type == "NOT" for child in children)
    return Not(condition, _at(children[0])) if negated else condition


def _operands(children: _Children) -> tuple[Operand, ...]:
    """What a rule holds beside its signs. Raises ExpressionError for a condition in parentheses."""
    found = tuple(child for child in children if child is not None and not isinstance(child, Token))
    for child in found:
        if isinstance(child, Test):
            raise ExpressionError(
                "a condition cannot be an operand", code=WRONG_TYPE, place=child.place, found="a condition",
                expected="a field, a value, a time or a function",
            )  # fmt: skip
    return found


def aggregate_of(
    measure: Measure, asked: Operand, *, rows: Operand | None, by: Operand | None, where: Condition | None, distinct: bool,
    place: Place,
) -> Aggregate:  # fmt: skip
    """An aggregate as people write it: `sum(amount of purchases)`, or for short `sum(purchases.amount)`."""
    if rows is not None:
        return Aggregate(measure, Selection(_path(rows), where, rows.place), asked, by, distinct, place=place)
    path = _path(asked)
    if measure is Measure.COUNT and not distinct:
        return Aggregate(measure, Selection(path, where, asked.place), None, by, distinct, place=place)
    if len(path) < 2:
        raise ExpressionError(
            f"{measure.value} needs a value of the rows", code=SYNTAX, place=asked.place, found=shown(path[0]),
            expected=f"a field of them, as in {measure.value}({path[0]}.amount)",
        )  # fmt: skip
    return Aggregate(
        measure, Selection(path[:-1], where, asked.place), Field(path[-1:], asked.place), by, distinct, place=place
    )


def _path(operand: Operand) -> tuple[str, ...]:
    if isinstance(operand, Field):
        return operand.path
    raise ExpressionError(
        "rows are named by their link", code=SYNTAX, place=operand.place, found="another operand",
        expected="the name of a link, as in count(purchases) or sum(price * quantity of purchases)",
    )  # fmt: skip


def _clauses(children: _Children) -> dict[str, _Children]:
    """What stands before the first of the words `by`, `where`, …, under no name, and what stands after each of them."""
    clauses: dict[str, _Children] = {"": []}
    word = ""
    for child in children:
        if isinstance(child, Token) and child.type in ("OF", "BY", "PER", "WHERE", "WITHIN"):
            clauses[word := child.type] = []
        else:
            clauses[word].append(child)
    return clauses


def _only(clauses: dict[str, _Children], word: str) -> Any:
    """What stands after a word; None without it."""
    return clauses[word][0] if word in clauses else None


def _selection(names: _Children, where: Condition | None) -> Selection:
    place = _at(names[0])
    return Selection(field_of([str(name) for name in names], place).path, where, place)


class _Builder(Transformer[Token, Condition]):
    """One method per rule of the grammar, each building its node."""

    def start(self, children: _Children) -> Condition:
        return children[0]  # type: ignore[no-any-return]

    def any_of(self, children: _Children) -> Condition:
        return Or(tuple(children), _at(children[0])) if len(children) > 1 else children[0]

    def all_of(self, children: _Children) -> Condition:
        return And(tuple(children), _at(children[0])) if len(children) > 1 else children[0]

    def opposite(self, children: _Children) -> Condition:
        return Not(children[-1], _at(children[0]))

    def comparison(self, children: _Children) -> Condition:
        sign = children[1]
        return Operation(Operator(_ALIASES.get(str(sign), str(sign))), _operands(children), _at(sign))

    def text_test(self, children: _Children) -> Condition:
        sign = next(child for child in children if isinstance(child, Token) and child.type == "TEXT_OPERATOR")
        return _maybe_not(children, Operation(Operator(sign.lower()), _operands(children), _at(sign)))

    def membership(self, children: _Children) -> Condition:
        sign = next(child for child in children if isinstance(child, Token) and child.type == "IN")
        return _maybe_not(children, Operation(Operator.IN, _operands(children), _at(sign)))

    def range(self, children: _Children) -> Condition:
        sign = next(child for child in children if isinstance(child, Token) and child.type == "BETWEEN")
        return _maybe_not(children, Operation(Operator.BETWEEN, _operands(children), _at(sign)))

    def null_test(self, children: _Children) -> Condition:
        return Operation(Operator.IS_NULL, _operands(children), _at(children[1]))

    def not_null_test(self, children: _Children) -> Condition:
        return Not(self.null_test(children), _at(children[0]))

    def rows(self, children: _Children) -> Selection:
        clauses = _clauses(children)
        return _selection(clauses[""], _only(clauses, "WHERE"))

    def existence(self, children: _Children) -> Exists:
        return Exists(children[1], _at(children[0]))

    def stage(self, children: _Children) -> Stage:
        clauses = _clauses(children)
        within = None
        if "WITHIN" in clauses:
            count, unit = clauses["WITHIN"]
            within = _unit_of(unit), int(count)
        return Stage(_selection(clauses[""], _only(clauses, "WHERE")), _only(clauses, "BY"), within)

    def sequence(self, children: _Children) -> Following:
        return Following(tuple(child for child in children if isinstance(child, Stage)), _at(children[0]))

    def top(self, children: _Children) -> Top:
        clauses = _clauses(children[1:])
        *lowest, size = clauses[""]
        number = integer_of(str(size), _at(size)).value
        assert isinstance(number, int), "the grammar has whole numbers there"
        return Top(number, _only(clauses, "BY"), bool(lowest), _only(clauses, "WHERE"), _at(children[0]))

    def order(self, children: _Children) -> Order:
        (value,) = _operands(children)
        return Order(value, any(isinstance(child, Token) and child.lower() == "desc" for child in children))

    def rank(self, children: _Children) -> Rank:
        clauses = _clauses(children[1:])
        by = tuple(one for one in clauses["BY"] if isinstance(one, Order))
        return Rank(by, _operands(clauses.get("PER", [])), _only(clauses, "WHERE"), _at(children[0]))

    def membership_in_audience(self, children: _Children) -> Member:
        word, name, *version = children
        audience = self.text([name]).value
        number = integer_of(str(version[0]), _at(version[0])).value if version else None
        assert isinstance(audience, str), "so the grammar has it"
        assert number is None or isinstance(number, int)
        return Member(audience, number, _at(word))

    def aggregate(self, children: _Children) -> Aggregate:
        word, *rest = children
        separator = self.text([rest.pop()]).value if isinstance(rest[-1], Token) else None
        clauses = _clauses(rest)
        *distinct, asked = clauses[""]
        assert separator is None or isinstance(separator, str), "so the grammar has it"
        found = aggregate_of(
            Measure(word.lower()), asked, rows=_only(clauses, "OF"), by=_only(clauses, "BY"),
            where=_only(clauses, "WHERE"), distinct=bool(distinct), place=_at(word),
        )  # fmt: skip
        return found if separator is None else replace(found, separator=separator)

    def field(self, children: _Children) -> Field:
        return field_of([str(name) for name in children], _at(children[0]))

    def call(self, children: _Children) -> Call:
        name = field_of([str(children[0])], _at(children[0])).path[0]
        return Call(name, tuple(children[1:]), _at(children[0]))

    def arithmetic(self, children: _Children) -> Call:
        return Call(SIGNS[str(children[1])], _operands(children), _at(children[1]))

    def signed(self, children: _Children) -> Operand:
        sign, (operand,) = children[0], _operands(children)
        return Call("subtract", (Literal(0, _at(sign)), operand), _at(sign)) if sign == "-" else operand

    def choice(self, children: _Children) -> Case:
        parts = [child for child in children if not isinstance(child, Token)]
        otherwise = parts.pop() if len(parts) % 2 else None
        operands = _operands([*parts[1::2], otherwise])
        branches = tuple(zip(parts[::2], operands, strict=False))
        return Case(branches, otherwise, _at(children[0]))

    def relative_time(self, children: _Children) -> Relative:
        anchor, *steps = children
        offsets = [
            (_unit_of(unit), int(count) if sign == "+" else -int(count))
            for sign, count, unit in zip(steps[::3], steps[1::3], steps[2::3], strict=True)
        ]
        return relative(Anchor(anchor.lower()), offsets, _at(children[0]))

    def text(self, children: _Children) -> Literal:
        quote = children[0][0]
        return text_of(children[0][1:-1].replace(quote * 2, quote), _at(children[0]))

    def instant(self, children: _Children) -> Literal:
        return instant_of(str(children[0]), _at(children[0]))

    def day(self, children: _Children) -> Literal:
        return day_of(str(children[0]), _at(children[0]))

    def decimal(self, children: _Children) -> Literal:
        return decimal_of(str(children[0]), _at(children[0]))

    def integer(self, children: _Children) -> Literal:
        return integer_of(str(children[0]), _at(children[0]))

    def boolean(self, children: _Children) -> Literal:
        return Literal(children[0].lower() == "true", _at(children[0]))


@cache
def _parser() -> Lark:
    grammar = resources.files("core.targeting").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Builder(), maybe_placeholders=False)
