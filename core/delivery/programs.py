"""Frozen programs: stored at prepare, compiled again wherever they are needed, the same bytes every time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from channels.contract import Channel, Program, RecipientRow
from core import blobs
from core.blobs import BlobUser, use
from core.channel_registry import ChannelRegistry
from core.content.compile import FrozenContent, shared_values, thaw, values
from core.content.languages import languages_of
from core.content.placements import Library
from core.content.records import Content
from core.content.variants import freeze_variants
from core.db import Connection, allow_silence
from core.delivery.facts import read_facts
from core.delivery.records import LedgerRow, ProgramVariant, StoredProgram
from core.delivery.store import programs as store
from core.errors import Invalid, Unavailable
from core.planning.records import ChannelAccount, Delivery
from core.public_urls import PublicUrls
from render_ext import ENGINE_VERSION, Identity, TokenSigner
from render_ext.attachments import encoded_size

CACHED_PROGRAMS = 64
CACHED_BYTES = 64 * 1024 * 1024  # of files, as they stand in messages; the program used last stays whatever it has
CHECK_SECONDS = 60.0  # that compiling one language of a large content may take while others compile theirs


@dataclass(kw_only=True)
class LoadedProgram:
    """A stored program. It is compiled when it is first rendered: of a delivery's languages, most processes see a few."""

    stored: StoredProgram
    frozen: FrozenContent
    signer: TokenSigner
    channel: Channel
    files: Mapping[str, bytes] | None  # of attachments, by SHA-256, until it is compiled; None: nothing is sent with it
    shared: Mapping[str, Any]  # what every recipient's templates see besides the profile

    @cached_property
    def program(self) -> Program:
        """What renders. Raises Invalid, and what a channel raises."""
        made = thaw(self.frozen, self.signer, self.channel, self.files)
        self.files = None  # they stand in the program now
        return made

    @property
    def file_bytes(self) -> int:
        """About how many bytes of each message are files."""
        return sum(encoded_size(one.size) for one in self.frozen.attachments)

    def row(self, kind: int, recipient_id: int, occurrence: int, address: str, row_values: Mapping[str, Any]) -> RecipientRow:
        """One recipient, ready to render."""
        return RecipientRow(
            address=address,
            identity=Identity(self.stored.delivery_id, kind, recipient_id, occurrence),
            values=values(self.frozen, row_values, self.shared),
        )


class Programs:
    """Loads and compiles programs, and keeps the ones used last. One per process.

    `sends`: messages are sent with them. Otherwise they show pages and follow links, and do without the files of messages.
    """

    def __init__(self, registry: ChannelRegistry, urls: PublicUrls, *, sends: bool = True):
        self._registry = registry
        self._urls = urls
        self._sends = sends
        self._compiling = asyncio.Lock()  # one program with files at a time, and each once
        self._cache: OrderedDict[int, LoadedProgram] = OrderedDict()

    async def get(self, conn: Connection, program_id: int) -> LoadedProgram:
        """A program by id, compiled. Raises NotFound, Invalid, Unavailable (its token key is gone, the engine is another)."""
        loaded = await self._find(conn, program_id)
        async with self._compiling:
            if loaded.files:
                await asyncio.to_thread(lambda: loaded.program)  # megabytes to be hashed and encoded
        _ = loaded.program  # here its errors are expected
        return loaded

    async def _find(self, conn: Connection, program_id: int) -> LoadedProgram:
        found = self._cache.get(program_id)
        if found is None:
            found = self._cache[program_id] = await self._load(conn, await store.get_program(conn, program_id))
            while len(self._cache) > 1 and (len(self._cache) > CACHED_PROGRAMS or self._cached_bytes() > CACHED_BYTES):
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(program_id)
        return found

    async def list_of(self, conn: Connection, delivery_id: int) -> list[LoadedProgram]:
        """Every program of a delivery. Raises as `get`, but for what compiling them raises."""
        return [await self._find(conn, program_id) for program_id in await store.list_programs_of(conn, delivery_id)]

    def _cached_bytes(self) -> int:
        return sum(loaded.file_bytes for loaded in self._cache.values()) if self._sends else 0

    async def _load(self, conn: Connection, stored: StoredProgram) -> LoadedProgram:
        try:
            signer = self._urls.signer(stored.token_key_id, stored.base_url)
        except KeyError:
            raise Unavailable(
                f"the master key {stored.token_key_id} of this delivery's links is not in the settings",
                code="TOKEN_KEY_GONE",
                hint="Put the key back into CLARION_SECRET_KEYS.",
            ) from None
        if stored.engine_version != ENGINE_VERSION:
            raise Unavailable(
                f"this delivery was prepared by version {stored.engine_version} of the render engine, not {ENGINE_VERSION}",
                code="ENGINE_CHANGED",
                hint="Prepare the delivery again; what was sent of it cannot be shown by this version.",
            )
        frozen = FrozenContent.from_json(dict(stored.content))
        channel = self._registry.make(stored.channel, stored.config)
        wanted = {one.sha256 for one in frozen.attachments}
        files = None if not self._sends else await blobs.read(conn, wanted) if wanted else {}
        return LoadedProgram(
            stored=stored, frozen=frozen, signer=signer, channel=channel, files=files, shared=shared_values(frozen)
        )

    async def store_new(
        self, conn: Connection, delivery: Delivery, content: Content, account: ChannelAccount, library: Library, now: datetime
    ) -> list[ProgramVariant]:
        """Freeze a content for a delivery and store a program for each of its languages, the default first.

        `library` holds the fragments that it uses. Raises what compiling it raises.
        """
        manifest = self._registry.manifest(account.channel)
        manifest = replace(manifest, limits=manifest.limits.of_account(account.config))
        channel = self._registry.make(account.channel, account.config)
        signer = self._urls.signer(self._urls.newest_key_id, self._urls.base_url)
        await allow_silence(conn, CHECK_SECONDS * len(languages_of(content)))
        variants = await asyncio.to_thread(  # each may take its time, and the loop keeps leases alive
            freeze_variants,
            content,
            manifest,
            label=delivery.label,
            date=now.replace(microsecond=0),
            seed=f"{delivery.id}-{content.id}-{content.version}-{int(now.timestamp())}",
            base_url=self._urls.base_url,
            check=lambda frozen: thaw(frozen, signer, channel, shared=shared_values(frozen)),
            library=library,
            facts=await read_facts(conn, delivery, library.readable),
        )
        if account.channel != content.channel:
            raise Invalid(
                "the content is of another channel than the account",
                code="CHANNEL_MISMATCH",
                path="contentId",
            )
        return [await self._store(conn, delivery.id, number, account, frozen) for number, frozen in enumerate(variants)]

    async def _store(
        self, conn: Connection, delivery_id: int, variant: int, account: ChannelAccount, frozen: FrozenContent
    ) -> ProgramVariant:
        program_id = await store.insert_program(
            conn,
            delivery_id=delivery_id,
            variant=variant,
            channel=account.channel,
            config=account.config,
            content=frozen.to_json(),
            fields=frozen.fields,
            token_key_id=self._urls.newest_key_id,
            base_url=self._urls.base_url,
            engine_version=ENGINE_VERSION,
        )
        await use(conn, BlobUser.PROGRAM, program_id, [one.sha256 for one in frozen.attachments])
        await store.insert_links(conn, program_id, frozen.links)
        return ProgramVariant(
            id=program_id, channel=account.channel, language=frozen.locale, fields=frozen.fields, dynamic=frozen.dynamic,
            columns=frozen.columns,
        )  # fmt: skip


def row_of(loaded: LoadedProgram, row: LedgerRow) -> RecipientRow | None:
    """A ledger row ready to render; None when its values were erased."""
    if row.values is None or row.address is None:
        return None
    return loaded.row(row.recipient_kind, row.recipient_id, row.occurrence, row.address, row.values)


async def count_deliveries_by_key(conn: Connection) -> dict[int, int]:
    """How many deliveries have links made with each master key, by its id."""
    return await store.count_deliveries_by_key(conn)
