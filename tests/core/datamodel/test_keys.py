"""Unique keys and indexes in the draft: what may be one, and what publishing says of them."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.datamodel import index_rules
from core.datamodel.drafts import get_draft
from core.datamodel.keys import remove_index, remove_key, usable_keys
from core.datamodel.publication import preview
from core.datamodel.records import Action, FieldKind
from core.db import Connection
from core.errors import ClarionError, Conflict, NotFound, Stale
from tests.core.datamodel.model import (
    NOW,
    builds,
    dataset,
    field,
    indexed,
    link,
    point,
    publish_draft,
    publish_fields,
    save,
    unique,
)


async def shop(conn: Connection) -> None:
    """Purchases in the draft, with a field of each sort."""
    await dataset(
        conn, "purchase", field("code", max_length=30), field("note", max_length=500), field("story", max_length=700),
        field("day", FieldKind.DATE), field("paid", FieldKind.BOOLEAN), field("more", FieldKind.JSON),
        field("place", FieldKind.POINT),
    )  # fmt: skip
    await point(conn, link())
    await point(conn, link("twin", source_fields=("code",), target_fields=("external_id",)))


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("By code", ("code",), "BAD_NAME"),
        ("count", ("code",), "RESERVED_NAME"),
        ("by_none", (), "BAD_FIELDS"),
        ("by_code", ("code", "code"), "BAD_FIELDS"),
        ("by_much", tuple(f"f{n}" for n in range(9)), "BAD_FIELDS"),
        ("by_cod", ("cod",), "UNKNOWN_FIELD"),
        ("by_twin", ("twin",), "UNKNOWN_FIELD"),  # it has no column
        ("by_email", ("code", "email"), "UNKNOWN_FIELD"),  # profiles have one
        ("by_more", ("more",), "NOT_INDEXABLE"),
        ("by_story", ("story",), "TOO_WIDE"),
        ("by_texts", ("note", "code", "day"), None),
        ("by_row", ("customer", "paid", "created_at"), None),
    ],
)
async def test_what_keys_and_indexes_cannot_be_is_refused(
    conn: Connection, name: str, fields: tuple[str, ...], code: str | None
) -> None:
    await shop(conn)
    for make in (unique, indexed):
        before = await get_draft(conn)
        if code is None:
            await make(conn, f"{name}_{make.__name__}", *(fields if make is unique else fields[::-1]))
            continue
        with pytest.raises(ClarionError) as refused:
            await make(conn, name, *fields)
        assert refused.value.code == code
        assert await get_draft(conn) == before


async def test_columns_of_ours_stand_beside_those_of_the_team(conn: Connection) -> None:
    await save(conn, field("tier", max_length=30))
    await unique(conn, "by_member", "tier", "email", entity="profile")
    await indexed(conn, "by_place", "country", "city", "tier", "email", entity="profile")
    found = (await preview(conn)).afterwards
    assert [one.partition(" ON ")[2] for one in found] == [
        "profile (x_tier, email_key)",
        "profile (country text_pattern_ops, fold_text(city) text_pattern_ops, fold_text(x_tier) text_pattern_ops,"
        " email_key text_pattern_ops)",
    ]


async def test_an_index_may_be_of_columns_of_ours_and_of_places_and_a_key_may_not(conn: Connection) -> None:
    await shop(conn)
    for fields, code in ((("created_at", "id"), "BAD_FIELDS"), (("day", "place"), "NOT_INDEXABLE")):
        with pytest.raises(ClarionError) as refused:
            await unique(conn, "by_these", *fields)
        assert refused.value.code == code
        await indexed(conn, f"by_{fields[0]}", *fields)
    for name in ("latitude", "opt_out_email", "city"):
        with pytest.raises(ClarionError) as refused:
            await unique(conn, "by_ours", name, entity="profile")
        assert refused.value.code == "BAD_FIELDS"
        await indexed(conn, f"by_{name}", name, entity="profile")
    found = [one.partition(" ON ")[2] for one in (await preview(conn)).afterwards if "INDEX" in one]
    assert {"x_purchase (created_at, id)", "x_purchase (x_day, (x_place[1]), (x_place[0]))", "profile (latitude)",
            "profile (opt_out_email)", "profile (fold_text(city) text_pattern_ops)"} <= set(found)  # fmt: skip


@pytest.mark.parametrize("name", ["id", "external_id", "email", "mobile_phone", "last_name"])
async def test_what_clarion_has_an_index_of_takes_no_other(conn: Connection, name: str) -> None:
    with pytest.raises(Conflict) as refused:
        await indexed(conn, "by_it", name, entity="profile")
    assert refused.value.code == "DUPLICATE_INDEX"
    await indexed(conn, "by_it", name, "updated_at", entity="profile")


async def test_names_and_meanings_are_there_once(conn: Connection) -> None:
    await shop(conn)
    await unique(conn, "by_code", "code")
    await unique(conn, "by_day", "day", "customer")
    await indexed(conn, "by_paid", "paid", "day")
    for make, name, fields, code in (
        (indexed, "by_code", ("day",), "NAME_TAKEN"),
        (unique, "by_paid", ("day",), "NAME_TAKEN"),
        (unique, "by_code_too", ("code",), "DUPLICATE_INDEX"),
        (unique, "by_day_too", ("customer", "day"), "DUPLICATE_INDEX"),
        (indexed, "by_paid_too", ("paid", "day"), "DUPLICATE_INDEX"),
        (indexed, "by_day_too", ("day", "customer"), "DUPLICATE_INDEX"),
    ):
        with pytest.raises(Conflict) as refused:
            await make(conn, name, *fields)
        assert refused.value.code == code
    await indexed(conn, "by_code_too", "code")  # without case, as expressions compare
    await indexed(conn, "by_customer", "customer", "day")
    await indexed(conn, "by_day_first", "day", "paid")


async def test_a_text_in_a_key_stays_as_long_as_fits(conn: Connection) -> None:
    await publish_fields(conn, field("code", max_length=300), field("name", max_length=300))
    await indexed(conn, "by_both", "code", "name", entity="profile")
    with pytest.raises(ClarionError) as refused:
        await save(conn, field("name", max_length=400))
    assert (refused.value.code, "by_both" in refused.value.message) == ("TOO_WIDE", True)


async def test_changes_of_keys_are_told_and_take_no_statement(conn: Connection) -> None:
    await shop(conn)
    await unique(conn, "by_code", "code")
    await indexed(conn, "by_day", "day")
    await indexed(conn, "by_paid", "paid")
    await publish_draft(conn)
    await unique(conn, "by_code", "code", "day")
    await remove_index(conn, SYSTEM, "purchase", "by_day", now=NOW)
    await unique(conn, "by_day", "day")

    found = await preview(conn)

    assert [(one.action, one.key, one.index, one.details) for one in found.changes] == [
        (Action.CHANGE, "by_code", None, ("fields: code becomes code, day",)),
        (Action.ADD, "by_day", None, ()),
        (Action.HIDE, None, "by_day", ()),
    ]
    assert found.steps == ()
    assert [one.split()[0] for one in found.afterwards] == ["DROP", "DROP", "CREATE", "CREATE"]
    done = await publish_draft(conn)
    assert done.statements == ()
    assert [(one.kind.value, one.name, one.dropping) for one in await builds(conn) if one.kind.value != "link"][:-1] == [
        ("index", "by_day", True), ("index", "by_paid", False), ("key", "by_code", False), ("key", "by_code", True),
        ("key", "by_day", False),
    ]  # fmt: skip


async def test_what_is_not_there_is_told(conn: Connection) -> None:
    with pytest.raises(NotFound) as key:
        await remove_key(conn, SYSTEM, "profile", "by_x", now=NOW)
    with pytest.raises(NotFound) as index:
        await remove_index(conn, SYSTEM, "profile", "by_x", now=NOW)
    assert (key.value.code, index.value.code) == ("KEY_NOT_FOUND", "INDEX_NOT_FOUND")
    with pytest.raises(Stale):
        await remove_key(conn, SYSTEM, "profile", "by_x", now=NOW, expected_version=99)
    assert await usable_keys(conn, "nothing") == ()


async def test_keys_and_indexes_have_a_bound(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rules, "MAX_KEYS", 1)
    await shop(conn)
    await unique(conn, "by_code", "code")
    with pytest.raises(ClarionError) as refused:
        await indexed(conn, "by_day", "day")
    assert refused.value.code == "TOO_MANY_INDEXES"
