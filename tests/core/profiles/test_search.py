"""People are found by any of their words, the best first, page by page."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import Invalid
from core.profiles import profiles, search
from core.profiles.records import Profile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def create(conn: Connection, **values: Any) -> Profile:
    """A profile with these values."""
    return await profiles.create_profile(conn, SYSTEM, values, now=NOW, default_country="FR")


async def names(conn: Connection, text: str, first: int = 10) -> list[str | None]:
    """First names of those found, in their order."""
    found = await search.search_profiles(conn, text, first=first, region="FR")
    return [one.first_name for one in found.rows]


async def words(conn: Connection, text: str) -> list[str]:
    """The words of a text as they are compared."""
    found: list[str] = await conn.fetchval("SELECT folded_words($1)", text)
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann", ["Ann", "Bea", "Anna"]),  # Bea's email has the very word
        ("ANN", ["Ann", "Bea", "Anna"]),
        ("ann@", ["Ann"]),
        ("@shop.example", ["Bea"]),
        ("zoé", ["Zoé"]),
        ("ZOE", ["Zoé"]),
        ("o'n", ["Liam"]),
        ("neil liam", ["Liam"]),
        ("li  nei", ["Liam"]),
        ("liam nobody", []),
        ("c-1", ["Ann"]),
        ("C-1", ["Ann"]),
        ("c-", []),  # an external id is asked for as a whole
        ("lodz", ["Łódź"]),
        ("weiss", ["Łódź"]),
        ("ΓΙΏΡΓΟΣ", ["Γιώργος"]),
        ("06 12 34 56 78", ["Liam"]),
        ("+33 (6) 12.34", ["Liam"]),
        ("0612345", []),  # at home one begins another number so
        ("%", []),
        ("_nn", []),
        ("nn", []),
        ("\0 ann", ["Ann", "Bea", "Anna"]),
        ("ann.b", ["Bea"]),
        ("anna.b", []),
        ("bea & | ! ( 'x", []),
        ("'':*\\", []),
    ],
)
async def test_a_search_finds_words_in_any_writing(conn: Connection, text: str, found: list[str]) -> None:
    await create(conn, first_name="Ann", last_name="Lee", email="ann@mail.example", external_id="C-1")
    await create(conn, first_name="Anna", last_name="Joannes")
    await create(conn, first_name="Liam", last_name="O'Neil", external_id="L-c-1", mobile_phone="+33612345678")
    await create(conn, first_name="Zoé", last_name="Bann", external_id="C-10")
    await create(conn, first_name="Bea", last_name="Lo", email="ann.bea@shop.example")
    await create(conn, first_name="Łódź", last_name="Weiß")
    await create(conn, first_name="Γιώργος")

    assert await names(conn, text) == found


async def test_the_best_come_first_on_all_pages(conn: Connection) -> None:
    for n in range(3):
        await create(conn, first_name="Samson", last_name=str(n))
    for n in range(3):
        await create(conn, first_name="Sam", last_name=str(n))
    await create(conn, first_name="Kim", external_id="SAM")

    one_page = await search.search_profiles(conn, "sam", first=10, region="FR")
    seen: list[int] = []
    after = None
    for _ in range(10):
        page = await search.search_profiles(conn, "sam", first=2, after=after, region="FR")
        seen += [one.id for one in page.rows]
        if not page.has_next:
            break
        after = page.cursor(page.rows[-1])

    assert [one.first_name for one in one_page.rows] == ["Kim", "Sam", "Sam", "Sam", "Samson", "Samson", "Samson"]
    assert seen == [one.id for one in one_page.rows]


async def test_an_email_several_have_is_asked_page_by_page_and_what_begins_so_follows(conn: Connection) -> None:
    longer = await create(conn, email="info@shop.example.org")
    same = [await create(conn, email="Info@shop.example") for _ in range(3)]
    await create(conn, first_name="Info", email="x@shop.example")

    first = await search.search_profiles(conn, "info@shop.example", first=2, region="FR")
    rest = await search.search_profiles(conn, "info@shop.example", first=5, after=first.cursor(first.rows[-1]), region="FR")

    assert [one.id for one in first.rows] == [one.id for one in same[:2]]
    assert [one.id for one in rest.rows] == [same[2].id, longer.id]


async def test_rare_people_behind_many_others_are_found(conn: Connection) -> None:
    await conn.execute("INSERT INTO profile (first_name) SELECT 'Ivo' FROM generate_series(1, 400)")
    last = await create(conn, first_name="Rare", last_name="Ivo")

    found = await search.search_profiles(conn, "rar", first=1, region="FR")
    both = await search.search_profiles(conn, "ivo rare", first=1, region="FR")

    assert [one.id for one in found.rows] == [one.id for one in both.rows] == [last.id]


async def test_a_change_is_found_at_once_and_only_names_change_the_index(conn: Connection) -> None:
    ann = await create(conn, first_name="Ann", email="ann@mail.example")
    before = await conn.fetchval("SELECT search_words FROM profile WHERE id = $1", ann.id)
    await profiles.update_profile(conn, SYSTEM, ann.id, {"city": "Paris", "opt_out": True}, now=NOW)
    assert await conn.fetchval("SELECT search_words FROM profile WHERE id = $1", ann.id) == before

    await profiles.update_profile(conn, SYSTEM, ann.id, {"first_name": "Bea", "email": None}, now=NOW)

    assert await names(conn, "ann") == []
    assert await names(conn, "be") == ["Bea"]


@pytest.mark.parametrize("text", ["", " ", " \0"])
async def test_a_search_needs_a_text(conn: Connection, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        await search.search_profiles(conn, text, first=3, region="FR")
    assert caught.value.code == "EMPTY_SEARCH"


async def test_a_cursor_of_another_list_is_refused(conn: Connection) -> None:
    with pytest.raises(Invalid) as caught:
        await search.search_profiles(conn, "x", first=3, after="WzFd", region="FR")
    assert caught.value.code == "BAD_CURSOR"


async def test_words_are_compared_without_accents_and_capitals(conn: Connection) -> None:
    assert await words(conn, "Jürgen GRÖẞL") == ["jurgen", "grossl"]
    assert await words(conn, "Ǽther œuvre Þór Søren Łukasz Đorđe") == ["aether", "oeuvre", "thor", "soren", "lukasz", "dorde"]
    assert await words(conn, "ÉLOÏSE e\u0301loi\u0308se ＡＢＣ ﬁn") == ["eloise", "eloise", "abc", "fin"]
    assert await words(conn, "Ёлка ЙОД ёлка йод İpek ışık") == ["елка", "иод", "елка", "иод", "ipek", "isik"]
    assert await words(conn, "Σίσυφος ΣΊΣΥΦΟΣ") == ["σισυφοσ", "σισυφοσ"]
    assert await words(conn, "anna.smith+news@web-mail.example") == ["anna", "smith", "news", "web", "mail", "example"]
    assert await words(conn, "D’Angelo 佐藤、太郎 שָׁלוֹם") == ["d", "angelo", "佐藤", "太郎", "שלום"]
    assert await words(conn, " .,;' ") == []


async def test_whatever_is_typed_is_a_question(conn: Connection) -> None:
    await create(conn, first_name="Ann")
    chance = random.Random(7)
    for _ in range(150):
        text = "".join(chance.choices("a1é@.'\\:*&|!() <>\"%ß\u00a0\u200d\ud7ff🦄", k=chance.randint(1, 12)))
        if text.strip():
            assert len(await names(conn, text)) <= 1
