"""Services have values of the team's fields, as campaigns have them, and are linked to rows of datasets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from core.access import Actor
from core.audit import list_entries
from core.consent.records import ServiceDraft
from core.consent.services import create_service, delete_service, update_service
from core.datamodel.records import Choice, FieldKind, OnDelete
from core.db import Connection
from core.errors import Conflict, Invalid, Stale
from core.profiles.errors import FieldsInvalid
from core.profiles.team_rows import Extended, get_team_values
from core.rows.records import SentRow
from core.rows.writing import create_row
from core.targeting.audiences import count, open_question
from core.targeting.parse import parse_text
from tests.core.consent.made import NOW, a_person, a_service, join
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, publish_fields, save, unique

WEEKLY = ServiceDraft(name="weekly", label="Weekly")


async def publish_all(conn: Connection) -> None:
    await publish_fields(
        conn, field("budget", FieldKind.DECIMAL),
        field("theme", FieldKind.ENUMERATION, choices=(Choice(name="spring", label="Spring sale"),)),
        field("review_on", FieldKind.DATE), entity="service",
    )  # fmt: skip


async def test_they_are_set_changed_cleared_and_each_change_is_a_version(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    made = await create_service(conn, actor, WEEKLY, {"budget": "100.50", "theme": "SPRING SALE"})
    found = await get_team_values(conn, Extended.SERVICE, [made.id])
    assert found == {made.id: {"budget": Decimal("100.50"), "theme": "spring", "review_on": None}}

    assert await update_service(conn, actor, made.id, {}, {"budget": 100.5}) == made
    changed = await update_service(conn, actor, made.id, {"label": "New"}, {"budget": None, "review_on": "2026-05-01"})

    assert (changed.version, changed.label) == (2, "New")
    found = await get_team_values(conn, Extended.SERVICE, [made.id])
    assert found == {made.id: {"budget": None, "theme": "spring", "review_on": date(2026, 5, 1)}}
    entries = await list_entries(conn, object_type="service", object_ids=[str(made.id)], before_id=None, limit=5)
    assert [one.changes["team_fields"] for one in entries] == [["budget", "review_on"], ["budget", "theme"]]
    with pytest.raises(Stale):
        await update_service(conn, actor, made.id, {}, {"budget": 1}, expected_version=1)


async def test_what_is_wrong_is_told_at_once_and_nothing_is_kept(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    with pytest.raises(FieldsInvalid) as caught:
        await create_service(conn, actor, WEEKLY, {"budget": "much", "theme": "winter", "bugdet": 1})
    assert [(one.code, one.path) for one in caught.value.problems] == [
        ("BAD_VALUE", "team_fields.budget"), ("BAD_VALUE", "team_fields.theme"), ("UNKNOWN_FIELD", "team_fields.bugdet"),
    ]  # fmt: skip
    assert await conn.fetchval("SELECT count(*) FROM service") == 0


async def test_keys_hold_and_what_takes_too_much_room_is_refused(conn: Connection, actor: Actor) -> None:
    await save(conn, field("story", max_length=10_000), "service")
    await save(conn, field("code"), "service")
    await unique(conn, "by_code", "code", entity="service")
    await publish_draft(conn)
    (index,) = [row["object"] for row in await conn.fetch("SELECT object FROM data_model_build")]
    await conn.execute(f"CREATE UNIQUE INDEX {index} ON service (x_code)")  # as the job does, once this is committed
    await create_service(conn, actor, WEEKLY, {"code": "1"})
    other = await create_service(conn, actor, ServiceDraft(name="daily", label="Daily"), {"code": "2"})
    with pytest.raises(Conflict) as caught:
        await update_service(conn, actor, other.id, {"label": "C"}, {"code": "1"})
    assert (caught.value.code, caught.value.path) == ("VALUE_TAKEN", "team_fields.code")
    with pytest.raises(Conflict) as taken:
        await update_service(conn, actor, other.id, {"name": "weekly"}, {"code": "3"})
    assert taken.value.code == "NAME_TAKEN"
    await conn.execute("ALTER TABLE service ALTER COLUMN x_story SET STORAGE PLAIN")  # instead of hundreds of full columns
    with pytest.raises(Invalid) as big:
        await update_service(conn, actor, other.id, {}, {"story": "x" * 9_000})
    assert big.value.code == "ROW_TOO_BIG"
    assert (await get_team_values(conn, Extended.SERVICE, [other.id]))[other.id]["code"] == "2"


async def test_questions_ask_about_them_through_subscriptions(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    service, person = await a_service(conn), await a_person(conn, email="a@example.com")
    await a_person(conn, email="b@example.com")
    await join(conn, service, person)
    await update_service(conn, actor, service, {}, {"theme": "spring"})
    asked = parse_text("exists(subscriptions where service.theme = 'spring')")
    assert await count(conn, await open_question(conn, asked), at=NOW, zone=ZoneInfo("UTC")) == 1


async def test_rows_of_datasets_are_linked_to_a_service_by_its_name(conn: Connection, actor: Actor) -> None:
    await dataset(conn, "issue", field("code"))
    await point(conn, link("service", "service", on_delete=OnDelete.REFUSE), "issue")
    await publish_draft(conn)
    service = await a_service(conn)
    made = await create_row(conn, actor, "issue", SentRow(values={"code": "1", "service": {"name": "weekly"}}), now=NOW)
    assert made.row is not None
    assert made.row.links == {"service": service}
    with pytest.raises(Conflict) as caught:
        await delete_service(conn, actor, service)
    assert caught.value.code == "LINKED"
