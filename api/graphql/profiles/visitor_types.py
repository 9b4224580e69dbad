"""GraphQL types of visitors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import RequestContext
from api.errors import public_path
from api.graphql.business_events.types import ProfileReferenceInput
from api.graphql.connections import ForwardPage
from api.graphql.leaf import leaf
from api.graphql.nodes import Node, aligned, global_id, record_of
from core.ids import to_global_id
from core.profiles import visitor_records as records
from core.profiles import visitors

VisitorOutcome = strawberry.enum(
    records.VisitorOutcome,
    name="VisitorOutcome",
    description="What became of a row. REJECTED: nothing, for the reason that the row tells.",
)


async def load_visitors(context: RequestContext, ids: list[int]) -> list[Any]:
    """Visitors by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await visitors.find_visitors(conn, ids))


async def load_visitors_of(context: RequestContext, profile_ids: list[int]) -> list[Any]:
    """Visitors that are profiles, by the profile."""
    async with context.lease.use() as conn:
        found = await visitors.list_of_profiles(conn, profile_ids)
    return [found.get(one, []) for one in profile_ids]


def _profile_id(name: str, description: str) -> Any:
    def read(one: records.Visitor) -> str | None:
        key = getattr(one, name)
        return None if key is None else to_global_id("Profile", key)

    return leaf(read, description=description)


@strawberry.type(description="Somebody who came to a form or a page, before or after one knows who they are.")
class Visitor(Node):
    """A visitor."""

    is_type_of = record_of(records.Visitor)

    id: strawberry.ID = global_id("Visitor")
    external_id: str = strawberry.field(description="By which the page knows them.")
    email: str | None = strawberry.field(description="In the form in which addresses are compared.")
    first_name: str | None
    last_name: str | None
    origin: str | None = strawberry.field(description="The form or page.")
    forward_url: str | None = strawberry.field(description="Where they were led on to.")
    referrer_email: str | None = strawberry.field(description="Who sent them, as was said there.")
    referrer_first_name: str | None
    referrer_last_name: str | None
    referrer_comment: str | None
    referrer_id: strawberry.ID | None = _profile_id("referrer_id", "The profile of who sent them, maybe merged since.")
    profile_id: strawberry.ID | None = _profile_id("profile_id", "Who they are, maybe merged since. Null: nobody knows.")
    created_at: datetime
    updated_at: datetime


@strawberry.type(description="Visitors of forms and pages, the oldest first. They are not counted.")
class VisitorConnection(ForwardPage[Visitor]):
    """A page of visitors."""


@strawberry.type(description="A row of a call and what became of it.")
class VisitorResult:
    """A result."""

    index: int = strawberry.field(description="Its place in the call, from 0.")
    outcome: VisitorOutcome  # type: ignore[valid-type]
    code: str | None = leaf(lambda result: result.error and result.error.code, description="Of a rejected row.")
    message: str | None = leaf(lambda result: result.error and result.error.message)
    path: str | None = leaf(lambda result: result.error and public_path(result.error.path))
    hint: str | None = leaf(lambda result: result.error and result.error.hint)


@strawberry.input(description="A visitor as they shall be. externalId says which. What is left out stays; null clears.")
class VisitorInput:
    """A visitor."""

    external_id: str = strawberry.field(description="By which the page knows them: up to 200 characters of ASCII.")
    email: strawberry.Maybe[str | None]
    first_name: strawberry.Maybe[str | None]
    last_name: strawberry.Maybe[str | None]
    origin: strawberry.Maybe[str | None] = strawberry.field(description="The form or page, up to 100 characters.")
    forward_url: strawberry.Maybe[str | None] = strawberry.field(description="Where they were led on to.")
    referrer_email: strawberry.Maybe[str | None]
    referrer_first_name: strawberry.Maybe[str | None]
    referrer_last_name: strawberry.Maybe[str | None]
    referrer_comment: strawberry.Maybe[str | None]
    referrer: strawberry.Maybe[ProfileReferenceInput | None] = strawberry.field(description="The profile of who sent them.")
    profile: strawberry.Maybe[ProfileReferenceInput | None] = strawberry.field(description="Who they are; null: nobody knows.")

    def sent(self, path: str) -> records.SentVisitor:
        """Raises Invalid (BAD_ID)."""
        values = {name: one.value for name in records.SAID if (one := getattr(self, name)) is not None}
        who = None if self.profile is None else self.profile.value
        referrer = None if self.referrer is None else self.referrer.value
        return records.SentVisitor(
            external_id=self.external_id, values=values,
            profile=None if who is None else who.reference(f"{path}.profile.id"),
            forget_profile=self.profile is not None and who is None,
            referrer=None if referrer is None else referrer.reference(f"{path}.referrer.id"),
            forget_referrer=self.referrer is not None and referrer is None,
        )  # fmt: skip
