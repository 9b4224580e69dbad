"""Ids that outside systems push go with the person whose they are, also where nobody was found by them."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.runtime import Runtime
from core.targeting.external_segments import Portion, create_segment, push
from tests.core.delivery.people import add_person
from tests.core.privacy.test_file_audiences import add_ann, erase


@pytest.mark.parametrize(
    ("key", "hers", "others"),
    [
        ("email", "ann.MARKER@Mail.example", "bob@mail.example"),
        ("mobile_phone", "06 98 76 54 32", "06 11 11 11 11"),
        ("external_id", "77", "78"),
    ],
)
async def test_ids_go_with_whom_they_are_of(runtime: Runtime, db: Connection, key: str, hers: str, others: str) -> None:
    segments = []
    for name in ("before", "since"):  # she is there: the first was pushed when nobody had the id, and was not looked up again
        async with transaction(runtime.pool) as conn:
            made = await create_segment(conn, SYSTEM, name=name, label=name, source="Warehouse", key=key)
            await push(conn, SYSTEM, made.id, Portion(add=[hers, others]), region="FR", now=runtime.clock())
        segments.append(made.id)
        if name == "before":
            ann = await add_ann(db)
            await add_person(db, "bob@mail.example")
    assert await db.fetchval("SELECT count(*) FROM external_segment_id WHERE profile_id = $1", ann) == 1

    counts = await erase(runtime)

    assert counts["external_segment_id"] == 2
    left = await db.fetch("SELECT audience_id FROM external_segment_id ORDER BY 1")
    assert [row["audience_id"] for row in left] == segments
    assert await db.fetchval("SELECT count(*) FROM audience_member WHERE profile_id = $1", ann) == 0
