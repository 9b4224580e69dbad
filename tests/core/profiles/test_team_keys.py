"""Unique keys and links of a team: what is refused because of them says so, by hand and in files."""

from __future__ import annotations

import random
from string import ascii_letters

import pytest

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.datamodel.records import FieldKind, LinkKind, OnDelete
from core.db import Connection
from core.errors import Conflict, Invalid
from core.planning.campaigns import create_campaign, delete_campaign
from core.planning.records import CampaignDraft
from core.profiles import import_runner
from core.profiles.profiles import create_profile, delete_profile, update_profile
from core.profiles.run_records import RunState
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields, save, unique
from tests.core.profiles.house import counts, import_people, people, read_rejects


async def cards(runtime: Runtime, db: Connection) -> None:
    """Profiles have a card, which is a key, and a seat in a row, which together are one."""
    for one in (field("card", max_length=20), field("row", FieldKind.INTEGER), field("seat", FieldKind.INTEGER)):
        await save(db, one)
    await unique(db, "by_card", "card", entity="profile")
    await unique(db, "by_seat", "row", "seat", entity="profile")
    await publish_draft(db)
    await datamodel.build(runtime)


async def test_a_value_that_another_has_is_refused_by_hand(runtime: Runtime, db: Connection) -> None:
    await cards(runtime, db)
    await create_profile(db, SYSTEM, {}, {"card": "A", "row": 1, "seat": 1}, now=NOW)
    other = await create_profile(db, SYSTEM, {}, {"card": "a", "row": 1}, now=NOW)
    await create_profile(db, SYSTEM, {}, {"row": 1}, now=NOW)  # without a seat it is not compared

    with pytest.raises(Conflict) as card:
        await create_profile(db, SYSTEM, {}, {"card": "A"}, now=NOW)
    assert (card.value.code, card.value.path) == ("VALUE_TAKEN", "team_fields.card")
    assert card.value.message == "another row of profile has the same Card (by_card)"
    with pytest.raises(Conflict) as seat:
        await update_profile(db, SYSTEM, other.id, {}, {"seat": 1}, now=NOW)
    assert (seat.value.code, seat.value.path) == ("VALUE_TAKEN", None)
    assert "Row and Seat" in seat.value.message


async def test_rows_of_a_file_with_anothers_value_are_refused_one_by_one(runtime: Runtime, db: Connection) -> None:
    await cards(runtime, db)
    await create_profile(db, SYSTEM, {"external_id": "Z"}, {"card": "A"}, now=NOW)
    run = await import_people(runtime, "external_id,card\nB,A\nC,b\nD,b\nE,\nF,\nZ,A\n")

    assert counts(run) == {"inserted": 3, "unchanged": 1, "rejected": 2}
    rejected = await read_rejects(runtime, run)
    assert [(one["line"], one["code"], one["column"]) for one in rejected] == [
        ("2", "VALUE_TAKEN", "card"), ("4", "VALUE_TAKEN", "card"),
    ]  # fmt: skip
    assert await people(runtime, "external_id", "x_card") == [("Z", "A"), ("C", "b"), ("E", None), ("F", None)]


async def test_a_file_that_breaks_a_key_of_several_fields_fails_with_its_name(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_runner, "RETRY_SECONDS", 0)
    await cards(runtime, db)
    run = await import_people(runtime, "external_id,row,seat\nB,1,2\nC,1,2\n")
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.path) == ("VALUE_TAKEN", "line 2")
    assert "by_seat" in run.error.message
    assert await people(runtime, "id") == []


async def test_who_is_linked_to_is_kept_by_a_link_that_refuses(runtime: Runtime, db: Connection) -> None:
    await dataset(db)
    await point(db, link(on_delete=OnDelete.REFUSE))
    await point(db, link("viewers", kind=LinkKind.MANY_TO_MANY, on_delete=OnDelete.REFUSE))
    await point(db, link("promotion", "campaign", on_delete=OnDelete.REFUSE))
    await publish_draft(db)
    buyer = await create_profile(db, SYSTEM, {}, now=NOW)
    viewer = await create_profile(db, SYSTEM, {}, now=NOW)
    campaign = await create_campaign(db, SYSTEM, CampaignDraft(name="spring", label="Spring"))
    await db.execute("INSERT INTO x_purchase (x_customer_id, x_promotion_id) VALUES ($1, $2)", buyer.id, campaign.id)
    await db.execute("INSERT INTO x__purchase__viewers VALUES (1, $1)", viewer.id)

    for act, named in (
        (delete_profile(db, SYSTEM, buyer.id), "rows of purchase are linked to it by 'customer'"),
        (delete_profile(db, SYSTEM, viewer.id), "rows are linked to it"),
        (delete_campaign(db, SYSTEM, campaign.id), "rows of purchase are linked to it by 'promotion'"),
    ):
        with pytest.raises(Conflict) as refused:
            await act
        assert (refused.value.code, refused.value.message) == ("LINKED", named)
    await db.execute("DELETE FROM x_purchase")
    await delete_profile(db, SYSTEM, buyer.id)
    await delete_profile(db, SYSTEM, viewer.id)


async def test_values_for_which_a_row_has_no_room_are_refused(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("story", max_length=10_000))
    await db.execute("ALTER TABLE profile ALTER COLUMN x_story SET STORAGE PLAIN")  # instead of hundreds of full columns
    story = "".join(random.Random(1).choices(ascii_letters, k=9_000))  # which is not compressed
    with pytest.raises(Invalid) as refused:
        await create_profile(db, SYSTEM, {}, {"story": story}, now=NOW)
    assert refused.value.code == "ROW_TOO_BIG"
    run = await import_people(runtime, f"external_id,story\nA,\nB,{story}\n")
    assert run.error is not None
    assert (run.error.code, run.error.path) == ("ROW_TOO_BIG", "line 2")
