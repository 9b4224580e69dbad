"""What is sent with bad intent or by mistake: names, lost choices, locks that cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import get_draft, save_field
from core.datamodel.present import hold_model
from core.datamodel.publication import publish
from core.datamodel.records import Choice, FieldKind
from core.db import Connection, Pool, transaction
from core.errors import Conflict, Invalid, Stale
from core.profiles.errors import FieldsInvalid
from core.profiles.profiles import create_profile, update_profile
from core.profiles.team_rows import Extended, get_team_values
from tests.core.datamodel.model import NOW, columns, dataset, field, link, point, publish_draft, publish_fields, save, unique


async def test_who_saves_what_relies_on_the_model_is_not_waited_for_either(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await save(conn, field())
        version = (await get_draft(conn)).version
    async with transaction(pool) as saver:
        await hold_model(saver)
        async with transaction(pool) as conn:
            with pytest.raises(Conflict) as refused:
                await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED, lock_timeout_ms=50)
            assert refused.value.code == "TABLE_BUSY"
            assert await conn.fetchval("SHOW lock_timeout") == "0"
        async with transaction(pool) as other:  # nobody waits behind it
            await other.execute("SET LOCAL lock_timeout = 50")
            await hold_model(other)
    async with transaction(pool) as conn:
        assert (await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)).version == 1


async def test_a_choice_that_is_lost_stays_where_it_is_and_comes_nowhere_again(conn: Connection) -> None:
    levels = (Choice(name="gold", label="Gold"), Choice(name="iron", label="Iron"))
    await publish_fields(conn, field("tier", FieldKind.ENUMERATION, choices=levels), field("town"))
    one = await create_profile(conn, SYSTEM, {}, {"tier": "gold"}, now=NOW)
    await publish_fields(conn, field("tier", FieldKind.ENUMERATION, choices=levels[1:]))
    await update_profile(conn, SYSTEM, one.id, {"city": "Bonn"}, {"town": "Bonn"}, now=NOW)
    assert (await get_team_values(conn, Extended.PROFILE, [one.id]))[one.id] == {"tier": "gold", "town": "Bonn"}
    for team in ({"tier": "gold"}, {"tier": "Gold", "town": "Ulm"}):
        with pytest.raises(FieldsInvalid) as caught:
            await update_profile(conn, SYSTEM, one.id, {}, team, now=NOW)
        assert [(each.code, each.path) for each in caught.value.problems] == [("BAD_VALUE", "team_fields.tier")]
    await update_profile(conn, SYSTEM, one.id, {}, {"tier": None}, now=NOW)
    assert (await get_team_values(conn, Extended.PROFILE, [one.id]))[one.id] == {"tier": None, "town": "Bonn"}


@pytest.mark.parametrize(
    "name",
    [
        'x"; DROP TABLE profile; --', "tier); DROP TABLE profile", "tier\x00", "__typename", "__proto__", "id", "x_tier",
        "Tier", "", " ", "tier ", "a" * 31, "naïve", "1st", "select\n", "$1", "tier-level", "constructor'",
    ],
)  # fmt: skip
async def test_names_that_are_unsafe_become_nothing(conn: Connection, name: str) -> None:
    before = await columns(conn)
    await dataset(conn, "store")
    acts: list[Callable[[], Awaitable[None]]] = [
        lambda: save(conn, field(name)),
        lambda: dataset(conn, name),
        lambda: point(conn, link(name, "store"), "profile"),
        lambda: point(conn, link("fine", "store", reverse_name=name), "profile"),
        lambda: unique(conn, name, "city", entity="profile"),
    ]
    for act in acts:
        with pytest.raises(Invalid) as caught:
            await act()
        assert caught.value.code in ("BAD_NAME", "RESERVED_NAME")
    assert await columns(conn) == before


@pytest.mark.parametrize("name", ["name", "label", "starts_at", "startsat", "validity", "version", "double_opt_in", "_x"])
async def test_fields_of_services_are_called_like_none_of_ours(conn: Connection, name: str) -> None:
    with pytest.raises((Conflict, Invalid)) as caught:
        await save(conn, field(name), "service")
    assert caught.value.code in ("NAME_TAKEN", "BAD_NAME")


async def test_words_of_sql_are_names_like_others(conn: Connection) -> None:
    names = ("select", "table", "user", "order", "group", "from", "check", "default", "constraint", "references")
    for name in names:
        await dataset(conn, name, field("key" if name == "order" else "order"))
        await save(conn, field(name))
    await publish_draft(conn)
    made = await create_profile(conn, SYSTEM, {}, dict.fromkeys(names, "x"), now=NOW)
    assert (await get_team_values(conn, Extended.PROFILE, [made.id]))[made.id] == dict.fromkeys(names, "x")


async def test_two_drafts_at_once_are_one_and_who_read_the_older_one_is_told(pool: Pool) -> None:
    async with transaction(pool) as conn:
        version = (await get_draft(conn)).version

    async def attempt(name: str, expected: int | None) -> str:
        try:
            async with transaction(pool) as conn:
                await save_field(conn, SYSTEM, "profile", field(name), now=NOW, expected_version=expected)
        except Stale as error:
            return error.code
        return "done"

    told = await asyncio.gather(*(attempt(name, version) for name in ("tier", "town", "size")))
    assert sorted(told) == ["VERSION_CHANGED", "VERSION_CHANGED", "done"]
    assert await asyncio.gather(*(attempt(name, None) for name in ("tier", "town", "size"))) == ["done"] * 3
    async with transaction(pool) as conn:
        profile = (await get_draft(conn)).model.find("profile")
    assert profile is not None
    assert {one.name for one in profile.fields} == {"tier", "town", "size"}
