"""When answers change by time alone, as far as it can be told of a question without asking it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.targeting.check import check
from core.targeting.compiled import Plan
from core.targeting.filters_called import by_shortcuts
from core.targeting.linked import entity_table
from core.targeting.membership.due import ANY_TIME, MIDNIGHT, Due, due_of
from core.targeting.membership.records import Upkeep
from core.targeting.moments import asked_at
from core.targeting.parse import parse_text
from core.targeting.text_form import to_text
from tests.core.targeting.shop import CATALOGUE


def due(source: str) -> Due:
    asked = check(parse_text(source), CATALOGUE)
    at = asked_at(datetime(2025, 6, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return due_of(asked, asked=at, source=entity_table(asked.entity), plan=Plan.ALL_AT_ONCE)


def due_of_shortcuts(source: str) -> Due:
    root = by_shortcuts(parse_text(source).root)
    assert root is not None
    return due(to_text(root))


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


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("was_contacted(3)", "exists(received where at > now - 3 days)"),
        ("not_contacted(14)", "not exists(received where at > now - 14 days)"),
        ("is_active(5)", "exists(reactions where at > now - 5 days and kind in ('open', 'click'))"),
        ("is_active(0)", "exists(reactions where at > now and kind in ('open', 'click'))"),
        ("is_active(-2)", "exists(reactions where at > now + 2 days and kind in ('open', 'click'))"),
    ],
)
def test_windows_of_shortcuts_end_by_a_date_as_those_that_are_written_out(call: str, said: str) -> None:
    root = by_shortcuts(parse_text(call).root)
    assert root == parse_text(said).root
    assert due(to_text(root)).upkeep is Upkeep.INCREMENTAL


@pytest.mark.parametrize(
    "source",
    [
        "has_birthday()",
        "not birthday_within(7)",
        "has_birthday(364999)",
        "anniversary_within(add_days(created_at, 3), -1, 2)",
        "years_old(birth_date) in (18, 21)",
        "18 <= years_old(birth_date)",
        "days_old(last(purchases.bought_at)) >= 30",
        "exists(purchases where months_old(bought_at) < 3 and anniversary_within(bought_at, 0, 7))",
        "created_at between days_ago(30) and months_ago(0)",
    ],
)
def test_the_day_of_a_change_is_told_of_each_row(source: str) -> None:
    found = due_of_shortcuts(source)
    assert (found.upkeep, bool(found.windows)) == (Upkeep.INCREMENTAL, True)


@pytest.mark.parametrize(
    "source",
    [
        "birthday_within(365000)",
        "years_old(birth_date) > 1000",
        "days_old(created_at) = -365000",
        "created_at > days_ago(400000)",
        "created_at > months_ago(id)",
        "years_old(birth_date) > id",
        "years_old(birth_date) + 1 > 18",
        "if(birthday_within(7), 1, 2) = 1",
        "anniversary_within(add_days(birth_date, days_old(created_at)), 0, 7)",
        "month(birth_date) = month(today)",
    ],
)
def test_where_it_cannot_be_told_everybody_is_looked_at_each_midnight(source: str) -> None:
    assert due_of_shortcuts(source).daily == {MIDNIGHT}


def test_what_is_always_so_changes_on_no_day() -> None:
    found = due("anniversary_within(birth_date, -200, 165)")
    assert (found.upkeep, found.windows) == (Upkeep.INCREMENTAL, [])


def test_times_out_of_reach_stay_as_they_are_written() -> None:
    root = by_shortcuts(parse_text("is_active(1001)").root)
    assert root == parse_text("exists(reactions where at > add_days(now, 0 - 1001) and kind in ('open', 'click'))").root
