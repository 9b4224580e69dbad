"""When answers change by time alone, as far as it can be told of a question without asking it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.targeting.check import check
from core.targeting.compiled import Plan
from core.targeting.linked import entity_table
from core.targeting.membership.due import ANY_TIME, Due, due_of
from core.targeting.membership.records import Upkeep
from core.targeting.moments import asked_at
from core.targeting.parse import parse_text
from tests.core.targeting.shop import CATALOGUE


def due(source: str) -> Due:
    asked = check(parse_text(source), CATALOGUE)
    at = asked_at(datetime(2025, 6, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return due_of(asked, asked=at, source=entity_table(asked.entity), plan=Plan.ALL_AT_ONCE)


@pytest.mark.parametrize(
    "source",
    [
        "count(purchases where bought_at > now - 3 days) + 1 > 1",
        "if(count(purchases where bought_at > now - 3 days) > 1, 1, 2) = 1",
        "coalesce(last(purchases.amount where bought_at < now - 3 days), 0) = 0",
        "case when city is_null then count(purchases where bought_at > now - 3 days) end = 1",
        "if(created_at < now - 3 days, 1) is_null",
        "not last(purchases.amount where bought_at < now - 3 days) + 1 is_null",
        "abs(sum(purchases.amount where exists(product.purchases where bought_at > now - 3 days))) > 1",
    ],
)
def test_time_within_a_function_is_seen_wherever_it_stands(source: str) -> None:
    assert due(source).often == {ANY_TIME}


@pytest.mark.parametrize(
    "source",
    [
        "count(purchases where amount > 3) + 1 > 1",
        "coalesce(last(purchases.amount), 0) = 0",
        "count(purchases where bought_at > now - 3 days) > 1",
    ],
)
def test_what_stands_still_within_a_function_is_kept_as_it_changes(source: str) -> None:
    assert due(source).upkeep is Upkeep.INCREMENTAL
