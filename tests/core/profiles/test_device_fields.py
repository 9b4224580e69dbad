"""Devices have values of the team's fields, told in the same sets."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.datamodel.publication import preview
from core.datamodel.records import Choice, FieldKind
from core.db import Connection
from core.errors import ClarionError, Invalid
from core.personal import Person
from core.privacy.perimeter import all_tables
from core.privacy.store import tables
from core.profiles.app_subscriptions import save_app_subscriptions
from core.profiles.identities import ReferenceKind
from core.profiles.team_rows import Extended, get_team_values
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, publish_fields, save, unique
from tests.core.profiles.test_app_subscriptions import LATER, NOW, a_person, by, device, found, stored, told

FIELDS = (
    field("version", max_length=20), field("runs", FieldKind.INTEGER), field("spent", FieldKind.DECIMAL),
    field("beta", FieldKind.BOOLEAN), field("born", FieldKind.DATE), field("seen", FieldKind.INSTANT),
    field("tier", FieldKind.ENUMERATION, choices=(Choice(name="gold", label="Gold"),)), field("more", FieldKind.JSON),
    field("place", FieldKind.POINT), field("ref", FieldKind.AUTOMATIC_ID),
)  # fmt: skip
SENT: dict[str, Any] = {
    "version": " 1.2 ", "runs": 2**62, "spent": "12.340", "beta": True, "born": "0999-12-31",
    "seen": "2026-02-01T10:00:00+02:00", "tier": "GOLD", "more": {"a": [1, None, "é"]},
    "place": {"longitude": 2.35, "latitude": -48.5},
}  # fmt: skip
KEPT: dict[str, Any] = {
    "version": "1.2", "runs": 2**62, "spent": Decimal("12.340"), "beta": True, "born": date(999, 12, 31),
    "seen": datetime(2026, 2, 1, 8, tzinfo=UTC), "tier": "gold", "more": {"a": [1, None, "é"]},
    "place": asyncpg.Point(2.35, -48.5),
}  # fmt: skip


async def publish_all(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS, entity="app_subscription")


async def tell(conn: Connection, *sent: tuple[str, dict[str, Any]], now: datetime = NOW) -> list[str]:
    """Devices by their tokens, with values."""
    return told(await save_app_subscriptions(conn, SYSTEM, [device(token, team=team) for token, team in sent], now=now))


async def values(conn: Connection) -> dict[str, dict[str, Any]]:
    """By token, without the automatic id."""
    rows = await stored(conn)
    read = await get_team_values(conn, Extended.APP_SUBSCRIPTION, [one.id for one in rows])
    return {one.registration_token: {name: value for name, value in read[one.id].items() if name != "ref"} for one in rows}


async def test_every_kind_is_kept_and_what_is_left_out_stays(conn: Connection) -> None:
    await publish_all(conn)
    empty = dict.fromkeys(KEPT)
    assert await tell(conn, ("t1", SENT), ("t2", {"runs": 1}), ("t3", {})) == ["created"] * 3
    assert await values(conn) == {"t1": KEPT, "t2": {**empty, "runs": 1}, "t3": empty}
    assert len(set(await conn.fetch("SELECT x_ref FROM app_subscription WHERE x_ref IS NOT NULL"))) == 3

    again = [("t1", {**SENT, "spent": 12.34}), ("t2", {"place": None}), ("t3", {})]
    assert await tell(conn, *again, now=LATER) == ["unchanged"] * 3
    later = await tell(
        conn, ("t1", dict.fromkeys(SENT)), ("t2", {"version": "2", "more": []}), ("t4", {"version": "3"}), now=LATER
    )
    assert later == ["updated", "updated", "created"]
    assert await values(conn) == {
        "t1": empty, "t2": {**empty, "runs": 1, "version": "2", "more": []}, "t3": empty, "t4": {**empty, "version": "3"},
    }  # fmt: skip
    assert {one.registration_token for one in await stored(conn) if one.updated_at == LATER} == {"t1", "t2", "t4"}


async def test_a_bad_value_costs_only_its_row(conn: Connection) -> None:
    await publish_all(conn)
    sent = [
        device("t1", team={"runs": "many"}), device("t2", team={"runs": 1}), device("t3", team={"rnus": 1}),
        device("t4", team={"ref": "3f0e"}), device("t5", team={"version": "x" * 21}),
        device("t6", team={"tier": "lead"}, profile=by(ReferenceKind.EXTERNAL_ID, "nobody")),
    ]  # fmt: skip
    results = await save_app_subscriptions(conn, SYSTEM, sent, now=NOW)
    wrong = [(one.error.code, one.error.path) for one in results if one.error is not None]
    assert [one.outcome.value for one in results] == ["rejected", "created", *["rejected"] * 4]
    assert wrong == [
        ("BAD_VALUE", "team_fields.runs"), ("UNKNOWN_FIELD", "team_fields.rnus"), ("READ_ONLY_FIELD", "team_fields.ref"),
        ("TOO_LONG", "team_fields.version"), ("BAD_VALUE", "team_fields.tier"),
    ]  # fmt: skip
    assert list(await values(conn)) == ["t2"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
async def test_what_is_written_is_what_is_read_and_never_sql(conn: Connection, text: str) -> None:
    async with conn.transaction():
        await publish_fields(conn, field("note"), field("more", FieldKind.JSON), entity="app_subscription")
        hostile = f"{text}'; DROP TABLE app_subscription; --\\\"{{}}$1"
        assert await tell(conn, ("t1", {"note": hostile, "more": {text: hostile}})) == ["created"]
        assert await tell(conn, ("t1", {"note": hostile, "more": {text: hostile}})) == ["unchanged"]
        (kept,) = (await values(conn)).values()
        (row,) = await conn.fetch("SELECT x_note, x_more FROM app_subscription")
        assert (row["x_note"], row["x_more"]) == (kept["note"], kept["more"])
        assert kept["more"] == {text: hostile}
        await conn.execute("DELETE FROM app_subscription; DELETE FROM data_model_version WHERE version > 0")
        await conn.execute("ALTER TABLE app_subscription DROP COLUMN x_note, DROP COLUMN x_more")


async def test_too_much_for_one_row_is_refused_whole(conn: Connection) -> None:
    await publish_fields(conn, *(field(f"f{n}", max_length=10_000) for n in range(250)), entity="app_subscription")
    hidden = ", ".join(f"ADD COLUMN x_hidden{n} text DEFAULT 'what was hidden before'" for n in range(300))
    await conn.execute(f"ALTER TABLE app_subscription {hidden}")
    text = "a text of forty-three characters and blanks"
    with pytest.raises(Invalid) as caught:
        await tell(conn, ("t1", {}), ("t2", {f"f{n}": text for n in range(250)}))
    assert caught.value.code == "ROW_TOO_BIG"
    assert await stored(conn) == []


async def test_people_are_found_by_them(conn: Connection) -> None:
    await publish_all(conn)
    ann, bea = await a_person(conn, external_id="A"), await a_person(conn, external_id="B")
    sent = [
        device("t1", team={"version": "2.0", "runs": 5}, profile=by(ReferenceKind.ID, ann)),
        device("t2", team={"version": "1.0"}, profile=by(ReferenceKind.ID, bea)),
    ]
    await save_app_subscriptions(conn, SYSTEM, sent, now=NOW)
    assert await found(conn, "exists(app_subscriptions where version = '2.0' and runs > 3)") == {ann}
    assert await found(conn, "max(app_subscriptions.runs) is null") == {bea}


async def test_they_are_given_to_the_person_and_reached_by_erasures(conn: Connection) -> None:
    await publish_fields(conn, field("nickname", personal=True), entity="app_subscription")
    ann = await a_person(conn, external_id="A")
    await tell(conn, ("free", {"nickname": "Somebody"}))
    await save_app_subscriptions(
        conn, SYSTEM, [device("t1", team={"nickname": "Annie"}, profile=by(ReferenceKind.ID, ann))], now=NOW
    )
    declared = [one for one in await all_tables(conn) if one.table == "app_subscription"]
    rows = [row async for row in tables.rows_of(conn, declared, Person(profile_ids=(ann,)))]
    assert [(row["registration_token"], row["x_nickname"]) for row in rows] == [("t1", "Annie")]
    assert "x_nickname" in {name for one in declared for name in one.personal.split()}


async def test_fields_marked_as_personal_are_no_reason_for_a_warning(conn: Connection) -> None:
    await save(conn, field("nickname", personal=True, sensitive=True), "app_subscription")
    assert (await preview(conn)).warnings == ()


async def test_devices_take_no_keys_and_no_links(conn: Connection) -> None:
    await save(conn, field("serial"), "app_subscription")
    await dataset(conn, "purchase", field("code"))
    for act in (
        unique(conn, "by_serial", "serial", entity="app_subscription"), point(conn, link("device", "app_subscription")),
        point(conn, link("owner"), "app_subscription"),
    ):  # fmt: skip
        with pytest.raises(ClarionError) as refused:
            await act
        assert refused.value.code in ("NO_KEYS", "NO_LINKS")
    await publish_draft(conn)
