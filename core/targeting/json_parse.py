"""Plain JSON objects, as `json_form` shows them, → tree. Errors carry a JSON pointer (RFC 6901)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from core.recent import Recent
from core.targeting.errors import SYNTAX, TOO_LARGE, UNKNOWN_OPERATOR, ExpressionError, closest, shown
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LENGTH,
    Aggregate,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Exists,
    Expression,
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
    Top,
    Unit,
    operand_count,
    relative,
)
from core.targeting.literals import day_of, decimal_of, field_of, instant_of, integer_of, text_of
from core.targeting.text_form import to_text


def parse_json(tree: Any) -> Expression:
    """Read the JSON spelling from plain objects. Raises ExpressionError."""
    expression = _read(tree)
    if len(expression.text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression is longer than {MAX_LENGTH} characters", code=TOO_LARGE, place=Place(pointer=""),
            found=f"{len(expression.text)} characters", expected=f"at most {MAX_LENGTH}",
        )  # fmt: skip
    return expression


def read_stored(tree: Any) -> Expression:
    """Read what `to_json` made of an expression that was taken: its canonical text may be longer than what was typed.

    The same object for the same tree, as long as it is asked often enough.
    """
    key = msgspec.json.encode(tree)
    return _STORED.get(key) or _STORED.keep(key, _read(tree))


def _read(tree: Any) -> Expression:
    root = _Reader().condition(tree, "", 0)
    return Expression(root=root, text=to_text(root))


_STORED: Recent[bytes, Expression] = Recent(1_000)
_CONDITIONS = ("and", "or", "not", "operator", "exists", "sequence", "top", "audience")
_OPERANDS = ("field", "function", "case", "aggregate", "rank", "decimal", "date", "instant", "now", "today")
_OTHER_KEYS: Mapping[str, tuple[str, ...]] = {
    "operator": ("operands",),
    "function": ("arguments",),
    "case": ("else",),
    "exists": ("where",),
    "aggregate": ("value", "of", "by", "distinct", "where", "separator"),
    "top": ("by", "lowest", "where"),
    "rank": ("per", "where"),
    "audience": ("version",),
}
_STAGE_KEYS = ("rows", "by", "where", "within")


class _Reader:
    """One method per shape; every value is checked before it is used."""

    def condition(self, tree: Any, pointer: str, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise _wrong(
                "conditions are nested too deeply",
                pointer,
                "another level",
                f"at most {MAX_DEPTH}",
                code=TOO_LARGE,
            )
        kind = self._kind(tree, pointer) if isinstance(tree, Mapping) else None
        match kind:
            case "and" | "or":
                items = self._list(tree[kind], f"{pointer}/{kind}")
                terms = tuple(self.condition(item, f"{pointer}/{kind}/{index}", depth + 1) for index, item in enumerate(items))
                node = And if kind == "and" else Or
                return node(terms, Place(pointer=pointer)) if len(terms) > 1 else terms[0]
            case "not":
                return Not(self.condition(tree["not"], f"{pointer}/not", depth + 1), Place(pointer=pointer))
            case "operator":
                return self._operation(tree, pointer, depth)
            case "exists":
                place = Place(pointer=f"{pointer}/exists")
                return Exists(self._selection(tree, "exists", pointer, depth), place)
            case "sequence":
                return self._sequence(tree["sequence"], f"{pointer}/sequence", depth)
            case "top":
                return self._top(tree, pointer, depth)
            case "audience":
                return self._member(tree, pointer)
            case _:
                return self.operand(tree, pointer, depth)

    def _selection(self, tree: Mapping[str, Any], key: str, pointer: str, depth: int) -> Selection:
        """Rows: a path of links under the key, and what they must be under `where`."""
        place = Place(pointer=f"{pointer}/{key}")
        if not isinstance(tree.get(key), str):
            raise _wrong("rows are named by the path of their links", str(place), shown(tree.get(key)), "a text")
        path = field_of(tree[key].split("."), place).path
        where = self.condition(tree["where"], f"{pointer}/where", depth + 1) if "where" in tree else None
        return Selection(path, where, place)

    def _by(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Operand | None:
        return self.operand(tree["by"], f"{pointer}/by", depth + 1) if "by" in tree else None

    def _flag(self, tree: Mapping[str, Any], key: str, pointer: str) -> bool:
        value = tree.get(key, False)
        if not isinstance(value, bool):
            raise _wrong(f"{key} is true or false", f"{pointer}/{key}", shown(value), "true or false")
        return value

    def _aggregate(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Aggregate:
        place = Place(pointer=f"{pointer}/aggregate")
        name = tree["aggregate"]
        if name not in list(Measure):
            known = [measure.value for measure in Measure]
            raise _wrong(
                f"unknown aggregate {shown(name)}", str(place), shown(name), "one of " + " ".join(known),
                suggestion=closest(name, known) if isinstance(name, str) else None,
            )  # fmt: skip
        if depth > MAX_DEPTH:
            raise _wrong("aggregates are nested too deeply", pointer, "another level", f"at most {MAX_DEPTH}", code=TOO_LARGE)
        value = self.operand(tree["value"], f"{pointer}/value", depth + 1) if "value" in tree else None
        measure, distinct = Measure(name), self._flag(tree, "distinct", pointer)
        if value is None and (measure is not Measure.COUNT or distinct):
            raise _wrong(f"{name} needs a value of the rows", str(place), "nothing", "an operand under value")
        selection = self._selection(tree, "of", pointer, depth)
        separator = None
        if "separator" in tree:
            at = Place(pointer=f"{pointer}/separator")
            if not isinstance(tree["separator"], str):
                raise _wrong("a separator is a text", str(at), shown(tree["separator"]), "a text")
            separator = str(text_of(tree["separator"], at).value)
        return Aggregate(measure, selection, value, self._by(tree, pointer, depth), distinct, separator, place)

    def _sequence(self, items: Any, pointer: str, depth: int) -> Following:
        stages = self._list(items, pointer)
        if len(stages) < 2:
            raise _wrong("a sequence has two steps or more", pointer, str(len(stages)), "at least 2")
        return Following(
            tuple(self._stage(item, f"{pointer}/{index}", depth) for index, item in enumerate(stages)), Place(pointer=pointer)
        )

    def _stage(self, tree: Any, pointer: str, depth: int) -> Stage:
        if not isinstance(tree, Mapping):
            raise _wrong("a step of a sequence is an object", pointer, shown(tree), 'an object such as {"rows": "opens"}')
        for key in tree:
            if key not in _STAGE_KEYS:
                raise _wrong(f"unknown key {shown(key)}", f"{pointer}/{_escape(key)}", shown(key), " ".join(_STAGE_KEYS))
        within = None
        if "within" in tree:
            place = Place(pointer=f"{pointer}/within")
            offsets = self._relative(Anchor.NOW, tree["within"], place).offsets
            if len(offsets) != 1 or offsets[0][1] < 0:
                raise _wrong("within is one amount of time", str(place), shown(tree["within"]), 'an object such as {"days": 3}')
            within = offsets[0]
        return Stage(self._selection(tree, "rows", pointer, depth), self._by(tree, pointer, depth), within)

    def _top(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Top:
        place = Place(pointer=f"{pointer}/top")
        size, by = tree["top"], self._by(tree, pointer, depth)
        if not isinstance(size, int) or isinstance(size, bool):
            raise _wrong("the size of a top is a whole number", str(place), shown(size), "a whole number")
        integer_of(size, place)
        if by is None:
            raise _wrong("a top needs what it is ordered by", pointer, "nothing", "an operand under by")
        where = self.condition(tree["where"], f"{pointer}/where", depth + 1) if "where" in tree else None
        return Top(size, by, self._flag(tree, "lowest", pointer), where, place)

    def _member(self, tree: Mapping[str, Any], pointer: str) -> Member:
        place = Place(pointer=f"{pointer}/audience")
        name, version = tree["audience"], tree.get("version")
        if not isinstance(name, str):
            raise _wrong("an audience is named by a text", str(place), shown(name), "a text")
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise _wrong("a version is a whole number", f"{pointer}/version", shown(version), "a whole number")
        if version is not None:
            integer_of(version, Place(pointer=f"{pointer}/version"))
        return Member(str(text_of(name, place).value), version, place)

    def _operation(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Operation:
        name = tree["operator"]
        known = [operator.value for operator in Operator]
        if name not in known:
            place = Place(pointer=f"{pointer}/operator")
            raise ExpressionError(
                f"unknown operator {shown(name)}", code=UNKNOWN_OPERATOR, place=place, found=shown(name),
                expected="one of " + " ".join(known),
                suggestion=closest(name, known) if isinstance(name, str) else None,
            )  # fmt: skip
        operator = Operator(name)
        items = self._list(tree.get("operands"), f"{pointer}/operands")
        least, most = operand_count(operator)
        if not least <= len(items) <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            raise _wrong(
                f"the operator {name} has the wrong number of operands", f"{pointer}/operands",
                str(len(items)), expected,
                code=TOO_LARGE if len(items) > most and operator is Operator.IN else SYNTAX,
            )  # fmt: skip
        operands = tuple(self.operand(item, f"{pointer}/operands/{index}", depth) for index, item in enumerate(items))
        return Operation(operator, operands, Place(pointer=pointer))

    def operand(self, tree: Any, pointer: str, depth: int) -> Operand:
        place = Place(pointer=pointer)
        match tree:
            case bool():
                return Literal(tree, place)
            case int():
                return integer_of(tree, place)
            case float() if math.isfinite(tree):
                return decimal_of(_digits(tree), place)
            case str():
                return text_of(tree, place)
            case Mapping():
                return self._object(tree, pointer, depth)
        raise _wrong(f"{shown(tree)} is no operand", pointer, shown(tree), "a field, a value, a time or a function")

    def _object(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Operand:
        kind = self._kind(tree, pointer)
        place = Place(pointer=f"{pointer}/{kind}")
        if kind == "function":
            return self._call(tree, pointer, depth)
        if kind == "aggregate":
            return self._aggregate(tree, pointer, depth)
        if kind == "case":
            return self._case(tree, pointer, depth)
        if kind == "rank":
            return self._rank(tree, pointer, depth)
        if kind in ("now", "today"):
            return self._relative(Anchor(kind), tree[kind], place)
        if kind in _CONDITIONS:
            raise _wrong("a condition cannot be an operand", pointer, kind, "a field, a value, a time or a function")
        if not isinstance(tree[kind], str):
            raise _wrong(f"{kind} is a text", str(place), shown(tree[kind]), "a text")
        if kind == "field":
            return field_of(tree[kind].split("."), place)
        read: Mapping[str, Callable[[str, Place], Literal]] = {
            "decimal": decimal_of,
            "date": day_of,
            "instant": instant_of,
        }
        return read[kind](tree[kind], place)

    def _call(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Call:
        if depth > MAX_DEPTH:
            raise _wrong(
                "functions are nested too deeply",
                pointer,
                "another level",
                f"at most {MAX_DEPTH}",
                code=TOO_LARGE,
            )
        place = Place(pointer=f"{pointer}/function")
        if not isinstance(tree["function"], str):
            raise _wrong("a function is named by a text", str(place), shown(tree["function"]), "a text")
        name = field_of([tree["function"]], place).path[0]
        items = self._list(tree.get("arguments"), f"{pointer}/arguments", empty=True)
        arguments = tuple(self.condition(item, f"{pointer}/arguments/{index}", depth + 1) for index, item in enumerate(items))
        return Call(name, arguments, place)

    def _case(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Case:
        if depth > MAX_DEPTH:
            raise _wrong("cases are nested too deeply", pointer, "another level", f"at most {MAX_DEPTH}", code=TOO_LARGE)
        branches = []
        for index, branch in enumerate(self._list(tree["case"], f"{pointer}/case")):
            place = f"{pointer}/case/{index}"
            if not isinstance(branch, Mapping) or set(branch) != {"when", "then"}:
                raise _wrong("a branch has two keys", place, shown(branch), "an object with when and then")
            when = self.condition(branch["when"], f"{place}/when", depth + 1)
            branches.append((when, self.operand(branch["then"], f"{place}/then", depth + 1)))
        otherwise = self.operand(tree["else"], f"{pointer}/else", depth + 1) if "else" in tree else None
        return Case(tuple(branches), otherwise, Place(pointer=f"{pointer}/case"))

    def _rank(self, tree: Mapping[str, Any], pointer: str, depth: int) -> Rank:
        if depth > MAX_DEPTH:
            raise _wrong("ranks are nested too deeply", pointer, "another level", f"at most {MAX_DEPTH}", code=TOO_LARGE)
        orders = self._list(tree["rank"], f"{pointer}/rank")
        by = tuple(self._order(item, f"{pointer}/rank/{index}", depth) for index, item in enumerate(orders))
        groups = self._list(tree["per"], f"{pointer}/per") if "per" in tree else []
        per = tuple(self.operand(item, f"{pointer}/per/{index}", depth + 1) for index, item in enumerate(groups))
        where = self.condition(tree["where"], f"{pointer}/where", depth + 1) if "where" in tree else None
        return Rank(by, per, where, Place(pointer=f"{pointer}/rank"))

    def _order(self, tree: Any, pointer: str, depth: int) -> Order:
        if not isinstance(tree, Mapping) or "by" not in tree:
            raise _wrong(
                "an order has a key by", pointer, shown(tree), 'an object such as {"by": {"field": "age"}, "desc": true}'
            )
        for key in tree:
            if key not in ("by", "desc"):
                raise _wrong(f"unknown key {shown(key)}", f"{pointer}/{_escape(key)}", shown(key), "by and desc")
        return Order(self.operand(tree["by"], f"{pointer}/by", depth + 1), self._flag(tree, "desc", pointer))

    def _relative(self, anchor: Anchor, offsets: Any, place: Place) -> Relative:
        if not isinstance(offsets, Mapping):
            raise _wrong("offsets are an object", str(place), shown(offsets), 'an object such as {"days": -30}')
        for unit, amount in offsets.items():
            if unit not in list(Unit):
                raise _wrong(
                    f"unknown unit {shown(unit)}", f"{place}/{_escape(unit)}", shown(unit),
                    "one of " + " ".join(Unit),
                    suggestion=closest(unit, Unit),
                )  # fmt: skip
            if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) > 999_999_999:
                raise _wrong(
                    "an offset is a whole number",
                    f"{place}/{unit}",
                    shown(amount),
                    "a whole number of at most 9 digits",
                )
        return relative(anchor, [(Unit(unit), amount) for unit, amount in offsets.items()], place)

    def _kind(self, tree: Mapping[str, Any], pointer: str) -> str:
        """The one key that says what the object is."""
        known = (*_CONDITIONS, *_OPERANDS)
        kinds = [key for key in tree if key in known]
        if len(kinds) != 1:
            found = ", ".join(shown(key) for key in list(tree)[:5]) or "an empty object"
            stray = next((key for key in tree if key not in known), None)
            raise _wrong(
                "an object has exactly one of the known keys", pointer, found, "one of " + " ".join(known),
                suggestion=closest(stray, known) if isinstance(stray, str) and not kinds else None,
            )  # fmt: skip
        others = _OTHER_KEYS.get(kinds[0], ())
        for key in tree:
            if key != kinds[0] and key not in others:
                left = [name for name in others if name not in tree]
                raise _wrong(
                    f"unknown key {shown(key)}", f"{pointer}/{_escape(key)}", shown(key),
                    " and ".join(sorted([kinds[0], *others])), suggestion=left[0] if len(others) == 1 and left else None,
                )  # fmt: skip
        return kinds[0]

    def _list(self, items: Any, pointer: str, *, empty: bool = False) -> list[Any]:
        if not isinstance(items, list) or (not items and not empty):
            found = "an empty list" if items == [] else "nothing" if items is None else shown(items)
            raise _wrong("a list is missing", pointer, found, "a list" if empty else "a list of at least one")
        return items


def _digits(number: float) -> str:
    """A float as decimal digits, the shortest that give the float back."""
    text = format(Decimal(repr(number)), "f")
    return text if "." in text else text + ".0"


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _wrong(
    message: str,
    pointer: str,
    found: str,
    expected: str,
    *,
    code: str = SYNTAX,
    suggestion: str | None = None,
) -> ExpressionError:
    place = Place(pointer="" if pointer == "/" else pointer)
    return ExpressionError(message, code=code, place=place, found=found, expected=expected, suggestion=suggestion)
