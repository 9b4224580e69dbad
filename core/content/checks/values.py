"""Values that may be missing, names that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning
from render_ext import Call, Chain, Reading

FILLING = frozenset({"default", "json", "size"})  # filters that make something of nothing
JOINING = frozenset({"append", "prepend"})  # filters that print what they are given
_LOOKED_BACK = 2_000  # characters, for the beginning of an address
_AROUND = "\"'<> \t\n"


# ---- what may be nothing -------------------------------------------------------------------------


def nullable_fields(part: CheckedPart) -> Iterator[ContentWarning]:
    """Profile fields and columns that are printed as they are and may be empty: each at its first place."""
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for path, place in sorted((*_inputs(part), *_joined(part)), key=lambda one: one[1]):
        if read := part.known.nullable_field(path):
            places.setdefault((read.told, read.path), []).append(place)
    for (name, written), found in places.items():
        more = f", here and in {len(found) - 1} more places" if len(found) > 1 else ""
        yield part.told(
            "NULLABLE_FIELD",
            f"{name} may be empty, and then nothing is printed{more}",
            f'Write {{{{ {written} | default: "…" }}}}, or put a condition around it.',
            line=found[0][0],
            column=found[0][1],
        )


def _inputs(part: CheckedPart) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """What is printed itself: its path and its place."""
    for chain in part.inspection.chains:
        shown = not chain.tested and not any(call.name in FILLING for call in chain.calls) and _is_shown(part, chain)
        if isinstance(chain.input, Reading) and shown and not _in_query(part, chain.at):
            yield chain.input.path, (chain.line, chain.column)


def _joined(part: CheckedPart) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """What is printed with something else: after `append`, as a `default`, in a `cycle`."""
    joining = {(call.line, call.column) for chain in part.inspection.chains for call in _joining_calls(part, chain)}
    for one in part.uses.joined:
        printed = one.filter_at < 0 or part.inspection.place(one.filter_at) in joining
        if printed and not one.tested and not _in_query(part, one.at):
            yield one.reading.path, part.inspection.place(one.at)


def _joining_calls(part: CheckedPart, chain: Chain) -> list[Call]:
    """The filters of a chain whose argument is printed as it is, whatever follows them."""
    if not _is_shown(part, chain):
        return []
    last = max((index for index, call in enumerate(chain.calls) if call.name in FILLING), default=-1)
    return [
        call
        for index, call in enumerate(chain.calls)
        if (call.name == "default" and index == last) or (call.name in JOINING and index > last)
    ]


def _is_shown(part: CheckedPart, chain: Chain) -> bool:
    return chain.into is None or (chain.into in part.inspection.printed and chain.into not in part.inspection.tested)


def _in_query(part: CheckedPart, at: int) -> bool:
    """Whether it is printed behind the `?` of an address, where nothing is as good as anything."""
    before = part.masked_source[max(0, at - _LOOKED_BACK) : at]
    address = before[max(before.rfind(sign) for sign in _AROUND) + 1 :]
    return ":" in address and "?" in address


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
