"""Columns that members bring along: frozen with a list, and read by questions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from core.access import SYSTEM
from core.db import Connection
from core.errors import ClarionError
from core.paging import PageRequest
from core.targeting import lists
from core.targeting.audiences import create_audience, delete_audience, open_question, open_value, sample
from core.targeting.describe import describe
from core.targeting.enrichment import ComputedColumn
from core.targeting.errors import ExpressionError
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.linked import entity_table
from core.targeting.member_columns import MAX_COLUMNS, names_of
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft
from core.targeting.sql import compile_statement, value
from core.targeting.text_form import to_text

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


def column(name: str, expression: str, label: str = "A column") -> ComputedColumn:
    return ComputedColumn(name=name, label=label, expression=parse_text(expression))


async def frozen(conn: Connection, name: str, *columns: ComputedColumn, question: str = "id > 0") -> Audience:
    return await lists.create_list(
        conn, SYSTEM, name=name, label=name, whom=parse_text(question), now=AT, zone=ZONE, columns=columns
    )


async def found(conn: Connection, question: str) -> list[int]:
    return await sample(conn, await open_question(conn, parse_text(question)), size=100, at=AT, zone=ZONE)


async def answers(conn: Connection, expression: str) -> list[Any]:
    """What an expression is for each profile, in the order of ids."""
    checked = await open_value(conn, parse_text(expression))
    rows = entity_table(checked.entity)
    statement = compile_statement(select(value(checked, at=AT, zone=ZONE)).select_from(rows).order_by(rows.c.id))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def people(conn: Connection, *births: date | None) -> list[int]:
    rows = await conn.fetch(
        """
        INSERT INTO profile (birth_date, first_name, country) SELECT b, 'Ann' || b, 'FR' FROM unnest($1::date[]) AS b
        RETURNING id
        """,
        births,
    )
    return [row["id"] for row in rows]


async def test_values_of_every_kind_are_kept_and_read_again(conn: Connection) -> None:
    # Given two people, one of whom says nothing of herself
    one, two = await people(conn, date(1990, 5, 1), None)
    # When they are frozen with columns of every kind
    made = await frozen(
        conn, "spring", column("name", "first_name"), column("years", "age"), column("half", "age / 2"),
        column("grown", "age >= 18"), column("born", "birth_date"), column("since", "created_at"),
        column("land", "country"), column("score", "if(age > 30, 12.50, 0)"),
    )  # fmt: skip
    # Then members show them
    page = await lists.list_members(conn, made.id, PageRequest(first=10))
    mine, theirs = (member.data for member in page.rows)
    assert [member.profile_id for member in page.rows] == [one, two]
    assert {name: mine[name] for name in ("name", "years", "half", "grown", "born")} == {
        "name": "Ann1990-05-01", "years": 36, "half": 18, "grown": True, "born": "1990-05-01",
    }  # fmt: skip
    assert theirs == {"grown": False, "since": theirs["since"], "land": "FR", "score": 0}
    # And so do expressions, as what they are
    assert await answers(conn, "audience_column('spring', 'years') + 1") == [37, None]
    assert await answers(conn, "audience_column('spring', 'half')") == [Decimal(18), None]
    assert await answers(conn, "audience_column('spring', 'grown')") == [True, False]
    assert await answers(conn, "audience_column('spring', 'born')") == [date(1990, 5, 1), None]
    assert await answers(conn, "audience_column('spring', 'since') = created_at") == [True, True]
    assert await found(conn, "audience_column('spring', 'name') = 'ANN1990-05-01'") == [one]
    assert await found(conn, "audience_column('spring', 'years') is_null") == [two]
    assert await found(conn, "not audience_column('spring', 'years') > 40") == [one, two]
    assert await found(conn, "not audience_column('spring', 'grown') and audience_column('spring', 'land') = 'fr'") == [two]


async def test_a_rank_is_a_column_that_stays(conn: Connection) -> None:
    one, two, three = await people(conn, date(1990, 5, 1), None, date(1980, 5, 1))
    made = await frozen(conn, "spring", column("place", "rank(by birth_date)"), question=f"id in ({one}, {two})")
    page = await lists.list_members(conn, made.id, PageRequest(first=10))
    assert [member.data for member in page.rows] == [{"place": 2}, {}], "of all, of whom the third is no member"
    await conn.execute("DELETE FROM profile WHERE id = $1", three)
    assert await answers(conn, "audience_column('spring', 'place')") == [2, None]
    assert await answers(conn, "rank(by birth_date)") == [1, None]


async def test_values_stay_when_people_change(conn: Connection) -> None:
    (one,) = await people(conn, date(1990, 5, 1))
    await frozen(conn, "spring", column("country", "country"))
    await conn.execute("UPDATE profile SET country = 'DE' WHERE id = $1", one)
    assert await found(conn, "audience_column('spring', 'country') = 'FR' and country = 'DE'") == [one]
    await conn.execute("DELETE FROM profile WHERE id = $1", one)
    assert await conn.fetchval("SELECT count(*) FROM audience_member") == 0


async def test_what_is_merged_brings_its_columns_along(conn: Connection) -> None:
    one, two = await people(conn, date(1990, 5, 1), date(1980, 5, 1))
    await frozen(conn, "spring", column("years", "age"), question=f"id = {two}")
    await conn.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", one, two)
    await conn.execute(
        "INSERT INTO profile_merge (survivor_id, before, after, merged_at, merged_by) VALUES ($1, '{}', '{}', now(), 'x')", one
    )
    assert await found(conn, "audience_column('spring', 'years') = 46") == [one]


def test_both_spellings_round_trip() -> None:
    text = "audience_column('vip''s', 'score') >= 10"
    tree = parse_text(text)
    assert to_text(tree) == text
    assert to_json(tree) == {
        "operator": ">=", "operands": [{"function": "audience_column", "arguments": ["vip's", "score"]}, 10],
    }  # fmt: skip
    assert parse_json(to_json(tree)) == tree


async def test_it_is_told_in_plain_words(conn: Connection) -> None:
    await frozen(conn, "vip", column("score", "age"))
    checked = await open_question(conn, parse_text("audience_column('vip', 'score') > 3"))
    assert describe(checked) == "the column 'score' of the audience 'vip' is more than 3"


@pytest.mark.parametrize(
    ("question", "code", "said"),
    [
        ("audience_column('vip') > 3", "EXPRESSION_SYNTAX", "names an audience and a column"),
        ("audience_column('vip', age) > 3", "EXPRESSION_SYNTAX", "names an audience and a column"),
        ("audience_column(1, 2) > 3", "EXPRESSION_SYNTAX", "names an audience and a column"),
        ("audience_column('vop', 'score') > 3", "UNKNOWN_AUDIENCE", "no audience 'vop'"),
        ("audience_column('vip', 'scores') > 3", "UNKNOWN_FIELD", "no column 'scores'"),
        ("audience_column('vip', 'x'' OR true --') > 3", "UNKNOWN_FIELD", "no column"),
        ("audience_column('asked', 'score') > 3", "WRONG_TYPE", "is a question"),
        ("audience_column('vip', 'score') contains 'x'", "WRONG_TYPE", "does not work with an integer"),
        ("exists(received where audience_column('vip', 'score') > 3)", "WRONG_TYPE", "of another kind"),
    ],
)
async def test_mistakes_have_names(conn: Connection, question: str, code: str, said: str) -> None:
    await frozen(conn, "vip", column("score", "age"))
    await create_audience(conn, SYSTEM, AudienceDraft(name="asked", label="Asked", expression=parse_text("id > 0")))
    with pytest.raises(ExpressionError) as caught:
        await open_question(conn, parse_text(question))
    assert caught.value.code == code
    assert said in caught.value.message


async def test_a_list_whose_column_a_question_reads_is_in_use(conn: Connection) -> None:
    vip = await frozen(conn, "vip", column("score", "age"))
    draft = AudienceDraft(name="high", label="High", expression=parse_text("audience_column('vip', 'score') > 3"))
    await create_audience(conn, SYSTEM, draft)
    with pytest.raises(ClarionError) as caught:
        await delete_audience(conn, SYSTEM, vip.id, AT)
    assert caught.value.code == "IN_USE"


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ([column("a b", "age")], "BAD_COLUMN"),
        ([column("", "age")], "BAD_COLUMN"),
        ([column("where", "age")], "BAD_COLUMN"),
        ([column("x" * 64, "age")], "BAD_COLUMN"),
        ([column("a", "point(longitude, latitude)")], "BAD_COLUMN"),
        ([column("a", "age"), column("a", "country")], "DUPLICATE_COLUMN"),
        ([column("a", "age", label="")], "BAD_LABEL"),
        ([column("a", "agee")], "UNKNOWN_FIELD"),
        ([column(f"c{n}", "age") for n in range(MAX_COLUMNS + 1)], "TOO_MANY_COLUMNS"),
    ],
)
async def test_bad_columns_are_refused(conn: Connection, columns: list[ComputedColumn], code: str) -> None:
    with pytest.raises(ClarionError) as caught:
        await frozen(conn, "vip", *columns)
    assert caught.value.code == code


async def test_people_named_one_by_one_bring_no_columns(conn: Connection) -> None:
    with pytest.raises(ClarionError) as caught:
        await lists.create_list(
            conn, SYSTEM, name="a", label="a", whom=[1], now=AT, zone=ZONE, columns=[column("years", "age")]
        )
    assert caught.value.code == "BAD_COLUMN"


async def test_as_many_columns_as_there_may_be(conn: Connection) -> None:
    await people(conn, date(1990, 5, 1))
    made = await frozen(conn, "wide", *(column(f"c{n}", f"age + {n}") for n in range(MAX_COLUMNS)))
    (member,) = (await lists.list_members(conn, made.id, PageRequest(first=10))).rows
    assert member.data == {f"c{n}": 36 + n for n in range(MAX_COLUMNS)}


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (["Customer No.", "E-Mail", "email"], ["customer_no", "e_mail", "email"]),
        (["Prénom", "prenom", "PRENOM"], ["prenom", "prenom_2", "prenom_3"]),
        (["", "  ", "名前"], ["column_1", "column_2", "column_3"]),
        (["1st", "where", "null"], ["column_1st", "column_where", "column_null"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["x" * 200, "x" * 200], ["x" * 63, "x" * 56 + "_2"]),
        (["'; DROP TABLE profile; --"], ["drop_table_profile"]),
    ],
)
def test_titles_become_names(titles: list[str], names: list[str]) -> None:
    assert names_of(titles) == names
