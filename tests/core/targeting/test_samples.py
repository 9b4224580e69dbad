"""What an expression computes on some rows, before it is used."""

from __future__ import annotations

from typing import Any

import pytest

from core.db import Connection
from core.errors import Invalid, LimitReached
from core.targeting import store
from core.targeting.check import check, check_value
from core.targeting.parse import parse_text
from core.targeting.records import RowValue
from core.targeting.samples import sample_rows, sample_values
from core.targeting.sql import Statement
from tests.core.targeting.shop import CATALOGUE
from tests.core.targeting.test_linked import AT, DATA, REFS, ZONE


async def shown(
    conn: Connection, source: str, where: str | None = None, *, entity: str = "profile", size: int = 10, patience: float = 30
) -> list[RowValue]:
    asked = None if where is None else check(parse_text(where), CATALOGUE, entity=entity)
    value = check_value(parse_text(source), CATALOGUE, entity=entity)
    return await sample_values(conn, value, asked, size=size, at=AT, zone=ZONE, patience=patience)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("upper(first_name)", ["ANN", "BOB", "CYD", "DEE"]),
        ("country", ["FR", "DE", None, "FR"]),
        ("sum(purchases.amount)", ["210.5", "30", "0", "0"]),
        ("avg(purchases.amount) / 2", ["52.625", "15", None, None]),
        ("count(purchases) + 1", [3, 3, 1, 1]),
        ("count(purchases)", [2, 2, 0, 0]),
        ("last(purchases.state)", ["paid", None, None, None]),
        ("max(purchases.bought_at)", ["2025-06-05T12:00:00+00:00", "2025-06-07T12:00:00+00:00", None, None]),
        ("to_date(max(purchases.bought_at))", ["2025-06-05", "2025-06-07", None, None]),
        ("country = 'FR'", [True, False, False, True]),
        ("case when country = 'FR' then 'tu' end", ["tu", None, None, "tu"]),
        ("first(purchases.ref)", [str(REFS[0]), str(REFS[1]), None, None]),
        ("left(first(purchases.ref), 3)", ["aaa", "bbb", None, None]),
        ("gender", ["unknown"] * 4),
        ("held_out", [False] * 4),
        ("point(2.5, 48)", ["(2.5,48)"] * 4),
        ("7", [7] * 4),
    ],
)
async def test_the_values_of_rows_are_shown(conn: Connection, source: str, values: list[object]) -> None:
    await DATA.store(conn)
    found = await shown(conn, source)
    assert [one.value for one in found] == values
    assert [one.key for one in found] == [1, 2, 3, 4]
    assert found[0].row["first_name"] == "Ann"


async def test_rows_are_those_for_which_a_condition_holds_as_many_as_are_asked_for(conn: Connection) -> None:
    await DATA.store(conn)
    assert [one.key for one in await shown(conn, "country", "exists(purchases) or first_name = 'Dee'")] == [1, 2, 4]
    assert [one.key for one in await shown(conn, "country", "country = 'FR'", size=1)] == [1]
    purchases = await shown(conn, "amount * pieces", "not product.code is_null", entity="purchase")
    assert [(one.key, one.value) for one in purchases] == [(1, "21"), (2, "200"), (3, None), (5, None)]
    assert purchases[0].row["shop"] == "Paris"
    whose = await shown(conn, "profile.first_name", entity="purchase")
    assert [one.value for one in whose] == ["Ann", "Ann", "Bob", "Bob", None]


async def test_people_who_are_merged_into_others_are_not_shown(conn: Connection) -> None:
    await DATA.store(conn)
    await conn.execute("UPDATE profile SET merged_into = 1 WHERE id = 2")
    assert [one.key for one in await shown(conn, "country")] == [1, 3, 4]


async def test_a_sample_has_bounds_and_does_not_wait_for_ever(conn: Connection) -> None:
    for size in (0, 1_001):
        with pytest.raises(Invalid) as refused:
            await shown(conn, "age", size=size)
        assert refused.value.code == "BAD_SAMPLE_SIZE"
    await conn.execute("INSERT INTO profile (first_name) SELECT 'n' || n FROM generate_series(1, 20000) AS n")
    never = " or ".join(f"sha512(first_name) contains 'z{n}'" for n in range(300))
    with pytest.raises(LimitReached) as late:
        await shown(conn, "city", never, patience=0.01)
    assert late.value.code == "QUESTION_TOO_SLOW"


async def test_whom_is_asked_by_the_plan_that_costs_less(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    await DATA.store(conn)
    asked: list[str] = []
    fetch_rows = store.fetch_rows

    async def watched(conn: Connection, statement: Statement, seconds: float) -> Any:
        asked.append(statement.text)
        return await fetch_rows(conn, statement, seconds)

    monkeypatch.setattr(store, "fetch_rows", watched)
    question = check(parse_text("sum(purchases.amount) > 100 or first_name = 'Dee'"), CATALOGUE)
    for costs in ([1.0, 2.0], [2.0, 1.0]):
        left = costs * 2

        async def estimate(*_: object, left: list[float] = left) -> float:
            return left.pop(0)

        monkeypatch.setattr(store, "estimate_cost", estimate)
        rows = await sample_rows(conn, question, size=10, at=AT, zone=ZONE)
        assert [one["id"] for one in rows] == [1, 4]
        assert [one.key for one in await shown(conn, "country", question.expression.text)] == [1, 4]
        assert left == []
    assert "GROUP BY" in asked[0]
    assert "GROUP BY" in asked[1]
    assert "GROUP BY" not in asked[2] + asked[3]
