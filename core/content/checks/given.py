"""What filters, comparisons and loops are given: the values that it may be, as far as they are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

from core.content.checks.part import CheckedPart
from render_ext import Call, Constant, Operand, Reading

MOST_GIVEN = 20  # ways to give a filter its arguments


@dataclass(frozen=True, slots=True)
class Candidates:
    """Values that an operand may have: those that it has, or examples of what a field holds."""

    values: tuple[Any, ...]
    picked: bool = False  # one of them, and nobody knows which


@dataclass(frozen=True, slots=True)
class GivenCall:
    """A filter with constants for its arguments. `of`: the first argument that is read, and the `value` it has here."""

    call: Call
    of: Reading | None = None
    value: Any = None


def candidates(part: CheckedPart, operand: Operand) -> Candidates | None:
    """What an operand may be, or None where nothing is known of it."""
    if operand is None:
        return None
    if isinstance(operand, Constant):
        return Candidates((operand.value,))
    samples = part.known.samples(operand.path)
    if samples is None:
        return None
    if samples.exact:  # data has its nothing like any other value
        return Candidates((*samples.values, *([None] if samples.nullable else [])), picked=operand.picked)
    return Candidates(samples.values)


def given_calls(part: CheckedPart, call: Call) -> list[GivenCall]:
    """The filter with the arguments that it may get; none where one of them is not known."""
    if call.is_constant:
        return [GivenCall(call)]
    operands = (*call.arguments, *(value for _, value in call.keywords))
    found = [candidates(part, operand) for operand in operands]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return []
    return list(islice(_combined(call, operands, known), MOST_GIVEN))


def _combined(call: Call, operands: tuple[Operand, ...], known: list[Candidates]) -> Iterator[GivenCall]:
    index = next(number for number, operand in enumerate(operands) if isinstance(operand, Reading))
    first = operands[index]
    assert isinstance(first, Reading)  # no constant call comes here
    for values in product(*(one.values for one in known)):
        constants = tuple(map(Constant, values))
        keywords = tuple(
            (name, value) for (name, _), value in zip(call.keywords, constants[len(call.arguments) :], strict=True)
        )
        made = replace(call, arguments=constants[: len(call.arguments)], keywords=keywords)
        yield GivenCall(made, None if known[index].picked else first, values[index])


def shown(value: Any) -> str:
    """A value in a message."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
