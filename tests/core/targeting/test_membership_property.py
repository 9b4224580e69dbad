"""Property: whatever happens, in whatever order, what is kept equals a full count, and the log tells how it came about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, true

from core.access import SYSTEM
from core.datamodel.records import FieldKind, LinkKind
from core.db import Connection
from core.events.forgetting import forget_events
from core.profiles.merging import merge_profiles, undo_merge
from core.profiles.records import MergePlan
from core.targeting import lists
from core.targeting.audiences import create_audience, find_audience_by_name, update_audience
from core.targeting.membership import upkeep
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from core.targeting.sql import compile_statement
from tests.core.consent.made import a_service
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.events.told import FIELDS, event, save, tell
from tests.core.targeting.kept import AT, counted, keep, members, replayed, settle, state

QUESTIONS = (
    "country = 'FR' and not opt_out",
    "city starts_with 'P' or first_name is_null",
    "sample(0.5, 'x') and country = 'DE'",
    "age >= 18",
    "age between 17 and 30",
    "birth_date < today - 18 years",
    "birth_date > today - 1 month",
    "month(birth_date) = month(today) and day(birth_date) = day(today)",
    "created_at >= now - 3 days",
    "created_at < now - 1 month",
    "not (created_at between now - 2 months and now - 1 day)",
    "created_at >= today - 1 week and country = 'FR'",
    "add_days(created_at, 30) < now",
    "exists(purchases where amount > 10)",
    "not exists(purchases where bought_at >= now - 2 days)",
    "count(purchases where bought_at >= today - 30 days) >= 2",
    "sum(purchases.amount where bought_at >= now - 36 hours) > 15",
    "last(purchases.bought_at) < now - 5 days",
    "exists(purchases where product.code = 'A')",
    "exists(purchases where product.price > 5 and bought_at > now - 10 days)",
    "sequence(event_visit then purchases within 3 days)",
    "exists(event_visit where occurred_at >= now - 1 day)",
    "count(event_visit where way = 'web') = 1",
    "exists(opens where at >= now - 2 days)",
    "exists(received) and not exists(clicks)",
    "exists(received where delivery.name = 'd1' and at > now - 4 days)",
    "exists(subscriptions where service.name = 'news' and state = 'active' and (expires_at is_null or expires_at > now))",
    "in_audience('chosen') and country = 'FR'",
    "in_audience('base') or exists(event_visit)",
    "exists(purchases where buyer.country = 'FR' and amount < buyer.latitude)",
    "favourite.code = 'A'",
    "exists(clubs where title = 'Chess')",
    "top(2 by count(purchases))",
    "days_between(created_at, now) < 3",
)
OFTEN = {"top(2 by count(purchases))", "days_between(created_at, now) < 3"}
PEOPLE = 6
compile_statement(select(true()))  # raises the interpreter's limit, which must not happen while hypothesis watches it
COUNTRIES = st.sampled_from(["FR", "DE", None])
NUMBERS = st.integers(0, PEOPLE - 1)
AGO = st.sampled_from([timedelta(hours=h) for h in (0, 1, 5, 23, 24, 25, 36, 48, 72, 120, 167, 240, 719, 720, 745, 1500)])
STEPS = st.sampled_from(
    [timedelta(seconds=1), timedelta(minutes=40), *(timedelta(hours=hours) for hours in (1, 11, 24, 51, 29 * 24, 31 * 24))]
)
BIRTHS = st.sampled_from([date(2008, 6, 1), date(2008, 6, 2), date(2008, 2, 29), date(2008, 7, 31), date(2026, 5, 31),
                          date(2026, 4, 30), date(1996, 6, 3), None])  # fmt: skip


class House:
    """A few people, and what may happen to them."""

    def __init__(self, conn: Connection, zone: ZoneInfo) -> None:
        self.conn = conn
        self.zone = zone
        self.now = AT
        self.ids: list[int] = []
        self.kept: dict[str, int] = {}
        self.told = 0
        self.hits = 0
        self.merges: list[int] = []

    async def furnish(self) -> None:
        """People, a product, a delivery, a list, and an audience that others name."""
        for n in range(PEOPLE):
            await self.person(n, "FR" if n % 2 else "DE", None)
        await self.conn.execute("INSERT INTO x_product (x_code, x_price) VALUES ('A', 3), ('B', 9)")
        await self.conn.execute("INSERT INTO x_club (x_title) VALUES ('Chess'), ('Golf')")
        await self.conn.execute(
            """
            INSERT INTO channel_account (name, label, channel, config, created_by) VALUES ('a', 'a', 'memory', '{}', 'x');
            INSERT INTO content (name, label, channel, parts, created_by) VALUES ('c', 'c', 'memory', '[]', 'x');
            INSERT INTO audience (name, label, expression, expression_text, created_by)
            VALUES ('every', 'e', 'true', 'true', 'x');
            INSERT INTO delivery (name, label, channel_account_id, audience_id, content_id, created_by)
            SELECT 'd' || n, 'd', a.id, u.id, c.id, 'x'
              FROM channel_account a, content c, audience u, generate_series(1, 2) AS n WHERE u.name = 'every';
            CREATE TABLE ledger_all PARTITION OF ledger FOR VALUES FROM (1) TO (1000000);
            """
        )
        await lists.create_list(
            self.conn, SYSTEM, name="chosen", label="c", whom=self.ids[:2], now=self.now, zone=self.zone
        )  # fmt: skip
        base = AudienceDraft(name="base", label="b", expression=parse_text("city = 'Paris'"))
        await create_audience(self.conn, SYSTEM, base)

    async def person(self, n: int, country: str | None, birth: date | None) -> None:
        """One more."""
        key = await self.conn.fetchval(
            """
            INSERT INTO profile (country, birth_date, first_name, latitude, created_at) VALUES ($1, $2, $3, 5, $4) RETURNING id
            """,
            country, birth, f"n{n}" if n else None, self.now - timedelta(days=n * 10),
        )  # fmt: skip
        self.ids.append(key)

    def who(self, n: int) -> int:
        """One of them, who may be gone."""
        return self.ids[n % len(self.ids)]

    async def change(self, n: int, country: str | None, birth: date | None, city: str | None) -> None:
        """Columns of somebody."""
        await self.conn.execute(
            "UPDATE profile SET country = $2, birth_date = $3, city = $4, opt_out = $5 WHERE id = $1",
            self.who(n), country, birth, city, birth is None and country is None,
        )  # fmt: skip

    async def change_all(self, city: str | None) -> None:
        """Of many in one statement."""
        await self.conn.execute("UPDATE profile SET city = $1 WHERE id % 2 = 0", city)

    async def buy(self, n: int, amount: int, ago: timedelta, product: int) -> None:
        """A purchase."""
        await self.conn.execute(
            """
            INSERT INTO x_purchase (x_amount, x_bought_at, x_buyer_id, x_product_id)
            SELECT $2, $3, p.id, (SELECT min(id) + $4 FROM x_product) FROM profile p WHERE p.id = $1
            """,
            self.who(n), amount, self.now - ago, product,
        )  # fmt: skip

    async def give(self, n: int, other: int) -> None:
        """Purchases become somebody else's."""
        await self.conn.execute(
            "UPDATE x_purchase SET x_buyer_id = (SELECT id FROM profile WHERE id = $2) WHERE x_buyer_id = $1",
            self.who(n), self.who(other),
        )  # fmt: skip

    async def send_back(self, n: int) -> None:
        """Purchases are no more."""
        await self.conn.execute("DELETE FROM x_purchase WHERE x_buyer_id = $1", self.who(n))

    async def rename_product(self, code: str) -> None:
        """What others are linked to."""
        await self.conn.execute("UPDATE x_product SET x_code = $1 WHERE id = (SELECT min(id) FROM x_product)", code)

    async def prefer(self, n: int, product: int) -> None:
        """A link of a profile's own."""
        await self.conn.execute(
            "UPDATE profile SET x_favourite_id = (SELECT min(id) + $2 FROM x_product) WHERE id = $1", self.who(n), product
        )

    async def belong(self, n: int) -> None:
        """A pair of a link between many and many."""
        await self.conn.execute(
            """
            INSERT INTO x__club__members SELECT min(c.id), p.id FROM x_club c, profile p WHERE p.id = $1 GROUP BY p.id
            ON CONFLICT DO NOTHING
            """,
            self.who(n),
        )

    async def visit(self, n: int, ago: timedelta, way: str) -> None:
        """A business event."""
        if await self.conn.fetchval("SELECT EXISTS (SELECT FROM profile WHERE id = $1)", self.who(n)):
            self.told += 1
            await tell(
                self.conn,
                event(str(self.told), self.who(n), {"amount": "1", "way": way}, type="visit", occurred_at=self.now - ago),
            )

    async def receive(self, n: int, delivery: int) -> None:
        """A message, prepared and accepted."""
        await self.conn.execute(
            """
            INSERT INTO ledger (delivery_id, recipient_id, due_at, state)
            SELECT min(id) + $2, $1, $3, 1 FROM delivery ON CONFLICT DO NOTHING
            """,
            self.who(n), delivery, self.now,
        )  # fmt: skip
        await self.conn.execute(
            "UPDATE ledger SET state = 4, settled_at = $2 WHERE recipient_id = $1 AND state = 1", self.who(n), self.now
        )

    async def hit(self, n: int, kind: int, ago: timedelta) -> None:
        """An opening or a click."""
        self.hits += 1
        await self.conn.execute(
            "INSERT INTO tracking_event (position, at, delivery_id, recipient_id, kind) VALUES ($1, $2, 1, $3, $4)",
            self.hits, self.now - ago, self.who(n), kind,
        )  # fmt: skip

    async def correct(self) -> None:
        """The last hit was a machine's."""
        await self.conn.execute(
            """
            INSERT INTO tracking_event (position, at, delivery_id, recipient_id, kind, machine_rule, corrects)
            SELECT $1 + 1000000, at, 1, recipient_id, kind, 7, position FROM tracking_event WHERE position = $1
            ON CONFLICT DO NOTHING
            """,
            self.hits,
        )

    async def subscribe(self, n: int, expires: timedelta) -> None:
        """To a service, until some time."""
        await self.conn.execute(
            """
            INSERT INTO subscription (service_id, profile_id, state, since, expires_at)
            SELECT (SELECT min(id) FROM service), id, 'active', $2, $3 FROM profile WHERE id = $1
            ON CONFLICT (service_id, profile_id) DO UPDATE SET expires_at = excluded.expires_at
            """,
            self.who(n), self.now, self.now + expires,
        )  # fmt: skip

    async def choose(self, n: int, added: bool) -> None:
        """On a list, or off it."""
        chosen = await find_audience_by_name(self.conn, "chosen")
        assert chosen is not None
        act = lists.add_to_list if added else lists.remove_from_list
        await act(self.conn, SYSTEM, chosen.id, [self.who(n)], now=self.now, zone=self.zone)

    async def rephrase(self, question: str) -> None:
        """The audience that others name asks something else."""
        base = await find_audience_by_name(self.conn, "base")
        assert base is not None
        await update_audience(self.conn, SYSTEM, base.id, {"expression": parse_text(question)})

    async def merge(self, n: int, other: int) -> None:
        """Two are one."""
        ids = [self.who(n), self.who(other)]
        free = await self.conn.fetch("SELECT id FROM profile WHERE id = ANY($1) AND merged_into IS NULL", ids)
        if len(free) == 2:
            plan = MergePlan(survivor_id=ids[0], other_ids=(ids[1],))
            merge = await merge_profiles(self.conn, SYSTEM, plan, now=self.now)
            self.merges.append(merge.id)

    async def part(self) -> None:
        """They are two again."""
        if self.merges:
            merge_id = self.merges.pop()
            if await self.conn.fetchval("SELECT EXISTS (SELECT FROM profile_merge WHERE id = $1)", merge_id):
                await undo_merge(self.conn, SYSTEM, merge_id, now=self.now)

    async def delete(self, n: int) -> None:
        """Somebody is gone."""
        await self.conn.execute("UPDATE x_purchase SET x_buyer_id = NULL WHERE x_buyer_id = $1", self.who(n))
        await self.conn.execute("DELETE FROM x__club__members WHERE target_id = $1", self.who(n))
        await self.conn.execute("DELETE FROM profile WHERE id = $1", self.who(n))
        await forget_events(self.conn, [self.who(n)])

    async def wait(self, time: timedelta) -> None:
        """Time goes by."""
        self.now += time


async def model(conn: Connection) -> None:
    """What a team has published."""
    await dataset(conn, "product", field("code"), field("price", FieldKind.DECIMAL))
    await dataset(conn, "purchase", field("amount", FieldKind.DECIMAL), field("bought_at", FieldKind.INSTANT))
    await dataset(conn, "club", field("title"))
    await point(conn, link("buyer", reverse_name="purchases"))
    await point(conn, link("product", "product", reverse_name="purchases"))
    await point(conn, link("members", kind=LinkKind.MANY_TO_MANY, reverse_name="clubs"), "club")
    await point(conn, link("favourite", "product", reverse_name="lovers"), "profile")
    await publish_draft(conn)
    await save(conn, "visit", *FIELDS)
    await a_service(conn, "news")


Act = Callable[[House], Awaitable[Any]]


def _act(name: str, *given: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.tuples(st.just(name), st.tuples(*given))


ACTS = st.one_of(
    _act("change", NUMBERS, COUNTRIES, BIRTHS, st.sampled_from(["Paris", "Rome", None])),
    _act("change_all", st.sampled_from(["Paris", None])),
    _act("person", st.integers(0, 9), COUNTRIES, BIRTHS),
    _act("buy", NUMBERS, st.integers(1, 20), AGO, st.integers(0, 1)),
    _act("give", NUMBERS, NUMBERS),
    _act("send_back", NUMBERS),
    _act("rename_product", st.sampled_from(["A", "Z"])),
    _act("prefer", NUMBERS, st.integers(0, 1)),
    _act("belong", NUMBERS),
    _act("visit", NUMBERS, AGO, st.sampled_from(["web", "shop"])),
    _act("receive", NUMBERS, st.integers(0, 1)),
    _act("hit", NUMBERS, st.integers(1, 2), AGO),
    _act("correct"),
    _act("subscribe", NUMBERS, AGO),
    _act("choose", NUMBERS, st.booleans()),
    _act("rephrase", st.sampled_from(["city = 'Rome'", "country = 'FR' and created_at > now - 15 days"])),
    _act("merge", NUMBERS, NUMBERS),
    _act("part"),
    _act("delete", NUMBERS),
    _act("wait", STEPS),
    _act("wait", STEPS),
)


@settings(
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],  # to make a case smaller takes longer than to read it
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=4, max_size=9, unique=True),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/Havana"]),
    rounds=st.lists(st.lists(ACTS, min_size=1, max_size=6), min_size=1, max_size=8),
)
async def test_what_is_kept_equals_a_full_count_whatever_happens(
    conn: Connection, questions: Sequence[str], zone: str, rounds: list[list[tuple[str, tuple[Any, ...]]]]
) -> None:
    upkeep.LOG_KEPT = timedelta(days=10_000)  # the whole log is replayed
    if not await conn.fetchval("SELECT EXISTS (SELECT FROM event_type)"):
        await model(conn)
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        house = House(conn, ZoneInfo(zone))
        await house.furnish()
        for number, question in enumerate(questions):
            house.kept[question] = await keep(conn, f"k{number}", question, house.now, house.zone)
        await settle(conn, house.now)
        for acts in rounds:
            for name, arguments in acts:
                await getattr(house, name)(*arguments)
            await settle(conn, house.now)
            await hold(house)
    finally:
        await savepoint.rollback()


async def hold(house: House) -> None:
    """What is kept is right, as far as it says that it is."""
    for question, key in house.kept.items():
        kept = await members(house.conn, key)
        if question not in OFTEN:
            assert kept == await counted(house.conn, key, house.now, house.zone), question
        assert kept == await replayed(house.conn, key), question
        told = await state(house.conn, key, house.now)
        assert told.members == len(kept), question
        assert told.freshness is not None


async def test_an_audience_of_the_whole_population_is_counted_at_intervals(conn: Connection) -> None:
    await model(conn)
    house = House(conn, ZoneInfo("UTC"))
    await house.furnish()
    key = await keep(conn, "best", "top(2 by count(purchases))", house.now, house.zone)
    await settle(conn, house.now)
    await house.buy(3, 5, timedelta(), 0)
    await settle(conn, house.now)
    assert await members(conn, key) == set()
    told = await state(conn, key, house.now)
    assert (told.upkeep.value, told.reasons) == ("recounted", ("it asks who is among the highest of all",))
    house.now += timedelta(minutes=15)
    await settle(conn, house.now)
    assert await members(conn, key) == {house.ids[3]} == await counted(conn, key, house.now, house.zone)
    await house.delete(3)
    await settle(conn, house.now)
    assert await members(conn, key) == set() == await replayed(conn, key)


def test_instants_are_known() -> None:
    """What the property relies on: the beginning lies in summer time, and the steps cross the end of it."""
    assert datetime.fromisoformat("2026-06-01T14:00+02:00") == AT
