"""What the database expects of a question."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.datamodel.present import present_model
from core.datamodel.records import FieldKind
from core.datamodel.wanted import wanted
from core.db import Connection
from core.targeting.check import check, check_value
from core.targeting.examine import examine, examine_value
from core.targeting.parse import parse_text
from core.targeting.published import present_catalogue
from core.targeting.records import Examination
from tests.core.datamodel.model import dataset, field, indexed, link, point, publish_draft, publish_fields

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


async def examined(conn: Connection, text: str) -> Examination:
    return await examine(conn, check(parse_text(text), await present_catalogue(conn)), at=AT, zone=ZONE)


async def fill(conn: Connection) -> None:
    await conn.execute(
        """
        INSERT INTO profile (external_id, first_name, city, email, email_key)
        SELECT 'e' || n, 'Name ' || n, 'City ' || n % 1000, n || '@x.example', n || '@x.example'
          FROM generate_series(1, 20000) AS n
        """
    )
    await conn.execute("ANALYZE profile")


async def test_a_scan_for_few_rows_is_told_with_the_index_that_would_help(conn: Connection) -> None:
    await fill(conn)
    found = await examined(conn, "city = 'City 5' and not opt_out")

    assert [(scan.table, scan.rows) for scan in found.scans] == [("profile", 20_000)]
    (advice,) = found.advice
    assert advice.startswith("all 20,000 rows of profile are read")
    assert advice.endswith("an index on profile.city would help")
    assert 1 <= found.estimate < 2_000


@pytest.mark.parametrize(
    ("question", "told", "fields"),
    [
        ("city = 'City 5'", "profile.city", ("city",)),
        ("tier = exactly('T5')", "profile.tier", ("tier",)),
        ("age > 120", "profile.birth_date", ("birth_date",)),
        (
            "within_km(point(longitude, latitude), point(2.35, 48.86), 5)",
            "profile (latitude, longitude)", ("latitude", "longitude"),
        ),
        ("within_km(shop, point(2.35, 48.86), 5)", "profile.shop", ("shop",)),
    ],
)  # fmt: skip
async def test_what_is_advised_can_be_made_and_then_serves(
    conn: Connection, question: str, told: str, fields: tuple[str, ...]
) -> None:
    await publish_fields(conn, field("tier", max_length=30), field("shop", FieldKind.POINT))
    await fill(conn)
    await conn.execute(
        """
        UPDATE profile SET x_tier = 'T' || id, x_shop = point(id % 170, id % 80), latitude = id % 80, longitude = id % 170,
                           birth_date = date '1990-01-01' + id::int % 9000
        """
    )
    await conn.execute("ANALYZE profile")
    (advice,) = (await examined(conn, question)).advice
    assert advice.endswith(f"an index on {told} would help")

    await indexed(conn, "by_it", *fields, entity="profile")
    await publish_draft(conn)
    (made,) = [one for one in wanted(await present_model(conn)) if one.name == "by_it"]
    await conn.execute(made.sql.replace(" CONCURRENTLY", ""))
    await conn.execute("ANALYZE profile")
    found = await examined(conn, question)
    assert (found.scans, found.advice) == ((), ())


async def test_no_index_is_advised_that_cannot_be_made_or_is_there(conn: Connection) -> None:
    await publish_fields(conn, field("long", max_length=900), field("tier", max_length=30))
    await indexed(conn, "by_tier", "tier", "city", entity="profile")
    await publish_draft(conn)
    await fill(conn)
    await conn.execute("UPDATE profile SET x_long = 'L' || id, x_tier = 'T' || id")
    await conn.execute("ANALYZE profile")
    for question in ("long = 'L5'", "middle_name = 'x'", "tier = 'T5'", "city < 'A'", "city contains 'City 77'"):
        (advice,) = (await examined(conn, question)).advice
        assert "an index on" not in advice, question


async def test_a_scan_for_most_rows_needs_no_index(conn: Connection) -> None:
    await fill(conn)
    (advice,) = (await examined(conn, "not city = 'City 5'")).advice

    assert "needs most of them" in advice


async def test_what_an_index_serves_is_not_told(conn: Connection) -> None:
    await fill(conn)
    found = await examined(conn, "email = '7@x.example'")

    assert (found.scans, found.advice) == ((), ())
    assert "email_key" in found.sql
    assert "7@x.example" not in found.sql


async def test_nothing_runs(conn: Connection) -> None:
    await fill(conn)
    slow = " or ".join(f"city contains '{n}' and first_name contains '{n}x'" for n in range(60))

    assert (await examined(conn, slow)).cost > 1_000


async def test_what_is_asked_of_linked_rows_is_looked_up_among_theirs(conn: Connection) -> None:
    found = await examined(conn, "sum(if(kind = 'click' and url contains 'x', 1, 0) of reactions where kind = 'open') > 3")

    assert "reaction" in found.sql


async def test_a_value_is_examined_for_every_row(conn: Connection) -> None:
    await dataset(conn, "purchase", field("code", max_length=30), field("amount", FieldKind.INTEGER))
    await point(conn, link("buyer", reverse_name="purchases"))
    await publish_draft(conn)
    await fill(conn)
    await conn.execute(
        """
        INSERT INTO x_purchase (x_code, x_amount, x_buyer_id)
        SELECT 'C' || n, n, (SELECT min(id) FROM profile) + n % 20000 FROM generate_series(1, 20000) AS n
        """
    )
    await conn.execute("ANALYZE x_purchase")
    catalogue = await present_catalogue(conn)
    plain = await examine_value(conn, check_value(parse_text("upper(city)"), catalogue), at=AT, zone=ZONE)
    assert [(scan.table, scan.rows) for scan in plain.scans] == [("profile", 20_000)]
    assert plain.advice == (), "all its rows are read because all are wanted"
    assert plain.estimate == 20_000
    linked = await examine_value(conn, check_value(parse_text("sum(purchases.amount)"), catalogue), at=AT, zone=ZONE)
    assert linked.cost > plain.cost
    assert "x_purchase" in linked.sql
    seven = check_value(parse_text("count(purchases where code = exactly('C7'))"), catalogue)
    assert "C7" not in (await examine_value(conn, seven, at=AT, zone=ZONE)).sql
