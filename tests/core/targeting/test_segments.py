"""A population cut up: first match or overlapping, limits by share, size, order and group, the complement."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.db import Connection
from core.errors import ClarionError, Invalid
from core.paging import PageRequest
from core.targeting.audiences import count, open_question
from core.targeting.lists import list_members
from core.targeting.parse import parse_text
from core.targeting.segments import Segment, Segmentation, count_segments, list_segments, list_together

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


async def people(conn: Connection, *rows: tuple[str | None, float | None]) -> list[int]:
    """With a city and a latitude."""
    found = await conn.fetch(
        """
        INSERT INTO profile (city, latitude, country)
        SELECT c, l, 'FR' FROM unnest($1::text[], $2::float8[]) AS r (c, l) RETURNING id
        """,
        [city for city, _ in rows], [number for _, number in rows],
    )  # fmt: skip
    return [row["id"] for row in found]


def segment(code: str, where: str | None = None, **more: Any) -> Segment:
    for name in ("by", "per"):
        if name in more:
            more[name] = parse_text(more[name])
    return Segment(code=code, label="", where=None if where is None else parse_text(where), **more)


async def counted(conn: Connection, *segments: Segment, **more: Any) -> dict[str, int]:
    wanted = Segmentation(segments=segments, **more)
    found = await count_segments(conn, parse_text("country = 'FR'"), wanted, at=AT, zone=ZONE)
    return {one.code: one.count for one in found}


async def members(conn: Connection, *segments: Segment, **more: Any) -> dict[str, list[int]]:
    wanted = Segmentation(segments=segments, **more)
    made = await list_segments(conn, SYSTEM, parse_text("country = 'FR'"), wanted, prefix="x-", now=AT, zone=ZONE)
    pages = {one.name[2:]: await list_members(conn, one.id, PageRequest(first=100)) for one in made}
    return {name: [row.profile_id for row in page.rows] for name, page in pages.items()}


async def test_the_first_that_takes_a_member_has_it(conn: Connection) -> None:
    await people(conn, ("a", 1), ("a", 2), ("b", 3), (None, 4))
    segments = segment("in_a", "city = 'a'"), segment("low", "latitude <= 3")

    assert await counted(conn, *segments) == {"in_a": 2, "low": 1}
    assert await counted(conn, *segments, complement="rest") == {"in_a": 2, "low": 1, "rest": 1}
    assert await counted(conn, *segments, overlap=True, complement="rest") == {"in_a": 2, "low": 3, "rest": 1}


async def test_ranks_are_rules_and_orders(conn: Connection) -> None:
    one, two, three, four = await people(conn, ("a", 3), ("a", 1), ("b", 2), (None, 9))
    first = segment("first", "rank(by latitude desc, per city) = 1")
    found = await members(conn, first, segment("last", size=1, by="rank(by latitude)"), complement="rest")
    assert found == {"first": [one, three], "last": [four], "rest": [two]}


async def test_who_finds_no_room_may_be_in_a_later_one(conn: Connection) -> None:
    one, two, three, four = await people(conn, ("a", 1), ("a", 3), ("b", 2), (None, None))
    found = await members(
        conn, segment("most", by="latitude", size=1), segment("least", by="latitude", size=1, lowest=True),
        segment("all_of_a", "city = 'a'"), complement="rest",
    )  # fmt: skip

    assert found == {"most": [two], "least": [one], "all_of_a": [], "rest": [three, four]}


async def test_a_share_is_of_the_whole_and_of_a_group_of_its_members(conn: Connection) -> None:
    await people(conn, *[("a", n) for n in range(8)], *[("b", n) for n in range(2)])

    assert await counted(conn, segment("half", share=Decimal(50)), segment("then", share=Decimal(50))) == {"half": 5, "then": 5}
    assert await counted(conn, segment("of_b", "city = 'b'", share=Decimal(50))) == {"of_b": 2}
    assert await counted(conn, segment("of_each", per="city", share=Decimal(50))) == {"of_each": 5}
    halves = [segment(name, per="city", share=Decimal(50)) for name in ("one", "other")]
    assert await counted(conn, *halves) == {"one": 5, "other": 5}
    assert await counted(conn, segment("all", "city = 'b'"), halves[0]) == {"all": 2, "one": 4}, "nobody of b is left"
    assert await counted(conn, segment("of_each", per="city", size=1)) == {"of_each": 2}
    assert await counted(conn, segment("of_each", per="city", size=3), halves[0]) == {"of_each": 5, "one": 4}
    assert await counted(conn, segment("few", share=Decimal(50), size=3)) == {"few": 3}


async def test_the_lot_is_the_same_each_time_and_another_with_another_seed(conn: Connection) -> None:
    await people(conn, *[("a", n) for n in range(40)])
    half = segment("half", share=Decimal(50))
    async with conn.transaction():
        first = await members(conn, half)
        await conn.execute("DELETE FROM audience")
        again = await members(conn, half)
        await conn.execute("DELETE FROM audience")
        other = await members(conn, half, seed=7)

    assert first == again
    assert len(other["half"]) == 20
    assert first != other


async def test_members_bring_the_code_of_their_segment_along(conn: Connection) -> None:
    ann, bob, cat = await people(conn, ("a", 1), ("b", 2), ("c", 3))
    cut = Segmentation(segments=(segment("of a", "city = 'a'"), segment("%s", "city = 'b'")), complement="rest")
    whole = parse_text("country = 'FR'")

    made = await list_together(conn, SYSTEM, whole, cut, name="spring", label="Spring", now=AT, zone=ZONE)

    page = await list_members(conn, made.id, PageRequest(first=100))
    codes = {ann: "of a", bob: "%s", cat: "rest"}
    assert {row.profile_id: row.data for row in page.rows} == {one: {"segment": code} for one, code in codes.items()}
    asked = await open_question(conn, parse_text("in_audience('spring') and audience_column('spring', 'segment') = 'rest'"))
    assert await count(conn, asked, at=AT, zone=ZONE) == 1
    # And each of lists of their own
    own = replace(cut, segments=(segment("one", "city = 'a'"), segment("two", "city <> 'b'")), overlap=True)
    lists = await list_segments(conn, SYSTEM, whole, own, prefix="x-", now=AT, zone=ZONE)
    found = [[row.data for row in (await list_members(conn, one.id, PageRequest(first=100))).rows] for one in lists]
    assert found == [[{"segment": "one"}], [{"segment": "two"}] * 2, [{"segment": "rest"}]]
    with pytest.raises(Invalid) as caught:
        await list_together(conn, SYSTEM, whole, own, name="both", label="Both", now=AT, zone=ZONE)
    assert caught.value.code == "OVERLAP"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Segmentation(segments=()), "BAD_SEGMENTS"),
        (Segmentation(segments=(segment("a"), segment("a"))), "BAD_CODE"),
        (Segmentation(segments=(segment("a"),), complement="a"), "BAD_CODE"),
        (Segmentation(segments=(segment(""),)), "BAD_CODE"),
        (Segmentation(segments=(segment("a", share=Decimal(0)),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", share=Decimal(101)),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", share=Decimal("NaN")),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", share=Decimal("sNaN")),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", share=Decimal("Infinity")),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", share=Decimal("1E-1000000")),)), "BAD_SHARE"),
        (Segmentation(segments=(segment("a", size=0),)), "BAD_SIZE"),
        (Segmentation(segments=(segment("a", by="age"),)), "NO_LIMIT"),
        (Segmentation(segments=(segment("a", size=1, by="opt_out"),)), "BAD_ORDER"),
        (Segmentation(segments=(segment("a", "cty = 'x'"),)), "UNKNOWN_FIELD"),
        (Segmentation(segments=(segment("a", size=1, per="in_audience('x')"),)), "UNKNOWN_AUDIENCE"),
    ],
)
async def test_what_is_refused(conn: Connection, wanted: Segmentation, code: str) -> None:
    with pytest.raises(ClarionError) as caught:
        await count_segments(conn, parse_text("true"), wanted, at=AT, zone=ZONE)
    assert caught.value.code == code


SEGMENTS = st.builds(
    lambda number, where, limit: segment(f"s{number}", where, **limit),
    st.integers(0, 99),
    st.sampled_from([None, "city = 'a'", "latitude > 2", "not city is_null"]),
    st.sampled_from(
        [{}, {"size": 2}, {"share": Decimal(30)}, {"size": 1, "per": "city"}, {"share": Decimal(50), "per": "city"},
         {"size": 2, "by": "latitude"}, {"size": 1, "share": Decimal(40), "by": "city", "lowest": True}]
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1.0, 2.0, 3.0, None])), max_size=8),
    segments=st.lists(SEGMENTS, min_size=1, max_size=4, unique_by=lambda one: one.code),
)
async def test_everybody_is_in_one_piece(
    conn: Connection, rows: list[tuple[str | None, float | None]], segments: list[Segment]
) -> None:
    savepoint = conn.transaction()
    await savepoint.start()
    ids = await people(conn, *rows)
    found = await members(conn, *segments, complement="rest")
    await savepoint.rollback()

    assert Counter(one for piece in found.values() for one in piece) == Counter(ids)
    for one in segments:
        if one.size is not None and one.per is None:
            assert len(found[one.code]) <= one.size
