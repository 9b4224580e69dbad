"""Create, change, delete and find content. What cannot be sent cannot be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg

from channels.contract import Channel
from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.blobs import BlobUser, use
from core.channel_registry import ChannelRegistry
from core.content import store
from core.content.compile import SOME_LABEL, FrozenContent, shared_values, thaw
from core.content.errors import ContentInvalid
from core.content.fragment_store import set_fragments_of_content
from core.content.languages import languages_of, with_changed_translations, with_checked_languages
from core.content.libraries import conditions_of, hold_audiences_of, load_library, sources_of
from core.content.placements import NO_FRAGMENTS, Library, names_rendered
from core.content.records import AUTHORED, Content, ContentDraft, ContentWarning
from core.content.review import review_saved
from core.content.stand_ins import SIGNER, stand_in_channel
from core.content.uses import reads_of_content
from core.content.variants import freeze_variants
from core.db import Connection, allow_silence
from core.errors import ClarionError, Conflict, Invalid, NotFound
from core.paging import Page, PageRequest, cut

CHECK_SECONDS = 60.0  # that compiling one language of a large content may take while others compile theirs
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # nothing that is rendered when content is saved is kept
_NAMED = ("data", "dynamic", "links", "campaign_parameters", "attachments")  # they may hold words and personal values


async def create_content(conn: Connection, actor: Actor, registry: ChannelRegistry, draft: ContentDraft) -> Content:
    """Raises Invalid (BAD_NAME, BAD_LABEL, …), NotFound (CHANNEL_NOT_FOUND), Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    draft = with_checked_languages(draft)
    await hold_audiences_of(conn, draft.dynamic)
    library, reads = await _check(conn, registry, draft)
    content = await store.insert_content(conn, draft, reads, actor.name)
    if content is None:
        raise name_taken("content", draft.name)
    await set_fragments_of_content(conn, content.id, _used(draft, library))
    await use(conn, BlobUser.CONTENT, content.id, [one.sha256 for one in content.attachments])
    await record(conn, actor, "content.create", "content", content.id, difference({}, _told(content)))
    return content


async def update_content(
    conn: Connection,
    actor: Actor,
    registry: ChannelRegistry,
    content_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> Content:
    """Change what an author writes: `parts` are those given (None takes one out), so are the languages of `translations`
    and their parts; all else is given as a whole.

    Raises as `create_content`, NotFound, Stale (VERSION_CHANGED).
    """
    require(actor, Permission.EDIT)
    await hold_audiences_of(conn, changes.get("dynamic") or ())  # before the content: who changes filters does so, too
    content = await lock_content(conn, content_id)
    check_version("content", content.version, expected_version)
    before = _draft(content)
    draft = with_checked_languages(_applied(before, changes))
    if draft == before:
        await _take_time(conn, draft)
        return content
    library, reads = await _check(conn, registry, draft)
    try:
        async with conn.transaction():
            updated = await store.update_content(conn, content_id, draft, reads)
    except asyncpg.UniqueViolationError:
        raise name_taken("content", draft.name) from None
    await set_fragments_of_content(conn, content_id, _used(draft, library))
    await use(conn, BlobUser.CONTENT, content_id, [one.sha256 for one in updated.attachments])
    told = difference(_told(content), _told(updated)) | {"parts": _touched(before, draft), "fields": _fields(before, draft)}
    await record(conn, actor, "content.update", "content", content_id, told)
    return updated


async def fragments_of(conn: Connection, *found: Content | ContentDraft) -> Library:
    """The fragments that contents use."""
    return await load_library(conn, (source for content in found for source in sources_of(content)), conditions_of(*found))


async def warnings_of(registry: ChannelRegistry, content: Content, library: Library) -> list[ContentWarning]:
    """What its author should look at, in the order of the parts; errors where it can no longer be sent."""
    return await asyncio.to_thread(review_saved, content, registry.manifest(content.channel), library)


async def delete_content(conn: Connection, actor: Actor, content_id: int) -> None:
    """Raises NotFound, Conflict (IN_USE); `core.planning.uses.check_unused` says by which deliveries."""
    require(actor, Permission.EDIT)
    content = await lock_content(conn, content_id)
    try:
        async with conn.transaction():
            await store.delete_content(conn, content_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(f"the content {content.name!r} is in use", code="IN_USE", hint="Delete its deliveries first.") from None
    await record(conn, actor, "content.delete", "content", content_id, {"name": {"from": content.name}})


async def get_content(conn: Connection, content_id: int) -> Content:
    """Raises NotFound (CONTENT_NOT_FOUND)."""
    content = await store.find_content(conn, content_id)
    if content is None:
        raise not_found("content", content_id)
    return content


async def find_content(conn: Connection, content_id: int) -> Content | None:
    """The content, or None."""
    return await store.find_content(conn, content_id)


async def find_contents(conn: Connection, ids: Sequence[int]) -> list[Content]:
    """Those of the ids that exist, in any order."""
    return await store.find_contents(conn, ids)


async def find_content_by_name(conn: Connection, name: str) -> Content | None:
    """The content, or None."""
    return await store.find_content_by_name(conn, name)


async def lock_content(conn: Connection, content_id: int) -> Content:
    """The content, locked. Raises NotFound (CONTENT_NOT_FOUND)."""
    content = await store.lock_content(conn, content_id)
    if content is None:
        raise not_found("content", content_id)
    return content


async def list_contents(conn: Connection, page: PageRequest) -> Page[Content]:
    """A page in the order of ids."""
    return cut(await store.list_contents(conn, page.after, page.first + 1), page)


async def count_contents(conn: Connection) -> int:
    """How many there are."""
    return await store.count_contents(conn)


def _draft(content: Content) -> ContentDraft:
    return ContentDraft(**{name: getattr(content, name) for name in AUTHORED})


def _applied(before: ContentDraft, changes: Mapping[str, Any]) -> ContentDraft:
    if changes.get("channel", before.channel) != before.channel:
        raise Invalid(
            "the channel of content cannot be changed", code="CHANNEL_FIXED", path="channel",
            hint="Create other content.",
        )  # fmt: skip
    draft = changed(before, changes)
    if "translations" in changes:
        draft = with_changed_translations(changed(draft, {"translations": before.translations}), changes["translations"])
    if "parts" not in changes:
        return draft
    parts = {name: source for name, source in {**before.parts, **changes["parts"]}.items() if source is not None}
    return changed(draft, {"parts": parts})


async def _take_time(conn: Connection, draft: ContentDraft) -> None:
    """Checks ask the database nothing for long; so does who tells the warnings in this transaction, changed or not."""
    await allow_silence(conn, CHECK_SECONDS * len(languages_of(draft)))


async def _check(conn: Connection, registry: ChannelRegistry, draft: ContentDraft) -> tuple[Library, list[str]]:
    """What a draft uses, held until the end of the transaction, and what it reads of the data model. Raises what keeps it
    from being sent."""
    check_name(draft.name)
    check_label(draft.label)
    await _take_time(conn, draft)
    library = await load_library(conn, sources_of(draft), conditions_of(draft), hold=True)
    # Long content takes its time, and the loop serves others.
    frozen = await asyncio.to_thread(check_sendable, registry, draft, library)
    return library, reads_of_content(draft, frozen, library.readable)


def check_sendable(registry: ChannelRegistry, draft: ContentDraft, library: Library = NO_FRAGMENTS) -> list[FrozenContent]:
    """Prepare content as for a delivery, in each of its languages. Raises NotFound (CHANNEL_NOT_FOUND), ContentInvalid."""
    manifest = registry.manifest(draft.channel)
    channel: Channel | None = None
    with suppress(Invalid):  # a channel that does without stand-ins has its say when a delivery is prepared
        channel = stand_in_channel(registry, draft.channel)
    return freeze_variants(
        draft,
        manifest,
        label=SOME_LABEL,
        date=_SOME_DAY,
        seed="",
        base_url=SIGNER.base_url,
        check=lambda frozen: channel is None or thaw(frozen, SIGNER, channel, shared=shared_values(frozen)),
        library=library,
    )


def sending_problems(registry: ChannelRegistry, draft: ContentDraft, library: Library) -> Sequence[ClarionError]:
    """What `check_sendable` raises, as a list."""
    try:
        check_sendable(registry, draft, library)
    except ContentInvalid as error:
        return error.problems
    except (Invalid, NotFound) as error:
        return [error]
    return []


def _used(draft: ContentDraft, library: Library) -> list[int]:
    return [library.fragments[name].id for name in names_rendered(sources_of(draft)) if name in library.fragments]


def _told(content: Content) -> dict[str, Any]:
    """What the audit keeps: words and data stay out of it, the version tells that they changed."""
    return {
        "name": content.name,
        "label": content.label,
        "channel": content.channel,
        "languages": [content.language, *sorted(content.translations)],
        "inline_css": content.inline_css,
        "attachments": [one.sha256 for one in content.attachments],
        "version": content.version,
    }


def _touched(before: ContentDraft, after: ContentDraft) -> list[str]:
    """The parts that differ, those of translations as `de.subject`."""
    old, new = _sources(before), _sources(after)
    return [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _fields(before: ContentDraft, after: ContentDraft) -> list[str]:
    """What else differs of that which the audit names only."""
    return [name for name in _NAMED if getattr(before, name) != getattr(after, name)]


def _sources(draft: ContentDraft) -> dict[str, str]:
    translated = {f"{tag}.{name}": source for tag, parts in draft.translations.items() for name, source in parts.items()}
    return {**draft.parts, **translated}
