"""Create, change, delete and find fragments. One that would break what uses it cannot be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content import fragment_store as store
from core.content.contents import CHECK_SECONDS, sending_problems
from core.content.fragment_checks import check_fragment, fragment_warnings
from core.content.libraries import conditions_of, load_library, sources_of, sources_of_fragment
from core.content.placements import Library, names_rendered
from core.content.records import ContentWarning, Fragment, FragmentDraft
from core.content.uses import reads_of_templates
from core.db import Connection, allow_silence
from core.errors import ClarionError, Conflict, Invalid
from core.paging import Page, PageRequest, cut

MOST_CHECKED = 100  # contents that are checked when a fragment changes; every content is checked when it is prepared
_SHOWN = 5
_AUTHORED = tuple(one.name for one in fields(FragmentDraft))
_SPOKEN = ("html", "text", "parameters")


async def create_fragment(conn: Connection, actor: Actor, draft: FragmentDraft) -> Fragment:
    """Raises Invalid (BAD_NAME, BAD_LABEL, …), ContentInvalid, Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    await allow_silence(conn, CHECK_SECONDS)
    library, reads = await _check(conn, draft)
    fragment = await store.insert_fragment(conn, draft, reads, actor.name)
    if fragment is None:
        raise name_taken("fragment", draft.name)
    await store.set_fragments_of_fragment(conn, fragment.id, _used(draft, library))
    await record(conn, actor, "fragment.create", "fragment", fragment.id, difference({}, _told(fragment)))
    return fragment


async def update_fragment(
    conn: Connection,
    actor: Actor,
    registry: ChannelRegistry,
    fragment_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> Fragment:
    """Change `name`, `label`, `html`, `text` or `parameters` (as a whole).

    Raises as `create_fragment`, NotFound, Stale (VERSION_CHANGED), Conflict (IN_USE) for another name while it is used, and
    Invalid (FRAGMENT_BREAKS_CONTENT) where contents that use it could not be sent any more.
    """
    require(actor, Permission.EDIT)
    fragment = await _lock(conn, fragment_id)
    check_version("fragment", fragment.version, expected_version)
    before = FragmentDraft(**{name: getattr(fragment, name) for name in _AUTHORED})
    draft = changed(before, changes)
    if draft == before:
        return fragment
    await allow_silence(conn, CHECK_SECONDS)
    if draft.name != fragment.name:
        await _check_unused(conn, fragment, "Fragments are used by name: take it out of them first.")
    library, reads = await _check(conn, draft)
    if any(getattr(draft, name) != getattr(before, name) for name in _SPOKEN):
        await _check_users(conn, registry, replace(fragment, **_authored(draft)))
    try:
        async with conn.transaction():
            updated = await store.update_fragment(conn, fragment_id, draft, reads)
    except asyncpg.UniqueViolationError:
        raise name_taken("fragment", draft.name) from None
    await store.set_fragments_of_fragment(conn, fragment_id, _used(draft, library))
    touched = [name for name in _SPOKEN if getattr(draft, name) != getattr(before, name)]
    told = difference(_told(fragment), _told(updated)) | {"fields": touched}
    await record(conn, actor, "fragment.update", "fragment", fragment_id, told)
    return updated


async def delete_fragment(conn: Connection, actor: Actor, fragment_id: int) -> None:
    """Raises NotFound, Conflict (IN_USE) that names what uses it."""
    require(actor, Permission.EDIT)
    fragment = await _lock(conn, fragment_id)
    await _check_unused(conn, fragment, "Take it out of them first.")
    try:
        async with conn.transaction():
            await store.delete_fragment(conn, fragment_id)
    except asyncpg.ForeignKeyViolationError:  # somebody has just begun to use it
        raise Conflict(f"the fragment {fragment.name!r} is in use", code="IN_USE", hint="Try again.") from None
    await record(conn, actor, "fragment.delete", "fragment", fragment_id, {"name": {"from": fragment.name}})


async def warnings_of_fragment(conn: Connection, fragment: Fragment) -> list[ContentWarning]:
    """What its author should look at."""
    library = await load_library(conn, sources_of_fragment(fragment))
    return await asyncio.to_thread(fragment_warnings, fragment, library)


async def find_fragments(conn: Connection, ids: Sequence[int]) -> list[Fragment]:
    """Those of the ids that exist, in any order."""
    return await store.find_fragments(conn, ids)


async def list_fragments(conn: Connection, page: PageRequest) -> Page[Fragment]:
    """A page in the order of ids."""
    return cut(await store.list_fragments(conn, page.after, page.first + 1), page)


async def count_fragments(conn: Connection) -> int:
    """How many there are."""
    return await store.count_fragments(conn)


async def _lock(conn: Connection, fragment_id: int) -> Fragment:
    fragment = await store.lock_fragment(conn, fragment_id)
    if fragment is None:
        raise not_found("fragment", fragment_id)
    return fragment


async def _check(conn: Connection, draft: FragmentDraft) -> tuple[Library, list[str]]:
    """The fragments that it uses, and what it reads of the data model. Raises Invalid, ContentInvalid."""
    check_name(draft.name)
    check_label(draft.label)
    library = await load_library(conn, sources_of_fragment(draft), hold=True)
    read = await asyncio.to_thread(check_fragment, draft, library)
    return library, reads_of_templates(read, list(sources_of_fragment(draft)))


async def _check_unused(conn: Connection, fragment: Fragment, hint: str) -> None:
    users = await store.list_users(conn, fragment.id, _SHOWN + 1)
    if users:
        names = ", ".join(f"the {kind} {name!r}" for kind, name in users[:_SHOWN]) + (" and others" if users[_SHOWN:] else "")
        raise Conflict(f"the fragment {fragment.name!r} is used by {names}", code="IN_USE", hint=hint)


async def _check_users(conn: Connection, registry: ChannelRegistry, fragment: Fragment) -> None:
    """That contents can be sent with the fragment as it is to be. Raises Invalid (FRAGMENT_BREAKS_CONTENT)."""
    broken: list[str] = []
    first: ClarionError | None = None
    for content_id in await store.list_contents_using(conn, fragment.id, MOST_CHECKED):
        content = await contents.get_content(conn, content_id)
        found = await load_library(conn, [*sources_of(content), *sources_of_fragment(fragment)], conditions_of(content))
        library = replace(found, fragments={**found.fragments, fragment.name: fragment})
        problems = await asyncio.to_thread(sending_problems, registry, content, library)
        if not problems:
            continue
        known = set(map(_found, await asyncio.to_thread(sending_problems, registry, content, found)))
        new = [one for one in problems if _found(one) not in known]
        if new:
            broken.append(content.name)
            first = first or new[0]
    if first is not None:
        names = ", ".join(map(repr, broken[:_SHOWN])) + (f" and {len(broken) - _SHOWN} more" if broken[_SHOWN:] else "")
        raise Invalid(
            f"with this the content {names} could not be sent: {first.message}",
            code="FRAGMENT_BREAKS_CONTENT", path=first.path, hint=first.hint,
        )  # fmt: skip


def _found(problem: ClarionError) -> tuple[str, str | None, str]:
    """What is the same of a problem that was there before: another of its kind may have come to its place."""
    return problem.code, problem.path, problem.message


def _used(draft: FragmentDraft, library: Library) -> list[int]:
    return [library.fragments[name].id for name in names_rendered(sources_of_fragment(draft)) if name in library.fragments]


def _authored(draft: FragmentDraft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in _AUTHORED}


def _told(fragment: Fragment) -> dict[str, Any]:
    """What the audit keeps: words stay out of it, the version tells that they changed."""
    return {"name": fragment.name, "label": fragment.label, "version": fragment.version}
