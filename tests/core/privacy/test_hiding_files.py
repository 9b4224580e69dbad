"""Files in which somebody cannot be looked for may hold them, and go with them; those in which they would be found stay."""

from __future__ import annotations

import gzip
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.db import Connection, transaction
from core.files import get_file
from core.privacy.records import PrivacyRequest, RequestKind, RequestState
from core.profiles import suppression, suppression_export_runner, suppression_transfers
from core.profiles.exports import SELECTION_RESOURCE
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.run_records import MatchKey
from core.profiles.suppression_records import SuppressionKind, SuppressionListDraft
from core.profiles.visitor_records import SentVisitor
from core.profiles.visitors import save_visitors
from core.runtime import Runtime
from core.targeting.parse import parse_text
from core.targeting.records import RowKey
from core.transfers import jobs
from core.transfers.exports import create_export
from core.workers.selection import select_people
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, unique
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import add_namespace, done
from tests.core.profiles.house import import_people
from tests.core.targeting.files import exported, loaded, reconciled
from tests.core.transfers.house import import_rows

ANN = "ann.marker@mail.example"


@pytest_asyncio.fixture(autouse=True)
async def ann(runtime: Runtime, db: Connection) -> int:
    """Somebody with an order, beside others; and shops, which are nobody's."""
    runtime.resources[SELECTION_RESOURCE] = select_people
    await dataset(db, "order", field("number"), field("note"))
    await point(db, link("who", reverse_name="orders"), "order")
    await unique(db, "by_number", "number", entity="order")
    await dataset(db, "shop", field("town"))
    await unique(db, "by_town", "town", entity="shop")
    await publish_draft(db)
    await datamodel.build(runtime)
    await add_person(db, "bob@mail.example", last_name="Other", external_id="B-1000")
    ann_id = await add_person(db, ANN, last_name="Marker", city="Lyon", external_id="A-1000")
    await db.execute("INSERT INTO x_order (x_number, x_note, x_who_id) VALUES ('N-1', 'at the back door', $1)", ann_id)
    await db.execute("INSERT INTO x_shop (x_town) VALUES ('Lyon')")
    return ann_id


async def export(runtime: Runtime, columns: list[str] | None = None, **more: Any) -> int | None:
    """Made to its end; the number of its file."""
    computed = {name: parse_text(text) for name, text in more.pop("computed", {}).items()}
    async with transaction(runtime.pool) as conn:
        run = await create_export(
            conn, SYSTEM, runtime.files, columns=columns, computed=computed, now=runtime.clock(), **more
        )  # fmt: skip
    await jobs.run_export(runtime, export_id=run.id)
    return run.file_id


async def erased(runtime: Runtime) -> PrivacyRequest:
    request = await done(runtime, RequestKind.DELETE, "email", ANN)
    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    return request


async def is_kept(db: Connection, file_id: int | None) -> bool:
    found: bool = await db.fetchval("SELECT removed_at IS NULL AND size IS NOT NULL FROM stored_file WHERE id = $1", file_id)
    return found


BOB = "external_id = 'B-1000'"


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({"columns": ["last_name", "city"]}, False),
        ({"columns": ["id", "last_name"], "expression": BOB}, False),  # nobody can tell whose they were
        ({"columns": ["email", "last_name"], "expression": BOB}, True),
        ({"columns": ["external_id", "city"], "expression": BOB}, True),
        ({"columns": ["mobile_phone", "city"], "expression": BOB}, False),  # she has no number to be found by
        ({"columns": ["city"], "computed": {"email": "last_name"}, "expression": BOB}, False),
        ({"columns": ["email"], "computed": {"big": "upper(city)"}, "expression": BOB}, True),
        ({"columns": ["email"], "computed": {"last": "last(orders.note by id)"}, "expression": BOB}, False),
        ({"dimension": "order"}, False),
        ({"dimension": "order", "columns": ["number"]}, False),
        ({"dimension": "shop"}, True),
        ({"dimension": "message"}, False),
    ],
)
async def test_an_export_stays_only_if_she_would_be_found_in_it(
    runtime: Runtime, db: Connection, how: dict[str, Any], kept: bool
) -> None:
    more: dict[str, Any] = {name: parse_text(value) if name == "expression" else value for name, value in how.items()}
    file_id = await export(runtime, **more)
    assert await is_kept(db, file_id)

    request = await erased(runtime)

    assert await is_kept(db, file_id) is kept
    assert request.counts.get("file_not_searchable", 0) == (0 if kept else 1)
    assert "file" not in request.counts
    assert request.proof is not None
    assert request.proof["erased"].get("file_not_searchable", 0) == (0 if kept else 1)


async def test_exports_from_after_the_erasure_stay(runtime: Runtime, db: Connection) -> None:
    await erased(runtime)
    file_id = await export(runtime, ["last_name"])
    await add_person(db, "carl@mail.example")

    await done(runtime, RequestKind.DELETE, "external_id", "A-1000")  # of whom nobody is left

    assert await is_kept(db, file_id)


@pytest.mark.parametrize(
    ("key", "kept"), [(MatchKey.EMAIL, True), (MatchKey.EXTERNAL_ID, True), (MatchKey.MOBILE_PHONE, False)]
)
async def test_an_upload_stays_only_if_its_key_is_one_of_hers(
    runtime: Runtime, db: Connection, key: MatchKey, kept: bool
) -> None:
    file = "external_id,email,mobile_phone,last_name\nC-1,carl@mail.example,+33611111111,Carl\nbad,bad,bad,Marker\n"
    run = await import_people(runtime, file, key=key)

    await erased(runtime)

    assert run.rejects_file_id is not None
    assert {await is_kept(db, one) for one in (run.file_id, run.rejects_file_id)} == {kept}


async def test_uploads_of_datasets_stay_only_if_the_rows_are_nobodys(runtime: Runtime, db: Connection, ann: int) -> None:
    to = {name: ImportTarget(kind=TargetKind.DATASET, dataset=name) for name in ("order", "shop")}
    hers = await import_rows(runtime, f"number,who,note\nN-7,{ann},Ring twice\n", "by_number", target=to["order"])
    towns = await import_rows(runtime, "town\nParis\n", "by_town", target=to["shop"])
    assert (hers.inserted, towns.inserted) == (1, 1)

    await erased(runtime)

    assert (await is_kept(db, hers.file_id), await is_kept(db, towns.file_id)) == (False, True)


async def test_files_of_audiences_stay_only_if_all_keys_are_hers(runtime: Runtime, db: Connection) -> None:
    mail, phone = RowKey(field="email", column="mail"), RowKey(field="mobile_phone", column="phone")
    files: dict[str, int | None] = {}
    keys = {"mail": (mail,), "phone": (mail, phone), "none": ()}
    for name, one in keys.items():
        audience_id, run = await loaded(runtime, "mail,phone\nbob@mail.example,+33611111111\n", name=name)
        if one:
            await reconciled(runtime, audience_id, *one)
        files[name] = run.file_id
    assert len(await exported(runtime, audience_id)) == 1
    made = await db.fetchval("SELECT max(file_id) FROM audience_run WHERE task = 'export'")

    await erased(runtime)

    assert {name: await is_kept(db, one) for name, one in files.items()} == {
        "mail": True, "phone": False, "none": False
    }  # fmt: skip
    assert not await is_kept(db, made)


async def test_a_file_whose_audience_is_gone_goes_too(runtime: Runtime, db: Connection) -> None:
    audience_id, run = await loaded(runtime, "name\nOther\n")
    await db.execute("DELETE FROM audience WHERE id = $1", audience_id)

    await erased(runtime)

    assert not await is_kept(db, run.file_id)


@pytest.mark.parametrize(("address", "kept"), [(ANN, False), ("bob@mail.example", True)])
async def test_a_list_of_hashes_goes_only_if_it_has_hers(runtime: Runtime, db: Connection, address: str, kept: bool) -> None:
    draft = SuppressionListDraft(name="no", label="No", kind=SuppressionKind.EMAIL)
    made = await suppression.create_list(db, SYSTEM, draft)
    columns = "list_id, form, value, created_at, updated_at, created_by"
    values = "$1, 2, $2, now(), now(), 'x'"
    await db.execute(
        f"INSERT INTO suppression_entry ({columns}) VALUES ({values})", made.id, sha256(address.encode()).hexdigest()
    )  # fmt: skip
    async with transaction(runtime.pool) as conn:
        run = await suppression_transfers.create_export(
            conn, SYSTEM, runtime.files, made.id, file_name="no.csv", now=runtime.clock()
        )  # fmt: skip
    await suppression_export_runner.run_export(runtime, run.id)
    assert await is_kept(db, run.file_id)

    request = await erased(runtime)

    assert await is_kept(db, run.file_id) is kept
    assert request.counts.get("file", 0) == (0 if kept else 1)


@pytest.mark.parametrize(
    ("values", "how", "kept"),
    [
        ({}, {"columns": ["last_name", "city"]}, True),
        ({}, {"dimension": "order"}, True),
        ({}, {"dimension": "app_subscription"}, True),
        ({}, {"dimension": "visitor", "columns": ["origin"]}, False),
        ({}, {"columns": ["city"], "computed": {"came": "last(referred_visitors.origin)"}}, False),
        ({"email": "dora@mail.example"}, {"columns": ["last_name", "city"]}, False),  # she may have had a profile by it
        ({"email": "dora@mail.example"}, {"columns": ["email", "city"]}, True),
    ],
)
async def test_a_visitor_without_an_address_stands_in_exports_of_visitors_alone(
    runtime: Runtime, db: Connection, values: dict[str, str | None], how: dict[str, Any], kept: bool
) -> None:
    await add_namespace(runtime, "cookie", "external_id", "visitor")
    sent = SentVisitor(external_id="c-4711", values={"origin": "contest", **values})
    await save_visitors(db, SYSTEM, [sent], now=runtime.clock())
    upload = await import_people(runtime, "mobile_phone,last_name\n+33611111111,Carl\n", key=MatchKey.MOBILE_PHONE)
    file_id = await export(runtime, **how)

    request = await done(runtime, RequestKind.DELETE, "cookie", "c-4711")

    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    assert await is_kept(db, file_id) is kept
    assert await is_kept(db, upload.file_id) is not bool(values)


async def test_a_file_that_cannot_be_read_through_goes_as_not_searchable(runtime: Runtime, db: Connection) -> None:
    run = await import_people(runtime, "external_id,email\nC-1,carl@mail.example\n", key=MatchKey.EMAIL)
    upload = await get_file(db, run.file_id)
    runtime.files.path(upload).write_bytes(gzip.compress(b"C-1,carl@mail.example\n" * 4_000_000))

    request = await erased(runtime)

    assert not await is_kept(db, run.file_id)
    assert request.counts["file_not_searchable"] == 1
    assert "file" not in request.counts
