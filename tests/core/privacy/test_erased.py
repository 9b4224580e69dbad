"""Addresses of people who were erased are asked for when rows are claimed, as when they are prepared."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import ending
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.profiles import erased
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import done, given

GRANTED = """
INSERT INTO consent_entry (profile_id, channel, decision, origin, actor, happened_at, recorded_at)
VALUES ($1, 'email', 'granted', $2, 'test', $3, $3)
"""


async def test_who_was_erased_since_the_preparation_is_withdrawn_unless_they_opted_in_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    names = ("erased", "spared", "again", "imported", "late", "other")
    people = {name: await add_person(db, f"{name}@mail.example") for name in names}
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    addresses = [("email", f"{name}@mail.example") for name in names if name != "other"]
    await erased.keep_out(db, runtime.keyring, addresses, [people["spared"]], times())
    await db.execute(GRANTED, people["again"], "preference page", times() + timedelta(seconds=1))
    await db.execute(GRANTED, people["imported"], "import:7", times() + timedelta(seconds=1))
    await db.execute(GRANTED, people["late"], "preference page", times() - timedelta(days=1))
    times.move(seconds=5)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)

    found = {name: await outcome_of(db, delivery_id, one) for name, one in people.items()}
    gone = (LedgerState.WITHDRAWN, FailureReason.ERASED)
    had = (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED)
    assert found == {"erased": gone, "spared": had, "again": had, "imported": gone, "late": gone, "other": had}
    await check_equation(db, delivery_id)

    # And the next preparation says the same
    again = await new_delivery(runtime, db, name="summer")
    counts = await prepared(engine, runtime, db, again)
    assert (counts.excluded, counts.pending) == (3, 3)


async def test_an_erasure_in_the_middle_of_a_preparation_is_withdrawn_at_the_claim(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    ann, bob = await add_person(db, "ann@mail.example"), await add_person(db, "bob@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    request = await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")
    assert request.state is RequestState.COMPLETE
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)

    assert await outcome_of(db, delivery_id, ann) == (LedgerState.WITHDRAWN, FailureReason.PROFILE_DELETED)
    assert (await outcome_of(db, delivery_id, bob))[0] is LedgerState.ACCEPTED
    await check_equation(db, delivery_id)


LIST = "INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ($1::text, 'No', $1::text, 'all', 'test')"
HASHED = """
INSERT INTO suppression_entry (list_id, form, value, comment, created_by, created_at, updated_at)
SELECT l.id, f.form, f.value, 'asked', 'test', now(), now()
  FROM suppression_list l,
       (VALUES (1::smallint, $1), (2::smallint, encode(sha256(convert_to($1, 'UTF8')), 'hex')), (3::smallint, md5($1)),
               (1::smallint, $2), (2::smallint, encode(sha256(convert_to($2, 'UTF8')), 'hex')), (4::smallint, 'mail.example'))
           AS f (form, value)
 WHERE f.form < 4 OR l.kind = 'email_domain'
"""


async def test_nothing_but_a_keyed_hash_is_kept_of_an_address(runtime: Runtime, db: Connection) -> None:
    """A hash without a key is the address to whoever tries them all: also those that a team put on its lists go."""
    for kind in ("email", "email_domain"):
        await db.execute(LIST, kind)
    await db.execute(HASHED, "ann@mail.example", "bob@mail.example")
    lists = "SELECT count(*) FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id WHERE l.kind = $1"
    assert await db.fetchval(lists, "email") == 5

    given_to_her = await done(runtime, RequestKind.ACCESS, "email", "ann@mail.example")
    assert (given_to_her.state, given_to_her.profiles_found) == (RequestState.COMPLETE, 0)
    assert given_to_her.counts == {"suppression_entry": 3}, "she has no profile, and is given what is kept of her address"
    request = await done(runtime, RequestKind.DELETE, "email", "Ann@mail.example")

    assert (request.state, request.counts["suppression_entry"]) == (RequestState.COMPLETE, 3)
    assert await db.fetchval(lists, "email") == 2
    (kept,) = await db.fetch("SELECT * FROM erased_address")
    key = runtime.keyring.by_id[kept["key_id"]].derive(erased.PURPOSE)
    assert kept["hash"] == hmac.new(key, b"ann@mail.example", hashlib.sha256).digest()
    assert kept["hash"] != hashlib.sha256(b"ann@mail.example").digest()


async def test_who_asks_is_given_the_lists_that_name_them_also_by_a_hash(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ann@mail.example")
    await db.execute(
        "INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ('n', 'N', 'email', 'all', 't')"
    )
    await db.execute(HASHED, "ann@mail.example", "bob@mail.example")

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "email", "ann@mail.example"))

    assert sorted(row["form"] for row in data["tables"]["suppression_entry"]) == [1, 2, 3]
