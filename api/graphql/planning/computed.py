"""What a delivery computes of each recipient: types and inputs."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.leaf import leaf
from api.graphql.targeting.inputs import ExpressionInput, parsed
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
