"""Links that start from profiles and other rows of ours: set by id or by a key, cleared, merged, and to rows that are gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.access import SYSTEM
from core.audit import list_entries
from core.datamodel.builder import build_all
from core.datamodel.records import LinkKind
from core.db import Connection, transaction
from core.errors import ClarionError, Conflict, Invalid
from core.planning.campaigns import create_campaign
from core.planning.records import CampaignDraft
from core.profiles import merging, test_profiles
from core.profiles.merge_records import FieldRule, MergePlan, MergeRule
from core.profiles.profiles import create_profile, update_profile
from core.profiles.team_rows import Extended, Linked, get_team_values
from core.profiles.test_profile_records import TestProfileDraft as Draft
from core.profiles.test_profile_records import TestProfileUse as Use
from core.rows.deleting import delete_row
from core.rows.identities import linked_id
from core.rows.team_links import find_linked
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, save, unique
from tests.core.profiles.conftest import db, runtime, times
from tests.core.rows.shop import person

__all__ = ["db", "runtime", "times"]  # keys are built by a job, on a database of one's own
LATER = NOW + timedelta(hours=1)


async def stores(runtime: Runtime, db: Connection) -> tuple[int, int]:
    """Stores with a code, and profiles, campaigns that have a favourite one; two of them."""
    await dataset(db, "store", field("code", max_length=20))
    await unique(db, "by_code", "code", entity="store")
    await save(db, field("tier"))
    for entity in ("profile", "campaign"):
        await point(db, link("favourite", "store", reverse_name=f"{entity}s"), entity)
    await point(db, link("friend", reverse_name="friends"), "profile")
    await point(db, link("seat", "store", LinkKind.ONE_TO_ONE, reverse_name="seated"), "profile")
    await point(db, link("visits", "store", LinkKind.MANY_TO_MANY, reverse_name="visitors"), "profile")
    await publish_draft(db)
    await build_all(runtime)
    rows = await db.fetch("INSERT INTO x_store (x_code) VALUES ('S1'), ('S2') RETURNING id")
    return rows[0]["id"], rows[1]["id"]


async def made(conn: Connection, **team: Any) -> int:
    found = await find_linked(conn, Extended.PROFILE, team)
    return (await create_profile(conn, SYSTEM, {}, found, now=NOW)).id


async def values(conn: Connection, key: int, of: Extended = Extended.PROFILE) -> dict[str, Any]:
    found = (await get_team_values(conn, of, [key]))[key]
    return {name: value for name, value in found.items() if value is not None}


async def test_a_link_is_set_by_id_or_by_a_key_and_cleared(runtime: Runtime, db: Connection) -> None:
    first, second = await stores(runtime, db)
    ann = await person(db, external_id="ann")
    one = await made(db, favourite=linked_id("store", first), friend={"external_id": "ann"}, tier="gold")
    assert await values(db, one) == {"favourite": Linked("store", first), "friend": Linked("profile", ann), "tier": "gold"}

    same = await find_linked(db, Extended.PROFILE, {"favourite": {"code": "S1"}})
    assert (await update_profile(db, SYSTEM, one, {}, same, now=LATER)).updated_at == NOW
    other = await find_linked(db, Extended.PROFILE, {"favourite": {"code": "S2"}, "friend": None})
    await update_profile(db, SYSTEM, one, {}, other, now=LATER)
    assert await values(db, one) == {"favourite": Linked("store", second), "tier": "gold"}
    entries = await list_entries(db, object_type="profile", object_ids=[str(one)], before_id=None, limit=5)
    assert [one.changes["fields"] for one in entries] == [["favourite", "friend"], ["favourite", "friend", "tier"]]


async def test_campaigns_and_test_profiles_have_them_too(runtime: Runtime, db: Connection) -> None:
    first, _ = await stores(runtime, db)
    found = await find_linked(db, Extended.CAMPAIGN, {"favourite": {"code": "S1"}})
    campaign = await create_campaign(db, SYSTEM, CampaignDraft(name="c", label="C"), found)
    found = await find_linked(db, Extended.TEST_PROFILE, {"favourite": {"code": "S1"}})
    nobody = await test_profiles.create_test_profile(db, SYSTEM, Draft(label="N", uses=(Use.PROOF,)), {}, found, now=NOW)
    assert await values(db, campaign.id, Extended.CAMPAIGN) == {"favourite": Linked("store", first)}
    assert await values(db, nobody.id, Extended.TEST_PROFILE) == {"favourite": Linked("store", first)}


@pytest.mark.parametrize(
    ("sent", "code", "path"),
    [
        ({"favourite": {"code": "S9"}}, "ROW_NOT_FOUND", "team_fields.favourite"),
        ({"favourite": linked_id("store", 999)}, "ROW_NOT_FOUND", "team_fields.favourite"),
        ({"favourite": linked_id("profile", 1)}, "BAD_ID", "team_fields.favourite"),
        ({"favourite": 1}, "WRONG_TYPE", "team_fields.favourite"),
        ({"favourite": {}}, "WRONG_TYPE", "team_fields.favourite"),
        ({"favourite": {"name": "S1"}}, "UNKNOWN_KEY", "team_fields.favourite"),
        ({"friend": {"external_id": "nobody"}}, "PROFILE_NOT_FOUND", "team_fields.friend"),
        ({"visits": []}, "READ_ONLY_FIELD", "team_fields.visits"),
    ],
)
async def test_links_that_lead_nowhere(runtime: Runtime, db: Connection, sent: dict[str, Any], code: str, path: str) -> None:
    await stores(runtime, db)
    with pytest.raises(ClarionError) as caught:
        await find_linked(db, Extended.PROFILE, sent)
    assert (caught.value.code, caught.value.path) == (code, path)
    with pytest.raises(ClarionError) as several:
        await find_linked(db, Extended.PROFILE, {**sent, "seat": {"code": "S9"}})
    assert "and 1 more" in several.value.message


async def test_a_row_that_is_found_stays_until_the_profile_is_written(runtime: Runtime, db: Connection) -> None:
    first, _ = await stores(runtime, db)
    async with transaction(runtime.pool) as conn:
        found = await find_linked(conn, Extended.PROFILE, {"favourite": {"code": "S1"}})
        await db.execute("SET lock_timeout = 50")
        with pytest.raises(Exception, match="lock timeout"):
            await db.execute("DELETE FROM x_store")
        await create_profile(conn, SYSTEM, {"external_id": "C-1"}, found, now=NOW)
    await db.execute("RESET lock_timeout")
    await delete_row(db, SYSTEM, "store", {"code": "S1"})
    assert await db.fetchval("SELECT x_favourite_id FROM profile") is None
    with pytest.raises(Conflict) as gone:  # a number that was found before
        await update_profile(db, SYSTEM, await db.fetchval("SELECT id FROM profile"), {}, {"favourite": first}, now=LATER)
    assert (gone.value.code, gone.value.path) == ("TARGET_GONE", "team_fields.favourite")


async def test_one_to_one_has_no_second(runtime: Runtime, db: Connection) -> None:
    await stores(runtime, db)
    await made(db, seat={"code": "S1"})
    with pytest.raises(Conflict) as caught:
        await made(db, seat={"code": "S1"})
    assert (caught.value.code, caught.value.path) == ("VALUE_TAKEN", "team_fields.seat")


async def test_a_merge_takes_links_over_and_its_undoing_gives_back_those_whose_row_is_there(
    runtime: Runtime, db: Connection
) -> None:
    first, second = await stores(runtime, db)
    survivor, other = await made(db, favourite={"code": "S1"}), await made(db, favourite={"code": "S2"}, seat={"code": "S2"})
    rule = FieldRule(field="favourite", rule=MergeRule.OTHER)
    plan = MergePlan(survivor_id=survivor, other_ids=(other,), rules=(rule,))
    preview = await merging.preview_merge(db, plan, now=LATER)
    assert [(one.field, one.value) for one in preview.fields] == [("favourite", Linked("store", second))]
    done = await merging.merge_profiles(db, SYSTEM, plan, now=LATER)
    assert await values(db, survivor) == {"favourite": Linked("store", second)}
    await delete_row(db, SYSTEM, "store", linked_id("store", first))
    undone = await merging.undo_merge(db, SYSTEM, done.id, now=LATER)
    assert undone.lost == ((survivor, "favourite"),)
    assert await values(db, survivor) == {}
    assert await values(db, other) == {"favourite": Linked("store", second), "seat": Linked("store", second)}

    given = MergePlan(
        survivor_id=survivor, other_ids=(other,), rules=(FieldRule(field="favourite", rule=MergeRule.VALUE, value=second),)
    )
    with pytest.raises(Invalid) as refused:
        await merging.preview_merge(db, given, now=LATER)
    assert refused.value.code == "RULE_NOT_ALLOWED"
