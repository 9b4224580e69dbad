"""Files of rows of a dataset: keys, links, modes, what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.db import Connection
from core.errors import Invalid, NotFound
from core.profiles.import_options import ImportMode, ImportTarget, TargetKind
from core.profiles.profiles import create_profile
from core.profiles.run_records import EmptyCells, RunState
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, dataset, field, publish_draft, unique
from tests.core.profiles.house import people, read_file, read_rejects
from tests.core.transfers.house import counts, import_rows, ready, rows, shop


async def somebody(db: Connection, external_id: str, email: str | None = None) -> int:
    return (await create_profile(db, SYSTEM, {"external_id": external_id, "email": email}, now=NOW)).id


async def test_a_file_becomes_rows_of_every_kind_linked_to_others(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    ann, ben = await somebody(db, "A", "Ann@Mail.example"), await somebody(db, "B")
    await import_rows(
        runtime, "code,title\nX1,Chair\nX2,Table\n", "by_code",
        target=ImportTarget(kind=TargetKind.DATASET, dataset="product"),
    )  # fmt: skip
    data = (
        "receipt,shop,number,amount,paid,day,at,facts,place,customer.email,product.code\n"
        'R1,Paris,1,12.50,yes,1830-01-31,2026-01-31T10:00:00+01:00,"{""a"": [1, 2.50]}","(2.35,48.85)",ann@mail.EXAMPLE,X2\n'
        "R2,Paris,2,,,,,,,,\n"
        "R3,Lyon,1,1e3,no,,,null,2.5 -10,,X1\n"
    )
    run = await import_rows(runtime, data, "by_receipt")

    assert counts(run) == {"inserted": 3}
    found = await rows(db, "x_purchase", "x_receipt", "x_amount", "x_paid", "x_day", "x_at", "x_facts", "x_customer_id")
    assert found[0] == (
        "R1", Decimal("12.50"), True, date(1830, 1, 31), datetime(2026, 1, 31, 9, tzinfo=UTC), {"a": [1, 2.5]}, ann
    )  # fmt: skip
    assert found[1] == ("R2", None, None, None, None, None, None)
    assert [tuple(one[0]) for one in await rows(db, "x_purchase", "x_place") if one[0]] == [(2.35, 48.85), (2.5, -10.0)]
    assert [one for (one,) in await rows(db, "x_purchase", "x_product_id")] == [2, None, 1]
    assert len({token for (token,) in await rows(db, "x_purchase", "x_token") if token}) == 3

    again = await import_rows(runtime, data, "by_receipt")
    assert counts(again) == {"unchanged": 3}
    changed = await import_rows(runtime, f"receipt,customer,note\nR1,{ben},new\nR9,{ann},\n", "by_receipt")
    assert counts(changed) == {"updated": 1, "inserted": 1}
    assert (await rows(db, "x_purchase", "x_customer_id", "x_note", "x_shop"))[0] == (ben, "new", "Paris")


async def test_links_that_lead_nowhere_cost_their_row(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    ann = await somebody(db, "A", "twice@mail.example")
    await somebody(db, "B", "twice@mail.example")
    run = await import_rows(
        runtime,
        "receipt,customer.email\nR1,twice@mail.example\nR2,nobody@mail.example\nR3,not an address\nR4,\n",
        "by_receipt",
    )
    assert counts(run) == {"inserted": 2, "rejected": 2, "ambiguous": 1}
    told = [(one["line"], one["column"], one["code"]) for one in await read_rejects(runtime, run)]
    assert told == [
        ("2", "customer.email", "AMBIGUOUS"),
        ("3", "customer.email", "NOT_FOUND"),
        ("4", "customer.email", "NOT_FOUND"),
    ]
    assert await rows(db, "x_purchase", "x_receipt", "x_customer_id") == [("R1", ann), ("R4", None)]

    by_number = await import_rows(runtime, f"receipt,customer\nR5,{ann}\nR6,999999\nR7,x\n", "by_receipt")
    assert counts(by_number) == {"inserted": 1, "rejected": 2}
    both = await import_rows(runtime, f"receipt,customer,customer.external_id\nR8,{ann},A\n", "by_receipt")
    assert both.error is not None
    assert both.error.code == "BAD_LINK_COLUMNS"


async def test_several_keys_in_order_and_a_key_of_several_fields(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await import_rows(runtime, "shop,number,receipt\nParis,1,R1\nParis,2,R2\n", "by_number")
    run = await import_rows(
        runtime,
        "shop,number,receipt,note\n"
        "Paris,1,,a\n"  # by the first key
        ",,R2,b\n"  # by the second
        "Paris,3,R3,c\n"  # new
        "Paris,3,,d\n"  # the same
        "Paris,4,R1,e\n"  # the receipt finds the first row, whose number it would change
        ",5,,f\n",  # no whole key
        "by_number", more_keys=("by_receipt",),
    )  # fmt: skip
    assert counts(run) == {"updated": 2, "inserted": 1, "repeated": 2, "rejected": 1}
    assert [one["code"] for one in await read_rejects(runtime, run)] == ["NO_KEY"]
    assert await rows(db, "x_purchase", "x_shop", "x_number", "x_receipt", "x_note") == [
        ("Paris", 4, "R1", "e"), ("Paris", 2, "R2", "b"), ("Paris", 3, "R3", "d"),
    ]  # fmt: skip


async def test_a_value_that_another_row_has_costs_its_row_alone(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await import_rows(runtime, "shop,number,receipt\nParis,1,R1\nParis,2,R2\n", "by_number")
    run = await import_rows(
        runtime, "shop,number,receipt\nParis,1,R2\nParis,3,R9\nParis,4,R9\nParis,2,R2\n", "by_number"
    )  # fmt: skip
    assert counts(run) == {"inserted": 1, "unchanged": 1, "rejected": 2}
    assert [(one["line"], one["code"]) for one in await read_rejects(runtime, run)] == [
        ("2", "VALUE_TAKEN"),
        ("4", "VALUE_TAKEN"),
    ]


@pytest.mark.parametrize(
    ("mode", "expected", "left"),
    [
        (ImportMode.INSERT, {"inserted": 1, "skipped": 1}, [("R1", None), ("R2", "x")]),
        (ImportMode.UPDATE, {"updated": 1, "skipped": 1}, [("R1", "x")]),
        (ImportMode.DELETE, {"deleted": 1, "skipped": 1}, []),
    ],
)  # fmt: skip
async def test_modes(
    runtime: Runtime, db: Connection, mode: ImportMode, expected: dict[str, int], left: list[tuple[str, str | None]]
) -> None:
    await shop(runtime, db)
    await import_rows(runtime, "receipt\nR1\n", "by_receipt")
    dry = await import_rows(runtime, "receipt,note\nR1,x\nR2,x\n", "by_receipt", mode=mode, dry_run=True)
    assert counts(dry) == expected
    assert await rows(db, "x_purchase", "x_receipt", "x_note") == [("R1", None)]
    run = await import_rows(runtime, "receipt,note\nR1,x\nR2,x\n", "by_receipt", mode=mode)
    assert counts(run) == expected
    assert await rows(db, "x_purchase", "x_receipt", "x_note") == left


async def test_rows_go_by_what_the_house_gave_them(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await import_rows(runtime, "receipt\nR1\nR2\nR3\n", "by_receipt")
    token = (await rows(db, "x_purchase", "x_token"))[1][0]
    number = (await rows(db, "x_purchase", "id"))[0][0]
    stranger = await import_rows(runtime, f"token,note\n{token},x\n00000000-0000-4000-8000-000000000000,y\nno,z\n", "token")
    assert counts(stranger) == {"updated": 1, "rejected": 2}
    gone = await import_rows(runtime, f"token\n{token}\n", "token", mode=ImportMode.DELETE)
    also = await import_rows(runtime, f"id\n{number}\n{number}\n99999\n", "id", mode=ImportMode.DELETE)
    assert (counts(gone), counts(also)) == ({"deleted": 1}, {"deleted": 1, "repeated": 1, "skipped": 1})
    assert await rows(db, "x_purchase", "x_receipt") == [("R3",)]


async def test_a_link_is_part_of_a_key(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await unique(db, "of_person", "customer", "number")
    await publish_draft(db)
    await datamodel.build(runtime)
    await somebody(db, "A")
    await somebody(db, "B")
    data = "customer.external_id,number,note\nA,1,a\nB,1,b\nA,2,c\nA,1,d\n,1,e\nC,1,f\n"
    run = await import_rows(runtime, data, "of_person")
    assert counts(run) == {"inserted": 3, "repeated": 1, "rejected": 2}
    assert counts(await import_rows(runtime, data, "of_person")) == {"unchanged": 3, "repeated": 1, "rejected": 2}
    assert [one for (one,) in await rows(db, "x_purchase", "x_note")] == ["b", "c", "d"]  # the last row of a key is the one


@pytest.mark.parametrize(
    "cells",
    [
        '{"a": "\\u0000"}', '{"a": "\\ud800"}', "{", "[" * 3000 + "]" * 3000, '{"a": NaN}', '{"a": 1e999}',
        '{"k": ' * 101 + "1" + "}" * 101,
    ],
)  # fmt: skip
async def test_json_that_cannot_be_kept_costs_its_row(runtime: Runtime, db: Connection, cells: str) -> None:
    await shop(runtime, db)
    cell = cells.replace('"', '""')
    run = await import_rows(runtime, f'receipt,facts\nR1,"{cell}"\nR2,"[1]"\n', "by_receipt")
    assert counts(run) == {"inserted": 1, "rejected": 1}


@pytest.mark.parametrize("cell", ["181,0", "0,91", "1", "1,2,3", "a,b", "1e9,1", "(1,2", "0x1,2"])
async def test_places_that_are_none(runtime: Runtime, db: Connection, cell: str) -> None:
    await shop(runtime, db)
    run = await import_rows(runtime, f'receipt,place\nR1,"{cell}"\n', "by_receipt")
    assert (counts(run) == {"rejected": 1}) is (cell != "(1,2")  # a missing bracket does no harm


async def test_refused_rows_are_corrected_and_come_back(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    run = await import_rows(runtime, "receipt,amount,note\nR1,=1+1,=x\nR2,2,\n", "by_receipt")
    assert counts(run) == {"inserted": 1, "rejected": 1}
    corrected = (await read_file(runtime, run.rejects_file_id)).replace("'=1+1", "7")
    assert counts(await import_rows(runtime, corrected.replace("=1+1", "7"), "by_receipt")) == {"inserted": 1}
    assert (await rows(db, "x_purchase", "x_receipt", "x_amount", "x_note"))[1] == ("R1", 7, "=x")


async def test_empty_cells_clear_when_asked_to(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await import_rows(runtime, 'receipt,note,facts,place\nR1,x,[1],"1,2"\n', "by_receipt")
    empty = "receipt,note,facts,place\nR1,,,\n"
    assert counts(await import_rows(runtime, empty, "by_receipt")) == {"unchanged": 1}
    assert counts(await import_rows(runtime, empty, "by_receipt", empty=EmptyCells.CLEAR)) == {"updated": 1}
    assert await rows(db, "x_purchase", "x_receipt", "x_note", "x_facts", "x_place") == [("R1", None, None, None)]


async def test_what_is_not_there_is_refused_at_once(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    with pytest.raises(NotFound) as missing:
        await ready(runtime, "", "id", target=ImportTarget(kind=TargetKind.DATASET, dataset="purchas"))
    assert missing.value.code == "DATASET_NOT_FOUND"
    with pytest.raises(NotFound):
        await ready(runtime, "", "id", target=ImportTarget(kind=TargetKind.DATASET, dataset="profile"))
    with pytest.raises(Invalid) as key:
        await ready(runtime, "", "by_numbr")
    assert (key.value.code, key.value.hint) == ("UNKNOWN_KEY", "Did you mean 'by_number'?")
    for given in ("id", "token"):
        with pytest.raises(Invalid) as new:
            await ready(runtime, "", given, mode=ImportMode.INSERT)
        assert new.value.code == "BAD_KEY"


async def test_a_key_that_is_not_built_yet_finds_nothing(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("receipt"))
    await unique(db, "by_receipt", "receipt")
    await publish_draft(db)
    with pytest.raises(Invalid) as key:
        await ready(runtime, "", "by_receipt")
    assert key.value.code == "UNKNOWN_KEY"
    await datamodel.build(runtime)
    run = await import_rows(runtime, "receipt\nR1\n", "by_receipt")
    assert run.state is RunState.FINISHED
    assert await people(runtime, "id") == []
