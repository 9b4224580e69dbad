"""Loads the fragments that content uses, by itself and through others, and what its conditions call and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from core.content import fragment_store as store
from core.content.dynamic import Definitions
from core.content.expansion import MAX_DEPTH
from core.content.placements import Library, names_rendered
from core.content.readable import Readable, present_readable
from core.content.records import ContentDraft, DynamicContent, Fragment, FragmentDraft
from core.content.suggestions import MOST_COMPARED
from core.db import Connection
from core.targeting.errors import ExpressionError
from core.targeting.expansion import expand
from core.targeting.filters_called import find_definitions
from core.targeting.language import Condition
from core.targeting.parse import parse_text
from core.targeting.references import hold_names, open_all


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
    """The fragments that sources use, the filters that conditions call, the audiences that they name, and what there is to
    read; `hold` fragments and the data model against change until the transaction ends.

    With `hold`, raises Conflict (AUDIENCE_NOT_RECONCILED) for a file of which nobody knows whom it is about, and
    ExpressionError where an audience cannot be asked; without, such a file has nobody yet.
    """
    readable = await present_readable(conn, hold=hold)
    roots = list(_readable_roots(conditions))
    called = await find_definitions(conn, roots)
    if called:
        readable = replace(readable, definitions={**readable.definitions, **called})
    if roots:
        written = list(_expanded(roots, readable.definitions))
        readable = replace(readable, audiences=await open_all(conn, written, readable.catalogue, strict=hold))
    return replace(await load_library_named(conn, names_rendered(sources), hold=hold), readable=readable)


def _readable_roots(conditions: Iterable[str]) -> Iterator[Condition]:
    """What cannot be read is told where it is checked."""
    for one in conditions:
        with suppress(ExpressionError):
            yield parse_text(one).root


async def readable_by(conn: Connection, conditions: Iterable[str]) -> Readable:
    """What counts in this transaction, for conditions that were written out. Raises as `load_library` with `hold`."""
    readable = await present_readable(conn)
    roots = [parse_text(one).root for one in conditions]
    return replace(readable, audiences=await open_all(conn, roots, readable.catalogue)) if roots else readable


async def hold_audiences_of(conn: Connection, dynamic: Sequence[DynamicContent]) -> None:
    """Before content is saved: until the transaction ends, nothing that its conditions name or call loses its name."""
    conditions = (variant.condition for place in dynamic for variant in place.variants)
    await hold_names(conn, *_readable_roots(conditions))


def _expanded(roots: Iterable[Condition], definitions: Definitions) -> Iterator[Condition]:
    """What cannot be written out is told where it is checked."""
    for root in roots:
        with suppress(ExpressionError):
            yield expand(root, definitions)


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
