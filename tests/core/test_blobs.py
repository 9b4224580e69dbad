"""Bytes are kept once, as long as somebody refers to them, and never under somebody's hands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from core import blobs
from core.access import Actor
from core.blobs import UNUSED_LIFE, BlobUser
from core.content.contents import delete_content
from core.db import Connection, Pool, transaction
from core.errors import Unavailable
from tests.core.authors import a_content

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATER = NOW + UNUSED_LIFE + timedelta(seconds=1)


async def test_the_same_bytes_are_kept_once(conn: Connection) -> None:
    first = await blobs.keep(conn, b"abc", NOW)
    assert first == sha256(b"abc").hexdigest() == await blobs.keep(conn, b"abc", LATER)
    empty = await blobs.keep(conn, b"", NOW)
    assert await conn.fetchval("SELECT count(*) FROM blob") == 2
    assert await blobs.read(conn, {first, empty}) == {first: b"abc", empty: b""}
    assert await blobs.sizes(conn, [first, "0" * 64]) == {first: 3}
    assert await blobs.read(conn, set()) == {}
    with pytest.raises(Unavailable, match="000000"):
        await blobs.read(conn, {first, "0" * 64})


async def test_what_nobody_refers_to_goes_after_a_day(conn: Connection, actor: Actor) -> None:
    one, two = await a_content(conn, actor, "one"), await a_content(conn, actor, "two")
    used, shared, unused = [await blobs.keep(conn, data, NOW) for data in (b"used", b"shared", b"unused")]
    await blobs.use(conn, BlobUser.CONTENT, one.id, [used, shared, shared])
    await blobs.use(conn, BlobUser.CONTENT, two.id, [shared])
    assert await blobs.forget_unused(conn, NOW + UNUSED_LIFE) == 0
    assert await blobs.forget_unused(conn, LATER) == 1
    with pytest.raises(Unavailable):
        await blobs.read(conn, {unused})

    # Whoever changes or goes lets go of what only they referred to.
    await blobs.use(conn, BlobUser.CONTENT, one.id, [shared])
    assert await blobs.forget_unused(conn, LATER) == 1
    await delete_content(conn, actor, one.id)
    assert await blobs.forget_unused(conn, LATER) == 0
    assert await blobs.read(conn, {shared}) == {shared: b"shared"}
    await delete_content(conn, actor, two.id)
    assert await blobs.forget_unused(conn, LATER) == 1


async def test_bytes_that_are_asked_for_again_stay(conn: Connection) -> None:
    digest = await blobs.keep(conn, b"again", NOW)
    assert await blobs.touch(conn, [digest, "f" * 64], LATER) == {digest: 5}
    assert await blobs.forget_unused(conn, LATER) == 0


async def test_a_sweep_waits_for_who_is_about_to_refer_to_them(pool: Pool, actor: Actor) -> None:
    async with transaction(pool) as conn:
        content = await a_content(conn, actor)
        digest = await blobs.keep(conn, b"old", NOW)
    async with pool.acquire() as sweeper:
        async with transaction(pool) as conn:
            await blobs.touch(conn, [digest], LATER)
            sweep = asyncio.create_task(blobs.forget_unused(sweeper, LATER))
            await asyncio.sleep(0.2)
            assert not sweep.done()
            await blobs.use(conn, BlobUser.CONTENT, content.id, [digest])
        assert await sweep == 0
        assert await blobs.read(sweeper, {digest}) == {digest: b"old"}
