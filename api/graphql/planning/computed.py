"""What a delivery computes of each recipient: types and inputs."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.leaf import leaf
from api.graphql.targeting.inputs import ExpressionInput, parsed
from api.graphql.targeting.types import zone_of
from core.planning import computed, computed_records


async def load_sending_logs(context: RequestContext, ids: list[int]) -> list[Any]:
    """What the sending logs keep, by delivery id."""
    async with context.lease.use() as conn:
        found = await computed.get_sending_logs(conn, ids)
    return [found.get(one, computed_records.SendingLog()) for one in ids]


@strawberry.type(description="What the ledger keeps of each recipient besides the message, as it is at the preparation.")
class SendingLog:
    """The sending log of a delivery, as planned."""

    segment_code: str | None = leaf(
        lambda kept: kept.segment_code and kept.segment_code.text,
        description="Computes the code. Null: the column `segment` of the audience has it, where there is one.",
    )
    fields: list[str] = strawberry.field(description="Of the profile.")


@strawberry.input(description="What the ledger is to keep, in the place of what it keeps.")
class SetDeliverySendingLogInput:
    """Input of setDeliverySendingLog."""

    id: strawberry.ID
    segment_code: ExpressionInput | None = strawberry.field(
        default=None, description="Computes a text, an integer or an enumeration of each recipient; up to 100 characters of it."
    )
    fields: list[str] = strawberry.field(default_factory=list, description="Names of up to 20 fields of profiles.")

    def kept(self) -> computed_records.SendingLog:
        """Raises ExpressionError."""
        return computed_records.SendingLog(segment_code=parsed(self.segment_code), fields=tuple(self.fields))


async def load_send_dates(context: RequestContext, ids: list[int]) -> list[Any]:
    """Send dates by delivery id."""
    async with context.lease.use() as conn:
        found = await computed.get_send_dates(conn, ids)
    return [found.get(one) for one in ids]


@strawberry.type(description="When each recipient gets the message. Who has no such date gets it at the contact date.")
class SendDates:
    """The send dates of a delivery, as planned."""

    expression: str = leaf(lambda dates: dates.expression.text)
    time_zone: str = leaf(lambda dates: dates.zone, description="In which it is asked.")
    of_recipient: bool = strawberry.field(
        description="Whether what the clock of the time zone shows is meant as the time of the recipient's own zone."
    )


@strawberry.input(description="An expression that computes when a recipient gets the message.")
class SendDatesInput:
    """Send dates."""

    expression: ExpressionInput = strawberry.field(
        description="An instant, or a day, of which it is the first moment. `now` is the contact date, else the preparation."
    )
    time_zone: str | None = strawberry.field(default=None, description="In which it is asked; UTC if left out.")
    of_recipient: bool = strawberry.field(
        default=False, description="At the same time of the clock in the recipient's own zone, where that is known."
    )

    def dates(self) -> computed_records.SendDates:
        """Raises ExpressionError, Invalid (BAD_TIME_ZONE)."""
        return computed_records.SendDates(
            expression=self.expression.parsed(), zone=zone_of(self.time_zone).key, of_recipient=self.of_recipient
        )


@strawberry.input(description="A delivery's send dates, in the place of those it has; null: the contact date is everybody's.")
class SetDeliverySendDatesInput:
    """Input of setDeliverySendDates."""

    id: strawberry.ID
    send_dates: SendDatesInput | None
