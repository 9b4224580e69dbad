"""Several at once: the same key, the same rows, and a publication in between."""

from __future__ import annotations

import asyncio

import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import get_draft, remove_field
from core.datamodel.hidden import drop_hidden
from core.datamodel.publication import publish
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, Invalid
from core.rows.deleting import delete_row
from core.rows.listing import get_rows, list_rows
from core.rows.records import Mode, RowStatus
from core.rows.writing import create_row, write_rows
from tests.core.datamodel.model import NOW
from tests.core.rows.test_reading import ZONE
from tests.core.rows.test_writing import sent, told


async def upsert(pool: Pool, codes: list[str], amount: int) -> list[RowStatus]:
    """In a transaction of its own."""
    async with transaction(pool) as conn:
        rows = [sent(code=code, amount=amount) for code in codes]
        return [
            one.status for one in await write_rows(conn, SYSTEM, "purchase", rows, mode=Mode.UPSERT, now=NOW, key="by_code")
        ]


async def test_two_upserts_of_the_same_key_make_one_row(shop_pool: Pool) -> None:
    for turn in range(10):
        codes = [f"{turn}-{n}" for n in range(20)]
        done = await asyncio.gather(*(upsert(shop_pool, codes if n % 2 else codes[::-1], n) for n in range(4)))
        assert sum(each.count(RowStatus.CREATED) for each in done) == 20
        assert {status for each in done for status in each} <= {RowStatus.CREATED, RowStatus.UPDATED}
    assert await shop_pool.fetchval("SELECT count(*) FROM x_purchase") == 200


async def test_who_comes_second_waits_and_then_changes_the_row(shop_pool: Pool) -> None:
    async with transaction(shop_pool) as first:
        await write_rows(first, SYSTEM, "purchase", [sent(code="A")], mode=Mode.UPSERT, now=NOW, key="by_code")
        second = asyncio.create_task(upsert(shop_pool, ["B", "A"], 2))
        refused = asyncio.create_task(_create(shop_pool, "A"))
        await asyncio.sleep(0.3)
        assert not second.done()
        assert not refused.done()
    assert await second == [RowStatus.CREATED, RowStatus.UPDATED]
    assert await refused == [("VALUE_TAKEN", "rows.0.values.code"), "created"]


async def _create(pool: Pool, code: str) -> list[object]:
    async with transaction(pool) as conn:
        rows = [sent(code=code), sent(amount=1)]
        return list(told(await write_rows(conn, SYSTEM, "purchase", rows, mode=Mode.CREATE, now=NOW)))


async def test_a_target_that_goes_meanwhile_is_waited_for(shop_pool: Pool) -> None:
    async with transaction(shop_pool) as conn:
        await create_row(conn, SYSTEM, "product", sent(sku="tea"), now=NOW)
    async with transaction(shop_pool) as first:
        await delete_row(first, SYSTEM, "product", {"sku": "tea"})
        second = asyncio.create_task(_sell(shop_pool))
        await asyncio.sleep(0.2)
        assert not second.done()
    assert await second == [("ROW_NOT_FOUND", "rows.0.values.product")]


async def _sell(pool: Pool) -> list[object]:
    async with transaction(pool) as conn:
        rows = [sent(product={"sku": "tea"})]
        return list(told(await write_rows(conn, SYSTEM, "purchase", rows, mode=Mode.CREATE, now=NOW)))


async def hide_amount(conn: Connection) -> None:
    """Publish purchases without their amount."""
    await remove_field(conn, SYSTEM, "purchase", "amount", now=NOW)
    draft = await get_draft(conn)
    await publish(conn, SYSTEM, expected_version=draft.version, now=NOW, guard=UNUSED)


async def test_what_is_hidden_between_two_requests_is_gone(shop_pool: Pool) -> None:
    async with shop_pool.acquire() as conn, shop_pool.acquire() as other:
        await create_row(conn, SYSTEM, "purchase", sent(code="A", amount=1), now=NOW)
        async with other.transaction():
            await hide_amount(other)
        (row,) = (await list_rows(conn, "purchase", first=5, at=NOW, zone=ZONE)).rows
        assert "amount" not in row.values
        with pytest.raises(Invalid) as refused:
            await create_row(conn, SYSTEM, "purchase", sent(amount=1), now=NOW)
        assert refused.value.code == "UNKNOWN_FIELD"
        async with other.transaction():
            await drop_hidden(other, SYSTEM, "purchase", "amount", confirm="purchase.amount")
        assert (await get_rows(conn, "purchase", [row.id]))[row.id].values.keys() == row.values.keys()
        await create_row(conn, SYSTEM, "purchase", sent(code="B"), now=NOW)


async def test_a_column_that_is_dropped_under_a_reader_is_told(shop_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop_pool.acquire() as conn:
        await list_rows(conn, "purchase", first=5, at=NOW, zone=ZONE)
        await conn.execute("ALTER TABLE x_purchase DROP COLUMN x_amount")
        with pytest.raises(ClarionError) as refused:
            await list_rows(conn, "purchase", first=5, at=NOW, zone=ZONE)
        assert refused.value.code == "MODEL_CHANGED"


async def test_who_writes_keeps_the_model_as_it_is(shop_pool: Pool) -> None:
    async with transaction(shop_pool) as first:
        await create_row(first, SYSTEM, "purchase", sent(code="A", amount=1), now=NOW)
        async with shop_pool.acquire() as other:
            with pytest.raises(Conflict) as refused:
                async with other.transaction():
                    await hide_amount(other)
            assert refused.value.code == "TABLE_BUSY"
    async with transaction(shop_pool) as other:
        await hide_amount(other)
