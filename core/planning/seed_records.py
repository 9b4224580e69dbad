"""Who gets a delivery besides its target, and who of the target does not: traps, control groups, the global holdout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from core.targeting.language import Condition, Expression


class Insertion(StrEnum):
    """Where traps stand in what is written in one piece, as the file of a direct mail (2.35)."""

    MIXED = "mixed"  # in the order of all
    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traps:
    """Test profiles that get a delivery's real messages (2.34): those named, and those whose fields answer the question."""

    test_profile_ids: tuple[int, ...] = ()  # in their order
    question: Expression | None = None
    insertion: Insertion = Insertion.MIXED


class Extraction(StrEnum):
    """How a control group is taken out of those who would get the message (3.37)."""

    NONE = "none"
    RANDOM = "random"
    FIRST = "first"  # those with the highest value, or the lowest


class SameFor(StrEnum):
    """For which deliveries chance draws alike."""

    DELIVERY = "delivery"  # the same people whenever this one is prepared
    CAMPAIGN = "campaign"  # as far as they are targeted, the same people in all of its campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlGroup:
    """Who is held back from a delivery though nothing else keeps the message from them (3.37, 3.38).

    With a share and a size it is the smaller of the two. `audience_id` and `question` name people who are in it anyway.
    """

    extraction: Extraction = Extraction.NONE
    share: Decimal | None = None  # per cent of those who would get the message
    size: int | None = None  # people
    by: Expression | None = None  # of FIRST: the value that orders them
    lowest: bool = False
    same_for: SameFor = SameFor.DELIVERY  # of RANDOM
    audience_id: int | None = None
    question: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A delivery that asks about something by its traps, its control group, its sending log or its send dates."""

    delivery_id: int
    name: str  # of the delivery
    what: str  # in words: "traps"
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a delivery asks and computes by its traps, its control group, its sending log or its send dates."""

    delivery_id: int
    name: str  # of the delivery
    what: str  # as a Reader tells it
    questions: tuple[Condition, ...]
    computed: tuple[Condition, ...]
    fields: tuple[str, ...]  # of profiles, which the sending log keeps as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutDraft:
    """A holdout as somebody enters it."""

    label: str
    share: Decimal  # per cent of all people
    starts_at: datetime
    ends_at: datetime | None = None  # None: until it is ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """A share of all people that no delivery reaches in its time; the seed says whom."""

    id: int
    label: str
    share: Decimal
    seed: int
    starts_at: datetime
    ends_at: datetime | None
    version: int
    created_at: datetime
    created_by: str

    def counts_at(self, moment: datetime) -> bool:
        """Whether people are held out at a moment."""
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)
