"""Rows: what is written, what is refused and where, and how often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core.access import SYSTEM, Actor, Permission
from core.db import Connection
from core.errors import ClarionError, Conflict, Forbidden, Invalid, NotFound, Stale
from core.ids import to_global_id
from core.rows.deleting import delete_row, delete_rows
from core.rows.identities import row_id
from core.rows.listing import find_row
from core.rows.records import Mode, Row, RowOutcome, RowStatus, SentRow
from core.rows.writing import create_row, update_row, upsert_row, write_rows
from tests.core.datamodel.model import NOW
from tests.core.rows.shop import person

ALL: dict[str, Any] = {
    "code": " A1 ", "amount": "12.50", "pieces": 3, "bought_at": "2026-02-01T10:00:00+02:00", "day": "1789-07-14", "paid": True,
    "state": "Sent_Back", "more": {"a": [1, None, "é"]}, "place": {"longitude": 2.35, "latitude": -48.5},
}  # fmt: skip


def sent(row: object = None, **values: Any) -> SentRow:
    """A row to be sent."""
    return SentRow(values=values, row=row)


async def make(conn: Connection, dataset: str = "purchase", **values: Any) -> Row:
    """A row that is there."""
    outcome = await create_row(conn, SYSTEM, dataset, sent(**values), now=NOW)
    assert outcome.row is not None
    return outcome.row


async def write(conn: Connection, mode: Mode, *rows: SentRow, **more: Any) -> list[RowOutcome]:
    """Purchases."""
    return await write_rows(conn, SYSTEM, "purchase", rows, mode=mode, now=NOW, **more)


def told(outcomes: list[RowOutcome]) -> list[str | tuple[str, str | None]]:
    """The status of each, or code and place of what is wrong."""
    return [
        (one.problems[0].code, one.problems[0].path) if one.problems else one.status.value for one in outcomes
    ]  # fmt: skip


async def test_every_kind_of_value_comes_back_as_it_was_understood(shop: Connection) -> None:
    row = await make(shop, **ALL)

    assert row.title == "A1"
    assert dict(row.values) == {
        "code": "A1", "amount": Decimal("12.50"), "pieces": 3, "bought_at": datetime(2026, 2, 1, 8, tzinfo=UTC),
        "day": date(1789, 7, 14), "paid": True, "state": "sent_back", "more": {"a": [1, None, "é"]},
        "place": asyncpg.Point(2.35, -48.5), "ref": row.values["ref"],
    }  # fmt: skip
    assert row.values["ref"] is not None
    assert await find_row(shop, "purchase", row_id("purchase", row.id)) == row
    assert await find_row(shop, "purchase", {"code": "A1"}) == row
    assert await find_row(shop, "purchase", {"code": "A2"}) is None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("code", "x" * 31, "TOO_LONG"),
        ("code", 12, "WRONG_TYPE"),
        ("code", "a\x00b", "BAD_TEXT"),
        ("code", "\ud800", "BAD_TEXT"),
        ("amount", "twelve", "BAD_VALUE"),
        ("amount", True, "WRONG_TYPE"),
        ("amount", "1e999", "BAD_VALUE"),
        ("pieces", 2**63, "BAD_VALUE"),
        ("pieces", 1.5, "WRONG_TYPE"),
        ("bought_at", "2026-02-01T10:00:00", "BAD_DATE"),
        ("day", "2026-02-30", "BAD_DATE"),
        ("paid", "perhaps", "BAD_VALUE"),
        ("state", "lost", "BAD_VALUE"),
        ("more", {"a": "\x00"}, "BAD_TEXT"),
        ("more", ["x" * 100_001], "TOO_LONG"),
        ("place", [2, 48], "WRONG_TYPE"),
        ("place", {"longitude": 181, "latitude": 0}, "BAD_VALUE"),
        ("place", {"longitude": float("nan"), "latitude": 0}, "BAD_VALUE"),
        ("ref", "9f0c7a52-0000-4000-8000-000000000000", "READ_ONLY_FIELD"),
        ("owner", "x", "READ_ONLY_FIELD"),
        ("cod", "x", "UNKNOWN_FIELD"),
        ("x_code = '' --", "x", "UNKNOWN_FIELD"),
        ("id", 7, "UNKNOWN_FIELD"),
        ("customer", 7, "WRONG_TYPE"),
        ("customer", {}, "WRONG_TYPE"),
        ("customer", "nonsense", "BAD_ID"),
        ("customer", to_global_id("Profile", 999_999_999), "ROW_NOT_FOUND"),
        ("customer", {"external_id": "nobody"}, "PROFILE_NOT_FOUND"),
        ("customer", {"external_id": 3}, "WRONG_TYPE"),
        ("customer", {"email": "no address"}, "BAD_EMAIL"),
        ("customer", {"last_name": "Doe"}, "UNKNOWN_KEY"),
        ("product", to_global_id("Profile", 1), "BAD_ID"),
        ("product", row_id("club", 1), "BAD_ID"),
        ("product", {"sku": "none"}, "ROW_NOT_FOUND"),
        ("product", {"sku": None}, "REQUIRED"),
    ],
)
async def test_what_cannot_be_says_where(shop: Connection, name: str, value: object, code: str) -> None:
    with pytest.raises(ClarionError) as refused:
        await create_row(shop, SYSTEM, "purchase", sent(**{name: value}), now=NOW)

    found = refused.value.code
    assert found == code or (code, found) in {("BAD_EMAIL", "BAD_VALUE"), ("ROW_NOT_FOUND", "PROFILE_NOT_FOUND")}
    assert refused.value.path is not None
    assert refused.value.path.startswith(f"values.{name}")
    assert await shop.fetchval("SELECT count(*) FROM x_purchase") == 0


async def test_all_that_is_wrong_with_a_row_is_told_at_once(shop: Connection) -> None:
    with pytest.raises(Invalid) as refused:
        await create_row(shop, SYSTEM, "purchase", sent(code=1, amount="x", customer="y"), now=NOW)

    assert [one.path for one in refused.value.problems] == ["values.code", "values.amount", "values.customer"]  # type: ignore[attr-defined]


async def test_links_are_set_by_what_their_rows_are_known_by(shop: Connection) -> None:
    ann = await person(shop, external_id="c-1", email_key="ann@shop.example", x_card="K7")
    product = await make(shop, "product", sku="tea")
    ways: list[object] = [to_global_id("Profile", ann), {"id": to_global_id("Profile", ann)}, {"external_id": "c-1"},
                          {"email": "Ann@Shop.example"}, {"card": "K7"}]  # fmt: skip
    outcomes = await write(shop, Mode.CREATE, *(sent(customer=way, product={"sku": "tea"}) for way in ways))

    assert [dict(one.row.links) for one in outcomes if one.row] == [{"customer": ann, "product": product.id}] * 5
    await update_row(shop, SYSTEM, "purchase", sent(row_id("purchase", outcomes[0].row.id), customer=None), now=NOW)  # type: ignore[union-attr]
    assert await shop.fetchval("SELECT count(*) FROM x_purchase WHERE x_customer_id IS NULL") == 1


async def test_links_to_merged_people_are_their_survivors(shop: Connection) -> None:
    ann = await person(shop)
    merged = await person(shop, external_id="old", x_card="K1", merged_into=ann)
    ways: list[object] = [to_global_id("Profile", merged), {"external_id": "old"}, {"card": "K1"}]

    outcomes = await write(shop, Mode.CREATE, *(sent(customer=way) for way in ways))

    assert [one.row.links["customer"] for one in outcomes if one.row] == [ann, ann, ann]


async def test_a_patch_changes_what_it_names(shop: Connection) -> None:
    row = await make(shop, **ALL)
    changed = (await update_row(shop, SYSTEM, "purchase", sent({"code": "A1"}, amount=1, paid=None), now=NOW)).row
    same = await update_row(shop, SYSTEM, "purchase", sent({"code": "A1"}, **ALL | {"amount": 1, "paid": None}), now=NOW)

    assert changed is not None
    assert dict(changed.values) == dict(row.values) | {"amount": Decimal(1), "paid": None}
    assert changed.updated_at > row.updated_at
    assert (same.status, same.row) == (RowStatus.UNCHANGED, changed)
    stale = SentRow(values={"amount": 2}, row=row_id("purchase", row.id), expected_updated_at=row.updated_at)
    with pytest.raises(Stale) as refused:
        await update_row(shop, SYSTEM, "purchase", stale, now=NOW)
    assert (refused.value.code, refused.value.path) == ("VERSION_CHANGED", "expectedUpdatedAt")
    fresh = SentRow(values={"amount": 2}, row=row_id("purchase", row.id), expected_updated_at=changed.updated_at)
    assert (await update_row(shop, SYSTEM, "purchase", fresh, now=NOW)).status is RowStatus.UPDATED


async def test_an_upsert_finds_rows_by_a_key(shop: Connection) -> None:
    ann = await person(shop, external_id="c-1")
    await make(shop, code="A1", amount=1, pieces=1)
    outcomes = await write(
        shop, Mode.UPSERT, sent(code="A1", amount=2), sent(code="A2", amount=3), sent(code="A1", amount=4), sent(amount=5),
        sent(code="A3", amount="x"), key="by_code",
    )  # fmt: skip
    again = await write(shop, Mode.UPSERT, sent(code="A2", amount=3), sent(code="A1", pieces=1), key="by_code")
    line = await write(shop, Mode.UPSERT, sent(customer={"external_id": "c-1"}, pieces=9, code="A9"), key="by_line")
    moved = await write(shop, Mode.UPSERT, sent(customer=to_global_id("Profile", ann), pieces=9, code="A8"), key="by_line")

    assert told(outcomes) == [
        "updated", "created", ("ROW_REPEATED", "rows.2"), ("REQUIRED", "rows.3.values.code"),
        ("BAD_VALUE", "rows.4.values.amount"),
    ]  # fmt: skip
    assert told(again) == ["unchanged", "unchanged"]
    assert told(line) + told(moved) == ["created", "updated"]
    assert await shop.fetchval("SELECT string_agg(x_code, ' ' ORDER BY x_code) FROM x_purchase") == "A1 A2 A8"
    with pytest.raises(Invalid, match="several unique keys"):
        await upsert_row(shop, SYSTEM, "purchase", sent(code="A1"), now=NOW)
    with pytest.raises(Invalid, match="no built key 'by_cod'"):
        await upsert_row(shop, SYSTEM, "purchase", sent(code="A1"), now=NOW, key="by_cod")


async def test_keys_refuse_rows_and_let_the_others_in(shop: Connection) -> None:
    ann = {"id": to_global_id("Profile", await person(shop))}
    await make(shop, code="A1", customer=ann, pieces=1)
    taken = await write(
        shop, Mode.CREATE, sent(code="A1"), sent(code="B1"), sent(code="B1"), sent(code="B2", customer=ann, pieces=1),
        sent(code="B3", customer=ann, pieces=2), sent(code=None), sent(),
    )  # fmt: skip
    named = await write(shop, Mode.CREATE, sent({"code": "B1"}, amount=1))
    assert told(named) == [("ROW_NOT_TAKEN", "rows.0.row")]
    moved = await write(
        shop, Mode.UPDATE, sent({"code": "B1"}, code="B3"), sent({"code": "B3"}, amount=7), sent({"code": "none"}, code="C"),
        sent(None, code="D"), sent({"code": "B1"}, amount=1),
    )  # fmt: skip

    assert told(taken) == [
        ("VALUE_TAKEN", "rows.0.values.code"), "created", ("VALUE_TAKEN", "rows.2.values.code"),
        ("VALUE_TAKEN", "rows.3.values"), "created", "created", "created",
    ]  # fmt: skip
    assert told(moved) == [
        ("VALUE_TAKEN", "rows.0.values.code"), "updated", ("ROW_NOT_FOUND", "rows.2.row"), ("REQUIRED", "rows.3.row"),
        "updated",  # what was refused before does not count
    ]  # fmt: skip


async def test_a_link_to_one_is_refused_to_a_second(shop: Connection) -> None:
    row = await make(shop, code="A1")
    await make(shop, "invoice", number="1", purchase={"code": "A1"})

    with pytest.raises(Conflict) as refused:
        await create_row(shop, SYSTEM, "invoice", sent(number="2", purchase=row_id("purchase", row.id)), now=NOW)

    assert (refused.value.code, refused.value.path) == ("VALUE_TAKEN", "values.purchase")


async def test_rows_that_others_need_stay(shop: Connection) -> None:
    tea, ink = await make(shop, "product", sku="tea"), await make(shop, "product", sku="ink")
    await make(shop, code="A1", product={"sku": "tea"})
    await make(shop, "invoice", number="1", purchase={"code": "A1"})

    outcomes = await delete_rows(
        shop, SYSTEM, "product", [row_id("product", tea.id), {"sku": "ink"}, row_id("product", ink.id), {"sku": "x"}, "y"]
    )
    assert told(outcomes) == [
        ("LINKED", "rows.0"), "deleted", ("ROW_REPEATED", "rows.2"), ("ROW_NOT_FOUND", "rows.3"), ("BAD_ID", "rows.4"),
    ]  # fmt: skip
    gone = await delete_row(shop, SYSTEM, "purchase", {"code": "A1"})
    assert gone.status is RowStatus.DELETED
    assert await shop.fetchval("SELECT count(*) FROM x_invoice") == 0  # it belongs to the purchase
    assert told(await delete_rows(shop, SYSTEM, "product", [{"sku": "tea"}])) == ["deleted"]
    with pytest.raises(NotFound):
        await delete_row(shop, SYSTEM, "purchase", {"code": "A1"})


async def test_a_thousand_rows_take_as_many_statements_as_two(shop: Connection) -> None:
    await make(shop, "product", sku="tea")
    said: list[str] = []
    counts = []
    with shop.query_logger(lambda one: said.append(one.query)):
        for first, count in ((0, 2), (2, 2), (4, 1000)):  # at first the driver asks for types, too
            before, codes = len(said), [f"A{first + n}" for n in range(count)]
            rows = [sent(code=code, product={"sku": "tea"}) for code in codes]
            assert set(told(await write(shop, Mode.UPSERT, *rows, key="by_code"))) == {"created"}
            changes = [sent(code=code, amount=n, product={"sku": "tea"}) for n, code in enumerate(codes)]
            assert set(told(await write(shop, Mode.UPSERT, *changes, key="by_code"))) == {"updated"}
            gone = await delete_rows(shop, SYSTEM, "purchase", [{"code": code} for code in codes])
            assert {one.status for one in gone} == {RowStatus.DELETED}
            counts.append(len(said) - before)
    assert counts[1] == counts[2] <= 36, said
    with pytest.raises(Invalid) as refused:
        await write(shop, Mode.CREATE, *[sent()] * 1001)
    assert refused.value.code == "TOO_MANY_ROWS"


async def test_what_was_done_is_in_the_audit_log_without_values(shop: Connection) -> None:
    row = await make(shop, code="secret", amount=1)
    await update_row(shop, SYSTEM, "purchase", sent({"code": "secret"}, amount=None), now=NOW)
    await update_row(shop, SYSTEM, "purchase", sent({"code": "secret"}, amount=None), now=NOW)
    await delete_row(shop, SYSTEM, "purchase", {"code": "secret"})

    rows = await shop.fetch("SELECT action, object_id, changes FROM audit_entry WHERE object_type = 'dataset_row' ORDER BY id")
    assert [tuple(one) for one in rows] == [
        ("dataset_row.create", f"purchase:{row.id}", {"fields": ["amount", "code"]}),
        ("dataset_row.update", f"purchase:{row.id}", {"fields": ["amount"]}),
        ("dataset_row.delete", f"purchase:{row.id}", {}),
    ]


async def test_datasets_that_are_none_and_people_who_may_not(shop: Connection) -> None:
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    for dataset in ("purchases", "profile", "x; DROP TABLE profile", ""):
        with pytest.raises(NotFound) as refused:
            await create_row(shop, SYSTEM, dataset, sent(), now=NOW)
        assert refused.value.code == "DATASET_NOT_FOUND"
    with pytest.raises(Forbidden):
        await create_row(shop, reader, "purchase", sent(), now=NOW)
    with pytest.raises(Forbidden):
        await delete_row(shop, reader, "purchase", {"code": "A1"})


async def test_times_of_change_only_grow(shop: Connection) -> None:
    await make(shop, code="A1")
    for amount in (1, 2):
        await update_row(shop, SYSTEM, "purchase", sent({"code": "A1"}, amount=amount), now=NOW - timedelta(days=amount))

    found = await shop.fetchval("SELECT updated_at FROM x_purchase")
    assert found == NOW + timedelta(microseconds=2)
