"""Reads of targeting."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import load_one
from api.graphql.targeting.inputs import ExpressionInput, ParameterValueInput, with_values
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.person_types import PersonMembershipConnection
from api.graphql.targeting.segment_types import SegmentationInput, SegmentCount
from api.graphql.targeting.types import Audience, Question, Target, TargetEntity, TargetField, ask, zone_of
from api.graphql.targeting.use_types import AudienceUse
from api.graphql.targeting.value_types import TargetValue, ValueQuestion, ask_value
from core.ids import from_global_id
from core.planning.audience_uses import list_audience_uses
from core.targeting import audiences
from core.targeting.catalogue import CatalogueField, Entity
from core.targeting.person_memberships import list_of_person
from core.targeting.published import present_catalogue
from core.targeting.segments import count_segments


@strawberry.type
class TargetingQuery:
    """Expressions and audiences."""

    @field(Target)
    async def target(
        self, info: Info, expression: ExpressionInput, time_zone: str | None = None, entity: str = "profile",
        parameters: list[ParameterValueInput] | None = None,
    ) -> Question:  # fmt: skip
        """Check an expression; then count or sample whom it finds. Days are those of the time zone, UTC by default. It may
        be about any entity of targetEntities: then rows shows some. parameters are the values of parameter('name') in it."""
        return await ask(info, with_values(expression, parameters), time_zone, entity)

    @field(TargetValue)
    async def target_value(
        self, info: Info, expression: ExpressionInput, time_zone: str | None = None, entity: str = "profile",
        parameters: list[ParameterValueInput] | None = None,
    ) -> ValueQuestion:  # fmt: skip
        """Check an expression that computes a value, as columns, orders and groups do; then show what it comes to on some
        rows. Arguments are those of target; a condition is a value too, true or false."""
        return await ask_value(info, with_values(expression, parameters), time_zone, entity)

    @field(list[TargetField])
    async def target_fields(self, info: Info) -> list[CatalogueField]:
        """What expressions can ask about: Clarion's fields, and those that were published."""
        async with info.context.lease.use() as conn:
            catalogue = await present_catalogue(conn)
        return list(catalogue.entities["profile"].fields.values())

    @field(list[TargetEntity])
    async def target_entities(self, info: Info) -> list[Entity]:
        """What expressions can ask about, with the links between: of Clarion, of the data model, and business events."""
        async with info.context.lease.use() as conn:
            catalogue = await present_catalogue(conn)
        return list(catalogue.entities.values())

    @field(list[SegmentCount])
    async def segmentation(
        self, info: Info, population: ExpressionInput, into: SegmentationInput, time_zone: str | None = None
    ) -> Any:  # fmt: skip
        """How many of a population would be in each segment."""
        context = info.context
        async with context.lease.ask() as conn:
            return await count_segments(conn, population.parsed(), into.record(), at=context.now, zone=zone_of(time_zone))

    @field(Audience | None)
    async def audience(self, info: Info, id: strawberry.ID) -> Any:
        """An audience."""
        return await load_one(info.context, "Audience", load_audiences, id)

    @field(PersonMembershipConnection)
    async def profile_memberships(
        self, info: Info, profile_id: strawberry.ID, first: int | None = None, after: str | None = None
    ) -> Listing:
        """In which lists, files and kept audiences a person is. Audiences whose members are not kept are not there."""
        page = requested_page(info, first, after)
        key = from_global_id("Profile", profile_id, "profileId")
        async with info.context.lease.use() as conn:
            rows = await list_of_person(conn, key, page)
        return Listing(rows, None, lambda one: one.audience_id, page.after)

    @field(list[AudienceUse])
    async def audience_uses(self, info: Info, id: strawberry.ID) -> Any:
        """Who uses an audience, and which columns of its members: deliveries, what they ask and compute, contents, audiences
        and filters, oldest first, at most 1,000 of each."""
        async with info.context.lease.use() as conn:
            return await list_audience_uses(conn, from_global_id("Audience", id, "id"))

    @field(Connection[Audience])
    async def audiences(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Audiences, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await audiences.list_audiences(conn, page)
        return Listing(rows, info.context.counted(audiences.count_audiences), by_id, page.after)
