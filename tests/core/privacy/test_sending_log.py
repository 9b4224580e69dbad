"""What a sending log kept of somebody is given to them, and goes with them."""

from __future__ import annotations

from core.access import SYSTEM
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.engine import Engine
from core.planning.computed_records import SendingLog
from core.privacy.records import RequestKind
from core.reporting.sending_log import report_field, report_segments
from core.runtime import Runtime
from core.targeting.parse import parse_text
from tests.core.delivery.people import add_person, new_delivery, prepared
from tests.core.privacy.asking import done, given

ANN = "ann@mail.example"


async def test_code_and_fields_are_given_and_erased_and_totals_stand(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given two people in a prepared delivery, one of them excluded
    ann = await add_person(db, ANN, city="Annecy", opt_out=True)
    bob = await add_person(db, "bob@mail.example", city="Bonn")
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        kept = SendingLog(segment_code=parse_text("concat('in ', city)"), fields=("city",))
        await lifecycle.set_sending_log(db, SYSTEM, delivery_id, kept, runtime.clock())
    await prepared(engine, runtime, db, delivery_id)

    # Then one is given what was kept of her
    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "email", ANN))
    (row,) = data["tables"]["ledger"]
    assert (row["segment_code"], row["logged"]) == ("in Annecy", {"city": "Annecy"})

    # And when she is erased it goes, of her alone, and she is still counted
    await done(runtime, RequestKind.DELETE, "email", ANN)
    row = await reading.find_row(db, delivery_id, ann)
    assert row is not None
    assert (row.segment_code, row.logged) == (None, None)
    row = await reading.find_row(db, delivery_id, bob)
    assert row is not None
    assert (row.segment_code, row.logged) == ("in Bonn", {"city": "Bonn"})
    assert {one.code: one.targeted for one in await report_segments(db, delivery_id, include_machines=False)} == {
        None: 1, "in Bonn": 1,
    }  # fmt: skip
    found = await report_field(db, delivery_id, "city", first=5, include_machines=False)
    assert [(one.value, one.targeted) for one in found.values] == [("Bonn", 1)]
    assert (found.nothing.targeted, found.nothing.excluded) == (1, 1)
