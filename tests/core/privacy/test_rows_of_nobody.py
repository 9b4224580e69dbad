"""People who are known by a device, a visit or an event: found by it, given and erased, also where no profile has it."""

from __future__ import annotations

from typing import Any

from channels.contract import AddressKind
from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection, transaction
from core.events.records import EventField
from core.ids import to_global_id
from core.personal import Person
from core.privacy import erasing
from core.privacy.records import PrivacyRequest, RequestKind, RequestState
from core.privacy.sealing import open_person, seal_person
from core.privacy.work import work
from core.profiles import app_subscriptions, merging, visitors
from core.profiles.app_records import Platform, SentAppSubscription
from core.profiles.erased import that_are_somebodys
from core.profiles.identities import ProfileReference, ReferenceKind
from core.profiles.merge_records import MergePlan
from core.profiles.visitor_records import SentVisitor
from core.runtime import Runtime
from tests.core.datamodel.model import field, publish_fields
from tests.core.delivery.people import add_person
from tests.core.events.told import event, save, tell
from tests.core.privacy.asking import add_namespace, ask, done, get, given

ANN, BOB = "ann@mail.example", "bob@mail.example"
TICKET = EventField(name="ticket", label="Ticket", kind=FieldKind.TEXT, max_length=20)
IN_QUARANTINE = "INSERT INTO quarantine (address_kind, address_key, status) VALUES ($1, $2, 'quarantine')"


def by_id(profile: int | None) -> ProfileReference | None:
    return None if profile is None else ProfileReference(ReferenceKind.ID, profile)


async def device(runtime: Runtime, token: str, app: str = "com.shop", *, profile: int | None = None, **team: Any) -> None:
    """A device, of somebody or of nobody."""
    sent = SentAppSubscription(
        app=app, registration_token=token, platform=Platform.IOS, profile=by_id(profile), team=team
    )  # fmt: skip
    async with transaction(runtime.pool) as conn:
        (told,) = await app_subscriptions.save_app_subscriptions(conn, SYSTEM, [sent], now=runtime.clock())
    assert told.error is None


async def visit(runtime: Runtime, external_id: str, *, profile: int | None = None, **values: str | None) -> None:
    """A visitor, who is somebody or whom nobody knows."""
    sent = SentVisitor(external_id=external_id, values=values, profile=by_id(profile))
    async with transaction(runtime.pool) as conn:
        (told,) = await visitors.save_visitors(conn, SYSTEM, [sent], now=runtime.clock())
    assert told.error is None


async def left(db: Connection, column: str, table: str) -> list[Any]:
    return [row[0] for row in await db.fetch(f"SELECT {column} FROM {table} ORDER BY 1")]


def erased(request: PrivacyRequest) -> dict[str, int]:
    """What a proof counts."""
    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    assert request.proof is not None
    counts: dict[str, int] = request.proof["erased"]
    return counts


async def check_nobody(runtime: Runtime, namespace: str, value: str) -> None:
    request = await done(runtime, RequestKind.ACCESS, namespace, value)
    assert request.error is not None
    assert request.error.code == "NOBODY_FOUND"


async def test_a_device_of_nobody_is_given_and_erased(runtime: Runtime, db: Connection) -> None:
    """With what quarantine has of its token, of which a hash is kept."""
    await publish_fields(db, field("device_id"), entity="app_subscription")
    await add_namespace(runtime, "device", "device_id", "app_subscription")
    await device(runtime, "token-1", device_id="D-4711")
    await device(runtime, "token-2", device_id="D-4712")
    for token in ("token-1", "token-2"):
        await db.execute(IN_QUARANTINE, "push", token)

    request = await done(runtime, RequestKind.ACCESS, "device", "D-4711")
    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 0)
    data, archive = await given(runtime, db, request)
    (row,) = data["tables"]["app_subscription"]
    assert (row["registration_token"], row["x_device_id"], row["app"]) == ("token-1", "D-4711", "com.shop")
    assert [one["address_key"] for one in data["tables"]["quarantine"]] == ["token-1"]
    assert "token-2" not in str(data)
    assert "D-4711" in archive.read("tables/app_subscription.csv").decode()

    request = await done(runtime, RequestKind.DELETE, "device", "D-4711")
    assert erased(request) == {"app_subscription": 1, "quarantine": 1, "file": 1}
    assert request.profiles_found == 0
    assert await left(db, "registration_token", "app_subscription") == ["token-2"]
    assert await left(db, "address_key", "quarantine") == ["token-2"]
    assert await left(db, "address_kind", "erased_address") == ["push"]
    await check_nobody(runtime, "device", "D-4711")

    # What is said of its token later is not kept, until there is such a device again
    async def heard_of() -> list[str]:
        return await that_are_somebodys(db, runtime.keyring, AddressKind.PUSH, ["token-1", "token-2", "token-3"])

    assert await heard_of() == ["token-2", "token-3"]
    await device(runtime, "token-1")
    assert await heard_of() == ["token-1", "token-2", "token-3"]


async def test_a_token_names_whoever_has_it_in_any_app(runtime: Runtime, db: Connection) -> None:
    await add_namespace(runtime, "token", "registration_token", "app_subscription")
    ann, bob = await add_person(db, ANN), await add_person(db, BOB)
    await device(runtime, "Token-1", profile=ann)
    await device(runtime, "Token-1", "com.news")
    await device(runtime, "token-1", profile=bob)  # another: taken letter by letter
    await db.execute(IN_QUARANTINE, "push", "Token-1")
    await db.execute(IN_QUARANTINE, "push", "left-behind")

    counts = erased(await done(runtime, RequestKind.DELETE, "token", " Token-1 "))

    assert counts == {"app_subscription": 2, "quarantine": 1, "profile": 1}
    assert await left(db, "id", "profile") == [bob]
    assert await left(db, "registration_token", "app_subscription") == ["token-1"]
    assert erased(await done(runtime, RequestKind.DELETE, "token", "left-behind")) == {"quarantine": 1}


async def test_a_token_that_somebody_else_has_too_stays_theirs(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("device_id"), entity="app_subscription")
    await add_namespace(runtime, "device", "device_id", "app_subscription")
    ann, bob = await add_person(db, ANN), await add_person(db, BOB)
    await device(runtime, "shared", profile=bob)
    await device(runtime, "shared", "com.news", device_id="D-1")
    await device(runtime, "shared", "com.mail", profile=ann)
    await db.execute(IN_QUARANTINE, "push", "shared")

    assert erased(await done(runtime, RequestKind.DELETE, "device", "D-1")) == {"app_subscription": 1}
    assert erased(await done(runtime, RequestKind.DELETE, "email", ANN))["app_subscription"] == 1

    assert await left(db, "profile_id", "app_subscription") == [bob]
    assert await left(db, "address_key", "quarantine") == ["shared"]
    spared = await db.fetchval("SELECT spared FROM erased_address WHERE address_kind = 'push'")
    assert list(spared) == [bob]


async def test_a_visitor_whom_nobody_knows_is_given_and_erased(runtime: Runtime, db: Connection) -> None:
    """Found by the id of the page or the API; with what is kept of the address that nobody else has."""
    await add_namespace(runtime, "cookie", "external_id", "visitor")
    await add_namespace(runtime, "visitor", "id", "visitor")
    await visit(runtime, "c-4711", email=ANN, first_name="Ann", last_name="Marker", origin="contest")
    await visit(runtime, "c-4712", email=BOB)
    await visit(runtime, "c-4713", first_name="Cora")
    await db.execute(IN_QUARANTINE, "email", ANN)

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "cookie", "c-4711"))
    (row,) = data["tables"]["visitor"]
    assert (row["external_id"], row["email"], row["origin"]) == ("c-4711", ANN, "contest")
    assert len(data["tables"]["quarantine"]) == 1

    counts = erased(await done(runtime, RequestKind.DELETE, "cookie", "c-4711"))
    assert counts == {"visitor": 1, "quarantine": 1, "file": 1}
    assert await left(db, "external_id", "visitor") == ["c-4712", "c-4713"]
    for external_id, spelt in (("c-4712", str), ("c-4713", lambda key: to_global_id("Visitor", key))):
        key = await db.fetchval("SELECT id FROM visitor WHERE external_id = $1", external_id)
        assert erased(await done(runtime, RequestKind.DELETE, "visitor", spelt(key))) == {"visitor": 1}
    await check_nobody(runtime, "cookie", "c-4711")


async def test_an_address_that_a_visitor_gave_leads_to_no_profile(runtime: Runtime, db: Connection) -> None:
    """Anybody can give one: whoever shows a cookie is given nothing of, and erases nothing of, who has the address."""
    await add_namespace(runtime, "cookie", "external_id", "visitor")
    bob = await add_person(db, BOB, first_name="Bob")
    await visit(runtime, "c-4711", email=BOB)
    await db.execute(IN_QUARANTINE, "email", BOB)

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "cookie", "c-4711"))
    assert list(data["tables"]) == ["visitor"]
    counts = erased(await done(runtime, RequestKind.DELETE, "cookie", "c-4711"))

    assert counts == {"visitor": 1, "file": 1}
    assert await left(db, "id", "profile") == [bob]
    assert await left(db, "address_key", "quarantine") == [BOB]
    assert await left(db, "hash", "erased_address") == []


async def test_the_address_of_a_visitor_names_whoever_has_it(runtime: Runtime, db: Connection) -> None:
    """Profiles that have it, profiles that visitors with it turned out to be, and visitors whom nobody knows."""
    await add_namespace(runtime, "visited_as", "email", "visitor")
    ann, other = await add_person(db, ANN), await add_person(db, "other@mail.example")
    bob = await add_person(db, BOB)
    await visit(runtime, "one", email=ANN)
    await visit(runtime, "two", email=ANN, profile=other)
    await visit(runtime, "three", email=BOB, profile=bob)

    request = await done(runtime, RequestKind.DELETE, "visited_as", "ANN@mail.example")

    assert erased(request) == {"visitor": 2, "profile": 2}
    assert request.profiles_found == 2
    assert await left(db, "id", "profile") == [bob]
    assert ann not in await left(db, "id", "profile")
    assert await left(db, "external_id", "visitor") == ["three"]


async def test_a_visitor_leads_to_all_that_is_merged_with_whom_they_are(runtime: Runtime, db: Connection) -> None:
    await add_namespace(runtime, "cookie", "external_id", "visitor")
    ann, again = await add_person(db, ANN), await add_person(db, "again@mail.example")
    await visit(runtime, "c-4711", profile=again, email="third@mail.example")
    await db.execute(IN_QUARANTINE, "email", "third@mail.example")
    async with transaction(runtime.pool) as conn:
        await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(again,)), now=runtime.clock())

    counts = erased(await done(runtime, RequestKind.DELETE, "cookie", "c-4711"))

    assert (counts["profile"], counts["visitor"], counts["quarantine"]) == (2, 1, 1)
    assert await left(db, "id", "profile") == []


async def test_events_lead_to_whom_they_are_about(runtime: Runtime, db: Connection) -> None:
    """By a field of the payload or their key, and each event of theirs goes, of whatever type."""
    await save(db, "visit", TICKET)
    await save(db, "purchase")
    await add_namespace(runtime, "ticket", "ticket", "event_visit")
    await add_namespace(runtime, "order", "key", "event_purchase")
    people = {name: await add_person(db, f"{name}@mail.example") for name in ("ann", "bea", "cora")}
    async with transaction(runtime.pool) as conn:
        await tell(
            conn,
            event("v-1", people["ann"], {"ticket": "T-4711"}, type="visit"),
            event("p-1", people["ann"]),
            event("v-2", people["bea"], {"ticket": "T-4712"}, type="visit"),
            event(" p-2", people["bea"]),
            event("p-2", people["cora"], {"ticket": "p-2"}, type="visit"),
        )

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "ticket", "T-4711"))
    assert [row["x_ticket"] for row in data["tables"]["e_visit"]] == ["T-4711"]
    assert [row["key"] for row in data["tables"]["e_purchase"]] == ["p-1"]
    counts = erased(await done(runtime, RequestKind.DELETE, "ticket", "T-4711"))
    assert (counts["e_visit"], counts["e_purchase"], counts["profile"]) == (1, 1, 1)
    counts = erased(await done(runtime, RequestKind.DELETE, "order", " p-2"))
    assert (counts["e_visit"], counts["e_purchase"], counts["profile"]) == (1, 1, 1)

    assert await left(db, "id", "profile") == [people["cora"]]
    assert await left(db, "key", "e_visit") == ["p-2"]
    assert await db.fetchval("SELECT count(*) FROM event_key") == 1


async def test_events_of_a_profile_that_is_gone_are_given_and_erased(runtime: Runtime, db: Connection) -> None:
    await save(db, "visit", TICKET)
    await add_namespace(runtime, "ticket", "ticket", "event_visit")
    ann = await add_person(db, ANN)
    async with transaction(runtime.pool) as conn:
        await tell(conn, event("v-1", ann, {"ticket": "T-4711"}, type="visit"))
    await db.execute("DELETE FROM profile WHERE id = $1", ann)

    request = await done(runtime, RequestKind.ACCESS, "ticket", "T-4711")
    assert request.counts == {"e_visit": 1}
    assert erased(await done(runtime, RequestKind.DELETE, "ticket", "T-4711"))["e_visit"] == 1
    assert await left(db, "key", "e_visit") == []
    await check_nobody(runtime, "ticket", "T-4711")


async def test_who_turns_out_to_be_somebody_meanwhile_is_not_erased_as_nobody(runtime: Runtime, db: Connection) -> None:
    await visit(runtime, "c-4711")
    key = await db.fetchval("SELECT id FROM visitor")
    await visit(runtime, "c-4711", profile=await add_person(db, BOB))
    async with transaction(runtime.pool) as conn:
        counts = await erasing.erase(conn, Person(nobodys={"visitor": (key,)}), runtime.clock())
    assert counts == {}
    assert await left(db, "external_id", "visitor") == ["c-4711"]


async def test_rows_that_come_back_while_a_deletion_waits_go_too(runtime: Runtime, db: Connection) -> None:
    """A device of nobody that is told again, and one that is somebody's by then."""
    await publish_fields(db, field("device_id"), entity="app_subscription")
    await add_namespace(runtime, "device", "device_id", "app_subscription")
    await device(runtime, "token-1", device_id="D-1")
    bob = await add_person(db, BOB)
    async with runtime.pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.fetchval("SELECT count(*) FROM app_subscription")
        request_id = await ask(runtime, RequestKind.DELETE, "device", "D-1")
        await work(runtime)
        await held.rollback()
    assert (await get(runtime, request_id)).waits_for == "transactions"
    await device(runtime, "token-2", device_id="D-1")
    await device(runtime, "token-3", device_id="D-1", profile=bob)

    await work(runtime)

    counts = erased(await get(runtime, request_id))
    assert (counts["app_subscription"], counts["profile"]) == (3, 1)
    assert await left(db, "id", "app_subscription") == []


async def test_the_same_value_stands_for_another_thing_in_each_namespace(runtime: Runtime, db: Connection) -> None:
    await add_namespace(runtime, "cookie", "external_id", "visitor")
    await add_namespace(runtime, "token", "registration_token", "app_subscription")
    await visit(runtime, "same")
    await device(runtime, "same")

    assert erased(await done(runtime, RequestKind.DELETE, "token", "same")) == {"app_subscription": 1}
    assert await left(db, "external_id", "visitor") == ["same"]


async def test_whoever_comes_back_as_a_visitor_is_erased_again(runtime: Runtime, db: Connection) -> None:
    """By the same address, of which there is one hash, and whom the first erasure did not know of by then."""
    await add_namespace(runtime, "visited_as", "email", "visitor")
    for external_id in ("first", "second"):
        await visit(runtime, external_id, email=ANN)
        assert erased(await done(runtime, RequestKind.DELETE, "visited_as", ANN)) == {"visitor": 1}
        await check_nobody(runtime, "visited_as", ANN)
        await check_nobody(runtime, "email", ANN)
    assert await db.fetchval("SELECT count(*) FROM erased_address") == 1


async def test_a_person_that_was_sealed_before_there_were_rows_of_nobody_is_opened(runtime: Runtime) -> None:
    sealed = runtime.keyring.encrypt(b'{"profile_ids": [7], "addresses": [["email", "ann@mail.example"]]}', "privacy/1/person")
    found = open_person(runtime.keyring, 1, sealed)
    assert (found.profile_ids, found.nobodys, found.has_rows) == ((7,), {}, True)
    assert not Person(nobodys={"visitor": ()}).has_rows
    whole = erasing.together([found, Person(nobodys={"visitor": (1, 2)}), Person(nobodys={"visitor": (2, 3)})])
    assert open_person(runtime.keyring, 1, seal_person(runtime.keyring, 1, whole)).nobodys == {"visitor": (1, 2, 3)}
