"""Everything that can be a person's, one row of each kind: for tests of what happens to it when the person changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.consent.purposes import decide
from core.consent.records import Act, Choice
from core.datamodel.records import FieldKind, LinkKind
from core.db import Connection
from core.targeting import lists
from core.targeting.enrichment import ComputedColumn
from core.targeting.parse import parse_text
from tests.core.consent.made import a_purpose, a_service, join
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, save
from tests.core.events.told import event, tell
from tests.core.events.told import save as save_event_type
from tests.core.targeting.kept import keep, settle

NOW, ZONE = datetime(2026, 3, 15, 12, tzinfo=UTC), ZoneInfo("UTC")

# The tables of which each person gets a row.
OF_A_PERSON = (
    "app_subscription", "audience_member", "audience_row", "consent_entry", "e_purchase", "external_segment_id",
    "import_list_member", "kept_member", "ledger", "purpose_consent", "subscription", "subscription_event", "tracking_event",
    "tracking_first", "visitor", "x_purchase", "x__purchase__viewers", "x_card",
)  # fmt: skip

_ROWS = """
CREATE TABLE ledger_here PARTITION OF ledger FOR VALUES FROM (1) TO (100);
INSERT INTO stored_file (kind, name, location, created_by) VALUES ('import', 'people.csv', 'people.csv', 'ann');
INSERT INTO import_run (state, file_id, match_key, created_by) SELECT 'finished', id, 'email', 'ann' FROM stored_file;
INSERT INTO audience (name, label, kind, expression, expression_text, created_by)
VALUES ('filed', 'f', 'file', '{}', 'id > 0', 'ann'), ('told', 't', 'external', '{}', 'id > 0', 'ann');
INSERT INTO external_segment (audience_id, source, key) SELECT id, 'shop', 'email' FROM audience WHERE name = 'told';

INSERT INTO import_list_member (import_id, profile_id) SELECT r.id, p.id FROM import_run r, profile p;
INSERT INTO audience_row (audience_id, line, profile_id, outcome, data)
SELECT a.id, p.id, p.id, 'matched', '{"code": "c"}' FROM audience a, profile p WHERE a.name = 'filed';
INSERT INTO external_segment_id (audience_id, value, profile_id, ambiguous, snapshot)
SELECT a.id, 'v' || p.id, p.id, false, 1 FROM audience a, profile p WHERE a.name = 'told';
INSERT INTO app_subscription (app, registration_token, platform, profile_id, created_at, updated_at)
SELECT 'shop', 'token' || id, 'ios', id, created_at, created_at FROM profile;
INSERT INTO visitor (external_id, email, referrer_id, profile_id, created_at, updated_at)
SELECT 'v' || id, 'a@mail.example', id, id, created_at, created_at FROM profile;
INSERT INTO ledger (delivery_id, recipient_id, due_at, settled_at, state, address, address_key, values)
SELECT 1, id, created_at, created_at, 4, 'a@mail.example', 'a@mail.example', '{"city": "Paris"}' FROM profile;
INSERT INTO tracking_event (position, at, delivery_id, recipient_id, kind, url)
SELECT id, created_at, 1, id, 1, 'u' FROM profile;
INSERT INTO tracking_first (delivery_id, recipient_id, recipient_kind, occurrence, link, kind, machine, machine_first)
SELECT 1, id, 1, 0, 0, 1, false, false FROM profile;

INSERT INTO x_purchase (x_customer_id, x_price) SELECT id, 12.30 FROM profile;
INSERT INTO x_card (x_owner_id) SELECT id FROM profile;
INSERT INTO x__purchase__viewers (source_id, target_id) SELECT u.id, u.x_customer_id FROM x_purchase u;
UPDATE profile SET x_favourite_id = (SELECT min(id) FROM x_purchase) + id % 2 WHERE id % 3 > 0;
"""


async def publish_model(conn: Connection) -> None:
    """Fields of people, datasets linked with them in every way, a kind of event, and audiences whose members are kept."""
    for one in (
        field("tier"), field("spent", FieldKind.DECIMAL), field("extra", FieldKind.JSON), field("place", FieldKind.POINT),
        field("seen", FieldKind.INSTANT),
    ):  # fmt: skip
        await save(conn, one)
    await dataset(conn, "purchase", field("price", FieldKind.DECIMAL))
    await dataset(conn, "card")
    await point(conn, link())
    await point(conn, link("viewers", kind=LinkKind.MANY_TO_MANY))
    await point(conn, link("owner", kind=LinkKind.ONE_TO_ONE), "card")
    await point(conn, link("favourite", "purchase"), "profile")
    await publish_draft(conn)
    await save_event_type(conn)
    await keep(conn, "everybody", "id > 0", NOW, ZONE)


async def give_everything(conn: Connection, people: Sequence[int]) -> None:
    """One row of each kind to each of these, who are all that there are. `publish_model` was done."""
    column = ComputedColumn(name="code", label="Code", expression=parse_text("city"))
    await lists.create_list(
        conn, SYSTEM, name="listed", label="l", whom=parse_text("id > 0"), now=NOW, zone=ZONE, columns=[column]
    )  # fmt: skip
    await join(conn, await a_service(conn), *people, now=NOW)
    purpose = await a_purpose(conn)
    choices = [Choice(purpose_id=purpose, profile_id=one, granted=True) for one in people]
    await decide(conn, SYSTEM, choices, Act(), now=NOW)
    await tell(conn, *(event(f"k{one}", one) for one in people), now=NOW)
    await conn.execute(_ROWS)
    await settle(conn, NOW)
