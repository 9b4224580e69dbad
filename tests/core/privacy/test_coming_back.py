"""Imports beside an erasure: nobody who was erased is written to, whenever a file brings them back."""

from __future__ import annotations

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import ending
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.privacy.work import work
from core.profiles import import_runner
from core.profiles.run_records import MatchKey
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import ask, get
from tests.core.profiles.house import import_people, ready_import

ANN = "Ann.Marker@mail.example"
FILE = f"email,first_name,country\n{ANN},Ann,FR\nbob@mail.example,Bob,FR\ncarl@mail.example,{ANN},Atlantis\n"
LATER = f"email,first_name\n ann.MARKER@mail.example ,Ann\n{ANN}x,Dora\n"


async def id_of(db: Connection, email: str) -> int | None:
    found: int | None = await db.fetchval("SELECT id FROM profile WHERE email_key = $1", email.lower())
    return found


async def check_not_written_to(engine: Engine, runtime: Runtime, db: Connection, person: int, name: str) -> None:
    delivery_id = await new_delivery(runtime, db, name=name)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, person) == (LedgerState.EXCLUDED, FailureReason.ERASED)
    await check_equation(db, delivery_id)


async def test_an_import_that_was_running_brings_nobody_back(engine: Engine, runtime: Runtime, db: Connection) -> None:
    """Its rows go like the person's first ones, its file too, and what it has refused."""
    await add_person(db, ANN, first_name="Annabel")
    import_id = await ready_import(runtime, FILE, key=MatchKey.EMAIL)
    request_id = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    assert (await get(runtime, request_id)).waits_for == "imports"
    assert await id_of(db, ANN) is None

    await import_runner.run_import(runtime, import_id=import_id)
    back = await id_of(db, ANN)
    assert back is not None
    await check_not_written_to(engine, runtime, db, back, "meanwhile")
    await work(runtime)

    request = await get(runtime, request_id)
    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 2)
    assert await id_of(db, ANN) is None
    assert await id_of(db, "bob@mail.example") is not None
    assert list(runtime.files.root.iterdir()) == []
    assert request.counts["file"] == 2


async def test_who_is_imported_between_preparation_and_sending_is_not_written_to(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    """Nor whoever was erased in between and is there again: they are others, by number."""
    await add_person(db, ANN)
    first = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    assert (await get(runtime, first)).state is RequestState.COMPLETE
    times.move(seconds=5)
    await import_people(runtime, LATER, key=MatchKey.EMAIL)
    back, other = await id_of(db, ANN), await id_of(db, f"{ANN}x")
    assert back is not None
    assert other is not None

    await check_not_written_to(engine, runtime, db, back, "after")
    assert [path.read_text() for path in runtime.files.root.iterdir()] == [LATER], "later files are of whom has come back"

    # And who is erased, and comes back, while a delivery waits, is withdrawn at the claim
    delivery_id = await new_delivery(runtime, db, name="both")
    await prepared(engine, runtime, db, delivery_id)
    second = await ask(runtime, RequestKind.DELETE, "email", f"{ANN}x")
    await work(runtime)
    assert (await get(runtime, second)).state is RequestState.COMPLETE
    await import_people(runtime, LATER, key=MatchKey.EMAIL)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    assert await outcome_of(db, delivery_id, other) == (LedgerState.WITHDRAWN, FailureReason.PROFILE_DELETED)
    again = await id_of(db, f"{ANN}x")
    assert again is not None
    await check_not_written_to(engine, runtime, db, again, "last")
