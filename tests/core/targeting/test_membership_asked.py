"""What is asked when something changes: only what reads it, of all at once, and time only of whom it may concern."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.targeting.membership.records import KeptState
from core.targeting.membership.store.members import PEOPLE
from core.targeting.membership.upkeep import keep_up
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.targeting.kept import AT, counted, keep, members, settle, state
from tests.core.targeting.test_lists import people


@contextmanager
def statements(conn: Connection) -> Iterator[list[str]]:
    """What is asked meanwhile."""
    found: list[str] = []

    def note(record: Any) -> None:
        found.append(record.query)

    conn.add_query_logger(note)
    try:
        yield found
    finally:
        conn.remove_query_logger(note)


async def asked(conn: Connection, change: Awaitable[Any]) -> list[str]:
    """The statements that ask about people after a change."""
    await change
    with statements(conn) as found:
        await settle(conn)
    return [one for one in found if PEOPLE in one]


async def test_audiences_that_do_not_read_what_changed_are_not_asked(conn: Connection) -> None:
    one, two = await people(conn, "FR", "DE")
    french = await keep(conn, "french", "country = 'FR'")
    parisian = await keep(conn, "parisian", "city = 'Paris'")
    await settle(conn)
    kept = {key: (await state(conn, key)).kept_id for key in (french, parisian)}

    assert await asked(conn, conn.execute("UPDATE profile SET language = 'fr' WHERE id = $1", one)) == []
    assert await asked(conn, conn.execute("UPDATE profile SET city = city WHERE id = $1", one)) == []
    (only,) = await asked(conn, conn.execute("UPDATE profile SET city = 'Paris' WHERE id = $1", two))
    assert f"SELECT {kept[parisian]}::bigint" in only
    assert f"SELECT {kept[french]}::bigint" not in only
    assert await members(conn, parisian) == {two}


async def test_many_audiences_and_people_are_one_statement(conn: Connection) -> None:
    await people(conn, *(["FR"] * 50))
    keys = [await keep(conn, f"k{number}", f"country = 'DE' or city = 'City {number}'") for number in range(30)]
    await settle(conn)

    change = conn.execute("UPDATE profile SET city = 'City ' || id % 30, country = 'DE' WHERE id % 2 = 0")
    assert len(await asked(conn, change)) == 1
    assert {len(await members(conn, key)) for key in keys} == {25}


async def test_audiences_are_counted_one_by_one(conn: Connection) -> None:
    await people(conn, "FR", "DE")
    keys = [await keep(conn, f"k{number}", "country = 'FR'") for number in range(3)]
    seen = []
    while await keep_up(conn, AT, AT):
        states = [(await state(conn, key)).state for key in keys]
        seen.append(states.count(KeptState.KEPT))
    assert seen[:4] == [0, 1, 2, 3]


async def test_who_is_due(conn: Connection) -> None:
    await dataset(conn, "purchase", field("shop"), field("bought_at", FieldKind.INSTANT))
    await point(conn, link("buyer", reverse_name="purchases"))
    await publish_draft(conn)
    one, two, three = await people(conn, "FR", "DE", "FR")
    await conn.execute("UPDATE profile SET created_at = $1::timestamptz - interval '1 day'", AT)
    await conn.execute(
        """
        INSERT INTO x_purchase (x_shop, x_bought_at, x_buyer_id)
        VALUES ('A', $1, $2), ('A', $1::timestamptz - interval '2 days', $2), ('A', $1::timestamptz - interval '90 days', $3),
               ('B', $1, $4), ('A', $1, NULL)
        """,
        AT, one, two, three,
    )  # fmt: skip
    new = await keep(conn, "new", "country = 'FR' and created_at >= now - 3 days")
    buyers = await keep(conn, "buyers", "exists(purchases where shop = 'A' and bought_at >= now - 3 days)")
    either = await keep(conn, "either", "not (opt_out or exists(purchases where shop = 'A' and bought_at >= now - 3 days))")
    await settle(conn)

    # Only those for whom what else is asked holds, and each when the first of theirs is over
    assert await due(conn, new) == {one: timedelta(days=2), three: timedelta(days=2)}
    assert await due(conn, buyers) == {one: timedelta(days=1)} == await due(conn, either)
    # The same when they are asked about by themselves
    await conn.execute("UPDATE x_purchase SET x_shop = 'A' WHERE x_shop = 'B'")
    await conn.execute("UPDATE profile SET opt_out = true, country = 'DE' WHERE id = $1", one)
    await settle(conn)
    assert await due(conn, new) == {three: timedelta(days=2)}
    assert await due(conn, buyers) == {one: timedelta(days=1), three: timedelta(days=3)}
    assert await due(conn, either) == {three: timedelta(days=3)}
    # And of who is merged into somebody
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=two, other_ids=(one,)), now=AT)
    await settle(conn)
    assert await due(conn, buyers) == {two: timedelta(days=1), three: timedelta(days=3)}
    later = AT + timedelta(days=2)
    await settle(conn, later)
    assert await members(conn, buyers) == {two, three} == await counted(conn, buyers, later)


async def due(conn: Connection, key: int) -> dict[int, timedelta]:
    """After how many days somebody is due, about."""
    rows = await conn.fetch(
        "SELECT profile_id, due_at FROM kept_member d JOIN kept_audience k ON k.id = d.kept_id"
        " WHERE k.audience_id = $1 AND due_at IS NOT NULL",
        key,
    )
    return {row["profile_id"]: timedelta(days=round((row["due_at"] - AT) / timedelta(days=1))) for row in rows}
