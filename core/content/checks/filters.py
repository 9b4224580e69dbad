"""Filters that cannot do their work, found by letting them work on what may come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.content.checks.given import GivenCall, given_calls, shown
from core.content.checks.known import Samples
from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning, WarningLevel
from render_ext import Call, Chain, Constant, Reading, RenderError, ValueKind, kinds_of

MOST_TRIED = 500  # chains of one part that differ
MOST_CALLS = 20  # of one chain
MOST_VALUES = 50  # that come out of one filter and go into the next
_ANY = Samples(("word", "12", 7, 2.5, True, None, [1, "a"], [{"a": 1}], {"a": 1}))
_KINDS = {ValueKind.NUMBER: "numbers", ValueKind.DATE: "dates", ValueKind.LIST: "lists", ValueKind.OBJECT: "objects"}


def failing_filters(part: CheckedPart) -> Iterator[ContentWarning]:
    """Filters that fail on what they are given, and those that say nothing sensible about it."""
    tried: set[str] = set()
    for chain in part.inspection.chains:
        key = repr((chain.input, [(call.name, call.arguments, call.keywords) for call in chain.calls]))
        if not chain.calls or key in tried:
            continue
        if len(tried) == MOST_TRIED:
            return
        tried.add(key)
        if found := _try(part, chain):
            yield found


def _try(part: CheckedPart, chain: Chain) -> ContentWarning | None:
    """The first filter of a chain that goes wrong, found by letting it work on what may come."""
    samples, name = _samples_of(part, chain)
    values: Sequence[Any] = samples.values
    for call in chain.calls[:MOST_CALLS]:
        unfit = None if samples is _ANY else next((one for one in values if _is_unfit(one, call)), None)
        trials = [_Trial(one, *_results(values, one.call)) for one in given_calls(part, call)]
        results = [result for trial in trials for result in trial.results][:MOST_VALUES]
        failures = [failure for trial in trials for failure in trial.failures]
        if failures and not results and call.is_constant:
            certain = not samples.nullable or chain.tested or (call is chain.calls[0] and not _results([None], call)[0])
            return _fails(part, call, failures[0], name, always=True, certain=certain)
        # What is read may be tested by a condition around: a warning, whatever it does here.
        broken = next((trial for trial in trials if trial.given.of is not None and trial.failures and not trial.results), None)
        if broken is not None and broken.given.of is not None:
            failure = (broken.given.value, broken.failures[0][1])
            return _fails(part, call, failure, broken.given.of.text, always=False, certain=False)
        if failures and not results:
            return _fails(part, call, failures[0], name, always=False, certain=False)
        if unfit is not None:
            return _unfit(part, call, unfit, name, samples.exact)
        if failures and samples.exact and not _picks(chain):
            return _fails(part, call, failures[0], name, always=False, certain=False)
        if samples.exact and (no_date := next((one for one in values if _is_no_date(one, call)), None)) is not None:
            return _no_date(part, call, no_date)
        if not results:
            return None
        values = results
    return None


@dataclass(frozen=True, slots=True)
class _Trial:
    """What became of values in a filter that was given something, and on which of them it failed with what reason."""

    given: GivenCall
    results: list[Any]
    failures: list[tuple[Any, str]]


def _samples_of(part: CheckedPart, chain: Chain) -> tuple[Samples, str]:
    if isinstance(chain.input, Constant):
        return Samples((chain.input.value,), exact=True), shown(chain.input.value)
    if isinstance(chain.input, Reading):
        return part.known.samples(chain.input.path) or _ANY, chain.input.text
    return _ANY, "this"


def _picks(chain: Chain) -> bool:
    """Whether it is one of the values only, and nobody knows which."""
    return isinstance(chain.input, Reading) and chain.input.picked


def _is_unfit(value: Any, call: Call) -> bool:
    kinds = kinds_of(value)
    return bool(kinds) and not kinds & call.meant_for


def _is_no_date(value: Any, call: Call) -> bool:
    """Whether a text is given back by a filter for dates: it found none in it."""
    if call.name not in ("date", "localdate") or not isinstance(value, str) or not value.strip():
        return False
    return _results([value], replace(call, name="date", arguments=(Constant("%Y|%d"),), keywords=()))[0] == [value]


def _results(values: Sequence[Any], call: Call) -> tuple[list[Any], list[tuple[Any, str]]]:
    """What a filter makes of values, and the values on which it fails with the reason."""
    results, failures = [], []
    for value in values:
        try:
            results.append(call.tried_on(value))
        except RenderError as error:
            if error.limit is not None:
                return [], []
            failures.append((value, error.message))
    return results, failures


def _fails(
    part: CheckedPart, call: Call, failure: tuple[Any, str], name: str, *, always: bool, certain: bool
) -> ContentWarning:
    value, message = failure
    told = f"{message}; this never works" if always else f"{message}; {name} may be {shown(value)}"
    return part.told(
        "FILTER_FAILS",
        told,
        "A recipient whose message cannot be rendered gets none. Change the filter or its arguments, or the value.",
        line=call.line,
        column=call.column,
        level=WarningLevel.ERROR if always and certain else WarningLevel.WARNING,
    )


def _unfit(part: CheckedPart, call: Call, value: Any, name: str, exact: bool) -> ContentWarning:
    kind = min(kinds_of(value))
    meant = " and ".join(sorted(_KINDS.get(one, "texts") for one in call.meant_for if one is not ValueKind.BOOLEAN))
    given = f"{shown(value)} is {kind}" if exact else f"{name} is {kind}"
    return part.told(
        "FILTER_TYPE",
        f"the filter {call.name!r} is for {meant}, and {given}",
        "Take the filter away, or give it a value that it is for.",
        line=call.line,
        column=call.column,
    )


def _no_date(part: CheckedPart, call: Call, value: Any) -> ContentWarning:
    return part.told(
        "FILTER_TYPE",
        f"the filter {call.name!r} is for dates, and {shown(value)} is none: it is printed as it is",
        "Take the filter away, or give it a date such as '2030-12-31', 'now' or a field.",
        line=call.line,
        column=call.column,
    )
