"""Reads of people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, decode_pair, encode_pair, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import load_one
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.quarantine import QuarantineFilterInput, filter_of
from api.graphql.profiles.types import (
    AddressKind,
    Profile,
    ProfileKeyInput,
    ProfileSearchConnection,
    QuarantineConnection,
    QuarantineEntry,
)
from api.graphql.rows.pages import listed
from api.graphql.rows.types import RowOrderInput
from api.graphql.targeting.inputs import ExpressionInput
from api.graphql.targeting.types import zone_of
from core.errors import Invalid
from core.paging import Page
from core.profiles import profiles, quarantine, search
from core.rows.listing import BY_ID
from core.rows.profile_pages import list_people
from core.targeting.audiences import count, open_question


@strawberry.type
class ProfilesQuery:
    """Profiles and the quarantine."""

    @field(Profile | None)
    async def profile(self, info: Info, id: strawberry.ID) -> Any:
        """A profile."""
        return await load_one(info.context, "Profile", load_profiles, id)

    @field(Profile | None)
    async def profile_by(self, info: Info, key: ProfileKeyInput) -> Any:
        """A profile by one of its unique fields."""
        async with info.context.lease.use() as conn:
            return await profiles.find_profile_by(conn, *_key(key))

    @field(Connection[Profile])
    async def profiles(
        self,
        info: Info,
        where: ExpressionInput | None = None,
        order_by: RowOrderInput | None = None,
        time_zone: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """Profiles for which an expression holds, in the order of a field; by default all, in the order of their creation. A
        cursor is of the order, and of having a question or none, that it was given with."""
        if where is not None or order_by is not None:
            return await _found(info, where, order_by, time_zone, first, after)
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await profiles.list_profiles(conn, page)
        return Listing(rows, info.context.counted(profiles.count_profiles), by_id, page.after)

    @field(ProfileSearchConnection)
    async def search_profiles(self, info: Info, text: str, first: int | None = None, after: str | None = None) -> Listing:
        """Profiles that have every word of the text, or its beginning, in name, email or searchable fields of the team, accents
        and capitals or not; also by a phone number, and by just the external id. First the very email or key, then whole
        words, then beginnings."""
        size = requested_page(info, first, None).first
        region = info.context.runtime.settings.default_country
        async with info.context.lease.use() as conn:
            found = await search.search_profiles(conn, text, first=size, after=after, region=region)
        return Listing(Page(rows=found.rows, has_next=found.has_next), None, found.cursor, after)

    @field(QuarantineConnection)
    async def quarantine(
        self,
        info: Info,
        filter: QuarantineFilterInput | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """What is known against addresses, in their alphabetical order."""
        size = requested_page(info, first, None).first
        started = None if after is None else decode_pair(after)
        region = info.context.runtime.settings.default_country
        async with info.context.lease.use() as conn:
            rows = await quarantine.list_entries(conn, filter_of(filter), after=started, limit=size + 1, region=region)
        page = Page(rows=rows[:size], has_next=len(rows) > size)
        return Listing(page, None, lambda entry: encode_pair(entry.address_kind, entry.address_key), started)

    @field(QuarantineEntry | None)
    async def quarantine_entry(
        self,
        info: Info,
        address_kind: AddressKind,  # type: ignore[valid-type]
        address: str,
    ) -> Any:
        """What is known against an address, in any spelling; null when nothing."""
        region = info.context.runtime.settings.default_country
        async with info.context.lease.use() as conn:
            return await quarantine.find_entry(conn, address_kind, address, region=region)

    @field(list[str])
    async def audit_references(
        self,
        info: Info,
        address_kind: AddressKind,  # type: ignore[valid-type]
        address: str,
    ) -> Any:
        """What stands for an address in the audit log, also after its release: the `objectIds` of its entries there, whose
        `objectType` is "quarantine" or "suppression". One for each master key, the newest key's first."""
        runtime = info.context.runtime
        return quarantine.audit_references(runtime.keyring, address_kind, address, region=runtime.settings.default_country)


async def _found(
    info: Info,
    where: ExpressionInput | None,
    order_by: RowOrderInput | None,
    time_zone: str | None,
    first: int | None,
    after: str | None,
) -> Listing:
    context, zone = info.context, zone_of(time_zone)
    size = requested_page(info, first, None).first
    order = BY_ID if order_by is None else order_by.order()
    async with context.lease.ask() as conn:
        checked = None if where is None else await open_question(conn, where.parsed())
        page = await list_people(conn, where=checked, order=order, first=size, after=after, at=context.now, zone=zone)
    counted = context.counted(profiles.count_profiles)
    if checked is not None:
        counted = context.counted(count, checked=checked, at=context.now, zone=zone)
    return listed(page, counted, after)


def _key(key: ProfileKeyInput) -> tuple[str, object]:
    if key.opt_in_id is not None:
        try:
            return "opt_in_id", UUID(key.opt_in_id.value)
        except ValueError:
            raise Invalid("an optInId is a UUID", code="BAD_ID", path="key.optInId") from None
    if key.external_id is not None:
        return "external_id", key.external_id.value
    assert key.crypted_id is not None
    return "crypted_id", key.crypted_id.value
