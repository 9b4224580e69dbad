"""GraphQL types of tracking, read off its records."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.delivery.loaders import load_deliveries
from api.graphql.delivery.types import Delivery
from api.graphql.leaf import leaf
from api.graphql.nodes import link as link_to
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import Profile
from api.graphql.scalars import Long
from core.delivery.records import RecipientKind
from core.ids import to_global_id
from core.paging import encode_cursor
from core.tracking import records

TrackingKind = strawberry.enum(records.TrackingKind, name="TrackingKind", description="What somebody did (A.4).")
MachineRuleKind = strawberry.enum(
    records.RuleKind,
    name="MachineRuleKind",
    description="AGENT searches `pattern` in the user agent. BURST: all visible links of a message, `least` or more, within "
    "`seconds`. HIDDEN_LINK: a link that no person sees, and what happens in the `seconds` around it.",
)


@strawberry.type(description="Something somebody did, or the news that an earlier event was a machine's doing.")
class TrackingEvent:
    """An event. The delivery and the profile are read from the database; the ids are not."""

    cursor: str = leaf(lambda event: encode_cursor(event.position))
    position: Long
    at: datetime
    kind: TrackingKind  # type: ignore[valid-type]
    delivery_id: strawberry.ID = leaf(lambda event: to_global_id("Delivery", event.delivery_id))
    profile_id: strawberry.ID | None = leaf(
        lambda event: to_global_id("Profile", event.recipient_id) if event.recipient_kind == RecipientKind.PROFILE else None
    )
    occurrence: int
    link: int = strawberry.field(description="The number of the link, 0 where none was followed.")
    url: str | None = strawberry.field(description="The link as its author wrote it.")
    user_agent: str | None
    machine: bool = leaf(lambda event: event.is_machine)
    machine_rule: int = strawberry.field(description="The rule that took it for a machine's doing; 0: a person.")
    corrects: Long | None = strawberry.field(
        description="The position of an earlier event, shown as a person's, that this one re-marks as a machine's."
    )
    delivery: Delivery | None = link_to(load_deliveries, lambda event: event.delivery_id)
    profile: Profile | None = link_to(
        load_profiles,
        lambda event: event.recipient_id if event.recipient_kind == RecipientKind.PROFILE else None,
    )


@strawberry.type(description="Events in the order of the stream, and the cursor from which the next ones follow.")
class TrackingEventBatch:
    """What came since the last batch."""

    events: list[TrackingEvent]
    cursor: str = leaf(
        lambda batch: encode_cursor(batch.position), description="Resume from here: nothing is lost or repeated."
    )


@strawberry.type(description="A rule that tells machines from people.")
class MachineRule:
    """A rule, kept as data."""

    id: int
    kind: MachineRuleKind  # type: ignore[valid-type]
    pattern: str | None
    seconds: int | None
    least: int | None = strawberry.field(description="How many links a message must show for a burst to tell anything.")
    description: str
    enabled: bool = strawberry.field(description="Whether it is asked.")


@strawberry.input(description="A new rule: `pattern` for AGENT, `seconds` and `least` for BURST, `seconds` for HIDDEN_LINK.")
class CreateMachineRuleInput:
    """Input of createMachineRule."""

    kind: MachineRuleKind  # type: ignore[valid-type]
    description: str
    pattern: str | None = None
    seconds: int | None = None
    least: int | None = None
    enabled: bool = True


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateMachineRuleInput:
    """Input of updateMachineRule."""

    id: int
    description: strawberry.Maybe[str]
    pattern: strawberry.Maybe[str]
    seconds: strawberry.Maybe[int]
    least: strawberry.Maybe[int]
    enabled: strawberry.Maybe[bool]
