"""A few people, what they buy, say and do, and what may happen to them: for the property of membership."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.datamodel.records import FieldKind, LinkKind
from core.db import Connection
from core.events.forgetting import forget_events
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles, undo_merge
from core.targeting import filters, lists
from core.targeting.audiences import create_audience, find_audience_by_name, update_audience
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, FilterDraft
from tests.core.consent.made import a_service
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.events.told import FIELDS, event, save, tell
from tests.core.targeting.kept import AT, settle

PEOPLE = 6
GOOD = ("created_at > now - 20 days and country = 'FR'", "exists(purchases where bought_at > now - 2 days)", "opt_out",
        "in_audience('fair')")  # fmt: skip


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
            INSERT INTO program (delivery_id, channel, config, content, fields, token_key_id, base_url, engine_version)
            VALUES (1, 'memory', '{}', '{}', '{}', 1, 'https://clarion.example', 1);
            INSERT INTO tracked_link (program_id, link, url, label) SELECT id, 1, 'https://x.example', 'Sale' FROM program;
            CREATE TABLE ledger_all PARTITION OF ledger FOR VALUES FROM (1) TO (1000000);
            """
        )
        await lists.create_list(
            self.conn, SYSTEM, name="chosen", label="c", whom=self.ids[:2], now=self.now, zone=self.zone
        )  # fmt: skip
        await filters.create_filter(self.conn, SYSTEM, FilterDraft(name="good", label="g", expression=parse_text(GOOD[0])))
        for name, question in (("base", "city = 'Paris'"), ("calls", "good() or city = 'Rome'")):
            draft = AudienceDraft(name=name, label=name, expression=parse_text(question))
            await create_audience(self.conn, SYSTEM, draft)
        await self.file()

    async def file(self) -> None:
        """An audience of a file that is not reconciled."""
        fair = await lists.create_list(self.conn, SYSTEM, name="fair", label="f", whom=[], now=self.now, zone=self.zone)
        await self.conn.execute("UPDATE audience SET kind = 'file' WHERE id = $1", fair.id)
        await self.conn.execute("INSERT INTO audience_column VALUES ($1, 1, 'score', 's', 'integer', true)", fair.id)
        await self.conn.execute(
            """
            WITH f AS (
                INSERT INTO stored_file (kind, name, location, created_by) VALUES ('audience', 'f', 'f', 'x') RETURNING id
            )
            INSERT INTO audience_file (audience_id, file_id, options) SELECT $1, id, '{}' FROM f
            """,
            fair.id,
        )
        await self.reconcile(0, 1, seen=False)

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
            "INSERT INTO tracking_event (position, at, delivery_id, recipient_id, kind, link) VALUES ($1, $2, 1, $3, $4, $5)",
            self.hits, self.now - ago, self.who(n), kind, self.hits % 2,
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
            ON CONFLICT (service_id, profile_id) DO UPDATE
            SET state = excluded.state, since = excluded.since, expires_at = excluded.expires_at
            """,
            self.who(n), self.now, self.now + expires,
        )  # fmt: skip

    async def leave(self, n: int) -> None:
        """The service, for good or until they come back."""
        await self.conn.execute(
            """
            INSERT INTO subscription (service_id, profile_id, state, since)
            SELECT (SELECT min(id) FROM service), id, 'unsubscribed', $2 FROM profile WHERE id = $1
            ON CONFLICT (service_id, profile_id) DO UPDATE SET state = excluded.state, since = excluded.since, expires_at = NULL
            """,
            self.who(n), self.now,
        )  # fmt: skip

    async def choose(self, n: int, added: bool) -> None:
        """On a list, or off it."""
        chosen = await find_audience_by_name(self.conn, "chosen")
        assert chosen is not None
        act = lists.add_to_list if added else lists.remove_from_list
        await act(self.conn, SYSTEM, chosen.id, [self.who(n)], now=self.now, zone=self.zone)

    async def reconcile(self, n: int, score: int, *, seen: bool = True) -> None:
        """The rows of the file are found to be about others; the upkeep may see it half done."""
        fair = await find_audience_by_name(self.conn, "fair")
        assert fair is not None
        touch = "UPDATE audience SET version = version + 1 WHERE id = $1"
        await self.conn.execute("UPDATE audience_file SET reconciled_at = NULL")
        await self.conn.execute("DELETE FROM audience_member WHERE audience_id = $1", fair.id)
        await self.conn.execute(touch, fair.id)
        if seen:
            await settle(self.conn, self.now)
        await self.conn.execute(
            """
            INSERT INTO audience_member (audience_id, profile_id, added_at, data)
            SELECT $1, id, $3, jsonb_build_object('score', $4::int) FROM profile WHERE id = ANY($2)
            """,
            fair.id, [self.who(n), self.who(n + 1)], self.now, score,
        )  # fmt: skip
        await self.conn.execute("UPDATE audience_file SET reconciled_at = now()")
        await self.conn.execute(touch, fair.id)

    async def score(self, n: int, score: int) -> None:
        """What somebody brings along is another."""
        await self.conn.execute(
            "UPDATE audience_member SET data = jsonb_build_object('score', $2::int) WHERE profile_id = $1", self.who(n), score
        )

    async def refine(self, question: str) -> None:
        """The filter that others call asks something else."""
        ((key,),) = await self.conn.fetch("SELECT id FROM question_filter WHERE name = 'good'")
        await filters.update_filter(self.conn, SYSTEM, key, {"expression": parse_text(question)})

    async def hold_out(self, share: int) -> None:
        """Others are held back."""
        await self.conn.execute("DELETE FROM holdout")
        await self.conn.execute(
            "INSERT INTO holdout (label, share, seed, starts_at, created_by) VALUES ('h', $1, 7, $2, 'x')",
            share, self.now - timedelta(hours=1),
        )  # fmt: skip

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
