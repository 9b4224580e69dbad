"""People are found by the words of fields that a team declares searchable, as soon as the index of them is built."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.datamodel.drafts import remove_field
from core.datamodel.publication import preview
from core.datamodel.records import BuildKind, BuildState, DataField, FieldKind
from core.db import Connection
from core.errors import Invalid
from core.profiles import merging, profiles, search
from core.profiles.merge_records import MergePlan
from core.profiles.records import Profile
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, builds, dataset, field, publish_draft, publish_fields, save

CARD = field("card", max_length=40, searchable=True)
NICKNAME = field("nickname", searchable=True)
NUMBER = field("number", FieldKind.INTEGER, searchable=True)


async def publish(runtime: Runtime, db: Connection, *fields: DataField) -> None:
    """Fields, and the index of their words."""
    await publish_fields(db, *fields)
    await datamodel.build(runtime)


async def create(db: Connection, first_name: str | None = None, **team: Any) -> Profile:
    """A profile of this name with values of the team's fields."""
    return await profiles.create_profile(db, SYSTEM, {"first_name": first_name}, team, now=NOW)


async def names(db: Connection, text: str, first: int = 10) -> list[str | None]:
    """First names of those found, in their order."""
    found = await search.search_profiles(db, text, first=first, region="FR")
    return [one.first_name for one in found.rows]


async def test_a_search_finds_words_of_searchable_fields_too(runtime: Runtime, db: Connection) -> None:
    await publish(runtime, db, CARD, NICKNAME, NUMBER, field("motto"))
    await create(db, "Ann", card="KD-2041-77", number=4711, motto="secret")
    await create(db, "Bea", card="Blaue Eiche", nickname="Ægir", number=-20417)
    await create(db, "Blaue")
    await create(db, "Cat", nickname="ann@home.example")
    found = {
        "kd-2041": ["Ann"], "KD-20": ["Ann"], "2041-77": ["Ann"], "20417": ["Bea"], "4711": ["Ann"], "47": ["Ann"],
        "711": [], "ann 4711": ["Ann"], "4711 ann": ["Ann"], "ann eiche": [], "EICH": ["Bea"], "aegir EICHE": ["Bea"],
        "blaue": ["Bea", "Blaue"], "bl": ["Bea", "Blaue"], "secret": [], "ann": ["Ann", "Cat"],
        "ann@home.example": ["Cat"], "home": ["Cat"], "' | 'x": [], "!kd": ["Ann"],
    }  # fmt: skip
    assert {text: await names(db, text) for text in found} == found


async def test_fields_are_searched_from_their_build_to_the_end_of_their_mark(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, replace(CARD, searchable=False))
    await create(db, "Ann", card="Golden")
    await save(db, CARD)
    planned = (await preview(db)).afterwards
    await publish_draft(db)
    (asked,) = await builds(db)
    before = await names(db, "gold")
    await datamodel.build(runtime)
    after = await names(db, "gold")
    await save(db, NICKNAME)
    replaced = (await preview(db)).afterwards
    await publish_draft(db)
    between = await names(db, "gold")
    await datamodel.build(runtime)
    (built,) = await builds(db)
    again = await names(db, "gold")
    await remove_field(db, SYSTEM, "profile", "nickname", now=NOW)
    await save(db, replace(CARD, searchable=False))
    await publish_draft(db)
    ended = await names(db, "gold")
    await datamodel.build(runtime)

    assert planned == (asked.statement,)
    assert (asked.kind, asked.name, asked.state) == (BuildKind.SEARCH, "search_words", BuildState.WAITING)
    assert replaced == (f"DROP INDEX CONCURRENTLY IF EXISTS {asked.object}", built.statement)
    assert [before, after, between, again, ended] == [[], ["Ann"], [], ["Ann"], []]
    assert await builds(db) == []
    assert await db.fetchval("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'x\\_1\\_%'") == 0


WORDS = ("ann", "anna", "an", "bea", "be", "42", "427")


def ranks(text: str, found_by: Sequence[str]) -> int | None:
    """2: each word just so, 3: each begins one; None: not found."""
    if all(one in found_by for one in text.split()):
        return 2
    return 3 if all(any(word.startswith(one) for word in found_by) for one in text.split()) else None


async def test_pages_are_those_of_a_search_word_by_word(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEPS", 5)  # so that all ways to find are gone, many times
    monkeypatch.setattr(search, "FIRST_STEPS", 2)
    await publish(runtime, db, CARD, NICKNAME, NUMBER)
    chance = random.Random(11)
    people: dict[int, list[str]] = {}
    for _ in range(80):
        some = chance.sample(WORDS, 2) if chance.random() < 0.5 else []
        own = chance.choice(WORDS[:5])
        team = {} if not some else {"card": some[0], "nickname": some[1]} | ({"number": 42} if own == "be" else {})
        made = await create(db, own, **team)
        people[made.id] = [own, *some, *(["42"] if "number" in team else [])]

    for text in (*WORDS, "a", "4", "an an", "anna be", "be 42", "ann bea 42", "b a 4"):
        expected = [(rank, one) for one, words in people.items() if (rank := ranks(text, words)) is not None]
        seen: list[int] = []
        after = None
        for _ in range(60):
            page = await search.search_profiles(db, text, first=3, after=after, region="FR")
            seen += [one.id for one in page.rows]
            if not page.has_next:
                break
            after = page.cursor(page.rows[-1])
        assert seen == [one for _, one in sorted(expected)], text


async def test_rare_words_are_looked_up_by_indexes_alone(runtime: Runtime, db: Connection) -> None:
    plans = {}
    for number, fields in enumerate([[], [CARD, NUMBER]]):
        if fields:
            await publish(runtime, db, *fields)
            await db.execute("UPDATE profile SET x_card = 'card ' || id WHERE id % 3 = 0")
        await db.execute("INSERT INTO profile (first_name) SELECT 'name' || n FROM generate_series(1, 3000) n")
        await db.execute("VACUUM ANALYZE profile")
        await names(db, "nam rare")  # what the driver asks about types is asked once
        asked: list[Any] = []
        with db.query_logger(asked.append):
            await names(db, "nam rare")
        look_up = next(one for one in asked if "id + 0" in one.query)
        plans[number] = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {look_up.query}", *look_up.args))

    for plan in plans.values():
        assert "Bitmap Index Scan on profile_search_words" in plan
        assert "Seq Scan" not in plan
    assert ("x_1_" in plans[0], "x_1_" in plans[1]) == (False, True), plans[1]


async def test_only_people_with_a_value_are_in_the_index(runtime: Runtime, db: Connection) -> None:
    await publish(runtime, db, CARD, NUMBER)
    (build,) = await builds(db)
    empty = await db.fetchval("SELECT pg_relation_size($1::regclass)", build.object)
    for n in range(20):
        await create(db, " ".join(f"word{n}x{part}" for part in range(5)))
    await db.execute("INSERT INTO profile (last_name) SELECT 'name' || n FROM generate_series(1, 4000) n")
    await db.execute("SELECT gin_clean_pending_list($1::regclass)", build.object)
    without = await db.fetchval("SELECT pg_relation_size($1::regclass)", build.object)
    await db.execute("UPDATE profile SET x_number = id")
    await db.execute("SELECT gin_clean_pending_list($1::regclass)", build.object)

    assert without == empty
    assert await db.fetchval("SELECT pg_relation_size($1::regclass)", build.object) > empty


async def test_who_is_merged_changed_or_gone_is_not_found_by_what_was(runtime: Runtime, db: Connection) -> None:
    await publish(runtime, db, CARD)
    ann, bea = await create(db, "Ann", card="one"), await create(db, "Bea", card="two")
    async with db.transaction():
        done = await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=ann.id, other_ids=(bea.id,)), now=NOW)
    merged = [await names(db, text) for text in ("one", "two")]
    async with db.transaction():
        await merging.undo_merge(db, SYSTEM, done.id, now=NOW)
    apart = await names(db, "two")
    await profiles.update_profile(db, SYSTEM, ann.id, {}, {"card": "three"}, now=NOW)
    changed = [await names(db, text) for text in ("one", "three")]
    await profiles.update_profile(db, SYSTEM, ann.id, {}, {"card": None}, now=NOW)
    await profiles.delete_profile(db, SYSTEM, bea.id)

    assert merged == [["Ann"], []]
    assert apart == ["Bea"]
    assert changed == [[], ["Ann"]]
    assert [await names(db, text) for text in ("three", "two")] == [[], []]
    assert await names(db, "ann") == ["Ann"]


async def test_the_longest_words_and_the_most_fields_are_kept(runtime: Runtime, db: Connection) -> None:
    every = [field(f"text_{n}", max_length=1_000, searchable=True) for n in range(20)]
    await publish(runtime, db, *every)
    wide = "㌖" * 999  # each is written out as six letters
    await create(db, "Ann", **{f"text_{n}": chr(0x4E00 + n) + wide for n in range(20)})
    await create(db, "Bea", text_0=" ".join(f"{n:03x}" for n in range(250)))
    await create(db, "Cat", text_0="x" * 900)

    assert await names(db, "㌖" * 50) == []
    assert await names(db, "丁" + "㌖" * 40) == ["Ann"]
    assert await names(db, "丁" + "㌖" * 299) == ["Ann"]
    assert await names(db, "0f9 01a") == ["Bea"]
    assert [await names(db, "x" * n) for n in (3, 254, 255, 256, 300)] == [["Cat"]] * 5


@pytest.mark.parametrize(
    ("entity", "one"),
    [
        ("purchase", field("code", searchable=True)),
        ("service", field("code", searchable=True)),
        ("profile", field("born", FieldKind.DATE, searchable=True)),
        ("profile", field("place", FieldKind.POINT, searchable=True)),
        ("profile", field("uid", FieldKind.AUTOMATIC_ID, searchable=True)),
        ("profile", field("story", max_length=1_001, searchable=True)),
    ],
)
async def test_what_cannot_be_searched_is_refused(conn: Connection, entity: str, one: DataField) -> None:
    await dataset(conn, "purchase")
    with pytest.raises(Invalid) as refused:
        await save(conn, one, entity)
    assert (refused.value.code, refused.value.path) == ("NOT_SEARCHABLE", "searchable")


async def test_so_many_fields_are_searchable(conn: Connection) -> None:
    for n in range(20):
        await save(conn, field(f"text_{n}", searchable=True))
    await save(conn, field("other"))
    with pytest.raises(Invalid) as refused:
        await save(conn, field("other", searchable=True))
    assert refused.value.code == "TOO_MANY_SEARCHABLE"
