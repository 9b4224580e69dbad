"""Who gets a delivery besides its target, and who of the target does not: types and inputs, and the global holdout."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.mutations import given, mutation
from api.graphql.nodes import Node, aligned, global_id, link, load_one, optional_id, record_of
from api.graphql.profiles.test_profiles import TestProfile, load_test_profiles
from api.graphql.scalars import Long
from api.graphql.targeting.inputs import ExpressionInput, parsed
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.types import Audience
from core.ids import from_global_id
from core.planning import holdouts, seed_records, seeds

Extraction = strawberry.enum(
    seed_records.Extraction,
    name="Extraction",
    description="How a control group is taken out of those who would get the message: NONE takes out only whom it names.",
)
Insertion = strawberry.enum(
    seed_records.Insertion,
    name="TrapInsertion",
    description="Where traps stand in the file of a direct mail: in the order of all, at its start, or at its end.",
)
SameFor = strawberry.enum(
    seed_records.SameFor,
    name="SameFor",
    description="For which deliveries chance draws the same people, as far as they are targeted.",
)


async def load_traps(context: RequestContext, ids: list[int]) -> list[Any]:
    """Traps by delivery id."""
    async with context.lease.use() as conn:
        found = await seeds.get_traps(conn, ids)
    return [found.get(one, seed_records.Traps()) for one in ids]


async def load_control_groups(context: RequestContext, ids: list[int]) -> list[Any]:
    """Control groups by delivery id."""
    async with context.lease.use() as conn:
        found = await seeds.get_control_groups(conn, ids)
    return [found.get(one) for one in ids]


async def load_holdouts(context: RequestContext, ids: list[int]) -> list[Any]:
    """Holdouts by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await holdouts.find_holdouts(conn, ids))


@strawberry.type(description="Test profiles that get a delivery's real messages: those named, and those a question finds.")
class Traps:
    """The traps of a delivery, as planned."""

    question: str | None = leaf(lambda traps: traps.question and traps.question.text, description="Asked of their fields.")
    insertion: Insertion  # type: ignore[valid-type]

    @field(list[TestProfile])
    async def test_profiles(root: strawberry.Parent[Any], info: Info) -> Any:
        """Those that are named."""
        loader = info.context.loader(load_test_profiles)
        return [one for one in await loader.load_many(list(root.test_profile_ids)) if one is not None]


@strawberry.type(description="Who is held back from a delivery though nothing else keeps the message from them.")
class ControlGroup:
    """A control group, as planned."""

    extraction: Extraction  # type: ignore[valid-type]
    share: Decimal | None = strawberry.field(description="Per cent of those who would get the message.")
    size: Long | None = leaf(
        lambda group: None if group.size is None else Long(group.size), description="With a share too, the smaller counts."
    )
    by: str | None = leaf(lambda group: group.by and group.by.text, description="Of FIRST: the value that orders people.")
    lowest: bool
    same_for: SameFor  # type: ignore[valid-type]
    audience: Audience | None = link(load_audiences, lambda group: group.audience_id, description="Its members are in it.")
    question: str | None = leaf(
        lambda group: group.question and group.question.text, description="Whom it finds is in it."
    )  # fmt: skip


@strawberry.input(description="A delivery's traps, in the place of those it has.")
class SetDeliveryTrapsInput:
    """Input of setDeliveryTraps."""

    id: strawberry.ID
    test_profile_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    question: ExpressionInput | None = strawberry.field(
        default=None, description="Asked of the fields of test profiles, as of a profile's; those that are traps join."
    )
    insertion: Insertion = strawberry.field(  # type: ignore[valid-type]
        default=seed_records.Insertion.MIXED, description="For channels that write all messages into one file."
    )

    def traps(self) -> seed_records.Traps:
        """Raises Invalid (BAD_ID), ExpressionError."""
        return seed_records.Traps(
            test_profile_ids=tuple(from_global_id("TestProfile", one, "test_profile_ids") for one in self.test_profile_ids),
            question=parsed(self.question),
            insertion=self.insertion,
        )


@strawberry.input(description="Who is to be held back.")
class ControlGroupInput:
    """A control group."""

    extraction: Extraction = seed_records.Extraction.NONE  # type: ignore[valid-type]
    share: Decimal | None = strawberry.field(default=None, description="Per cent of those who would get the message.")
    size: Long | None = None
    by: ExpressionInput | None = strawberry.field(default=None, description="Of FIRST: the value that orders people.")
    lowest: bool = False
    same_for: SameFor = seed_records.SameFor.DELIVERY  # type: ignore[valid-type]
    audience_id: strawberry.ID | None = strawberry.field(default=None, description="Its members are held back in any case.")
    question: ExpressionInput | None = strawberry.field(default=None, description="Whom it finds is held back in any case.")

    def group(self) -> seed_records.ControlGroup:
        """Raises Invalid (BAD_ID), ExpressionError."""
        return seed_records.ControlGroup(
            extraction=self.extraction, share=self.share, size=self.size, by=parsed(self.by), lowest=self.lowest,
            same_for=self.same_for, audience_id=optional_id("Audience", self.audience_id, "audience_id"),
            question=parsed(self.question),
        )  # fmt: skip


@strawberry.input(description="A delivery's control group, in the place of the one it has; null: nobody is held back.")
class SetDeliveryControlGroupInput:
    """Input of setDeliveryControlGroup."""

    id: strawberry.ID
    control_group: ControlGroupInput | None


@strawberry.type(description="A share of all people that no delivery reaches in its time, unless it ignores the holdout.")
class Holdout(Node):
    """A holdout."""

    is_type_of = record_of(seed_records.Holdout)

    id: strawberry.ID = global_id("Holdout")
    label: str
    share: Decimal = strawberry.field(description="Per cent.")
    starts_at: datetime
    ends_at: datetime | None = strawberry.field(description="Null: until it is ended.")
    version: int
    created_at: datetime
    created_by: str

    @field(bool)
    async def current(root: strawberry.Parent[Any], info: Info) -> bool:
        """Whether people are held out by it now."""
        found: seed_records.Holdout = root
        return found.counts_at(info.context.now)


@strawberry.input(description="A new holdout; one counts at a time.")
class CreateHoldoutInput:
    """Input of createHoldout."""

    label: str
    share: Decimal = strawberry.field(description="Per cent of all people, up to 50.")
    starts_at: datetime | None = strawberry.field(default=None, description="Left out: now.")
    ends_at: datetime | None = None


@strawberry.input(description="What is to change. Whom it holds out stays: for another share end it, and create another one.")
class UpdateHoldoutInput:
    """Input of updateHoldout."""

    id: strawberry.ID
    expected_version: int | None = None
    label: strawberry.Maybe[str]
    ends_at: strawberry.Maybe[datetime | None]


@strawberry.type
class HoldoutQuery:
    """The global holdout."""

    @field(Holdout | None)
    async def holdout(self, info: Info, id: strawberry.ID) -> Any:
        """A holdout."""
        return await load_one(info.context, "Holdout", load_holdouts, id)

    @field(Connection[Holdout])
    async def holdouts(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Holdouts, oldest first: those that ended stay, so that one can tell whom they held out."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await holdouts.list_holdouts(conn, page)
        return Listing(rows, info.context.counted(holdouts.count_holdouts), by_id, page.after)


@strawberry.type
class HoldoutMutation:
    """The global holdout."""

    @mutation(holdout=Holdout)
    async def create_holdout(self, info: Info, input: CreateHoldoutInput) -> Any:
        """Hold a share of all people out of deliveries from now on, or later."""
        context = info.context
        draft = seed_records.HoldoutDraft(
            label=input.label, share=input.share, starts_at=input.starts_at or context.now, ends_at=input.ends_at
        )
        return await holdouts.create_holdout(
            context.conn, context.actor, draft, seed=secrets.randbits(62), now=context.now
        )  # fmt: skip

    @mutation(holdout=Holdout)
    async def update_holdout(self, info: Info, input: UpdateHoldoutInput) -> Any:
        """Give a holdout another label, or another end."""
        context = info.context
        return await holdouts.update_holdout(
            context.conn, context.actor, from_global_id("Holdout", input.id, "id"),
            given(label=input.label, ends_at=input.ends_at), expected_version=input.expected_version, now=context.now,
        )  # fmt: skip

    @mutation(deleted_id=strawberry.ID)
    async def delete_holdout(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a holdout that has not begun."""
        context = info.context
        await holdouts.delete_holdout(context.conn, context.actor, from_global_id("Holdout", id, "id"), now=context.now)
        return id
