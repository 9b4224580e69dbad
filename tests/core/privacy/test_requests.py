"""Requests: whom they find, what they give, what they erase, and how they end."""

from __future__ import annotations

from core.db import Connection
from core.delivery.engine import Engine
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
