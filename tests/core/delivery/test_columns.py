"""Columns that recipients bring along from a list or a file, in the messages that they get (E.30)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents, fragments
from core.content.data import check_data
from core.content.errors import ContentInvalid
from core.content.records import ContentDraft, FragmentDraft
from core.content.uses import find_columns_read
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.column_uses import check_columns_in_use
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.errors import Conflict, Invalid
from core.planning import deliveries
from core.planning.columns import library_of
from core.planning.records import DeliveryDraft
from core.profiles import merging
from core.profiles.merge_records import MergePlan
from core.runtime import Runtime
from core.targeting import lists
from core.targeting.audiences import create_audience, get_audience, update_audience
from core.targeting.enrichment import ComputedColumn
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft
from tests.core.delivery.people import add_people, add_person, new_delivery, prepared
from tests.core.delivery.test_team_fields import rendered
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row

UTC_ZONE = ZoneInfo("UTC")
COLUMNS = {
    "voucher_code": "concat('V-', first_name)",
    "points": "id * 1000000000000000",
    "spent": "if(id = 1, 123456789012345678.25, 0.5)",
    "is_first": "id = 1",
    "since": "birth_date",
    "seen": "created_at",
}


async def listed(
    db: Connection, runtime: Runtime, name: str = "vip", columns: dict[str, str] = COLUMNS, *, personal: bool = True,
    whom: str = "id > 0",
) -> Audience:  # fmt: skip
    """A list of people with columns."""
    return await lists.create_list(
        db, SYSTEM, name=name, label=name, whom=parse_text(whom), now=runtime.clock(), zone=UTC_ZONE,
        columns=[ComputedColumn(name=n, label=n, expression=parse_text(e), personal=personal) for n, e in columns.items()],
    )  # fmt: skip


def saying(text: str) -> dict[str, Any]:
    """Content that says a text."""
    return {"parts": {"subject": "News", "html": f"<p>{text}</p>", "text": text}}


async def body(runtime: Runtime, db: Connection, delivery_id: int, profile_id: int) -> str:
    """The text that somebody gets."""
    text: str = json.loads(await rendered(runtime, db, delivery_id, profile_id))["text"]
    return text


async def test_every_kind_is_frozen_and_rendered_again_as_it_was(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given a list whose members bring values of every kind along, and one of whom brings hardly any
    one = await add_person(db, "a@mail.example", first_name="<Ann>")
    two = await add_person(db, "b@mail.example")
    await db.execute("UPDATE profile SET created_at = '2026-01-02 03:04Z', birth_date = '1990-12-31' WHERE id = $1", one)
    await db.execute("UPDATE profile SET created_at = '2026-01-02 05:06Z' WHERE id = $1", two)
    await listed(db, runtime)
    text = (
        "{{ audience.voucher_code }}|{{ audience.points | plus: 1 }}|{{ audience.spent | times: 2 }}|"
        "{% if audience.is_first %}first{% else %}later{% endif %}|{{ audience.since | date: '%d.%m.%Y' }}|"
        "{{ audience.seen | date: '%H:%M' }}|{{ profile.first_name | default: 'nobody' }}"
    )
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')", **saying(text))

    # When it is prepared
    await prepared(engine, runtime, db, delivery_id)

    # Then each message says its own, and goes on saying it
    before = [await body(runtime, db, delivery_id, person) for person in (one, two)]
    assert before == [
        "V-<Ann>|1000000000000001|246913578024691356.50|first|31.12.1990|03:04|<Ann>",
        "|2000000000000001|1.0|later||05:06|nobody",
    ]
    assert "V-&lt;Ann&gt;" in await rendered(runtime, db, delivery_id, one)
    await db.execute("UPDATE audience_member SET data = '{}'")
    await db.execute("UPDATE profile SET first_name = 'Other'")
    assert [await body(runtime, db, delivery_id, person) for person in (one, two)] == before


async def test_columns_come_from_all_lists_that_everybody_is_on(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given two lists with a column of one name, a question through another audience, and one that is only named in an `or`
    await add_people(db, 3)
    await listed(db, runtime, "one", {"code": "'first'", "own": "'one'"})
    await listed(db, runtime, "two", {"code": "'second'", "other": "'two'"})
    await listed(db, runtime, "three", {"loose": "'three'"})
    draft = AudienceDraft(name="inner", label="Inner", expression=parse_text("in_audience('two') and id > 1"))
    await create_audience(db, SYSTEM, draft)
    question = "in_audience('one') and (in_audience('inner') and (in_audience('three') or id = 2))"
    delivery_id = await new_delivery(
        runtime, db, audience=question, **saying("{{ audience.code }} {{ audience.own }} {{ audience.other }}")
    )

    # When it is prepared, the first list that has a column gives it
    await prepared(engine, runtime, db, delivery_id)
    assert await body(runtime, db, delivery_id, 2) == "first one two"

    # And who may not be on a list brings nothing along from it
    with pytest.raises(Invalid) as caught:
        await new_delivery(runtime, db, name="loose", audience=question, **saying("{{ audience.loose }}"))
    assert (caught.value.code, caught.value.path) == ("UNKNOWN_COLUMN", "content_id")


@pytest.mark.parametrize(
    ("audience", "column", "message", "hint"),
    [
        ("in_audience('vip')", "vouchr_code", "has no column 'vouchr_code'", "audience.voucher_code"),
        ("in_audience('vip')", "zzz", "has no column 'zzz'", "There are audience.is_first"),
        ("id > 0", "voucher_code", "has no column 'voucher_code'", "list or a file"),
    ],
)  # fmt: skip
async def test_an_unknown_column_is_refused_when_the_delivery_is_saved(
    runtime: Runtime, db: Connection, audience: str, column: str, message: str, hint: str
) -> None:
    await listed(db, runtime)
    with pytest.raises(Invalid) as caught:
        await new_delivery(runtime, db, audience=audience, **saying(f"{{{{ audience.{column} }}}}"))
    assert caught.value.code == "UNKNOWN_COLUMN"
    assert f"the audience 'spring-people' {message}" in caught.value.message
    assert hint in (caught.value.hint or "")


async def test_a_content_that_is_changed_later_is_refused_at_its_place(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:  # fmt: skip
    # Given a delivery whose content reads a column only since it was saved
    await add_people(db, 1)
    await listed(db, runtime)
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')", **saying("Hello"))
    delivery = await deliveries.get_delivery(db, delivery_id)
    registry = ChannelRegistry.load()
    parts = {"text": "{{ audience.vouchr_code }}", "html": "<p>Hello</p>"}
    content = await contents.update_content(db, SYSTEM, registry, delivery.content_id, {"parts": parts})

    # When its warnings are read, they know the audience
    (found,) = [
        one for one in await contents.warnings_of(registry, content, await library_of(db, content)) if one.part == "text"
    ]
    assert (found.code, found.level, found.hint) == ("UNKNOWN_VARIABLE", "error", "Did you mean 'audience.voucher_code'?")

    # And the preparation tells the same
    await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert (run.error["path"], run.error["hint"]) == ("parts.text:1:4", "Did you mean 'audience.voucher_code'?")


async def test_content_without_a_delivery_is_warned_about(runtime: Runtime, db: Connection) -> None:
    registry = ChannelRegistry.load()
    parts = {"text": "{{ audience.code }} {{ audience.code | upcase }} {{ audience.other | default: 'x' }}"}
    draft = ContentDraft(name="c", label="c", channel="memory", parts=parts)
    content = await contents.create_content(db, SYSTEM, registry, draft)
    found = await contents.warnings_of(registry, content, await library_of(db, content))
    told = [(one.message, one.line, one.column) for one in found if one.code == "AUDIENCE_NOT_KNOWN"]
    assert told == [
        ("whether there is 'audience.code' is known once a delivery sends this content", 1, 4),
        ("whether there is 'audience.other' is known once a delivery sends this content", 1, 53),
    ]
    assert [one.message for one in found if one.code == "NULLABLE_FIELD"] == [
        "audience.code may be empty, and then nothing is printed, here and in 1 more places"
    ]


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("{{ audience }}", "UNKNOWN_VARIABLE", "audience.voucher_code"),
        ("{% for c in audience %}{{ c }}{% endfor %}", "UNKNOWN_VARIABLE", "audience.voucher_code"),
        ("{{ audience[profile.city] }}", "UNKNOWN_VARIABLE", "audience.voucher_code"),
        ("{{ audience.code.piece }}", "UNKNOWN_VARIABLE", "Filters take parts out"),
        ("{% assign audience = 1 %}{{ audience }}", "RESERVED_NAME", "another name"),
    ],
)
async def test_what_is_no_column_is_refused_when_content_is_saved(db: Connection, text: str, code: str, hint: str) -> None:
    draft = ContentDraft(name="c", label="c", channel="memory", parts={"text": text})
    with pytest.raises(ContentInvalid) as caught:
        await contents.create_content(db, SYSTEM, ChannelRegistry.load(), draft)
    assert {one.code for one in caught.value.problems} == {code}
    assert hint in (caught.value.problems[0].hint or "")
    assert [one.code for one in check_data({"audience": 1})] == ["BAD_DATA_NAME"]


async def test_columns_that_are_read_are_uses(runtime: Runtime, db: Connection) -> None:
    # Given a content that reads columns by itself and through a fragment of a fragment
    registry = ChannelRegistry.load()
    await fragments.create_fragment(db, SYSTEM, FragmentDraft(name="inner", label="i", html="{{ audience.points }}"))
    outer = FragmentDraft(name="outer", label="o", html='{% render "inner" %}{{ audience.spent }}')
    await fragments.create_fragment(db, SYSTEM, outer)
    draft = ContentDraft(
        name="c", label="c", channel="memory", parts={"text": '{{ audience.voucher_code }}{% render "outer" %}'}
    )
    content = await contents.create_content(db, SYSTEM, registry, draft)
    assert await find_columns_read(db, [content.id]) == {content.id: ["points", "spent", "voucher_code"]}

    # And a delivery of it to an audience through a question
    await add_people(db, 2)
    await listed(db, runtime)
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')", **saying("Hello"))
    delivery = await deliveries.update_delivery(db, SYSTEM, delivery_id, {"content_id": content.id})
    audience = await get_audience(db, delivery.audience_id)

    # Then neither the delivery gets an audience without them, nor the audience a question without them
    await listed(db, runtime, "plain", {"voucher_code": "'x'", "spent": "1.5"})
    plain = await create_audience(db, SYSTEM, AudienceDraft(name="p", label="p", expression=parse_text("in_audience('plain')")))
    with pytest.raises(Invalid, match="the audience 'p' has no column 'points'"):
        await deliveries.update_delivery(db, SYSTEM, delivery_id, {"audience_id": plain.id})
    changed = await update_audience(db, SYSTEM, audience.id, {"expression": parse_text("in_audience('vip') and id = 1")})
    await check_columns_in_use(db, changed)
    changed = await update_audience(db, SYSTEM, audience.id, {"expression": parse_text("in_audience('vip') or id = 1")})
    with pytest.raises(Conflict, match="the delivery 'spring' needs the column 'points'") as caught:
        await check_columns_in_use(db, changed)
    assert (caught.value.code, caught.value.path) == ("IN_USE", "expression")

    # But for a delivery that is over
    await db.execute("INSERT INTO delivery_run (delivery_id, state) VALUES ($1, $2)", delivery_id, int(DeliveryState.FINISHED))
    await check_columns_in_use(db, changed)


async def test_who_others_are_merged_into_brings_along_what_they_did(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:  # fmt: skip
    one, two = await add_person(db, "a@mail.example"), await add_person(db, "b@mail.example")
    await listed(db, runtime, columns={"code": "concat('of ', to_text(id))"}, whom=f"id = {two}")
    async with db.transaction():
        await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=one, other_ids=(two,)), now=runtime.clock())
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')", **saying("{{ audience.code }}"))
    await prepared(engine, runtime, db, delivery_id)
    assert await body(runtime, db, delivery_id, one) == f"of {two}"


@pytest.mark.parametrize("personal", [True, False])
async def test_a_trap_has_from_a_member_what_is_not_personal(
    engine: Engine, runtime: Runtime, db: Connection, personal: bool
) -> None:  # fmt: skip
    await add_people(db, 3)
    await listed(db, runtime, columns={"code": "'SPRING'"}, personal=personal)
    trap = await add_trap(db, "trap@mail.example")
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')", **saying("{{ audience.code }}"))
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)
    assert (await trap_row(db, delivery_id, trap)).values.get("#audience") == (None if personal else {"code": "SPRING"})


async def test_other_members_of_the_list_make_a_preparation_stale(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    made = await listed(db, runtime)
    draft = DeliveryDraft(name="direct", label="Direct", channel_account_id=0, audience_id=made.id, content_id=0)
    base = await new_delivery(runtime, db, **saying("{{ profile.id }}"))
    known = await deliveries.get_delivery(db, base)
    text = {"text": "{{ audience.voucher_code }}"}
    content = await contents.create_content(
        db, SYSTEM, ChannelRegistry.load(), ContentDraft(name="v", label="v", channel="memory", parts=text)
    )
    draft = replace(draft, channel_account_id=known.channel_account_id, content_id=content.id)
    delivery = await deliveries.create_delivery(db, SYSTEM, draft)
    await prepared(engine, runtime, db, delivery.id)
    assert await body(runtime, db, delivery.id, 2) == "V-Name2"
    await lists.remove_from_list(db, SYSTEM, made.id, [1], now=runtime.clock(), zone=UTC_ZONE)
    with pytest.raises(Exception, match="the audience changed since"):
        await lifecycle.confirm(db, SYSTEM, delivery.id, runtime.clock())
