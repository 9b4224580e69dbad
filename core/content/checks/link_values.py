"""Values of tracked links that the author encodes: the engine encodes them too, and `Köln` arrives as `K%C3%B6ln`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter

from core.content.checks.part import CheckedPart
from core.content.links.addresses import AddressKind, BadAddress, examine
from core.content.links.rewriting import LinkPlace, html_places, text_places
from core.content.records import CampaignParameter, ContentWarning, TrackingMode
from render_ext import Call, Chain, Inspection, inspect

CODE = "LINK_ENCODED_TWICE"
ENCODING = frozenset({"url_encode", "escape", "escape_once", "h"})
# Filters after which a text is as encoded as before; `raw` is none of them, it keeps the engine from encoding.
_KEEPING = frozenset(
    (
        "append", "default", "downcase", "lstrip", "prepend", "remove", "remove_first", "remove_last", "replace",
        "replace_first", "replace_last", "rstrip", "slice", "squish", "strip", "strip_newlines", "truncate", "upcase",
    )
)  # fmt: skip
_USED = re.compile(r"\|\s*(?:" + "|".join(sorted(ENCODING)) + r")(?!\w)")
_NESTED = re.compile(r"%3F", re.IGNORECASE)  # an address within the address: what follows it is rightly encoded twice
_HINT = "Take the filter out."


def twice_encoded(part: CheckedPart) -> Iterator[ContentWarning]:
    """Outputs in tracked links that encode their value themselves."""
    if not part.content.tracking or not _USED.search(part.text):
        return
    read = part.inspection if part.text is part.source else inspect(part.text, name=part.name, links=True)
    calls = list(_encoding_calls(read))
    for found in html_places(part.text) if part.is_html else text_places(part.text):
        first, after = (bisect_left(calls, offset, key=itemgetter(0)) for offset in (found.start, found.end))
        for at, call in calls[first:after] if first < after and _is_tracked(part, found) else ():
            if not _NESTED.search(part.text, found.start, at):
                opening = part.text.rfind("{{", found.start, at)
                yield part.told_at(opening, CODE, _message(call, "this tracked link"), _HINT)


def twice_encoded_parameters(parameters: Sequence[CampaignParameter]) -> Iterator[ContentWarning]:
    """The same in campaign parameters."""
    for one in parameters:
        if _USED.search(one.value):
            for _, call in _encoding_calls(inspect(one.value, name=one.name, links=True)):
                message = _message(call, f"the campaign parameter {one.name!r}")
                yield ContentWarning(code=CODE, message=message, hint=_HINT)


def _encoding_calls(inspection: Inspection) -> Iterator[tuple[int, Call]]:
    """Offsets of outputs that print what a filter encoded, with that filter; in the order of the source."""
    for chain in inspection.chains:
        if chain.into is None and (call := _encoding_call(chain)):
            yield chain.at, call


def _encoding_call(chain: Chain) -> Call | None:
    for call in reversed(chain.calls):
        if call.name in ENCODING:
            return call
        if call.name not in _KEEPING:
            return None
    return None


def _is_tracked(part: CheckedPart, found: LinkPlace) -> bool:
    """Whether the engine writes this address: untracked ones are the author's to encode, and the mirror page has no values."""
    if part.content.rules.about(found.url).mode in (TrackingMode.NEVER, TrackingMode.MIRROR):
        return False
    try:
        return examine(found.url).kind is AddressKind.TRACK
    except BadAddress:
        return False


def _message(call: Call, where: str) -> str:
    return f"values in {where} are percent-encoded anyway: with {call.name!r} they are encoded twice"
