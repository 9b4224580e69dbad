"""Lists of people, and questions that name other audiences."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, NotFound
from core.paging import PageRequest
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.targeting import lists
from core.targeting.audiences import (
    count,
    create_audience,
    delete_audience,
    get_audience,
    open_audience,
    open_question,
    sample,
    update_audience,
)
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from core.targeting.person_memberships import list_of_people, list_of_person
from core.targeting.records import Audience, AudienceDraft, AudienceKind
from core.targeting.segments import Segment, Segmentation, list_together

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


async def people(conn: Connection, *countries: str) -> list[int]:
    rows = await conn.fetch("INSERT INTO profile (country) SELECT unnest($1::text[]) RETURNING id", countries)
    return [row["id"] for row in rows]


async def saved(conn: Connection, name: str, question: str) -> Audience:
    return await create_audience(conn, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(question)))


async def listed(conn: Connection, name: str, whom: lists.Whom) -> Audience:
    return await lists.create_list(conn, SYSTEM, name=name, label=name, whom=whom, now=AT, zone=ZONE)


async def found(conn: Connection, question: str) -> list[int]:
    return await sample(conn, await open_question(conn, parse_text(question)), size=100, at=AT, zone=ZONE)


async def refused(conn: Connection, code: str, said: str, work: object) -> None:
    savepoint = conn.transaction()
    await savepoint.start()
    with pytest.raises(ClarionError) as caught:
        await work  # type: ignore[misc]
    await savepoint.rollback()
    assert caught.value.code == code
    assert said in caught.value.message


async def test_a_list_keeps_whom_it_was_given(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "FR")
    audience = await listed(conn, "french", parse_text("country = 'FR'"))
    assert audience.kind is AudienceKind.LIST
    assert audience.expression_text == "in_audience('french')"
    await conn.execute("UPDATE profile SET country = 'US' WHERE id = $1", one)

    assert await found(conn, "in_audience('french')") == [one, three]
    assert await found(conn, "not in_audience('french')") == [two]
    assert await found(conn, "in_audience('french') and country = 'US'") == [one]
    assert await count(conn, await open_audience(conn, audience), at=AT, zone=ZONE) == 2


async def test_people_are_put_on_and_taken_off(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "FR")
    audience = await listed(conn, "some", [one])

    audience, added = await lists.add_to_list(conn, SYSTEM, audience.id, [one, two, 10**15], now=AT, zone=ZONE)
    assert (added, audience.version) == (1, 2)
    audience, added = await lists.add_to_list(conn, SYSTEM, audience.id, parse_text("country = 'FR'"), now=AT, zone=ZONE)
    assert (added, audience.version) == (1, 3)
    audience, added = await lists.add_to_list(conn, SYSTEM, audience.id, [one], now=AT, zone=ZONE)
    assert (added, audience.version) == (0, 3)
    audience, removed = await lists.remove_from_list(conn, SYSTEM, audience.id, parse_text("country = 'DE'"), now=AT, zone=ZONE)
    assert (removed, audience.version) == (1, 4)
    audience, removed = await lists.remove_from_list(conn, SYSTEM, audience.id, [two, three], now=AT, zone=ZONE)
    assert removed == 1

    page = await lists.list_members(conn, audience.id, PageRequest(first=10))
    assert [(member.profile_id, member.added_at) for member in page.rows] == [(one, AT)]
    assert await lists.count_members(conn, audience.id) == 1


async def test_a_frozen_audience_stays_while_the_question_changes(conn: Connection) -> None:
    one, two = await people(conn, "FR", "DE")
    audience = await saved(conn, "abroad", "country = 'FR'")
    frozen = await lists.freeze_audience(conn, SYSTEM, audience.id, name="then", label="Then", now=AT, zone=ZONE)
    await update_audience(conn, SYSTEM, audience.id, {"expression": parse_text("country = 'DE'")})

    assert await found(conn, "in_audience('then')") == [one]
    assert await found(conn, "in_audience('abroad')") == [two]
    again = await lists.freeze_audience(conn, SYSTEM, frozen.id, name="again", label="Again", now=AT, zone=ZONE)
    assert await lists.count_members(conn, again.id) == 1


async def test_audiences_name_each_other_as_they_are_or_as_they_were(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "US")
    base = await saved(conn, "base", "country = 'FR'")
    await saved(conn, "wide", "in_audience('base') or country = 'US'")
    await saved(conn, "pinned", "in_audience('base', 1)")
    await saved(conn, "deep", "not in_audience('wide')")
    assert await found(conn, "in_audience('deep')") == [two]

    await update_audience(conn, SYSTEM, base.id, {"expression": parse_text("country = 'DE'")})

    assert await found(conn, "in_audience('wide')") == [two, three]
    assert await found(conn, "in_audience('pinned')") == [one]
    assert await found(conn, "in_audience('deep')") == [one]
    assert (await open_question(conn, parse_text("in_audience('deep')"))).reads == {"country"}


async def test_no_audience_is_made_of_itself(conn: Connection) -> None:
    one = await saved(conn, "one", "country = 'FR'")
    two = await saved(conn, "two", "in_audience('one')")
    await saved(conn, "three", "in_audience('two')")
    circle = parse_text("country = 'DE' or in_audience('three')")

    await refused(
        conn, "AUDIENCE_CYCLE", "'one' would be made of itself", update_audience(conn, SYSTEM, one.id, {"expression": circle})
    )
    await refused(
        conn,
        "AUDIENCE_CYCLE",
        "'two' would be",
        update_audience(conn, SYSTEM, two.id, {"expression": parse_text("in_audience('two')")}),
    )
    # as it was before, it may
    was = await update_audience(conn, SYSTEM, one.id, {"expression": parse_text("in_audience('one', 1) and country != 'US'")})
    assert was.version == 2


async def test_two_that_name_each_other_at_once_are_not_both_saved(pool: Pool) -> None:
    async with transaction(pool) as conn:
        left, right = await saved(conn, "left", "true"), await saved(conn, "right", "true")

    async def name(audience: Audience, other: str) -> str:
        try:
            async with transaction(pool) as conn:
                question = parse_text(f"in_audience('{other}')")
                await update_audience(conn, SYSTEM, audience.id, {"expression": question})
        except ExpressionError as error:
            return error.code
        return "saved"

    assert sorted(await asyncio.gather(name(left, "right"), name(right, "left"))) == ["AUDIENCE_CYCLE", "saved"]


async def test_what_is_named_stays_and_keeps_its_name(conn: Connection) -> None:
    one = await listed(conn, "one", [])
    await saved(conn, "two", "in_audience('one')")

    await refused(conn, "IN_USE", "named by 'two'", delete_audience(conn, SYSTEM, one.id, AT))
    await refused(conn, "IN_USE", "named by 'two'", update_audience(conn, SYSTEM, one.id, {"name": "other"}))
    assert (await update_audience(conn, SYSTEM, one.id, {"label": "Other"})).label == "Other"


async def test_what_an_old_version_names_stays_while_that_version_is_named(conn: Connection) -> None:
    one, two = await people(conn, "FR", "DE")
    inner = await saved(conn, "inner", "country = 'FR'")
    middle = await saved(conn, "middle", "in_audience('inner')")
    outer = await saved(conn, "outer", "in_audience('middle', 1)")
    await update_audience(conn, SYSTEM, middle.id, {"expression": parse_text("country = 'DE'")})

    await refused(conn, "IN_USE", "named by 'outer'", delete_audience(conn, SYSTEM, inner.id, AT))
    await refused(conn, "IN_USE", "named by 'outer'", update_audience(conn, SYSTEM, inner.id, {"name": "other"}))
    assert await found(conn, "in_audience('outer')") == [one]

    await update_audience(conn, SYSTEM, outer.id, {"expression": parse_text("in_audience('middle')")})
    await delete_audience(conn, SYSTEM, inner.id, AT)
    assert await found(conn, "in_audience('outer')") == [two]


async def test_who_names_what_it_was_itself_keeps_its_name_and_can_go(conn: Connection) -> None:
    one = await saved(conn, "one", "country = 'FR'")
    await update_audience(conn, SYSTEM, one.id, {"expression": parse_text("in_audience('one', 1)")})

    await refused(conn, "IN_USE", "named by 'one'", update_audience(conn, SYSTEM, one.id, {"name": "other"}))
    await delete_audience(conn, SYSTEM, one.id, AT)
    await refused(conn, "UNKNOWN_AUDIENCE", "no audience 'one'", found(conn, "in_audience('one')"))


@pytest.mark.parametrize("leave", ["rename", "delete"])
async def test_a_name_is_not_taken_away_from_who_is_about_to_use_it(pool: Pool, leave: str) -> None:
    async with transaction(pool) as conn:
        one = await saved(conn, "one", "true")

    async def go() -> str:
        try:
            async with transaction(pool) as conn:
                if leave == "delete":
                    await delete_audience(conn, SYSTEM, one.id, AT)
                else:
                    await update_audience(conn, SYSTEM, one.id, {"name": "other"})
        except ClarionError as error:
            return error.code
        return "done"

    async with transaction(pool) as conn:
        await saved(conn, "two", "in_audience('one')")
        going = asyncio.create_task(go())
        await asyncio.wait([going], timeout=0.2)
    assert await going == "IN_USE"


async def test_a_name_that_is_being_taken_away_is_not_used(pool: Pool) -> None:
    async with transaction(pool) as conn:
        one = await saved(conn, "one", "true")

    async def use() -> str:
        try:
            async with transaction(pool) as conn:
                await saved(conn, "two", "in_audience('one')")
        except ClarionError as error:
            return error.code
        return "done"

    async with transaction(pool) as conn:
        await update_audience(conn, SYSTEM, one.id, {"name": "other"})
        using = asyncio.create_task(use())
        await asyncio.wait([using], timeout=0.2)
    assert await using == "UNKNOWN_AUDIENCE"


async def test_a_list_may_be_called_otherwise(conn: Connection) -> None:
    (one,) = await people(conn, "FR")
    audience = await listed(conn, "one", [one])
    renamed = await update_audience(conn, SYSTEM, audience.id, {"name": "other"})

    assert renamed.expression_text == "in_audience('other')"
    assert await count(conn, await open_audience(conn, await get_audience(conn, audience.id)), at=AT, zone=ZONE) == 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("in_audience('nobody')", "there is no audience 'nobody'"),
        ("in_audience('some', 7)", "there is no audience 'some' of this version"),
        ("exists(received where in_audience('some'))", "the audience 'some' is of another kind"),
        ("in_audience('')", "there is no audience ''"),
        ("in_audience('a''; DROP TABLE audience --')", "there is no audience"),
    ],
)
async def test_what_is_refused(conn: Connection, question: str, said: str) -> None:
    await saved(conn, "some", "true")
    await refused(conn, "WRONG_TYPE" if "kind" in said else "UNKNOWN_AUDIENCE", said, found(conn, question))


async def test_a_question_has_no_members_to_change_and_a_list_no_question(conn: Connection) -> None:
    question, some = await saved(conn, "q", "true"), await listed(conn, "l", [])
    whom: Sequence[int] = []

    await refused(
        conn, "NOT_A_LIST", "'q' is a question", lists.add_to_list(conn, SYSTEM, question.id, whom, now=AT, zone=ZONE)
    )
    await refused(
        conn, "AUDIENCE_IS_LIST", "'l' is a list", update_audience(conn, SYSTEM, some.id, {"expression": parse_text("true")})
    )
    await refused(conn, "NAME_TAKEN", "another audience", listed(conn, "l", []))
    await refused(conn, "BAD_VALUE", "10,000", listed(conn, "m", list(range(10_001))))


async def test_a_person_is_in_audiences_by_every_profile_that_is_theirs(conn: Connection) -> None:
    ann, bea, cat = await people(conn, "FR", "FR", "DE")
    first, second = await listed(conn, "first", [bea, cat]), await listed(conn, "second", [ann, bea])
    cut = Segmentation(segments=(Segment(code="a", label=""),))
    third = await list_together(
        conn, SYSTEM, parse_text("country = 'FR'"), cut, name="third", label="Third", now=AT + timedelta(days=1), zone=ZONE
    )
    kept = await saved(conn, "kept", "country = 'FR'")
    await conn.execute(
        """
        WITH k AS (INSERT INTO kept_audience (audience_id, time_zone, created_by, created_at) VALUES ($1, 'UTC', 'x', $2)
                   RETURNING id)
        INSERT INTO kept_member (profile_id, kept_id, entered_at) SELECT $3, id, $2 FROM k
        """,
        kept.id, AT, ann,
    )  # fmt: skip
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=AT)

    for asked in (ann, bea):
        rows = (await list_of_person(conn, asked, PageRequest(first=9))).rows
        assert [(one.audience_id, one.profile_id, one.data) for one in rows] == [
            (first.id, bea, {}), (second.id, ann, {}), (third.id, ann, {"segment": "a"}), (kept.id, ann, {}),
        ]  # fmt: skip
        page = await list_of_person(conn, asked, PageRequest(first=2, after=first.id))
        assert ([one.audience_id for one in page.rows], page.has_next) == ([second.id, third.id], True)
    assert await found(conn, "in_audience('first')") == [ann, cat]
    assert [one.audience_id for one in (await list_of_person(conn, cat, PageRequest(first=9))).rows] == [first.id]
    together = await list_of_people(conn, [cat, ann], PageRequest(first=3))
    assert {one: ([row.audience_id for row in page.rows], page.has_next) for one, page in together.items()} == {
        cat: ([first.id], False), ann: ([first.id, second.id, third.id], True),
    }  # fmt: skip
    with pytest.raises(NotFound):
        await list_of_person(conn, 10**9, PageRequest(first=9))


async def merged(conn: Connection, survivor: int, *others: int) -> None:
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=survivor, other_ids=others), now=AT)


async def members(conn: Connection, audience: Audience) -> tuple[list[int], int]:
    page = await lists.list_members(conn, audience.id, PageRequest(first=9))
    return [one.profile_id for one in page.rows], await lists.count_members(conn, audience.id)


@pytest.mark.parametrize("by", ["survivor", "alias", "other alias", "question"])
async def test_who_is_merged_is_taken_off_whole(conn: Connection, by: str) -> None:
    ann, bea, cat, dan = await people(conn, "FR", "FR", "DE", "US")
    audience = await listed(conn, "some", [bea, cat, dan])
    both = await listed(conn, "both", [ann, bea, cat, dan])
    await merged(conn, ann, bea, cat)
    choices: dict[str, lists.Whom] = {
        "survivor": [ann], "alias": [bea], "other alias": [cat, ann], "question": parse_text("country = 'FR'"),
    }  # fmt: skip
    whom = choices[by]

    for one in (audience, both):
        one, removed = await lists.remove_from_list(conn, SYSTEM, one.id, whom, now=AT, zone=ZONE)
        assert (removed, one.version) == (1, 2)
        assert await members(conn, one) == ([dan], 1)
        assert await found(conn, f"in_audience('{one.name}')") == [dan]


@pytest.mark.parametrize("by", ["survivor", "alias", "both", "question"])
async def test_who_is_on_a_list_under_an_alias_is_not_put_there_again(conn: Connection, by: str) -> None:
    ann, bea, cat = await people(conn, "FR", "FR", "DE")
    audience, empty = await listed(conn, "some", [bea, cat]), await listed(conn, "none", [])
    await merged(conn, ann, bea)
    choices: dict[str, lists.Whom] = {
        "survivor": [ann], "alias": [bea], "both": [ann, bea], "question": parse_text("country = 'FR'"),
    }  # fmt: skip
    whom = choices[by]

    audience, added = await lists.add_to_list(conn, SYSTEM, audience.id, whom, now=AT, zone=ZONE)
    assert (added, audience.version) == (0, 1)
    assert await members(conn, audience) == ([bea, cat], 2)
    empty, added = await lists.add_to_list(conn, SYSTEM, empty.id, whom, now=AT, zone=ZONE)
    assert added == 1
    assert await members(conn, empty) == ([ann], 1)


async def test_members_are_counted_and_listed_by_person(conn: Connection) -> None:
    ann, bea, cat, dan, eve, fay = await people(conn, *["FR"] * 6)
    audience = await listed(conn, "some", [bea, cat, dan, fay])
    await lists.add_to_list(conn, SYSTEM, audience.id, [ann], now=AT + timedelta(days=1), zone=ZONE)
    assert await lists.count_members(conn, audience.id) == 5
    await merged(conn, ann, bea)  # both are on the list
    await merged(conn, eve, cat, dan)  # who stands for them is not

    assert await members(conn, audience) == ([bea, cat, fay], 3)
    assert len(await found(conn, "in_audience('some')")) == 3
    page = await lists.list_members(conn, audience.id, PageRequest(first=1, after=bea))
    assert ([one.profile_id for one in page.rows], page.has_next) == ([cat], True)
