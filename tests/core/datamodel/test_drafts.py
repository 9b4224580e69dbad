"""The draft of the data model: what may be in it, and that nobody else sees it."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.datamodel import rules
from core.datamodel.drafts import discard_draft, get_draft, remove_dataset, remove_field, save_dataset, save_field
from core.datamodel.physical import title_column
from core.datamodel.publication import preview
from core.datamodel.records import Choice, FieldKind
from core.datamodel.rules import RESERVED
from core.db import Connection
from core.errors import ClarionError, Forbidden, Invalid, NotFound, Stale
from core.targeting.catalogue import CATALOGUE
from core.targeting.language import RESERVED as WORDS
from tests.core.datamodel.model import NOW, columns, field, publish_draft, publish_fields, save

COLOURS = (Choice(name="red", label="Red"), Choice(name="blue", label="Blue"))


async def test_a_draft_begins_as_what_is_published(conn: Connection) -> None:
    draft = await get_draft(conn)

    assert [entity.name for entity in draft.model.entities] == [
        "profile", "campaign", "delivery", "service", "app_subscription",
    ]  # fmt: skip
    assert draft.changed_by is None


async def test_fields_are_added_and_changed_in_the_draft_alone(conn: Connection) -> None:
    await save(conn, field("tier"))
    await save(conn, field("points", FieldKind.INTEGER))
    await save(conn, field("tier", label="Level", max_length=30))

    draft = await get_draft(conn)
    profile = draft.model.find("profile")
    assert profile is not None
    assert [(one.name, one.label, one.max_length) for one in profile.fields] == [
        ("tier", "Level", 30),
        ("points", "Points", None),
    ]
    assert draft.changed_by == SYSTEM.name
    assert await columns(conn) == {}


async def test_a_text_has_255_characters_unless_it_says_so(conn: Connection) -> None:
    draft = await save_field(conn, SYSTEM, "profile", field(max_length=None), now=NOW)
    profile = draft.model.find("profile")
    assert profile is not None
    assert profile.fields[0].max_length == 255


async def test_what_changes_nothing_makes_no_version_and_leaves_no_entry(conn: Connection) -> None:
    await save(conn, field())
    version = (await get_draft(conn)).version
    await save(conn, field())

    assert (await get_draft(conn)).version == version
    entries = await list_entries(conn, object_type="data_model", object_ids=None, before_id=None, limit=10)
    assert [entry.changes for entry in entries] == [{"field": "profile.tier"}]


async def test_a_draft_that_is_back_at_what_is_published_is_nobodys(conn: Connection) -> None:
    await save(conn, field())
    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    assert (await get_draft(conn)).changed_by is None

    await save(conn, field())
    await discard_draft(conn, SYSTEM)
    draft = await get_draft(conn)
    assert draft.changed_by is None
    assert draft.model.entities[0].fields == ()


async def test_datasets_come_and_go(conn: Connection) -> None:
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    await save(conn, field("amount", FieldKind.DECIMAL), "purchase")
    draft = await save_dataset(conn, SYSTEM, name="purchase", label="Order", description="In the shop", now=NOW)
    purchase = draft.model.find("purchase")
    assert purchase is not None
    assert (purchase.label, [one.name for one in purchase.fields]) == ("Order", ["amount"])

    draft = await remove_dataset(conn, SYSTEM, "purchase", now=NOW)
    assert draft.model.find("purchase") is None


async def test_rows_of_a_dataset_are_known_by_a_field(conn: Connection) -> None:
    purchase: dict[str, Any] = {"name": "purchase", "label": "Purchase", "now": NOW}
    with pytest.raises(Invalid) as missing:
        await save_dataset(conn, SYSTEM, **purchase, title="code")
    await save_dataset(conn, SYSTEM, **purchase)
    await save(conn, field("code"), "purchase")
    await save(conn, field("place", FieldKind.POINT), "purchase")
    with pytest.raises(Invalid) as unreadable:
        await save_dataset(conn, SYSTEM, **purchase, title="place")
    assert (missing.value.code, unreadable.value.code) == ("UNKNOWN_FIELD", "BAD_TITLE")
    await publish_draft(conn)

    draft = await save_dataset(conn, SYSTEM, **purchase, title="code")

    found = draft.model.find("purchase")
    assert found is not None
    assert title_column(found) == "x_code"
    assert [one.details for one in (await preview(conn)).changes] == [("title: none becomes 'code'",)]
    with pytest.raises(Invalid) as used:
        await remove_field(conn, SYSTEM, "purchase", "code", now=NOW)
    assert used.value.path == "title"
    found = (await save_dataset(conn, SYSTEM, **purchase)).model.find("purchase")
    assert found is not None
    assert title_column(found) == "id"


@pytest.mark.parametrize("name", ["Count", "X_tier", "1st!", "???"])
async def test_a_hint_is_a_name_that_can_be_taken(conn: Connection, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await save(conn, field(name))
    hint = (refused.value.hint or "").removeprefix("For example '").removesuffix("'.")
    await save(conn, field(hint))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (field("Tier"), "BAD_NAME"),
        (field("1st"), "BAD_NAME"),
        (field("x" * 31), "BAD_NAME"),
        (field("a; DROP TABLE profile"), "BAD_NAME"),
        (field('a"b'), "BAD_NAME"),
        (field("naïve"), "BAD_NAME"),
        (field(""), "BAD_NAME"),
        (field("and"), "RESERVED_NAME"),
        (field("age"), "RESERVED_NAME"),
        (field("x_tier"), "RESERVED_NAME"),
        (field("email"), "NAME_TAKEN"),
        (field("email_key"), "NAME_TAKEN"),
        (field("firstname"), "NAME_TAKEN"),
        (field("country_"), "NAME_TAKEN"),
        (field(kind=FieldKind.ENUMERATION, choices=(COLOURS[0], Choice(name="blue", label="RED"))), "BAD_CHOICE"),
        (field(choices=(Choice(name="Cafe\u0301", label="x"),)), "BAD_CHOICE"),
        (field(label=" "), "BAD_LABEL"),
        (field(label="a\nb"), "BAD_LABEL"),
        (field(description="a\0"), "BAD_DESCRIPTION"),
        (field(description="a" * 501), "BAD_DESCRIPTION"),
        (field(max_length=0), "BAD_LENGTH"),
        (field(max_length=10_001), "BAD_LENGTH"),
        (field(kind=FieldKind.DATE, max_length=3), "BAD_LENGTH"),
        (field(kind=FieldKind.ENUMERATION), "CHOICES_MISSING"),
        (field(kind=FieldKind.DATE, choices=COLOURS), "BAD_CHOICE"),
        (field(kind=FieldKind.ENUMERATION, choices=(*COLOURS, COLOURS[0])), "BAD_CHOICE"),
        (field(kind=FieldKind.ENUMERATION, choices=(Choice(name="Deep red", label="x"),)), "BAD_CHOICE"),
        (field(kind=FieldKind.INTEGER, choices=(Choice(name="01", label="x"),)), "BAD_CHOICE"),
        (field(kind=FieldKind.INTEGER, choices=(Choice(name="9" * 19, label="x"),)), "BAD_CHOICE"),
        (field(max_length=2, choices=COLOURS), "BAD_CHOICE"),
        (field(choices=(Choice(name="red", label=""),)), "BAD_LABEL"),
        (field(choices=tuple(Choice(name=f"c{n}", label="x") for n in range(1001))), "TOO_MANY_CHOICES"),
    ],
)
async def test_what_a_field_cannot_be_is_refused(conn: Connection, wrong: Any, code: str) -> None:
    before = await get_draft(conn)
    with pytest.raises(ClarionError) as refused:
        await save(conn, wrong)
    assert refused.value.code == code
    assert await get_draft(conn) == before


async def test_what_is_published_keeps_its_kind_and_never_becomes_shorter(conn: Connection) -> None:
    await publish_fields(conn, field("tier", max_length=20), field("points", FieldKind.INTEGER))

    for wrong, code in [
        (field("points", FieldKind.DECIMAL), "KIND_FIXED"),
        (field("tier", FieldKind.ENUMERATION, choices=COLOURS), "KIND_FIXED"),
        (field("tier", max_length=19), "LENGTH_FIXED"),
    ]:
        with pytest.raises(ClarionError) as refused:
            await save(conn, wrong)
        assert refused.value.code == code
        assert refused.value.hint
    await save(conn, field("tier", max_length=21))


@pytest.mark.parametrize(
    ("bound", "most", "code"),
    [
        ("MAX_FIELDS", 1, "TOO_MANY_FIELDS"),
        ("MAX_ALL_CHOICES", 3, "TOO_MANY_CHOICES"),
        ("MAX_DATASETS", 0, "TOO_MANY_DATASETS"),
    ],
)
async def test_a_model_has_bounds(conn: Connection, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, code: str) -> None:
    await save(conn, field("tier", FieldKind.ENUMERATION, choices=COLOURS))
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    monkeypatch.setattr(rules, bound, most)
    with pytest.raises(Invalid) as refused:
        await save(conn, field("level", FieldKind.ENUMERATION, choices=COLOURS))
    assert refused.value.code == code


async def test_names_of_a_team_differ_by_more_than_a_line(conn: Connection) -> None:
    await save(conn, field("tier_1"))
    with pytest.raises(ClarionError) as refused:
        await save(conn, field("tier1"))
    assert refused.value.code == "NAME_TAKEN"


async def test_the_names_of_what_is_not_there_are_told(conn: Connection) -> None:
    with pytest.raises(NotFound) as refused:
        await save(conn, field(), "profil")
    assert (refused.value.code, refused.value.hint) == ("DATASET_NOT_FOUND", "Did you mean 'profile'?")
    with pytest.raises(NotFound):
        await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    with pytest.raises(NotFound):
        await remove_dataset(conn, SYSTEM, "purchase", now=NOW)


async def test_tables_of_ours_are_no_datasets(conn: Connection) -> None:
    for call in (
        save_dataset(conn, SYSTEM, name="profile", label="People", now=NOW),
        remove_dataset(conn, SYSTEM, "delivery", now=NOW),
        save_dataset(conn, SYSTEM, name="x_y", label="Y", now=NOW),
    ):
        with pytest.raises(Invalid):
            await call


async def test_somebody_elses_change_is_not_overwritten(conn: Connection) -> None:
    version = (await get_draft(conn)).version
    await save(conn, field("points", FieldKind.INTEGER))
    with pytest.raises(Stale):
        await save_field(conn, SYSTEM, "profile", field(), now=NOW, expected_version=version)


async def test_only_who_models_data_edits(conn: Connection) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    with pytest.raises(Forbidden):
        await save_field(conn, editor, "profile", field(), now=NOW)


def test_no_field_can_be_named_like_a_word_of_expressions_or_what_is_computed() -> None:
    assert WORDS <= RESERVED
    computed = {one.name for one in CATALOGUE.entities["profile"].fields.values() if one.derived is not None}
    assert computed <= RESERVED
