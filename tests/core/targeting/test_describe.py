"""Questions in plain words."""

from __future__ import annotations

import pytest

from core.targeting.check import check, check_value
from core.targeting.describe import describe, describe_value
from core.targeting.parse import parse_text
from tests.core.targeting.shop import CATALOGUE
from tests.core.targeting.test_linked import AUDIENCES


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("true", "everybody"),
        ("city = 'x' and not opt_out", "City is 'x' and No longer contact by any channel is not true"),
        ("city in ('x', 'y') or age between 20 and 30", "City is one of 'x', 'y' or Age in years is between 20 and 30"),
        (
            "(age > 3 or city is_null) and not last_name is_null",
            "(Age in years is more than 3 or City has no value) and Last name has a value",
        ),
        ("not (age > 3 and city = 'x')", "it is not so that (Age in years is more than 3 and City is 'x')"),
        ("created_at >= now - 30 days", "Created at is not before 30 days ago"),
        ("birth_date < today", "Birth date is before today"),
        (
            "exists(purchases where amount > 100 and product.code = 'x' and bought_at < now - 1 hour)",
            "there are Purchases where Amount is more than 100 and Code of Product is 'x' and Bought_At is before 1 hour ago",
        ),
        ("not exists(clubs.members)", "there are no Members of Clubs"),
        ("sum(purchases.amount where shop = 'A') > 5", "the sum of Amount of Purchases where Shop is 'A' is more than 5"),
        ("count(purchases) = 0", "the number of Purchases is 0"),
        ("count(distinct purchases.shop) > 1", "the number of different Shop of Purchases is more than 1"),
        ("last(purchases.shop by amount) = 'x'", "the latest Shop of Purchases by Amount is 'x'"),
        (
            "sequence(visits where page = 'shoes' then purchases within 1 day)",
            "there are Visits where Page is 'shoes', and then Purchases within 1 day",
        ),
        ("top(1000 by sum(purchases.amount))", "it is among the 1,000 with the highest the sum of Amount of Purchases"),
        ("not in_audience('french')", "it is not in the audience 'french'"),
        ("length(city) > 3", "length(City) is more than 3"),
        ("age + 1 > 3", "Age in years + 1 is more than 3"),
    ],
)  # fmt: skip
def test_the_words(question: str, words: str) -> None:
    assert describe(check(parse_text(question), CATALOGUE, audiences=AUDIENCES)) == words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("city", "City"),
        ("30", "30"),
        ("country = 'FR'", "whether Country (ISO 3166-1 alpha-2) is 'FR'"),
        ("(age + 1) * 2", "(Age in years + 1) * 2"),
        ("last(purchases.shop)", "the latest Shop of Purchases"),
        ("length(city)", "length(City); length(x) is the number of its characters"),
        (
            "upper(left(city, 2))",
            "upper(left(City, 2)); upper(x) is in capitals; left(x, n) is its first n characters; all but the last -n if n is"
            " negative",
        ),
        (
            "case when age < 18 or city is_null then 'young' when opt_out then 'silent' end",
            "'young' where (Age in years is less than 18 or City has no value), 'silent' where No longer contact by any channel"
            " is true, else no value",
        ),
        ("case when age < 18 then 1 else age - 1 end + 1", "(1 where Age in years is less than 18, else Age in years - 1) + 1"),
        (
            "if(exists(purchases), 'buyer', 'guest')",
            "if(there are Purchases, 'buyer', 'guest'); if(condition, then, else?) is one value where a condition holds, else"
            " the other, or none",
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_value(expression: str, words: str) -> None:
    assert describe_value(check_value(parse_text(expression), CATALOGUE)) == words
