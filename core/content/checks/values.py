"""Values that may be missing, filters that cannot do their work, names that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from core.content.checks.known import Samples
from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning, WarningLevel
from render_ext import Call, Chain, Constant, Reading, RenderError, ValueKind, kinds_of

FILLING = frozenset({"default", "json", "size"})  # filters that make something of nothing
MOST_TRIED = 500  # chains of one part that differ
MOST_CALLS = 20  # of one chain
_LOOKED_BACK = 2_000  # characters, for the beginning of an address
_AROUND = "\"'<> \t\n"
_ANY = Samples(("word", "12", 7, 2.5, True, None, [1, "a"], [{"a": 1}], {"a": 1}))
_KINDS = {ValueKind.NUMBER: "numbers", ValueKind.DATE: "dates", ValueKind.LIST: "lists", ValueKind.OBJECT: "objects"}


# ---- what may be nothing -------------------------------------------------------------------------


def nullable_fields(part: CheckedPart) -> Iterator[ContentWarning]:
    """Profile fields that are printed as they are and may be empty: each at its first place."""
    places: dict[str, list[Chain]] = {}
    for chain in part.inspection.chains:
        field = part.known.nullable_field(chain.input.path) if isinstance(chain.input, Reading) else None
        if field is not None and _is_shown(part, chain) and not _in_query(part, chain):
            places.setdefault(field.name, []).append(chain)
    for name, chains in places.items():
        more = f", here and in {len(chains) - 1} more places" if len(chains) > 1 else ""
        yield part.told(
            "NULLABLE_FIELD",
            f"{name} may be empty, and then nothing is printed{more}",
            f'Write {{{{ profile.{name} | default: "…" }}}}, or put a condition around it.',
            line=chains[0].line,
            column=chains[0].column,
        )


def _is_shown(part: CheckedPart, chain: Chain) -> bool:
    if chain.tested or any(call.name in FILLING for call in chain.calls):
        return False
    return chain.into is None or (chain.into in part.inspection.printed and chain.into not in part.inspection.tested)


def _in_query(part: CheckedPart, chain: Chain) -> bool:
    """Whether it is printed behind the `?` of an address, where nothing is as good as anything."""
    before = part.masked_source[max(0, chain.at - _LOOKED_BACK) : chain.at]
    address = before[max(before.rfind(sign) for sign in _AROUND) + 1 :]
    return ":" in address and "?" in address


# ---- filters -------------------------------------------------------------------------------------


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
        results, failures = _results(values, call) if call.is_constant else ([], [])
        if failures and not results:
            certain = not samples.nullable or chain.tested or (call is chain.calls[0] and not _results([None], call)[0])
            return _fails(part, call, failures[0], name, always=True, certain=certain)
        if unfit is not None:
            return _unfit(part, call, unfit, name, samples.exact)
        if failures and samples.exact and not _picks(chain):
            return _fails(part, call, failures[0], name, always=False, certain=False)
        if not results:
            return None
        values = results
    return None


def _samples_of(part: CheckedPart, chain: Chain) -> tuple[Samples, str]:
    if isinstance(chain.input, Constant):
        return Samples((chain.input.value,), exact=True), _shown(chain.input.value)
    if isinstance(chain.input, Reading):
        return part.known.samples(chain.input.path) or _ANY, chain.input.text
    return _ANY, "this"


def _picks(chain: Chain) -> bool:
    """Whether it is one of the values only, and nobody knows which."""
    return isinstance(chain.input, Reading) and chain.input.picked


def _is_unfit(value: Any, call: Call) -> bool:
    kinds = kinds_of(value)
    return bool(kinds) and not kinds & call.meant_for


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
    told = f"{message}; this never works" if always else f"{message}; {name} may be {_shown(value)}"
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
    given = f"{_shown(value)} is {kind}" if exact else f"{name} is {kind}"
    return part.told(
        "FILTER_TYPE",
        f"the filter {call.name!r} is for {meant}, and {given}",
        "Take the filter away, or give it a value that it is for.",
        line=call.line,
        column=call.column,
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


# ---- names ---------------------------------------------------------------------------------------


def unused_names(part: CheckedPart) -> Iterator[ContentWarning]:
    """Names that get a value which nobody reads."""
    for given in part.inspection.given:
        if given.name not in part.inspection.read and not any(given.name in text for text in part.content.elsewhere):
            yield part.told(
                "UNUSED_ASSIGN",
                f"{given.name!r} is {'captured' if given.captured else 'assigned'} and never read",
                "Take it out, or write the name where it is meant to stand.",
                line=given.line,
                column=given.column,
            )
