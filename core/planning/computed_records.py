"""What a delivery computes of each recipient when it is prepared."""

from __future__ import annotations

from dataclasses import dataclass

from core.targeting.language import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingLog:
    """What the ledger keeps of each recipient besides the message (2.24, 3.36)."""

    segment_code: Expression | None = None  # None: the column `segment` of the audience, where that has one
    fields: tuple[str, ...] = ()  # of the profile, in their order


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDates:
    """When each recipient gets the message (5.18-5.20); who has no such date gets it at the delivery's contact date."""

    expression: Expression  # an instant or a day; `now` is the contact date
    zone: str = "UTC"  # in which it is asked
    of_recipient: bool = False  # what the clock of `zone` shows is meant as the time of the recipient's own zone
