"""Loads the fragments that content uses, by itself and through others, and the filters that its conditions call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from core.content import fragment_store as store
from core.content.expansion import MAX_DEPTH
from core.content.placements import Library, names_rendered
from core.content.readable import present_readable
from core.content.records import ContentDraft, Fragment, FragmentDraft
from core.content.suggestions import MOST_COMPARED
from core.db import Connection
from core.targeting.errors import ExpressionError
from core.targeting.filters_called import find_definitions
from core.targeting.language import Condition
from core.targeting.parse import parse_text


def sources_of(draft: ContentDraft) -> Iterator[str]:
    """Every template that an author wrote into content."""
    yield from draft.parts.values()
    for translated in draft.translations.values():
        yield from translated.values()
    for place in draft.dynamic:
        yield from (place.html, place.text or "")
        for variant in place.variants:
            yield from (variant.html, variant.text or "")


def sources_of_fragment(draft: FragmentDraft) -> Iterator[str]:
    """The templates of a fragment."""
    yield from (draft.html, draft.text or "")


def conditions_of(*drafts: ContentDraft) -> Iterator[str]:
    """Every condition of their dynamic content."""
    return (variant.condition for draft in drafts for place in draft.dynamic for variant in place.variants)


async def load_library(
    conn: Connection, sources: Iterable[str], conditions: Iterable[str] = (), *, hold: bool = False
) -> Library:
    """The fragments that sources use, the filters that conditions call, and what there is to read; `hold` them against change
    until the transaction ends."""
    readable = await present_readable(conn, hold=hold)
    called = await find_definitions(conn, list(_readable_roots(conditions)))
    if called:
        readable = replace(readable, definitions={**readable.definitions, **called})
    return replace(await load_library_named(conn, names_rendered(sources), hold=hold), readable=readable)


def _readable_roots(conditions: Iterable[str]) -> Iterator[Condition]:
    """What cannot be read is told where it is checked."""
    for one in conditions:
        with suppress(ExpressionError):
            yield parse_text(one).root


async def load_library_named(conn: Connection, names: set[str], *, hold: bool = False) -> Library:
    """These fragments and those that they use, level by level: only who has read a fragment knows what it uses."""
    find = store.hold_fragments_named if hold else store.find_fragments_named
    fragments: dict[str, Fragment] = {}
    wanted = set(names)
    missing: set[str] = set()
    for _ in range(MAX_DEPTH + 1):
        if not wanted:
            break
        found = {fragment.name: fragment for fragment in await find(conn, wanted)}
        missing |= wanted - found.keys()
        fragments |= found
        used = names_rendered(source for fragment in found.values() for source in sources_of_fragment(fragment))
        wanted = used - fragments.keys() - missing
    return Library(fragments, tuple(await store.list_names(conn, MOST_COMPARED)) if missing else ())
