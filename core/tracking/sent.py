"""What was sent: where its links lead, which links it shows, what it looked like.

Everything is rendered again from the ledger row and the stored program. The redirect of a link without personal values needs
no row; rows are read in groups, so that a storm of clicks is a handful of statements.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from channels.contract import RecipientRow, RenderedParts
from core import blobs
from core.content.inline_images import show_images
from core.content.records import TrackedLink
from core.db import TRY_LATER, Connection, Pool
from core.delivery.programs import LoadedProgram, Programs, row_of
from core.delivery.reading import RowKey, get_rows
from core.delivery.records import LedgerRow
from core.errors import NotFound, Unavailable
from core.log import get_logger
from core.public_urls import PublicUrls
from core.tracking.groups import Group, Grouped
from core.tracking.machines import NOTHING_SHOWN, ShownLinks
from core.tracking.recent import Recent
from core.tracking.records import Message
from render_ext import RenderError, Token, TokenKind

KEEP_SECONDS = 20.0  # how long a process may go on with what it read
KEPT_DELIVERIES = 500
KEPT_MESSAGES = 4_000

_log = get_logger(__name__)
_TAG = re.compile(r"{%-?\s*(\w+)\s*(\d*)")
_CLICK_URL = re.compile(r"/c/([A-Za-z0-9_\-]+)")


class Gone(NotFound):
    """The message was sent once, and its personal values have been erased since."""

    default_code = "MESSAGE_ERASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a tracked link leads."""

    location: str
    url: str | None  # as its author wrote it


@dataclass(slots=True, kw_only=True)
class _Delivery:
    programs: Mapping[int, LoadedProgram]  # by id
    links: Mapping[int, TrackedLink]
    hidden: frozenset[int]
    always: frozenset[frozenset[int]]  # for each language what everybody is shown, whatever the conditions say
    is_broken: bool = False  # its programs cannot be loaded now
    broken: set[int] = field(default_factory=set)  # programs that cannot be compiled now
    fixed: dict[int, Target] = field(default_factory=dict)  # links that lead everybody to the same place


_Sent = tuple[LedgerRow, LoadedProgram, _Delivery]


class SentMessages:
    """Reads sent messages for one process."""

    def __init__(self, pool: Pool, programs: Programs, urls: PublicUrls, *, wait_seconds: float):
        self._pool = pool
        self._wait_seconds = wait_seconds
        self._programs = programs
        self._urls = urls
        self._deliveries: Recent[int, _Delivery] = Recent(size=KEPT_DELIVERIES, seconds=KEEP_SECONDS)
        self._targets: Recent[Token, Target] = Recent(size=KEPT_MESSAGES, seconds=KEEP_SECONDS)
        self._shown: Recent[Message, ShownLinks] = Recent(size=KEPT_MESSAGES, seconds=KEEP_SECONDS)
        self._reader: Grouped[RowKey, _Sent | None] = Grouped("ledger reader", pool, self._read, wait_seconds=wait_seconds)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._reader.close()

    async def target(self, token: Token) -> Target:
        """Where the link of a click token leads. Raises NotFound, Gone, Unavailable."""
        delivery = self._deliveries.get(token.delivery_id)
        found = delivery.fixed.get(token.link) if delivery is not None else None
        if found is None:
            found = self._targets.get(token)
        return await self._render_target(token) if found is None else found

    async def _render_target(self, token: Token) -> Target:
        row, loaded, delivery = await self._find(_key_of_token(token))
        link = delivery.links.get(token.link)
        recipient = row_of(loaded, row)
        if recipient is None:
            location = _location_for_everybody(loaded, token.link)
        else:
            location = _location(loaded, recipient, token)
        target = Target(location=location, url=None if link is None else link.url)
        if link is not None and _is_fixed(link.target):
            delivery.fixed[token.link] = target
        else:
            self._targets.put(token, target)
        return target

    async def parts(self, message: Message) -> RenderedParts:
        """What was sent, rendered again, its images within it. Raises NotFound, Gone, Unavailable."""
        row, loaded, _ = await self._find(_key_of_message(message))
        recipient = row_of(loaded, row)
        if recipient is None:
            raise _gone()
        try:
            parts = loaded.program.parts(recipient)
        except RenderError as error:
            raise _not_found() from error
        images = [one for one in loaded.frozen.attachments if one.content_id is not None]
        if not images or parts.html is None:
            return parts
        files = await self._files({one.sha256 for one in images})
        return replace(parts, html=await asyncio.to_thread(show_images, parts.html, images, files))

    async def _files(self, digests: set[str]) -> dict[str, bytes]:
        try:
            async with self._pool.acquire(timeout=self._wait_seconds) as conn:
                return await blobs.read(conn, digests)
        except TRY_LATER as error:
            raise Unavailable("the database is away") from error

    async def channel(self, conn: Connection, delivery_id: int) -> str | None:
        """The channel that a delivery's messages went over; None when the delivery is gone."""
        delivery = await self._delivery(conn, delivery_id)
        return next((loaded.stored.channel for loaded in delivery.programs.values()), None)

    async def hidden(self, conn: Connection, delivery_id: int) -> frozenset[int]:
        """The links of a delivery that no person sees."""
        return (await self._delivery(conn, delivery_id)).hidden

    async def always(self, conn: Connection, delivery_id: int) -> frozenset[frozenset[int]]:
        """For each language of a delivery the links that its messages show, whatever their conditions say."""
        return (await self._delivery(conn, delivery_id)).always

    async def shown(self, conn: Connection, messages: Sequence[Message]) -> Mapping[Message, ShownLinks]:
        """The links that each message shows to its own recipient."""
        found = {message: self._shown.get(message) for message in messages}
        missing = [message for message, links in found.items() if links is None]
        if missing:
            rows = await get_rows(conn, [_key_of_message(message) for message in missing])
            for message in missing:
                found[message] = links = await self._read_shown(conn, rows.get(_key_of_message(message)))
                self._shown.put(message, links)
        return {message: links or NOTHING_SHOWN for message, links in found.items()}

    async def _read_shown(self, conn: Connection, row: LedgerRow | None) -> ShownLinks:
        sent = await self._join(conn, row)
        if sent is None:
            return NOTHING_SHOWN
        row, loaded, delivery = sent
        try:
            recipient = row_of(loaded, row)
            if recipient is None:
                return NOTHING_SHOWN
            parts = loaded.program.parts(recipient)
        except Exception as error:  # whatever a channel raises about one message, the others are looked at
            if not isinstance(error, RenderError):
                _log.error("a message cannot be rendered again", delivery_id=row.delivery_id, error=repr(error))
            return ShownLinks(hidden=delivery.hidden)
        tokens = (self._urls.read(text) for text in _CLICK_URL.findall(parts.html or parts.text or ""))
        numbers = frozenset(token.link for token in tokens if token is not None and token.kind is TokenKind.CLICK)
        return ShownLinks(visible=numbers - _unseen(delivery.links), hidden=delivery.hidden)

    async def _find(self, key: RowKey) -> _Sent:
        found = await self._reader.ask(key)
        if found is None:
            raise _not_found()
        return found

    async def _read(self, conn: Connection, group: Group[RowKey]) -> list[_Sent | None]:
        rows = await get_rows(conn, list(set(group.items)))
        return [await self._join(conn, rows.get(key)) for key in group.items]

    async def _join(self, conn: Connection, row: LedgerRow | None) -> _Sent | None:
        if row is None or row.program_id is None:
            return None
        delivery = await self._delivery(conn, row.delivery_id)
        loaded = delivery.programs.get(row.program_id)
        if loaded is None and not delivery.is_broken:  # prepared again since we last looked
            delivery = await self._load(conn, row.delivery_id)
            loaded = delivery.programs.get(row.program_id)
        return None if loaded is None or not _compiles(loaded, delivery) else (row, loaded, delivery)

    async def _delivery(self, conn: Connection, delivery_id: int) -> _Delivery:
        delivery = self._deliveries.get(delivery_id)
        return await self._load(conn, delivery_id) if delivery is None else delivery

    async def _load(self, conn: Connection, delivery_id: int) -> _Delivery:
        programs, is_broken = await self._load_programs(conn, delivery_id)
        links = {link.number: link for loaded in programs for link in loaded.frozen.links}
        delivery = _Delivery(
            programs={loaded.stored.id: loaded for loaded in programs},
            links=links,
            hidden=frozenset(number for number, link in links.items() if link.hidden),
            always=frozenset(_always(loaded) - _unseen(links) for loaded in programs),
            is_broken=is_broken,
        )
        self._deliveries.put(delivery_id, delivery)
        return delivery

    async def _load_programs(self, conn: Connection, delivery_id: int) -> tuple[list[LoadedProgram], bool]:
        """The programs, and whether they cannot be loaded.

        A channel may be a stranger's and raise what it likes: one delivery must not stop the hits of the others.
        """
        try:
            return await self._programs.list_of(conn, delivery_id), False
        except Exception as error:
            if _is_database_away(error, conn):
                raise
            _log.error("the programs of a delivery cannot be loaded", delivery_id=delivery_id, error=repr(error))
            return [], True


def _compiles(loaded: LoadedProgram, delivery: _Delivery) -> bool:
    """Whether a program can be rendered; one language of a delivery may be broken alone, and is tried once."""
    if loaded.stored.id in delivery.broken:
        return False
    try:
        return loaded.program is not None
    except Exception as error:
        _log.error("a program cannot be compiled", program_id=loaded.stored.id, error=repr(error))
        delivery.broken.add(loaded.stored.id)
        return False


def _is_database_away(error: Exception, conn: Connection) -> bool:
    """An OSError may also be about a file that a channel looked for."""
    return isinstance(error, TRY_LATER) and (conn.is_closed() or not isinstance(error, OSError))


def _location(loaded: LoadedProgram, recipient: RecipientRow, token: Token) -> str:
    try:
        location = loaded.program.link_target(recipient, token.link, token.link_occurrence)
    except RenderError as error:
        raise _not_found() from error
    if location is None:
        raise _not_found()
    return location


def _location_for_everybody(loaded: LoadedProgram, number: int) -> str:
    """Where a link leads that has nothing personal; the conditions around it cannot be asked any more. Raises Gone."""
    link = next((link for link in loaded.frozen.links if link.number == number), None)
    if link is None or not _is_fixed(link.target):
        raise _gone()
    return link.target


def _key_of_token(token: Token) -> RowKey:
    return (token.delivery_id, token.recipient_kind, token.recipient_id, token.occurrence)


def _key_of_message(message: Message) -> RowKey:
    return (message.delivery_id, message.recipient_kind, message.recipient_id, message.occurrence)


def _unseen(links: Mapping[int, TrackedLink]) -> frozenset[int]:
    return frozenset(number for number, link in links.items() if link.hidden or link.conditional)


def _always(loaded: LoadedProgram) -> frozenset[int]:
    parts = loaded.frozen.parts
    return unconditional_links(parts.get("html") or parts.get("text") or "")


def unconditional_links(source: str) -> frozenset[int]:
    """The links of a template that stand in no block, so that no condition can leave them out."""
    tags = [(match[1], match[2]) for match in _TAG.finditer(source)]
    names = {name for name, _ in tags}
    depth, found = 0, set()
    for name, argument in tags:
        if name == "link":
            if depth == 0 and argument:
                found.add(int(argument))
        elif f"end{name}" in names and name != "footnote":  # a note is always written
            depth += 1
        elif name.startswith("end") and name not in ("endlink", "endfootnote"):
            depth -= 1
    return frozenset(found)


def _is_fixed(url: str) -> bool:
    return "{{" not in url and "{%" not in url


def _not_found() -> NotFound:
    return NotFound("there is no such message or link", code="MESSAGE_NOT_FOUND")


def _gone() -> Gone:
    return Gone("this message was removed")
