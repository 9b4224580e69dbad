"""A person's history: what was sent and what was done, the newest first, read through merges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.access import SYSTEM
from core.config import load_settings
from core.consent import ledger, subscriptions
from core.consent.preferences import Person, PreferenceChanges, set_preferences
from core.consent.records import Act, Decision, EventKind
from core.db import Pool, transaction
from core.delivery.records import LedgerState
from core.errors import Invalid, NotFound
from core.paging import PageRequest
from core.profiles import merging
from core.profiles.merge_records import MergePlan
from core.profiles.records import Channel
from core.public_urls import PublicUrls
from core.reporting import people
from core.reporting.records import HistoryEntry, HistoryKind
from core.secrets import new_key_text, parse_keyring
from core.tracking.machines import RuleBook
from core.tracking.records import TrackingKind
from core.tracking.store import rule_rows
from tests.core.consent.made import NOW, a_person, a_purpose, a_service, join, leave
from tests.core.events import told
from tests.core.tracking.campaign import add_profile, prepared_campaign
from tests.core.tracking.people import NOON, append_hits, hit

HOUR = timedelta(hours=1)
URLS = PublicUrls(load_settings(), parse_keyring(new_key_text(1)))


async def test_a_history_is_read_through_a_merge_page_by_page(pool: Pool, database_url: str, tmp_path: Path) -> None:
    # Given two profiles that were written to, and somebody else; all did something
    async with pool.acquire() as conn:
        ann, bea, cat = [await add_profile(conn, name) for name in ("Ann", "Bea", "Cat")]
    async with prepared_campaign(pool, database_url, tmp_path) as campaign:
        delivery = campaign.delivery_id
        async with transaction(pool) as conn:
            await conn.execute("UPDATE ledger SET state = 4, settled_at = $1 WHERE recipient_id <> $2", NOON, bea)
            hits = [
                hit(recipient=ann, link=1, after=60, delivery=delivery),
                hit(TrackingKind.OPEN, recipient=bea, after=30, delivery=delivery),
                hit(recipient=bea, link=2, after=90, delivery=delivery, agent="LinkBot/1.0"),
                hit(recipient=cat, link=1, after=10, delivery=delivery),
            ]
            await append_hits(conn, hits, RuleBook(await rule_rows.list_rules(conn)))
            assert await people.count_messages(conn, [bea]) == 1
            assert await people.count_events(conn, [ann, bea]) == 3
            (warning,) = await people.list_warnings(conn, [ann, bea])
            assert (warning.delivery_id, warning.recipients) == (delivery, 1)

            # When they are merged
            done = await merging.merge_profiles(
                conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=datetime.now(UTC)
            )

            # Then both ids tell all of it, each fact under the profile that it was about
            whole = (await people.history(conn, ann, urls=URLS, first=50)).rows
            pages: list[HistoryEntry] = []
            after = None
            for _ in range(9):
                page = await people.history(conn, bea, urls=URLS, first=2, after=after)
                pages += page.rows
                if not page.has_next:
                    break
                after = people.cursor_of(page.rows[-1])
            assert pages == list(whole)
            assert [(one.kind, one.profile_id) for one in whole if one.kind is not HistoryKind.MESSAGE] == [
                (HistoryKind.CLICK, bea), (HistoryKind.CLICK, ann), (HistoryKind.OPEN, bea),
            ]  # fmt: skip
            messages = {one.profile_id: one.state for one in whole if one.kind is HistoryKind.MESSAGE}
            assert messages == {ann: LedgerState.ACCEPTED, bea: LedgerState.PENDING}
            assert [one.machine for one in whole if one.kind is HistoryKind.CLICK] == [True, False]
            assert [one.at for one in whole] == sorted((one.at for one in whole), reverse=True)

            # And apart again, each has their own
            await merging.undo_merge(conn, SYSTEM, done.id, now=datetime.now(UTC))
            own = (await people.history(conn, bea, urls=URLS, first=50)).rows
            assert {one.profile_id for one in own} == {bea}
            assert len(own) == 3


async def test_what_a_person_said_is_in_the_history_and_is_read_through_a_merge(pool: Pool) -> None:
    async with pool.acquire() as conn:
        service, purpose = await a_service(conn), await a_purpose(conn)
        ann, bea = await a_person(conn), await a_person(conn)
        await join(conn, service, bea, now=NOW)
        await leave(conn, service, bea, now=NOW + 3 * HOUR, act=Act(happened_at=NOW + HOUR))
        changes = PreferenceChanges(opted_out={Channel.PUSH: True}, purposes={purpose: True})
        async with conn.transaction():
            person = Person(profile_id=ann, by_own_link=True)
            await set_preferences(conn, SYSTEM, person, changes, Act(), now=NOW + 2 * HOUR)
            await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=NOW + 4 * HOUR)

        for asked in (ann, bea):
            heard = (await people.history(conn, asked, urls=URLS, first=9)).rows
            assert [(one.profile_id, one.at, one.kind) for one in heard] == [
                (ann, NOW + 2 * HOUR, HistoryKind.DECISION), (ann, NOW + 2 * HOUR, HistoryKind.DECISION),
                (bea, NOW + HOUR, HistoryKind.SUBSCRIPTION), (bea, NOW, HistoryKind.SUBSCRIPTION),
            ]  # fmt: skip
            assert {(one.channel, one.purpose_id, one.decision) for one in heard[:2]} == {
                (Channel.PUSH, None, Decision.WITHDRAWN), (None, purpose, Decision.GRANTED),
            }  # fmt: skip
            assert [(one.service_id, one.subscription) for one in heard[2:]] == [
                (service, EventKind.UNSUBSCRIBED), (service, EventKind.SUBSCRIBED),
            ]  # fmt: skip
            assert len((await ledger.list_entries(conn, asked, PageRequest(first=9))).rows) == 4
            assert len((await subscriptions.list_events(conn, asked, PageRequest(first=9))).rows) == 2


async def test_business_events_stand_in_the_history_at_their_time_page_by_page(pool: Pool) -> None:
    async with pool.acquire() as conn:
        service, ann, bea = await a_service(conn), await a_person(conn), await a_person(conn)
        await told.save(conn)
        moments = [(ann, "a", NOW), (bea, "b", NOW), (ann, "c", NOW - HOUR), (bea, "d", NOW + HOUR)]
        await told.tell(conn, *(told.event(key, who, occurred_at=at) for who, key, at in moments))
        await join(conn, service, bea, now=NOW)
        async with conn.transaction():
            await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=NOW + 4 * HOUR)

        entries: list[HistoryEntry] = []
        after = None
        for _ in range(9):
            page = await people.history(conn, bea, urls=URLS, first=1, after=after)
            entries += page.rows
            if not page.has_next:
                break
            after = people.cursor_of(page.rows[-1])
        shown = [(one.at, one.profile_id, one.event and (one.event.key, one.event.payload)) for one in entries]
        sold = {"amount": "19.90"}
        assert shown == [
            (NOW + HOUR, bea, ("d", sold)), (NOW, bea, ("b", sold)), (NOW, ann, ("a", sold)), (NOW, bea, None),
            (NOW - HOUR, ann, ("c", sold)),
        ]  # fmt: skip
        assert entries == list((await people.history(conn, ann, urls=URLS, first=9)).rows)
        assert [one.kind for one in entries].count(HistoryKind.BUSINESS_EVENT) == 4


async def test_nobody_has_no_history_and_a_cursor_is_checked(pool: Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(NotFound):
            await people.history(conn, 999_999, urls=URLS, first=5)
        for cursor in ("x", "WzFd", "WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMCwxLDFd"):
            with pytest.raises(Invalid) as caught:
                await people.history(conn, 1, urls=URLS, first=5, after=cursor)
            assert caught.value.code == "BAD_CURSOR"
