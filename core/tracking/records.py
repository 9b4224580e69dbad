"""What the rows of this room mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

USER_AGENT_LENGTH = 400  # characters kept of what a client says about itself


class TrackingKind(IntEnum):
    """What somebody did: URL type codes of feature map 6.03 and A.4."""

    CLICK = 1
    OPEN = 2
    UNSUBSCRIBE = 3
    MIRROR = 6


ANYTHING = 0  # kind of the counters and uniques that stand for all kinds
ANY_LINK = 0  # link of the counters and uniques that stand for all links


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Whose message a hit is about."""

    delivery_id: int
    recipient_kind: int
    recipient_id: int
    occurrence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that came in at a public page, not yet stored."""

    at: datetime
    kind: TrackingKind
    delivery_id: int
    recipient_kind: int
    recipient_id: int
    occurrence: int = 0
    link: int = 0
    link_occurrence: int = 0
    url: str | None = None  # the link as its author wrote it, before personal values enter it
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEvent:
    """A stored hit, or the news that an earlier one was a machine's."""

    position: int
    at: datetime
    kind: TrackingKind
    delivery_id: int
    recipient_kind: int
    recipient_id: int
    occurrence: int
    link: int
    link_occurrence: int
    url: str | None
    user_agent: str | None
    machine_rule: int  # 0: a person
    corrects: int | None  # the position of the event that this one re-marks; None for a hit

    @property
    def is_machine(self) -> bool:
        """Whether a rule took it for a machine's doing."""
        return self.machine_rule != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a reader of the stream wants.

    Without machines, corrections still come: they take back what was shown as a person's before.
    """

    delivery_id: int | None = None
    kinds: frozenset[TrackingKind] | None = None
    machines: bool = True

    def matches(self, event: TrackingEvent) -> bool:
        """The same decision as `store.list_events` takes in SQL."""
        return (
            (self.delivery_id is None or event.delivery_id == self.delivery_id)
            and (self.kinds is None or event.kind in self.kinds)
            and (self.machines or event.machine_rule == 0 or event.corrects is not None)
        )


EVERYTHING = EventFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events in order, and the cursor from which the next ones follow."""

    events: tuple[TrackingEvent, ...]
    position: int


class RuleKind(StrEnum):
    """How a rule tells a machine."""

    AGENT = "agent"  # `pattern` is searched in the user agent
    BURST = "burst"  # all links of a message, and at least `least` of them, within `seconds`
    HIDDEN_LINK = "hidden_link"  # a link that no person sees; speaks for the `seconds` around it


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRule:
    """One row of `machine_rule`."""

    id: int
    kind: RuleKind
    pattern: str | None = None
    seconds: int | None = None
    least: int | None = None
    description: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """A machine rule as somebody enters it."""

    kind: RuleKind
    description: str
    pattern: str | None = None
    seconds: int | None = None
    least: int | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A link that was followed."""

    at: datetime
    link: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was clicked in a message lately, in order."""

    message: Message
    clicks: tuple[Click, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a message saw from one moment to another, both included, was a machine's doing, says a rule."""

    message: Message
    since: datetime
    until: datetime
    rule: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of the stream: which messages it is about, and since when, and the position of its last event."""

    seen: Mapping[Message, datetime]
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingCount:
    """How often, and by how many recipients, something was done in a delivery."""

    kind: int
    link: int
    machine: bool
    total: int
    uniques: int
