"""What other rooms and the API ask about deliveries. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from channels.contract import FailureReason
from core.db import Connection
from core.delivery.records import (
    CountRow,
    DeliveryLink,
    DueCount,
    Explanation,
    LedgerCounts,
    LedgerRow,
    LedgerState,
    LogEntry,
    RecipientKind,
    Span,
)
from core.delivery.store import ledger, programs, runs
from core.paging import Page, PageRequest, cut
from core.planning import computed
from core.planning.records import Delivery
from core.profiles import profiles

MOST_SPANS = 1000
RowKey = tuple[int, int, int, int]  # delivery, recipient kind, recipient, occurrence


async def counts(conn: Connection, delivery_id: int) -> LedgerCounts:
    """The equation's columns, from the counters. Traps are counted apart: they are nobody."""
    return add_up(await ledger.get_counts(conn, delivery_id))


async def counts_of(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, LedgerCounts]:
    """The same for several deliveries in one statement."""
    found = await ledger.list_counts(conn, list(delivery_ids))
    return {delivery_id: add_up(found.get(delivery_id, [])) for delivery_id in delivery_ids}


def add_up(rows: Sequence[CountRow]) -> LedgerCounts:
    """Counter rows → the equation's columns. Pure."""
    totals = dict.fromkeys(LedgerState, 0)
    after_hand_over = 0
    for row in rows:
        totals[row.state] += row.n
        if row.state is LedgerState.FAILED and row.after_hand_over:
            after_hand_over += row.n
    return LedgerCounts(
        targeted=sum(totals.values()),
        excluded=totals[LedgerState.EXCLUDED],
        pending=totals[LedgerState.PENDING],
        accepted=totals[LedgerState.ACCEPTED],
        failed=totals[LedgerState.FAILED],
        unknown=totals[LedgerState.UNKNOWN],
        withdrawn=totals[LedgerState.WITHDRAWN],
        expired=totals[LedgerState.EXPIRED],
        cancelled=totals[LedgerState.CANCELLED],
        failed_after_hand_over=after_hand_over,
        by_reason=tuple(row for row in rows if row.n),
    )


async def trap_counts_of(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, LedgerCounts]:
    """The same of their traps, which nothing else counts."""
    found = await ledger.list_trap_counts(conn, list(delivery_ids))
    return {delivery_id: add_up(found.get(delivery_id, [])) for delivery_id in delivery_ids}


async def find_row(
    conn: Connection,
    delivery_id: int,
    recipient_id: int,
    kind: RecipientKind = RecipientKind.PROFILE,
    occurrence: int = 0,
) -> LedgerRow | None:
    """One recipient's row."""
    return await ledger.find_row(conn, delivery_id, kind, recipient_id, occurrence)


async def get_rows(conn: Connection, keys: Sequence[RowKey]) -> dict[RowKey, LedgerRow]:
    """Rows by (delivery, recipient kind, recipient, occurrence), in one statement; missing ones are left out."""
    rows = await ledger.list_by_keys(conn, keys)
    return {(row.delivery_id, int(row.recipient_kind), row.recipient_id, row.occurrence): row for row in rows}


async def list_rows(
    conn: Connection, delivery_id: int, states: Sequence[LedgerState] | None, page: PageRequest
) -> Page[LedgerRow]:
    """Profiles' rows in the order of recipients, then traps'; the cursor is the recipient id."""
    codes = None if states is None else [int(state) for state in states]
    return cut(await ledger.list_rows(conn, delivery_id, codes, page.after, page.first + 1), page)


async def count_due(conn: Connection, delivery: Delivery, span: Span, zone: ZoneInfo) -> list[DueCount]:
    """How many people are still to get a delivery in each piece of time, the first `MOST_SPANS` that have any. Of messages that
    were tried before it is the next attempt that counts."""
    run = await runs.find_run(conn, delivery.id)
    if run is None or run.prepared_at is None:
        return []
    start = run.contact_at
    if start is None and delivery.id not in await computed.get_send_dates(conn, [delivery.id]):
        start = delivery.contact_at
    found = await ledger.count_due(conn, delivery.id, span.value, zone.key, start, MOST_SPANS)
    return [DueCount(at=at, people=people) for at, people in found]


async def list_log(conn: Connection, delivery_id: int, page: PageRequest) -> Page[LogEntry]:
    """The preparation and sending log, oldest first."""
    return cut(await runs.list_log(conn, delivery_id, page.after, page.first + 1), page)


async def list_links(conn: Connection, delivery_id: int) -> list[DeliveryLink]:
    """The links that a delivery's readers see."""
    return await programs.list_links_of(conn, delivery_id)


async def explain(conn: Connection, delivery_id: int, profile_id: int) -> Explanation:
    """Why somebody did, or did not, get a delivery. Raises NotFound for somebody nobody knows."""
    run = await runs.find_run(conn, delivery_id)
    if run is None or run.prepared_at is None:
        return Explanation(targeted=False, row=None, summary="The delivery has not been prepared.")
    row = await find_row(conn, delivery_id, profile_id)
    if row is None:
        await profiles.get_profile(conn, profile_id)
        return Explanation(targeted=False, row=None, summary="Not in the audience when the delivery was prepared.")
    return Explanation(targeted=True, row=row, summary=_sentence(row))


_BECAUSE: dict[FailureReason, str] = {
    FailureReason.ADDRESS_NOT_SPECIFIED: "the profile has no usable address on this channel",
    FailureReason.DENYLISTED_ADDRESS: "the person opted out",
    FailureReason.QUARANTINED_ADDRESS: "the address is in quarantine",
    FailureReason.SUPPRESSED_ADDRESS: "the address or its domain is on a suppression list",
    FailureReason.ERASED: "whoever had the address was erased, and has not opted in again",
    FailureReason.DUPLICATE: "another profile with the same address gets the message",
    FailureReason.CONTROL_GROUP: "the person is in the delivery's control group",
    FailureReason.GLOBAL_HOLDOUT: "the person is held out of all deliveries",
    FailureReason.PROFILE_DELETED: "the profile was deleted",
    FailureReason.LEFT_AUDIENCE: "the person is not subscribed to the delivery's service",
    FailureReason.EXCLUDED_BY_RULE: "the person has not agreed to the delivery's purpose",
    FailureReason.USER_UNKNOWN: "the address does not exist",
    FailureReason.INVALID_DOMAIN: "the domain does not exist",
    FailureReason.MAILBOX_FULL: "the mailbox is full",
    FailureReason.REFUSED: "the provider refused the message",
    FailureReason.RENDERING_FAILED: "the message could not be rendered for this person",
}


def _sentence(row: LedgerRow) -> str:
    because = _BECAUSE.get(row.reason, row.reason.name.lower().replace("_", " "))
    if row.state is LedgerState.FAILED and row.reason is FailureReason.DENYLISTED_ADDRESS:
        because = "the address is on the provider's suppression list"
    who = "The template" if row.reason is FailureReason.RENDERING_FAILED else "The provider"
    said = f" {who} said: {row.answer}" if row.answer else ""
    sentences = {
        LedgerState.EXCLUDED: f"Excluded at preparation: {because}.",
        LedgerState.PENDING: f"Waiting to be sent{f', tried {row.attempt} times' if row.attempt else ''}.{said}",
        LedgerState.CLAIMED: "A worker is about to send it.",
        LedgerState.HANDED_OVER: "It is being handed to the provider.",
        LedgerState.ACCEPTED: "Sent: the provider accepted it.",
        LedgerState.FAILED: f"Failed: {because}.{said}",
        LedgerState.UNKNOWN: "Handed to the provider, whose answer was lost; it is not sent again by itself.",
        LedgerState.WITHDRAWN: f"Withdrawn before it was sent: {because}.",
        LedgerState.EXPIRED: f"Not sent before the delivery's duration ended.{said}",
        LedgerState.CANCELLED: "Not sent: the delivery was stopped first.",
    }
    return sentences[row.state]
