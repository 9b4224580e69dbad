"""Loops and counters that cannot count: their bounds are no whole numbers, what they begin with is no number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from core.content.checks.given import candidates, shown
from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning, WarningLevel
from render_ext import Constant, Operand, Reading, ValueKind, kinds_of
from render_ext.errors import FilterError
from render_ext.values import range_end, to_integer

_HINT = "A recipient whose message cannot be rendered gets none. Write a whole number, or change the value."
_ROUNDLESS = frozenset({ValueKind.NUMBER, ValueKind.BOOLEAN, ValueKind.DATE})
_READ: Mapping[str, Callable[[Any], int]] = MappingProxyType({"limit": to_integer, "offset": to_integer, "range": range_end})


def failing_loops(part: CheckedPart) -> Iterator[ContentWarning]:
    """Bounds of loops and ranges that are no whole numbers. Nothing is none: the loop goes on to its end."""
    for bound in part.uses.bounds:
        given = candidates(part, bound.operand)
        values = [one for one in given.values if one is not None] if given is not None else []
        wrong = [one for one in values if _fails(one, _READ[bound.word])]
        if given is None or not wrong or (given.picked and len(wrong) < len(values)):
            continue
        what = f"{bound.word} of a loop" if bound.word != "range" else "end of a range"
        name = f"; {bound.operand.text} may be {shown(wrong[0])}" if isinstance(bound.operand, Reading) else ""
        line, column = part.inspection.place(bound.at)
        written = isinstance(bound.operand, Constant)  # else a condition may guard it
        yield part.told(
            "LOOP_FAILS",
            f"the {what} is a whole number{name or f', and {shown(wrong[0])} is none'}",
            _HINT,
            line=line,
            column=column,
            level=WarningLevel.ERROR if written else WarningLevel.WARNING,
        )


def _fails(value: Any, read: Callable[[Any], int]) -> bool:
    try:
        read(value)
    except FilterError:
        return True
    return False


def roundless_loops(part: CheckedPart) -> Iterator[ContentWarning]:
    """Loops over what has no items."""
    for operand, at in part.uses.collections:
        given = candidates(part, operand)
        kinds = [kinds_of(value) for value in given.values] if given is not None else []
        if kinds and all(kind and kind <= _ROUNDLESS for kind in kinds):
            line, column = part.inspection.place(at)
            yield part.told(
                "LOOP_TYPE",
                f"a loop is for lists, and {_named(operand)} is {min(kinds[0])}: it has no round",
                "Give it a list, or (1..n) for so many rounds.",
                line=line,
                column=column,
            )


def _named(operand: Operand) -> str:
    if isinstance(operand, Constant):
        return shown(operand.value)
    return operand.text if operand is not None else "this"


def failing_counts(part: CheckedPart) -> Iterator[ContentWarning]:
    """Counters that begin with a value of the data which is no number."""
    for node in part.uses.counted:
        known = part.known.known((node.name,))
        if known and known[0] is not None and ValueKind.NUMBER not in _counted(known[0]):
            line, column = part.inspection.place(node.at)
            yield part.told(
                "COUNT_FAILS",
                f"{node.name!r} counts on from the data, and {shown(known[0])} is no number",
                "A message that cannot be rendered is not sent. Count under a name that is not in the data.",
                line=line,
                column=column,
            )


def _counted(value: Any) -> frozenset[ValueKind]:
    return frozenset() if isinstance(value, str) else kinds_of(value)
