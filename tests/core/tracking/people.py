"""People, robots and links for the tests of this room."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from core.db import Connection
from core.tracking.append import append
from core.tracking.bursts import messages_of, take_back
from core.tracking.machines import RuleBook, ShownLinks
from core.tracking.records import Hit, Message, TrackingKind
from core.tracking.store import rule_rows

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
ROBOT = "SecureMail-LinkBot/1.0"


class TwoDeliveries:
    """Messages of delivery 7 show links 1 to 3 and hide 9; those of delivery 8 show link 1."""

    async def hidden(self, conn: Connection, delivery_id: int) -> frozenset[int]:
        return frozenset({9}) if delivery_id == 7 else frozenset()

    async def always(self, conn: Connection, delivery_id: int) -> Collection[frozenset[int]]:
        return [frozenset({1})]

    async def shown(self, conn: Connection, messages: Sequence[Message]) -> Mapping[Message, ShownLinks]:
        return {
            message: ShownLinks(visible=frozenset({1, 2, 3}), hidden=frozenset({9}))
            if message.delivery_id == 7
            else ShownLinks(visible=frozenset({1}))
            for message in messages
        }


def hit(kind: TrackingKind = TrackingKind.CLICK, *, recipient: int = 1, link: int = 0, after: float = 0.0,
        agent: str = BROWSER, delivery: int = 7) -> Hit:  # fmt: skip
    """A hit of a profile, `after` seconds past noon."""
    return Hit(
        at=NOON + timedelta(seconds=after), kind=kind, delivery_id=delivery, recipient_kind=1, recipient_id=recipient,
        link=link, user_agent=agent,
    )  # fmt: skip


async def append_hits(conn: Connection, hits: Sequence[Hit], book: RuleBook, now: datetime = NOON) -> None:
    """What a process does with a group."""
    await append(conn, hits, book, TwoDeliveries(), now)
    await take_back(conn, messages_of(hits), book, TwoDeliveries(), now)


async def store_groups(conn: Connection, *groups: Sequence[Hit]) -> None:
    """Append each group as one commit would."""
    book = RuleBook(await rule_rows.list_rules(conn))
    for group in groups:
        await append_hits(conn, group, book, max(one.at for one in group))
