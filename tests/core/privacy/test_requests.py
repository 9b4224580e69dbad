"""Requests: whom they find, what they give, what they erase, and how they end."""

from __future__ import annotations

from core.db import Connection, transaction
from core.delivery.engine import Engine
from core.personal import Person
from core.privacy import erasing
from core.privacy.records import RequestKind, RequestState
from core.runtime import Runtime
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import done, given


async def test_whoever_is_erased_is_gone(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "Ann@mail.example", first_name="Ann", last_name="Other", external_id="A-1000")
    bob = await add_person(db, "bob@mail.example")

    request = await done(runtime, RequestKind.DELETE, "email", "ann@MAIL.example")

    assert (request.state, request.profiles_found, request.error) == (RequestState.COMPLETE, 1, None)
    assert [row["id"] for row in await db.fetch("SELECT id FROM profile")] == [bob]
    assert request.proof is not None
    assert request.counts["profile"] == 1


async def test_whoever_asks_is_given_everything(engine: Engine, runtime: Runtime, db: Connection) -> None:
    ann = await add_person(db, "Ann@mail.example", first_name="=Ann", last_name="Other", external_id="A-1000")

    request = await done(runtime, RequestKind.ACCESS, "external_id", "A-1000")

    assert (request.state, request.profiles_found, request.error) == (RequestState.COMPLETE, 1, None)
    data, archive = await given(runtime, db, request)
    assert data["tables"]["profile"][0]["id"] == ann
    assert data["tables"]["profile"][0]["email"] == "Ann@mail.example"
    assert "'=Ann" in archive.read("tables/profile.csv").decode()


SAMPLES = """
SELECT count(*) FROM pg_stats
 WHERE concat_ws(' ', most_common_vals::text, histogram_bounds::text, most_common_elems::text) ILIKE $1
"""


async def test_the_database_forgets_what_it_has_sampled_of_them(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "Ann@mail.example", first_name="Ann", last_name="Unheard")
    await add_person(db, "bob@mail.example", first_name="Bob", last_name="Other")
    await add_person(db, "carl@mail.example", first_name="Carl", last_name="Third")
    await db.execute("ANALYZE profile")
    assert all([await db.fetchval(SAMPLES, word) for word in ("%ann@mail%", "%unheard%")])

    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE

    assert [await db.fetchval(SAMPLES, word) for word in ("%ann@mail%", "%unheard%")] == [0, 0]
    assert await db.fetchval(SAMPLES, "%bob@mail%")


async def test_samples_are_taken_later_of_a_table_that_somebody_holds(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ann@mail.example")
    await add_person(db, "bob@mail.example")
    await db.execute("ANALYZE profile")
    person = Person(words=("ann@mail.example",))
    async with runtime.pool.acquire() as other, transaction(runtime.pool) as conn:
        async with other.transaction():
            await other.execute("LOCK TABLE profile IN SHARE UPDATE EXCLUSIVE MODE")
            assert not await erasing.sample_again(conn, person)
        assert await erasing.sample_again(conn, person)
