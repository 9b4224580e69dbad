"""Who added a row and who changed it last, where a dataset has fields for that."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import SYSTEM, Actor
from core.datamodel.records import DataField, FieldKind
from core.db import Connection
from core.errors import ClarionError
from core.events.event_types import save_event_type
from core.events.records import EventField, EventTypeDraft
from core.rows.identities import row_id
from core.rows.records import Direction, Mode, Order, RowOutcome, SentRow
from core.rows.writing import write_rows
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields, save, unique
from tests.core.rows.test_reading import page

ANN = Actor(name="token:1", permissions=SYSTEM.permissions)
BEN = Actor(name="token:2", permissions=SYSTEM.permissions)
MADE, EDITED = field("made_by", FieldKind.CREATED_BY), field("edited_by", FieldKind.CHANGED_BY)


async def audited(conn: Connection, *fields: DataField) -> None:
    """A dataset with these fields, besides those of the audit."""
    await dataset(conn, "purchase", field("code", max_length=30), field("note"), *(fields or (MADE, EDITED)))
    await publish_draft(conn)


async def write(conn: Connection, actor: Actor, mode: Mode, *rows: SentRow) -> list[RowOutcome]:
    return await write_rows(conn, actor, "purchase", rows, mode=mode, now=NOW)


async def who(conn: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch("SELECT x_code, x_made_by, x_edited_by FROM x_purchase ORDER BY id")]


async def add(conn: Connection, actor: Actor, *codes: str) -> list[str]:
    """Rows; their ids."""
    made = await write(conn, actor, Mode.CREATE, *(SentRow(values={"code": code}) for code in codes))
    return [row_id("purchase", one.row.id) for one in made if one.row is not None]


async def test_rows_say_who_added_and_who_changed_them_last(conn: Connection) -> None:
    await audited(conn)
    first, second = await add(conn, ANN, "a", "b")
    outcomes = await write(
        conn, BEN, Mode.UPDATE, SentRow(values={"note": "x"}, row=second), SentRow(values={"code": "a"}, row=first)
    )

    assert [one.status.value for one in outcomes] == ["updated", "unchanged"]
    assert await who(conn) == [("a", "token:1", "token:1"), ("b", "token:1", "token:2")]
    changed = outcomes[0].row
    assert changed is not None
    assert (changed.values["made_by"], changed.values["edited_by"]) == ("token:1", "token:2")


async def test_one_of_the_two_is_enough_and_rows_from_before_say_nothing(conn: Connection) -> None:
    await audited(conn, MADE)
    (first,) = await add(conn, ANN, "a")
    await publish_fields(conn, EDITED, entity="purchase")
    assert await who(conn) == [("a", "token:1", None)]
    await write(conn, BEN, Mode.UPDATE, SentRow(values={"note": "x"}, row=first))

    assert await who(conn) == [("a", "token:1", "token:2")]


async def test_nobody_sets_them(conn: Connection) -> None:
    await audited(conn)
    (outcome,) = await write(conn, ANN, Mode.CREATE, SentRow(values={"code": "a", "made_by": "somebody else"}))

    assert [(one.code, one.path, one.message) for one in outcome.problems] == [
        ("READ_ONLY_FIELD", "rows.0.values.made_by", "made_by is who created a row, which nobody sets")
    ]
    assert await who(conn) == []


async def test_they_are_asked_about_and_rows_are_in_their_order(conn: Connection) -> None:
    await audited(conn)
    await add(conn, BEN, "b")
    await add(conn, ANN, "a", "c")

    asked = await page(conn, where="made_by = 'token:1' and edited_by = made_by")
    ordered = await page(conn, Order(field="made_by", direction=Direction.DESCENDING))
    assert [one.values["code"] for one in asked.rows] == ["a", "c"]
    assert [one.values["code"] for one in ordered.rows] == ["b", "c", "a"]
    assert (await page(conn, where="made_by = 'TOKEN:1'")).rows == []


async def test_only_datasets_have_them(conn: Connection) -> None:
    with pytest.raises(ClarionError) as refused:
        await save(conn, MADE)
    assert (refused.value.code, refused.value.path) == ("BAD_KIND", "kind")
    draft = EventTypeDraft(name="visit", label="Visit", fields=(EventField(name="maker", label="Maker", kind=MADE.kind),))
    with pytest.raises(ClarionError) as refused:
        await save_event_type(conn, SYSTEM, draft, now=NOW)
    assert (refused.value.code, refused.value.path) == ("BAD_KIND", "fields.0.kind")


async def test_no_row_is_known_by_them(conn: Connection) -> None:
    await audited(conn)
    with pytest.raises(ClarionError) as refused:
        await unique(conn, "by_maker", "code", "made_by")
    assert (refused.value.code, refused.value.path) == ("NOT_INDEXABLE", "fields")
    with pytest.raises(ClarionError) as refused:
        await point(conn, link("maker", source_fields=("made_by",), target_fields=("external_id",)))
    assert refused.value.code == "BAD_FIELDS"


async def test_a_hidden_text_does_not_become_one(conn: Connection) -> None:
    await dataset(conn, "purchase", field("code", max_length=30), field("made_by"), EDITED)
    await publish_draft(conn)

    with pytest.raises(ClarionError) as refused:
        await save(conn, MADE, "purchase")
    assert refused.value.code == "KIND_FIXED"
    assert "holds a text, and cannot come to hold who created a row" in refused.value.message
