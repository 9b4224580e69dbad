"""Messages with files: what is prepared keeps its bytes, whatever becomes of the content, and no batch eats the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from api.cli.sink import Sink, read_sink
from channels.contract import OutgoingMessage
from core import blobs
from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.records import Attachment
from core.db import Connection
from core.delivery import ending, lifecycle, reading
from core.delivery import programs as delivery_programs
from core.delivery import send as sending
from core.delivery.engine import Engine, open_engine
from core.delivery.programs import Programs, row_of
from core.delivery.records import DeliveryState
from core.delivery.store import ledger
from core.errors import Unavailable
from core.planning import deliveries
from core.public_urls import PublicUrls
from core.runtime import Runtime
from core.tracking.records import Message
from core.tracking.sent import SentMessages
from loadtests.campaign import make_delivery
from tests.core.delivery.people import add_people, add_person, confirmed, prepared

LOGO = b"\x89PNG\r\n\x1a\n" + bytes(1000)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 20
HTML = '<p>Hello {{ profile.first_name }} <img alt="" src="cid:logo"> <a href="{% unsubscribe_url %}">Leave</a></p>'
NAMES = {"preise é.pdf": PDF, "logo.png": LOGO}


async def a_delivery(runtime: Runtime, conn: Connection, port: int = 1, name: str = "files", **config: Any) -> int:
    """An email with a picture and an attachment; returns its id."""
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "sender_domain": "mail.example", **config}
    delivery_id = await make_delivery(
        runtime.settings, conn, name, channel="email", config=smtp, html=HTML.replace("cid:logo", "x.png"),
        audience="id > 0", keyring=runtime.keyring,
    )  # fmt: skip
    digests = [await blobs.keep(conn, content, runtime.clock()) for content in (PDF, LOGO)]
    attachments = (
        Attachment(name="preise é.pdf", media_type="application/pdf", size=len(PDF), sha256=digests[0]),
        Attachment(name="logo.png", media_type="image/png", size=len(LOGO), sha256=digests[1], content_id="logo"),
    )
    await change_content(conn, delivery_id, attachments=attachments, parts={"html": HTML})
    return delivery_id


async def change_content(conn: Connection, delivery_id: int, **changes: Any) -> None:
    delivery = await deliveries.get_delivery(conn, delivery_id)
    async with conn.transaction():
        await contents.update_content(conn, SYSTEM, ChannelRegistry.load(), delivery.content_id, changes)


async def rendered(programs: Programs, conn: Connection, delivery_id: int, profile_id: int) -> bytes:
    row = await reading.find_row(conn, delivery_id, profile_id)
    assert row is not None
    assert row.program_id is not None
    loaded = await programs.get(conn, row.program_id)
    recipient = row_of(loaded, row)
    assert recipient is not None
    (message,) = loaded.program.render([recipient])
    assert isinstance(message, OutgoingMessage), message
    return message.body


def files_of(message: bytes) -> Mapping[str | None, bytes]:
    parsed: EmailMessage = BytesParser(policy=policy.default).parsebytes(message)
    return {part.get_filename(): part.get_content() for part in parsed.walk() if part.get_filename()}


async def test_what_was_prepared_is_made_again_whatever_becomes_of_the_content(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given a prepared delivery
    anna = await add_person(db, "anna@mail.example", first_name="Anna")
    delivery_id = await a_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    first = await rendered(engine.programs, db, delivery_id, anna)
    assert files_of(first) == NAMES

    # When the content loses its files, and all that nobody refers to is swept
    await change_content(db, delivery_id, attachments=(), parts={"html": "<p>Other</p>"})
    later = runtime.clock() + timedelta(days=30)
    assert await blobs.forget_unused(db, later) == 0

    # Then another process makes the same message
    again = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring))
    assert await rendered(again, db, delivery_id, anna) == first
    assert await db.fetchval("SELECT length(content::text) FROM program") < 5000

    # And with the program the bytes go
    await ledger.clear(db, delivery_id)
    assert await blobs.forget_unused(db, later) == 2


async def test_a_label_that_no_feedback_id_can_hold_fails_the_preparation(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given content whose Feedback-ID is right by itself
    await add_person(db, "anna@mail.example")
    delivery_id = await a_delivery(runtime, db)
    await change_content(db, delivery_id, parts={"feedback_id": "a:{{ delivery.label }}:shop1"})

    # When a delivery with a blank in its label is prepared
    await db.execute("UPDATE delivery SET label = 'Spring sale'")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)

    # Then it says what is wrong, where, and what to do
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert (run.error["code"], run.error["path"]) == ("CONTENT_REFUSED", "parts.feedback_id:1:3")
    assert "'a:Spring sale:shop1'" in run.error["message"]
    assert "url_encode" in run.error["hint"]


async def test_bytes_that_are_gone_are_an_error_that_says_so(engine: Engine, runtime: Runtime, db: Connection) -> None:
    anna = await add_person(db, "anna@mail.example", first_name="Anna")
    delivery_id = await a_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("DELETE FROM blob_use")
    await db.execute("DELETE FROM blob")
    again = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring))
    with pytest.raises(Unavailable, match="SHA-256") as caught:
        await rendered(again, db, delivery_id, anna)
    assert caught.value.code == "BLOB_GONE"


@asynccontextmanager
async def sent_messages(runtime: Runtime) -> AsyncIterator[SentMessages]:
    urls = PublicUrls(runtime.settings, runtime.keyring)
    found = SentMessages(runtime.pool, Programs(ChannelRegistry.load(), urls, sends=False), urls, wait_seconds=5)
    try:
        yield found
    finally:
        await found.close()


async def test_the_mirror_page_shows_the_images(engine: Engine, runtime: Runtime, db: Connection) -> None:
    anna = await add_person(db, "anna@mail.example", first_name="Anna <cid:logo>")
    delivery_id = await a_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    message = Message(delivery_id=delivery_id, recipient_kind=1, recipient_id=anna, occurrence=0)
    async with sent_messages(runtime) as sent:
        html = (await sent.parts(message)).html
        assert html is not None
        assert 'src="data:image/png;base64,iVBORw0KGgo' in html
        assert "Hello Anna &lt;cid:logo&gt;" in html

        # Pages do without the attachments: only the picture has to be there.
        await db.execute("DELETE FROM blob_use")
        await db.execute("DELETE FROM blob WHERE size = $1", len(PDF))
        assert (await sent.parts(message)).html == html
        await db.execute("DELETE FROM blob")
        with pytest.raises(Unavailable):
            await sent.parts(message)


async def test_everybody_gets_the_files_and_the_archive_a_copy(
    engine: Engine, runtime: Runtime, db: Connection, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches that hold no more than they may."""
    monkeypatch.setattr(sending, "BATCH_BYTES", 20_000)
    sink = Sink(port=0, directory=tmp_path / "sink")
    await sink.start()
    await add_people(db, 7)
    delivery_id = await a_delivery(runtime, db, sink.port, archive_address="archive@mail.example")
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    await sink.close()

    kept = list(read_sink(tmp_path / "sink"))
    assert sorted(one.recipients for one in kept) == [(f"P{n}@mail.example", "archive@mail.example") for n in range(1, 8)]
    assert all(files_of(one.body) == NAMES for one in kept)
    sizes = [row["n"] for row in await db.fetch("SELECT settled AS n FROM lease")]
    assert sum(sizes) == 7
    assert max(sizes) == 2


async def test_programs_with_large_files_do_not_pile_up(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(db, "anna@mail.example", first_name="Anna")
    ids = []
    for name in ("one", "two", "three"):
        delivery_id = await a_delivery(runtime, db, name=name)
        await prepared(engine, runtime, db, delivery_id)
        ids.append(await db.fetchval("SELECT id FROM program WHERE delivery_id = $1", delivery_id))
    programs = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring))
    weight = (await programs.get(db, ids[0])).file_bytes
    monkeypatch.setattr(delivery_programs, "CACHED_BYTES", 2 * weight)
    first, second = [await programs.get(db, one) for one in ids[:2]]
    third = await programs.get(db, ids[2])
    assert await programs.get(db, ids[1]) is second
    assert await programs.get(db, ids[2]) is third
    assert await programs.get(db, ids[0]) is not first
    monkeypatch.setattr(delivery_programs, "CACHED_BYTES", 1)
    assert await programs.get(db, ids[1]) is await programs.get(db, ids[1])


async def test_a_delivery_whose_files_are_gone_pauses(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    delivery_id = await a_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await db.execute("DELETE FROM blob_use")
    await db.execute("DELETE FROM blob")
    await engine.close()
    other = open_engine(replace(runtime, worker_id="worker-b"))
    try:
        await other.sending.run(delivery_id)
        assert (await deliveries.get_delivery(db, delivery_id)).id == delivery_id
        counts = await reading.counts(db, delivery_id)
        assert (counts.pending, counts.failed) == (3, 0)
        state = await db.fetchrow("SELECT state, pause_reason FROM delivery_run WHERE delivery_id = $1", delivery_id)
        assert state["state"] == int(DeliveryState.PAUSED)
        assert "SHA-256" in state["pause_reason"]
    finally:
        await other.close()
