"""GraphQL types of merges."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, link, record_of
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import Profile, shown_value
from api.graphql.scalars import JSON
from core.ids import from_global_id, to_global_id
from core.profiles import merge_records
from core.reporting import people

MergeRule = strawberry.enum(merge_records.MergeRule, name="MergeRule", description="Whose value of a field a merge keeps.")


def _ids(ids: Any) -> list[str]:
    return [to_global_id("Profile", one) for one in ids]


@strawberry.type(description="What somebody has in a field.")
class ProfileValue:
    """A value."""

    profile_id: strawberry.ID = leaf(lambda pair: to_global_id("Profile", pair[0]))
    value: JSON | None = leaf(lambda pair: pair[1])


@strawberry.type(description="What a field of the survivor becomes.")
class MergedField:
    """A field."""

    field: str
    value: JSON | None = leaf(lambda one: shown_value(one.field, one.value))
    profile_id: strawberry.ID | None = leaf(
        lambda one: None if one.profile_id is None else to_global_id("Profile", one.profile_id),
        description="Whose value it is; null: given, or nobody's, or a refusal of any of them.",
    )
    changed: bool = strawberry.field(description="For the survivor.")
    conflict: bool = leaf(lambda one: one.is_conflict, description="People have different values, of which one stays.")
    values: list[ProfileValue] = leaf(
        lambda one: [(key, shown_value(one.field, value)) for key, value in one.values.items()],
        description="Those that people have, the survivor first.",
    )


@strawberry.type(description="A delivery that is not over and has people of the merge among its recipients.")
class MergeWarning:
    """A warning."""

    code: str
    message: str
    delivery_id: strawberry.ID = leaf(lambda one: to_global_id("Delivery", one.delivery_id))


@strawberry.type(description="What a merge would do; nothing is written.")
class MergePreview:
    """A preview."""

    fields: list[MergedField] = strawberry.field(description="Those that anybody has a value in.")
    brought_ids: list[strawberry.ID] = leaf(
        lambda preview: _ids(preview.brought_ids), description="Profiles that were merged into one of the others before."
    )

    @field(int)
    async def messages(root: strawberry.Parent[Any], info: Info) -> Any:
        """How many messages of the others will be read as the survivor's."""
        async with info.context.lease.use() as conn:
            return await people.count_messages(conn, root.ids[1:])

    @field(int)
    async def events(root: strawberry.Parent[Any], info: Info) -> Any:
        """How many opens, clicks and other events of the others will be read as the survivor's."""
        async with info.context.lease.use() as conn:
            return await people.count_events(conn, root.ids[1:])

    @field(list[MergeWarning])
    async def warnings(root: strawberry.Parent[Any], info: Info) -> Any:
        """Deliveries under way that they are recipients of."""
        async with info.context.lease.use() as conn:
            return await people.list_warnings(conn, root.ids)


@strawberry.type(description="A merge that was done.")
class ProfileMerge(Node):
    """A merge."""

    is_type_of = record_of(merge_records.Merge)

    id: strawberry.ID = global_id("ProfileMerge")
    survivor: Profile | None = link(load_profiles, lambda merge: merge.survivor_id)
    merged_ids: list[strawberry.ID] = leaf(
        lambda merge: _ids(merge.merged_ids), description="With those that stood under one of them before."
    )
    merged_at: datetime
    merged_by: str
    undone_at: datetime | None
    undone_by: str | None


@strawberry.type(description="Merges, the newest first. They are not counted.")
class ProfileMergeConnection(ForwardPage[ProfileMerge]):
    """A page of merges."""


@strawberry.type(
    description="A unique value that could not be given back, as somebody else has it by now, or a link to a row that is gone."
)
class LostValue:
    """A lost value."""

    profile_id: strawberry.ID = leaf(lambda pair: to_global_id("Profile", pair[0]))
    field: str = leaf(lambda pair: pair[1])


@strawberry.type(description="Profiles that a rule finds alike.")
class DuplicateGroup:
    """A group."""

    rule: int = strawberry.field(description="Which rule, counted from 0.")
    size: int = strawberry.field(description="All of them.")
    profile_ids: list[strawberry.ID] = leaf(lambda group: _ids(group.ids), description="The oldest hundred.")

    @field(list[Profile])
    async def profiles(root: strawberry.Parent[Any], info: Info, first: int = 10) -> Any:
        """The oldest of them."""
        ids = root.ids[: max(1, min(first, len(root.ids)))]
        return [one for one in await info.context.loader(load_profiles).load_many(ids) if one is not None]


@strawberry.input(description="The rule for one field.")
class MergeFieldInput:
    """A rule."""

    field: str
    rule: MergeRule  # type: ignore[valid-type]
    profile_id: strawberry.ID | None = strawberry.field(
        default=None, description="With OTHER: whose; needed where several are merged."
    )
    value: JSON | None = strawberry.field(default=strawberry.UNSET, description="With VALUE; null clears the field.")


@strawberry.input(description="Who becomes part of whom, and by which rules.")
class MergeInput:
    """Input of mergeProfiles and mergePreview."""

    survivor_id: strawberry.ID
    merged_ids: list[strawberry.ID]
    default_rule: MergeRule = merge_records.MergeRule.FIRST  # type: ignore[valid-type]
    rules: list[MergeFieldInput] = strawberry.field(default_factory=list)

    def plan(self) -> merge_records.MergePlan:
        """As the operation takes it. Raises Invalid (BAD_ID)."""
        rules = [
            merge_records.FieldRule(
                field=one.field, rule=one.rule,
                value=msgspec.UNSET if one.value is strawberry.UNSET else one.value,
                profile_id=None
                if one.profile_id is None
                else from_global_id("Profile", one.profile_id, f"rules.{n}.profile_id"),
            )
            for n, one in enumerate(self.rules)
        ]  # fmt: skip
        return merge_records.MergePlan(
            survivor_id=from_global_id("Profile", self.survivor_id, "survivor_id"),
            other_ids=tuple(from_global_id("Profile", one, f"merged_ids.{n}") for n, one in enumerate(self.merged_ids)),
            default=self.default_rule,
            rules=tuple(rules),
        )
