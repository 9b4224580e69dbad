"""Somebody is known by one thing alone: a device, the address that a visitor gave, a field of an event. After an erasure by it,
nothing that names them stands in any column of any table or in any file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection, transaction
from core.events.records import EventField
from core.privacy.records import RequestKind, RequestState
from core.profiles import app_subscriptions, visitors
from core.profiles.app_records import Platform, SentAppSubscription
from core.profiles.exports import SELECTION_RESOURCE
from core.profiles.run_records import MatchKey
from core.profiles.visitor_records import SentVisitor
from core.runtime import Runtime
from core.transfers import jobs
from core.transfers.exports import create_export
from core.workers.selection import select_people
from tests.core.datamodel.model import field, publish_fields
from tests.core.delivery.people import add_person
from tests.core.events.told import event, save, tell
from tests.core.privacy.asking import add_namespace, done
from tests.core.profiles.house import import_people
from tests.flows.scan import in_files, in_tables

MARK = "Zq7Marker"
EMAIL = f"{MARK.lower()}@mail.example"


async def known_by_a_device(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("device_id", personal=True), entity="app_subscription")
    sent = SentAppSubscription(
        app="com.shop", registration_token=f"{MARK}-token", platform=Platform.ANDROID, team={"device_id": f"{MARK}-device"}
    )
    async with transaction(runtime.pool) as conn:
        await app_subscriptions.save_app_subscriptions(conn, SYSTEM, [sent], now=runtime.clock())
    await add_namespace(runtime, "asked_by", "registration_token", "app_subscription")
    await quarantined(db, "push", f"{MARK}-token")


async def known_by_a_visit(runtime: Runtime, db: Connection) -> None:
    values = {"email": EMAIL, "first_name": f"{MARK}First", "last_name": f"{MARK}Last", "origin": f"{MARK} page"}
    sent = [SentVisitor(external_id=f"{MARK}-1", values=values), SentVisitor(external_id="friend", values={
        "referrer_email": EMAIL, "referrer_comment": f"{MARK} says so"})]  # fmt: skip
    async with transaction(runtime.pool) as conn:
        await visitors.save_visitors(conn, SYSTEM, sent, now=runtime.clock())
    await add_namespace(runtime, "asked_by", "email", "visitor")
    await quarantined(db, "email", EMAIL)


async def known_by_an_event(runtime: Runtime, db: Connection) -> None:
    ann = await add_person(db, EMAIL, first_name=f"{MARK}First", last_name=f"{MARK}Last")
    await save(db, "visit", EventField(name="ticket", label="Ticket", kind=FieldKind.TEXT, max_length=40))
    async with transaction(runtime.pool) as conn:
        await tell(conn, event(f"{MARK}-1", ann, {"ticket": f"{MARK}-ticket"}, type="visit"))
    await add_namespace(runtime, "asked_by", "ticket", "event_visit")
    await quarantined(db, "email", EMAIL)


async def quarantined(db: Connection, kind: str, key: str) -> None:
    columns = "address_kind, address_key, status, error_text"
    await db.execute(
        f"INSERT INTO quarantine ({columns}) VALUES ($1, $2, 'quarantine', $3)", kind, key, f"{MARK} does not answer"
    )


@dataclass(frozen=True)
class Known:
    """One way of being known."""

    make: Callable[[Runtime, Connection], Awaitable[None]]
    value: str
    quoted: str  # in a file
    dimension: str  # that is exported
    expected: set[str]  # where they stand before: what is missing was not made, and proves nothing
    counts: dict[str, int]


WAYS = {
    "device": Known(
        known_by_a_device, f"{MARK}-token", f"{MARK}-device", "app_subscription",
        {"app_subscription.registration_token", "app_subscription.x_device_id"}, {"app_subscription": 1},
    ),
    "visit": Known(
        known_by_a_visit, EMAIL.upper(), f"{MARK}First {MARK}Last", "visitor",
        {"visitor.external_id", "visitor.email", "visitor.first_name", "visitor.last_name", "visitor.origin",
         "visitor.referrer_email", "visitor.referrer_comment"}, {"visitor": 2},
    ),
    "event": Known(
        known_by_an_event, f"{MARK}-ticket", f"{EMAIL}?", "event_visit",
        {"e_visit.x_ticket", "e_visit.key", "profile.email", "profile.first_name"}, {"e_visit": 1, "profile": 1},
    ),
}  # fmt: skip
EVERYWHERE = {"quarantine.address_key", "quarantine.error_text", "stored_file.name"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_whoever_is_known_by_one_thing_alone_leaves_nothing(runtime: Runtime, db: Connection, way: Known) -> None:
    runtime.resources[SELECTION_RESOURCE] = select_people
    await add_person(db, "other@mail.example", first_name="Other")
    await way.make(runtime, db)
    file = f"email,first_name\nother@mail.example,Otto\nnone,{way.quoted}\n"
    await import_people(runtime, file, key=MatchKey.EMAIL, name=f"{way.value}.csv")
    async with transaction(runtime.pool) as conn:
        run = await create_export(conn, SYSTEM, runtime.files, dimension=way.dimension, now=runtime.clock())
    await jobs.run_export(runtime, export_id=run.id)
    given = await done(runtime, RequestKind.ACCESS, "asked_by", way.value)
    assert given.state is RequestState.COMPLETE, given.error
    before = await in_tables(db, runtime.keyring, [MARK])
    assert before >= way.expected | EVERYWHERE, (way.expected | EVERYWHERE) - before
    assert len(in_files(runtime.files.root, [MARK])) >= 3, "an upload, its rejects and what was given"

    request = await done(runtime, RequestKind.DELETE, "asked_by", f" {way.value} ")

    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    assert await in_tables(db, runtime.keyring, [MARK]) == set()
    assert in_files(runtime.files.root, [MARK]) == set()
    assert request.proof is not None
    assert request.proof["erased"].items() >= {**way.counts, "quarantine": 1}.items()
    assert request.proof["quoted_by_authors"] == {}
    assert await db.fetchval("SELECT count(*) FROM profile WHERE email_key = 'other@mail.example'") == 1
    again = await done(runtime, RequestKind.DELETE, "asked_by", way.value)
    assert again.error is not None
    assert again.error.code == "NOBODY_FOUND"
    assert await in_tables(db, runtime.keyring, [MARK]) == set(), "nor is the value of that request kept"
