"""Audiences: saved, changed, counted, sampled, and told in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import Connection, Pool
from core.errors import ClarionError, Conflict, Forbidden, Invalid, LimitReached, NotFound, Stale
from core.paging import PageRequest, page_request
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.targeting.audiences import (
    count,
    count_audiences,
    create_audience,
    delete_audience,
    find_audience_by_name,
    find_audiences,
    get_audience,
    list_audiences,
    open_audience,
    open_question,
    sample,
    update_audience,
)
from core.targeting.check import check
from core.targeting.errors import ExpressionError
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft

AT, ZONE = datetime(2025, 6, 1, tzinfo=UTC), ZoneInfo("UTC")
FRENCH = "country = 'FR'\n  and not opt_out"


def draft(name: str = "french", source: str = FRENCH) -> AudienceDraft:
    return AudienceDraft(name=name, label="The French", expression=parse_text(source))


async def changes_of(conn: Connection, audience: Audience) -> list[tuple[str, Mapping[str, Any]]]:
    entries = await list_entries(conn, object_type="audience", object_ids=[str(audience.id)], before_id=None, limit=10)
    return [(entry.action, entry.changes) for entry in entries]


@pytest.fixture
async def two_french_and_a_german(conn: Connection) -> list[int]:
    rows = await conn.fetch(
        """
        INSERT INTO profile (first_name, country, opt_out)
        VALUES ('Anne', 'FR', false), ('Bob', 'DE', false), ('Claude', 'FR', false), ('Denis', 'FR', true)
        RETURNING id
        """
    )
    return [row["id"] for row in rows]


async def test_an_audience_is_saved_as_its_author_wrote_it(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())

    assert (created.name, created.label, created.version, created.kind) == (
        "french",
        "The French",
        1,
        "query",
    )
    assert created.expression_text == FRENCH
    assert created.created_by == actor.name
    assert await get_audience(conn, created.id) == created
    assert await find_audience_by_name(conn, "french") == created
    assert await find_audience_by_name(conn, "german") is None
    assert (await open_audience(conn, created)).expression == parse_text(FRENCH)
    assert await changes_of(conn, created) == [
        (
            "audience.create",
            {
                "name": {"from": None, "to": "french"},
                "label": {"from": None, "to": "The French"},
                "version": {"from": None, "to": 1},
            },
        )
    ]


async def test_the_json_spelling_is_saved_as_it_reads(conn: Connection, actor: Actor) -> None:
    tree = {"operator": "<", "operands": [{"field": "latitude"}, {"decimal": "0.123456789012345678"}]}
    created = await create_audience(conn, actor, AudienceDraft(name="south", label="South", expression=parse_json(tree)))

    assert created.expression == tree
    assert created.expression_text == "latitude < 0.123456789012345678"


async def test_it_counts_and_samples_those_who_match_now(
    conn: Connection, actor: Actor, two_french_and_a_german: list[int]
) -> None:
    anne, _, claude, _ = two_french_and_a_german
    question = await open_audience(conn, await create_audience(conn, actor, draft()))

    assert await count(conn, question, at=AT, zone=ZONE) == 2
    assert await sample(conn, question, size=10, at=AT, zone=ZONE) == [anne, claude]
    assert await sample(conn, question, size=1, at=AT, zone=ZONE) == [anne]

    await conn.execute("UPDATE profile SET country = 'FR'")
    assert await count(conn, question, at=AT, zone=ZONE) == 3


async def test_whoever_is_merged_is_in_no_audience(conn: Connection, two_french_and_a_german: list[int]) -> None:
    anne, bob, claude, denis = two_french_and_a_german
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=anne, other_ids=(claude,)), now=AT)

    for source, expected in (
        ("true", [anne, bob, denis]),
        ("country = 'FR'", [anne, denis]),
        ("not (country = 'DE')", [anne, denis]),
    ):
        question = await open_question(conn, parse_text(source))
        assert await sample(conn, question, size=10, at=AT, zone=ZONE) == expected
        assert await count(conn, question, at=AT, zone=ZONE) == len(expected)


async def test_a_question_that_takes_too_long_is_ended(pool: Pool) -> None:
    question = check(parse_text("true"))
    async with pool.acquire() as conn, pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE profile IN ACCESS EXCLUSIVE MODE")  # whoever asks waits
        for ask in (count, partial(sample, size=1)):
            with pytest.raises(LimitReached) as caught:
                await ask(conn, question, at=AT, zone=ZONE, patience=0.2)
            assert caught.value.code == "QUESTION_TOO_SLOW"
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_sample_is_bounded(conn: Connection) -> None:
    everybody = check(parse_text("true"))
    for size in (0, -1, 1_001):
        with pytest.raises(Invalid) as caught:
            await sample(conn, everybody, size=size, at=AT, zone=ZONE)
        assert (caught.value.code, caught.value.path) == ("BAD_SAMPLE_SIZE", "size")


async def test_a_change_makes_a_version(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())

    changed = await update_audience(
        conn,
        actor,
        created.id,
        {"expression": parse_text("country = 'BE'"), "label": "Belgians"},
        expected_version=1,
    )

    assert (changed.version, changed.label, changed.name) == (2, "Belgians", "french")
    assert changed.expression_text == "country = 'BE'"
    assert changed.updated_at > created.updated_at
    assert await get_audience(conn, created.id) == changed
    assert (await changes_of(conn, created))[0] == (
        "audience.update",
        {"label": {"from": "The French", "to": "Belgians"}, "version": {"from": 1, "to": 2}},
    )


async def test_what_changes_nothing_makes_no_version(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())

    same = await update_audience(conn, actor, created.id, {"label": "The French", "expression": parse_text(FRENCH)})

    assert same == created
    assert len(await changes_of(conn, created)) == 1


async def test_the_audit_does_not_repeat_whom_a_question_names(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft(source="email = 'anna@example.org'"))
    await update_audience(conn, actor, created.id, {"expression": parse_text("last_name = 'Karenina'")})

    told = str(await changes_of(conn, created))
    assert "anna" not in told
    assert "Karenina" not in told


async def test_a_stale_change_is_refused(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())
    await update_audience(conn, actor, created.id, {"label": "Mine"}, expected_version=1)

    with pytest.raises(Stale) as caught:
        await update_audience(conn, actor, created.id, {"label": "Yours"}, expected_version=1)

    assert caught.value.code == "VERSION_CHANGED"
    assert (await get_audience(conn, created.id)).label == "Mine"


async def test_a_deleted_audience_is_gone(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())

    await delete_audience(conn, actor, created.id, AT)

    with pytest.raises(NotFound) as caught:
        await get_audience(conn, created.id)
    assert caught.value.code == "AUDIENCE_NOT_FOUND"
    assert (await changes_of(conn, created))[0] == ("audience.delete", {"name": {"from": "french"}})


async def test_an_audience_in_use_stays(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())
    await conn.execute("CREATE TABLE referrer (audience_id bigint REFERENCES audience)")
    await conn.execute("INSERT INTO referrer VALUES ($1)", created.id)

    with pytest.raises(Conflict) as caught:
        await delete_audience(conn, actor, created.id, AT)

    assert caught.value.code == "IN_USE"
    assert await get_audience(conn, created.id) == created


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "BAD_NAME"),
        ({"name": "x'; DROP TABLE audience"}, "BAD_NAME"),
        ({"label": " "}, "BAD_LABEL"),
        ({"label": "x" * 500}, "BAD_LABEL"),
        ({"name": "taken"}, "NAME_TAKEN"),
        ({"expression": parse_text("contry = 'FR'")}, "UNKNOWN_FIELD"),
        ({"kind": "list"}, "UNKNOWN_FIELD"),
    ],
)
async def test_a_bad_change_changes_nothing(conn: Connection, actor: Actor, changes: Mapping[str, Any], code: str) -> None:
    await create_audience(conn, actor, draft("taken"))
    created = await create_audience(conn, actor, draft())

    with pytest.raises(ClarionError) as caught:
        await update_audience(conn, actor, created.id, changes)

    assert caught.value.code == code
    assert await get_audience(conn, created.id) == created


async def test_a_name_is_used_once(conn: Connection, actor: Actor) -> None:
    await create_audience(conn, actor, draft())

    with pytest.raises(Conflict) as caught:
        await create_audience(conn, actor, draft())

    assert (caught.value.code, caught.value.path) == ("NAME_TAKEN", "name")
    assert await count_audiences(conn) == 1


async def test_a_question_without_meaning_is_not_saved(conn: Connection, actor: Actor) -> None:
    with pytest.raises(ExpressionError):
        await create_audience(conn, actor, draft(source="age = 'old'"))

    assert await count_audiences(conn) == 0


async def test_what_does_not_exist_is_not_found(conn: Connection, actor: Actor) -> None:
    with pytest.raises(NotFound):
        await get_audience(conn, 1)
    with pytest.raises(NotFound):
        await update_audience(conn, actor, 1, {"label": "x"})
    with pytest.raises(NotFound):
        await delete_audience(conn, actor, 1, AT)


async def test_only_editors_change_audiences(conn: Connection, actor: Actor) -> None:
    created = await create_audience(conn, actor, draft())
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))

    with pytest.raises(Forbidden):
        await create_audience(conn, reader, draft("another"))
    with pytest.raises(Forbidden):
        await update_audience(conn, reader, created.id, {"label": "x"})
    with pytest.raises(Forbidden):
        await delete_audience(conn, reader, created.id, AT)


async def test_pages_follow_each_other(conn: Connection, actor: Actor) -> None:
    made = [await create_audience(conn, actor, draft(f"audience-{number}")) for number in range(5)]

    first = await list_audiences(conn, page_request(2, None, largest=10))
    rest = await list_audiences(conn, PageRequest(first=3, after=first.rows[-1].id))

    assert [row.id for row in (*first.rows, *rest.rows)] == [row.id for row in made]
    assert (first.has_next, rest.has_next) == (True, False)
    assert await find_audiences(conn, [made[3].id, made[1].id, 0]) == [made[1], made[3]]


async def create_alone(conn: Connection, actor: Actor) -> None:
    async with conn.transaction():
        await conn.execute("SET LOCAL lock_timeout = '100ms'")
        await create_audience(conn, actor, draft())


async def test_two_who_take_a_name_at_once(pool: Pool, actor: Actor) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        begun = one.transaction()
        await begun.start()
        await create_audience(one, actor, draft())

        with pytest.raises(asyncpg.LockNotAvailableError):
            await create_alone(other, actor)
        await begun.commit()
        with pytest.raises(Conflict):
            await create_alone(other, actor)
