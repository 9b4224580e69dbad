"""Who is near: boxes around a centre leave out and let in only whom the distance itself would."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from core.db import Connection
from core.targeting.catalogue import PROFILE
from core.targeting.check import check
from core.targeting.functions.places import RADIUS
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, predicate
from tests.core.targeting.test_sql import insert

CIRCLES = [
    (10.0, 45.0, 100), (10.0, 45.0, 0.002), (0.0, 0.0, 1), (0.0, 0.0, 4000), (-120.0, -60.0, 3000), (5.0, 80.0, 900),
    (5.0, 80.0, 1500), (179.5, 10.0, 500), (-179.5, -10.0, 500), (0.0, 89.99, 50), (30.0, -5.0, 15000), (30.0, -5.0, 20100),
]  # fmt: skip
PARTS = [0.0, 0.3, 0.69, 0.7, 0.71, 0.72, 0.9, 0.99, 0.999999, 1.000001, 1.01, 1.4, 1.5]  # of the way to the edge


def reached(longitude: float, latitude: float, bearing: float, kilometres: float) -> tuple[float, float]:
    """Where one is who went so far."""
    start, angle, way = math.radians(latitude), kilometres / RADIUS, math.radians(bearing)
    end = math.asin(math.sin(start) * math.cos(angle) + math.cos(start) * math.sin(angle) * math.cos(way))
    turned = math.atan2(math.sin(way) * math.sin(angle) * math.cos(start), math.cos(angle) - math.sin(start) * math.sin(end))
    return (longitude + math.degrees(turned) + 540) % 360 - 180, math.degrees(end)


@pytest.mark.parametrize(("longitude", "latitude", "kilometres"), CIRCLES)
async def test_exactly_those_are_near_who_are(conn: Connection, longitude: float, latitude: float, kilometres: float) -> None:
    ways = [(bearing, part) for bearing in range(0, 360, 15) for part in PARTS if part * kilometres < math.pi * RADIUS]
    places = [reached(longitude, latitude, bearing, part * kilometres) for bearing, part in ways]
    rows = [{"longitude": x, "latitude": y} for x, y in places]
    ids = await insert(conn, [*rows, {"longitude": None, "latitude": latitude}, {"longitude": longitude, "latitude": None}])
    question = f"within_km(point(longitude, latitude), point({longitude!r}, {latitude!r}), {kilometres})"
    expected = [number for number, (_, part) in zip(ids, ways, strict=False) if part < 1]
    table = entity_table(PROFILE)
    near = predicate(check(parse_text(question)), at=datetime(2026, 6, 15, tzinfo=UTC), zone=ZoneInfo("UTC"))
    statement = compile_statement(select(table.c.id).where(near).order_by(table.c.id))
    assert [row[0] for row in await conn.fetch(statement.text, *statement.args)] == expected
