"""Members that are kept of lists, of files, and of questions that name them or call filters."""

from __future__ import annotations

from core.access import SYSTEM
from core.db import Connection, transaction
from core.runtime import Runtime
from core.targeting import filters, lists
from core.targeting.audiences import get_audience, open_audience
from core.targeting.membership import keeping
from core.targeting.membership.records import KeptState
from core.targeting.parse import parse_text
from core.targeting.records import FilterDraft, RowKey
from tests.core.targeting.files import loaded, reconciled
from tests.core.targeting.kept import AT, ZONE, counted, keep, members, replayed, settle, state
from tests.core.targeting.test_lists import people

FILE = """email,id,score
one@x.example,b,10
two@x.example,a,3
"""


async def right(conn: Connection, key: int) -> set[int]:
    """The members, which are those that a count finds and the log tells."""
    await settle(conn)
    found = await members(conn, key)
    assert found == await counted(conn, key) == await replayed(conn, key)
    assert (await state(conn, key)).members == len(found)
    return found


async def test_a_list_and_who_names_it(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "FR")
    chosen = await lists.create_list(conn, SYSTEM, name="chosen", label="c", whom=[one, two], now=AT, zone=ZONE)
    await keeping.keep_audience(conn, SYSTEM, chosen.id, zone=ZONE, now=AT)
    french = await keep(conn, "french", "in_audience('chosen') and country = 'FR'")
    others = await keep(conn, "others", "not in_audience('chosen')")
    assert [await right(conn, key) for key in (chosen.id, french, others)] == [{one, two}, {one}, {three}]

    await lists.add_to_list(conn, SYSTEM, chosen.id, [three], now=AT, zone=ZONE)
    await lists.remove_from_list(conn, SYSTEM, chosen.id, [one], now=AT, zone=ZONE)
    assert [await right(conn, key) for key in (chosen.id, french, others)] == [{two, three}, {three}, {one}]


async def test_lists_that_no_kept_audience_names_are_not_watched(conn: Connection) -> None:
    one, two = await people(conn, "FR", "DE")
    named, other = [
        await lists.create_list(conn, SYSTEM, name=name, label="c", whom=[one], now=AT, zone=ZONE)
        for name in ("named", "other")
    ]
    first = await keep(conn, "first", "in_audience('named')")
    await settle(conn)
    noted = "SELECT count(*) FROM membership_change"
    await lists.add_to_list(conn, SYSTEM, other.id, [two], now=AT, zone=ZONE)
    assert await conn.fetchval(noted) == 0
    await lists.add_to_list(conn, SYSTEM, named.id, [two], now=AT, zone=ZONE)
    assert await conn.fetchval(noted) == 1

    # As soon as one names it, it is
    second = await keep(conn, "second", "in_audience('other') and country = 'FR'")
    assert [await right(conn, key) for key in (first, second)] == [{one, two}, {one}]
    await lists.remove_from_list(conn, SYSTEM, other.id, [one], now=AT, zone=ZONE)
    assert [await right(conn, key) for key in (first, second)] == [{one, two}, set()]


async def test_a_file_and_who_reads_its_columns(runtime: Runtime) -> None:
    async with transaction(runtime.pool) as conn:
        rows = await conn.fetch(
            """
            INSERT INTO profile (email, email_key, email_domain, external_id)
            SELECT e || '@x.example', e || '@x.example', 'x.example', i
              FROM unnest('{one,two}'::text[], '{a,b}'::text[]) AS r (e, i) RETURNING id
            """
        )
    one, two = (row["id"] for row in rows)
    file, _ = await loaded(runtime, FILE, name="fair")
    async with transaction(runtime.pool) as conn:
        await keeping.keep_audience(conn, SYSTEM, file, zone=ZONE, now=AT)
        await settle(conn)
        told = await state(conn, file)
        assert told.state is KeptState.WAITING
        assert told.trouble is not None
        assert "reconciled" in told.trouble

    await reconciled(runtime, file)
    async with transaction(runtime.pool) as conn:
        high = await keep(conn, "high", "audience_column('fair', 'score') = '10'")
        assert [await right(conn, key) for key in (file, high)] == [{one, two}, {one}]
        assert (await state(conn, file)).trouble is None

    # By another key the rows are about others
    await reconciled(runtime, file, RowKey(field="external_id", column="id"))
    async with transaction(runtime.pool) as conn:
        assert [await right(conn, key) for key in (file, high)] == [{one, two}, {two}]
        await conn.execute("DELETE FROM profile WHERE id = $1", two)
        assert [await right(conn, key) for key in (file, high)] == [{one}, set()]


async def test_a_file_that_is_being_reconciled_keeps_its_members_meanwhile(runtime: Runtime) -> None:
    async with transaction(runtime.pool) as conn:
        (one,) = await people(conn, "FR")
        await conn.execute(
            "UPDATE profile SET email = 'one@x.example', email_key = 'one@x.example', email_domain = 'x.example'"
        )
    file, _ = await loaded(runtime, FILE, name="fair")
    await reconciled(runtime, file)
    async with transaction(runtime.pool) as conn:
        await keeping.keep_audience(conn, SYSTEM, file, zone=ZONE, now=AT)
        assert await right(conn, file) == {one}
        await conn.execute("UPDATE audience_file SET reconciled_at = NULL")
        await conn.execute("UPDATE audience SET version = version + 1 WHERE id = $1", file)
        await conn.execute("DELETE FROM audience_member")
        await settle(conn)
        assert await members(conn, file) == {one}
        await conn.execute("UPDATE audience_file SET reconciled_at = now()")
        await conn.execute("UPDATE audience SET version = version + 1 WHERE id = $1", file)
        assert await right(conn, file) == set()


async def test_a_filter_and_who_calls_it(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "US")
    await conn.execute("UPDATE profile SET city = 'Paris'")
    await lists.create_list(conn, SYSTEM, name="chosen", label="c", whom=[three], now=AT, zone=ZONE)
    inner = await filters.create_filter(conn, SYSTEM, drafted("inner", "country = 'FR'"))
    await filters.create_filter(conn, SYSTEM, drafted("outer", "inner() and city = 'Paris'"))
    calls = await keep(conn, "calls", "outer()")
    names = await keep(conn, "names", "in_audience('calls') or opt_out")
    assert [await right(conn, key) for key in (calls, names)] == [{one}, {one}]
    before = await open_audience(conn, await get_audience(conn, names))

    # Another question of the filter reads another column, and then a list
    await filters.update_filter(conn, SYSTEM, inner.id, {"expression": parse_text("language = 'de'")})
    assert await open_audience(conn, await get_audience(conn, names)) is not before
    assert [await right(conn, key) for key in (calls, names)] == [set(), set()]
    await conn.execute("UPDATE profile SET language = 'de' WHERE id = $1", two)
    assert [await right(conn, key) for key in (calls, names)] == [{two}, {two}]
    await filters.update_filter(conn, SYSTEM, inner.id, {"expression": parse_text("in_audience('chosen')")})
    assert [await right(conn, key) for key in (calls, names)] == [{three}, {three}]
    await conn.execute("DELETE FROM audience_member WHERE profile_id = $1", three)
    assert [await right(conn, key) for key in (calls, names)] == [set(), set()]


def drafted(name: str, question: str) -> FilterDraft:
    """A filter without parameters."""
    return FilterDraft(name=name, label=name, expression=parse_text(question))
