"""Wherever a rank stands in a question, its members are counted at intervals: what anybody has may change anybody's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.targeting.check import Audiences, check
from core.targeting.compiled import Plan
from core.targeting.linked import entity_table
from core.targeting.membership.due import POPULATION, RANKS, Due, due_of
from core.targeting.membership.records import Upkeep
from core.targeting.membership.sources import Way, sources_of
from core.targeting.moments import asked_at
from core.targeting.parse import parse_text
from tests.core.targeting.shop import CATALOGUE

AUDIENCES: Audiences = {
    ("best", None): check(parse_text("rank(by age) = 1"), CATALOGUE),
    ("outer", None): check(
        parse_text("country = 'FR' and in_audience('best')"),
        CATALOGUE,
        audiences={("best", None): check(parse_text("rank(by age) = 1"), CATALOGUE)},
    ),
}


def due(source: str) -> Due:
    asked = check(parse_text(source), CATALOGUE, audiences=AUDIENCES)
    at = asked_at(datetime(2025, 6, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return due_of(asked, asked=at, source=entity_table(asked.entity), plan=Plan.ALL_AT_ONCE)


@pytest.mark.parametrize(
    "source",
    [
        "rank(by age) <= 3",
        "not rank(by age) = 1",
        "rank(by age) is_null",
        "3 > rank(by age)",
        "country = 'FR' and rank(by age) = 1",
        "country = 'FR' and not (city = 'x' or rank(by age) = 1)",
        "created_at > now - 3 days and rank(by age) = 1",
        "rank(by days_between(created_at, now)) = 1",
        "rank(by age where created_at > now - 3 days) = 1",
        "rank(by age) + 1 = 2",
        "age > rank(by birth_date)",
        "count(purchases) > rank(by birth_date)",
        "rank(by birth_date) < count(purchases)",
        "created_at > add_days(now, rank(by age))",
        "add_days(created_at, rank(by age)) > now - 3 days",
        "if(rank(by age) = 1, true, false)",
        "case when rank(by age) = 1 then 1 else 2 end = 1",
        "case when age > 3 then rank(by age) end = 1",
        "coalesce(rank(by age), 3) in (1, 2)",
        "is_empty(to_text(rank(by age)))",
        "exists(purchases where rank(by bought_at, per profile) = 1)",
        "not exists(purchases where amount > 3 and rank(by bought_at) = 1)",
        "exists(purchases where exists(product.purchases where rank(by bought_at) = 1))",
        "count(purchases where rank(by amount) = 1) > 1",
        "count(purchases where rank(by amount) = 1) + 1 > 1",
        "1 < count(purchases where rank(by amount) = 1)",
        "sum(rank(by amount) of purchases) > 3",
        "sum(rank(by amount) of purchases) * 2 > 3",
        "last(purchases.shop by rank(by amount)) = 'x'",
        "last(purchases.bought_at where rank(by amount) = 1) < now - 3 days",
        "add_days(last(purchases.bought_at where rank(by amount) = 1), 3) < now",
        "is_empty(last(purchases.shop where rank(by amount) = 1))",
        "if(exists(purchases where rank(by amount) = 1), 1, 2) = 1",
        "if(count(purchases where rank(by amount) = 1) > 1, 1, 2) = 1",
        "sequence(visits where rank(by day) = 1 then purchases)",
        "sequence(visits then purchases by add_days(bought_at, rank(by amount)))",
        "in_audience('best')",
        "not in_audience('outer')",
        "exists(clubs.members where in_audience('outer'))",
        "if(in_audience('outer'), 1, 2) = 1",
        "anniversary_within(created_at, 0, 3) or rank(by age) = 1",
    ],
)
def test_members_by_rank_are_never_kept_by_what_changes(source: str) -> None:
    found = due(source)
    assert found.upkeep is Upkeep.RECOUNTED
    assert RANKS in found.often


def test_a_top_of_ranks_is_one_of_the_population() -> None:
    assert due("top(3 by rank(by age))").often == {POPULATION}
    assert due("rank(by age where top(3 by age)) = 1").often == {RANKS}


def test_what_ranks_read_is_captured() -> None:
    purchases = "exists(purchases where rank(by amount, per profile, product where product.code = 'x') = 1)"
    sources = sources_of(check(parse_text(f"{purchases} and rank(by age) = 1"), CATALOGUE))
    assert sources[Way.OWNED, "purchase"].columns == {"x_amount", "x_profile_id", "x_product_id"}
    assert {"x_code", "id"} <= sources[Way.FAR, "product"].columns
    assert "birth_date" in sources[Way.PROFILE, "profile"].columns
