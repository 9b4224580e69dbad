"""What the ledger keeps of each recipient: the code of their segment, and fields as they were when it was prepared."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel.records import Choice, FieldKind
from core.db import Connection
from core.delivery import ending, lifecycle, prepare, reading
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerRow, LedgerState
from core.errors import Invalid, Stale
from core.planning.computed_records import SendingLog
from core.planning.seed_records import ControlGroup, Extraction
from core.profiles import merging
from core.profiles.merge_records import MergePlan
from core.reporting.records import SegmentReport
from core.reporting.sending_log import report_segments
from core.runtime import Runtime
from core.targeting.audiences import count, open_question
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from core.targeting.text_form import literal_text
from tests.core.datamodel.model import field, publish_fields
from tests.core.delivery.people import add_people, add_person, confirmed, new_delivery, prepared
from tests.core.delivery.test_columns import listed
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row
from tests.core.hostile import HOSTILE

UTC_ZONE = ZoneInfo("UTC")
TIERS = (Choice(name="gold", label="Gold card"),)
FIELDS = (
    field("spent", FieldKind.DECIMAL), field("tier", FieldKind.ENUMERATION, choices=TIERS), field("home", FieldKind.POINT),
    field("extra", FieldKind.JSON),
)  # fmt: skip


async def keep(db: Connection, runtime: Runtime, delivery_id: int, code: str | None = None, *fields: str) -> None:
    kept = SendingLog(segment_code=None if code is None else parse_text(code), fields=fields)
    async with db.transaction():
        await lifecycle.set_sending_log(db, SYSTEM, delivery_id, kept, runtime.clock())


async def row_of(db: Connection, delivery_id: int, profile_id: int) -> LedgerRow:
    row = await reading.find_row(db, delivery_id, profile_id)
    assert row is not None
    return row


async def send(engine: Engine, runtime: Runtime, db: Connection, delivery_id: int) -> None:
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)


async def found_by(db: Connection, question: str) -> int:
    return await count(db, await open_question(db, parse_text(question)), at=datetime.now(UTC), zone=UTC_ZONE)


async def test_code_and_fields_are_kept_of_everybody_as_they_were(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given fields of every sort, a question for the code, somebody who is excluded, somebody held back, and ranges of two
    monkeypatch.setattr(prepare, "RANGE", 2)
    await publish_fields(db, *FIELDS)
    ann = await add_person(db, "a@mail.example", city="Paris", country="FR", gender=2, x_spent=Decimal("12.50"), x_tier="gold")
    bob = await add_person(db, "b@mail.example", city="Rome", country="IT", opt_out=True)
    cem = await add_person(db, "c@mail.example", country="FR")
    await db.execute("UPDATE profile SET x_home = point(2.5, 48) WHERE id = $1", ann)
    delivery_id = await new_delivery(runtime, db, html="<p>Hello</p>")
    fields = ("city", "gender", "birth_date", "spent", "tier", "home")
    await keep(db, runtime, delivery_id, "if(city is_null, '  ', concat(country, '-', city))", *fields)
    group = ControlGroup(extraction=Extraction.FIRST, by=parse_text("id"), size=1)
    async with db.transaction():
        await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, runtime.clock())

    # When it is prepared, and then everything changes
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE profile SET city = 'Nice', x_spent = 0")

    # Then the log tells what was, words for codes, and nothing where there is nothing
    row = await row_of(db, delivery_id, ann)
    assert (row.state, row.segment_code) == (LedgerState.PENDING, "FR-Paris")
    assert row.logged == {
        "city": "Paris", "gender": "female", "spent": 12.5, "tier": "gold", "home": {"longitude": 2.5, "latitude": 48.0},
    }  # fmt: skip
    row = await row_of(db, delivery_id, bob)
    assert (row.state, row.segment_code) == (LedgerState.EXCLUDED, "IT-Rome")
    assert (row.logged or {}).get("city") == "Rome"
    row = await row_of(db, delivery_id, cem)
    assert (row.state, row.segment_code) == (LedgerState.EXCLUDED, None)  # held back
    assert row.logged == {"gender": "unknown"}


async def test_a_rank_is_a_code_and_chooses_whom_a_delivery_finds(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "RANGE", 2)
    births = (1990, 1970, 1980, 1960, 2000)
    people = [await add_person(db, f"p{born}@mail.example", birth_date=date(born, 1, 1), country="FR") for born in births]
    delivery_id = await new_delivery(runtime, db, audience="rank(by birth_date, per country) <= 4")
    await keep(db, runtime, delivery_id, "concat('no. ', to_text(rank(by birth_date)))")
    await prepared(engine, runtime, db, delivery_id)
    rows = [await reading.find_row(db, delivery_id, one) for one in people]
    assert [row and row.segment_code for row in rows] == ["no. 4", "no. 2", "no. 3", "no. 1", None]


async def test_a_code_is_a_text_whatever_it_says(engine: Engine, runtime: Runtime, db: Connection) -> None:
    texts = [one for one in HOSTILE if one.strip() == one and len(one) <= 100 and "\0" not in one and "\ud800" not in one]
    people = {await add_person(db, f"p{n}@mail.example", city=text): text for n, text in enumerate(texts)}
    delivery_id = await new_delivery(runtime, db)
    await keep(db, runtime, delivery_id, f"if(city = {literal_text(texts[1])}, {literal_text(texts[1])}, city)")
    await prepared(engine, runtime, db, delivery_id)

    for profile_id, text in people.items():
        assert (await row_of(db, delivery_id, profile_id)).segment_code == text
        assert await found_by(db, f"exists(received where segment_code = {literal_text(text)})") == 0, "none is sent yet"
    await db.execute("UPDATE ledger SET state = 4, settled_at = now()")
    for text in texts:
        assert await found_by(db, f"exists(received where segment_code = {literal_text(text)})") == 1
    assert await db.fetchval("SELECT count(*) FROM profile") == len(texts)


async def test_the_code_of_a_segmented_list_travels_along_unless_an_expression_says_another(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    one, two = await add_person(db, "a@mail.example"), await add_person(db, "b@mail.example")
    gone = await add_person(db, "c@mail.example")
    await listed(db, runtime, columns={"segment": "if(id = 1, 'best', if(id = 3, 'merged'))"})
    async with db.transaction():
        await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=two, other_ids=(gone,)), now=runtime.clock())
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')")
    await prepared(engine, runtime, db, delivery_id)
    row = await row_of(db, delivery_id, one)
    assert (row.segment_code, row.logged) == ("best", None)

    await keep(db, runtime, delivery_id, "concat(audience_column('vip', 'segment'), '/', to_text(id), '/', 'x')")
    await prepared(engine, runtime, db, delivery_id)
    assert (await row_of(db, delivery_id, one)).segment_code == "best/1/x"

    await keep(db, runtime, delivery_id, "pad_left('', 300, 'ä')")
    await prepared(engine, runtime, db, delivery_id)
    assert (await row_of(db, delivery_id, one)).segment_code == "ä" * 100


async def test_what_is_kept_is_a_version_of_the_delivery(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 2)
    await listed(db, runtime, "others", {"code": "'x'"})
    delivery_id = await new_delivery(runtime, db)
    await keep(db, runtime, delivery_id, "audience_column('others', 'code')", "city")
    await prepared(engine, runtime, db, delivery_id)
    await keep(
        db, runtime, delivery_id, "audience_column('others', 'code')", "city"
    )  # what changes nothing leaves all as it is
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY

    # The audience that the code asks is one of the things read
    await db.execute("UPDATE audience SET version = version + 1 WHERE name = 'others'")
    with pytest.raises(Stale):
        await confirmed(db, runtime, delivery_id)

    await keep(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert await db.fetchval("SELECT count(*) FROM delivery_sending_log") == 0


async def test_what_cannot_be_kept_is_refused(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    delivery_id = await new_delivery(runtime, db)
    for code, fields, expected in (
        ("now", (), "BAD_SEGMENT_CODE"), (None, ("extra",), "BAD_FIELD"), (None, ("citty",), "UNKNOWN_FIELD"),
        (None, ("city", "city"), "BAD_FIELD"), (None, ("city",) * 21, "TOO_MANY_FIELDS"),
        (None, ("messages",), "UNKNOWN_FIELD"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            await keep(db, runtime, delivery_id, code, *fields)
        assert refused.value.code == expected
    with pytest.raises(ExpressionError):
        await keep(db, runtime, delivery_id, "citty")
    assert await db.fetchval("SELECT count(*) FROM delivery_sending_log") == 0


async def test_traps_have_neither(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    delivery_id, trap = await new_delivery(runtime, db), await add_trap(db, city="Paris")
    await set_traps(db, runtime, delivery_id, trap)
    await keep(db, runtime, delivery_id, "'VIP'", "city")
    await prepared(engine, runtime, db, delivery_id)
    row = await trap_row(db, delivery_id, trap)
    assert (row.state, row.segment_code, row.logged) == (LedgerState.PENDING, None, None)


async def test_questions_and_the_report_read_what_was_kept(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given six people in two segments, one of whom opted out, and one whose message bounced
    await publish_fields(db, field("points", FieldKind.INTEGER))
    await add_people(db, 6)
    await db.execute("UPDATE profile SET x_points = id * 10, opt_out = id = 6")
    delivery_id = await new_delivery(runtime, db)
    await keep(db, runtime, delivery_id, "if(id <= 2, 'VIP', if(id <= 5, 'rest'))", "points")
    await prepared(engine, runtime, db, delivery_id)
    await send(engine, runtime, db, delivery_id)
    await db.execute("UPDATE profile SET x_points = 0")
    await db.execute("UPDATE ledger SET state = 5, after_hand_over = true, reason = 1 WHERE recipient_id = 5")

    # When one of each opens, and a machine clicks for one
    await db.executemany(
        """
        INSERT INTO tracking_first (delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine_first)
        VALUES ($1, $2, 1, 0, $3, $4, $5, $5)
        """,
        [(delivery_id, 1, 0, 0, False), (delivery_id, 1, 1, 0, False), (delivery_id, 1, 1, 3, False),
         (delivery_id, 3, 0, 0, True), (delivery_id, 3, 1, 0, True), (delivery_id, 4, 0, 0, False)],
    )  # fmt: skip

    # Then the report says so by code, whoever has none last
    def report(code: str | None, *figures: int) -> SegmentReport:
        return SegmentReport(
            **dict(zip(("targeted", "excluded", "sent", "accepted", "failed", "opened", "clicked"), figures, strict=True)),
            code=code,
        )

    people = [report("rest", 3, 0, 3, 2, 1, 1, 0), report("VIP", 2, 0, 2, 2, 0, 1, 1), report(None, 1, 1, 0, 0, 0, 0, 0)]
    assert await report_segments(db, delivery_id, include_machines=False) == people
    people[0] = report("rest", 3, 0, 3, 2, 1, 2, 1)
    assert await report_segments(db, delivery_id, include_machines=True) == people

    # And questions find them by it, whatever they are now
    assert await found_by(db, "exists(received where segment_code = 'VIP')") == 2
    assert await found_by(db, "exists(messages where segment_code = 'rest' and state = 'failed')") == 1
    assert await found_by(db, "exists(received where json_number(logged, 'points') >= 20)") == 3
    assert await found_by(db, "last(segment_code of received by at) = 'VIP' and points = 0") == 2
