"""Reads of consent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.consent.inputs import PersonInput
from api.graphql.consent.loaders import load_purposes, load_services
from api.graphql.consent.types import (
    ConsentEntryConnection,
    ConsentWording,
    Preferences,
    Purpose,
    Service,
    SubscriptionEventConnection,
)
from api.graphql.leaf import field
from api.graphql.nodes import load_one, optional_id
from core.consent import ledger, preferences, purposes, services, subscriptions, wordings
from core.db import Connection as Database
from core.errors import Invalid
from core.ids import from_global_id
from core.public_urls import PublicUrls


async def person_of(context: RequestContext, conn: Database, person: PersonInput) -> preferences.Person:
    """Whom an input means. Raises Invalid (BAD_ID), NotFound (PERSON_NOT_FOUND)."""
    if person.profile_id is not None:
        key = from_global_id("Profile", person.profile_id.value, "person.profileId")
        return preferences.Person(profile_id=key, by_own_link=False)
    if person.token is not None:
        urls = PublicUrls(context.runtime.settings, context.runtime.keyring)
        return await preferences.person_by_token(conn, urls, person.token.value)
    assert person.opt_in_id is not None
    try:
        opt_in_id = UUID(person.opt_in_id.value)
    except ValueError:
        raise Invalid("an optInId is a UUID", code="BAD_ID", path="person.optInId") from None
    return await preferences.person_by_opt_in_id(conn, opt_in_id)


@strawberry.type
class ConsentQuery:
    """Services, purposes, wordings, preferences, the history and the ledger."""

    @field(Service | None)
    async def service(self, info: Info, id: strawberry.ID) -> Any:
        """A service."""
        return await load_one(info.context, "Service", load_services, id)

    @field(Service | None)
    async def service_by_name(self, info: Info, name: str) -> Any:
        """A service by its handle."""
        async with info.context.lease.use() as conn:
            return await services.find_service_by_name(conn, name)

    @field(Connection[Service])
    async def services(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Services, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await services.list_services(conn, page)
        return Listing(rows, info.context.counted(services.count_services), by_id, page.after)

    @field(Purpose | None)
    async def purpose(self, info: Info, id: strawberry.ID) -> Any:
        """A purpose."""
        return await load_one(info.context, "Purpose", load_purposes, id)

    @field(Connection[Purpose])
    async def purposes(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Purposes, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await purposes.list_purposes(conn, page)
        return Listing(rows, info.context.counted(purposes.count_purposes), by_id, page.after)

    @field(Connection[ConsentWording])
    async def consent_wordings(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Every version of every wording, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await wordings.list_wordings(conn, page)
        return Listing(rows, info.context.counted(wordings.count_wordings), by_id, page.after)

    @field(Preferences)
    async def preferences(self, info: Info, person: PersonInput) -> Any:
        """All that a person agreed to and refused. By the person's own link a token needs no more than PREFERENCES."""
        context = info.context
        async with context.lease.use() as conn:
            found = await person_of(context, conn, person)
            return await preferences.get_preferences(conn, context.actor, found, now=context.now)

    @field(SubscriptionEventConnection)
    async def subscription_history(
        self,
        info: Info,
        profile_id: strawberry.ID,
        service_id: strawberry.ID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """What happened between a person and one service or all, newest first."""
        page = requested_page(info, first, after)
        key, service = from_global_id("Profile", profile_id, "profileId"), optional_id("Service", service_id, "serviceId")
        async with info.context.lease.use() as conn:
            rows = await subscriptions.list_events(conn, key, page, service_id=service)
        return Listing(rows, None, by_id, page.after)

    @field(ConsentEntryConnection)
    async def consent_ledger(
        self, info: Info, profile_id: strawberry.ID, first: int | None = None, after: str | None = None
    ) -> Listing:
        """What a person agreed to and refused, ever, newest first, with the proof."""
        page = requested_page(info, first, after)
        key = from_global_id("Profile", profile_id, "profileId")
        async with info.context.lease.use() as conn:
            rows = await ledger.list_entries(conn, key, page)
        return Listing(rows, None, by_id, page.after)
