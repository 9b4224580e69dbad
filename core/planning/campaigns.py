"""Campaigns: deliveries that belong together, between two dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.datamodel.refusals import REFUSED, Refused, refusal
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.planning.records import Campaign, CampaignDraft
from core.planning.store import campaigns as store
from core.planning.uses import check_unused
from core.profiles import team_rows
from core.profiles.team_rows import NO_VALUES, Extended, Values


async def create_campaign(conn: Connection, actor: Actor, draft: CampaignDraft, team: Values = NO_VALUES) -> Campaign:
    """A new campaign; `team` are values of the team's fields.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_DATES, ROW_TOO_BIG), FieldsInvalid, Conflict (NAME_TAKEN, VALUE_TAKEN).
    """
    require(actor, Permission.EDIT)
    _check(draft)
    columns = await team_rows.clean_new(conn, Extended.CAMPAIGN, team)
    try:
        async with conn.transaction():
            campaign = await store.insert_campaign(conn, draft, actor.name)
            if campaign is not None:
                await team_rows.write(conn, Extended.CAMPAIGN, campaign.id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or error from None
    if campaign is None:
        raise name_taken("campaign", draft.name)
    told = difference({}, asdict(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "campaign.create", "campaign", campaign.id, told)
    return campaign


async def update_campaign(
    conn: Connection,
    actor: Actor,
    campaign_id: int,
    changes: Mapping[str, Any],
    team: Values = NO_VALUES,
    *,
    expected_version: int | None = None,
) -> Campaign:
    """Change the fields given, `team` those of the team. Raises as `create_campaign`, NotFound, Stale (VERSION_CHANGED)."""
    require(actor, Permission.EDIT)
    campaign = await lock_campaign(conn, campaign_id)
    check_version("campaign", campaign.version, expected_version)
    before = _draft(campaign)
    draft = changed(before, changes)
    columns = await team_rows.clean_changed(conn, Extended.CAMPAIGN, campaign_id, team)
    if draft == before and not columns:
        return campaign
    _check(draft)
    try:
        async with conn.transaction():
            updated = await store.update_campaign(conn, campaign_id, draft)
            await team_rows.write(conn, Extended.CAMPAIGN, campaign_id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or _taken(error, draft) from None
    told = difference(asdict(before), asdict(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "campaign.update", "campaign", campaign_id, told)
    return updated


async def delete_campaign(conn: Connection, actor: Actor, campaign_id: int) -> None:
    """Raises NotFound, Conflict (IN_USE) naming its deliveries, Conflict (LINKED) where rows of a dataset hold it."""
    require(actor, Permission.EDIT)
    campaign = await lock_campaign(conn, campaign_id)
    await check_unused(conn, campaign_id=campaign_id)
    try:
        async with conn.transaction():
            await store.delete_campaign(conn, campaign_id)
    except REFUSED as error:  # a delivery that joined it a moment ago, if not a link of the team's
        raise await refusal(conn, error) or Conflict("the campaign is in use", code="IN_USE") from None
    await record(conn, actor, "campaign.delete", "campaign", campaign_id, {"name": {"from": campaign.name}})


async def get_campaign(conn: Connection, campaign_id: int) -> Campaign:
    """Raises NotFound (CAMPAIGN_NOT_FOUND)."""
    campaign = await store.find_campaign(conn, campaign_id)
    if campaign is None:
        raise not_found("campaign", campaign_id)
    return campaign


async def find_campaign(conn: Connection, campaign_id: int) -> Campaign | None:
    """The campaign, or None."""
    return await store.find_campaign(conn, campaign_id)


async def find_campaigns(conn: Connection, ids: Sequence[int]) -> list[Campaign]:
    """Those of the ids that exist, in any order."""
    return await store.find_campaigns(conn, ids)


async def find_campaign_by_name(conn: Connection, name: str) -> Campaign | None:
    """The campaign, or None."""
    return await store.find_campaign_by_name(conn, name)


async def lock_campaign(conn: Connection, campaign_id: int) -> Campaign:
    """The campaign, locked. Raises NotFound (CAMPAIGN_NOT_FOUND)."""
    campaign = await store.lock_campaign(conn, campaign_id)
    if campaign is None:
        raise not_found("campaign", campaign_id)
    return campaign


async def list_campaigns(conn: Connection, page: PageRequest) -> Page[Campaign]:
    """A page in the order of ids."""
    return cut(await store.list_campaigns(conn, page.after, page.first + 1), page)


async def count_campaigns(conn: Connection) -> int:
    """How many there are."""
    return await store.count_campaigns(conn)


def _taken(error: Refused, draft: CampaignDraft) -> Exception:
    return name_taken("campaign", draft.name) if isinstance(error, asyncpg.UniqueViolationError) else error


def _draft(campaign: Campaign) -> CampaignDraft:
    return CampaignDraft(name=campaign.name, label=campaign.label, starts_on=campaign.starts_on, ends_on=campaign.ends_on)


def _check(draft: CampaignDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)
    if draft.starts_on and draft.ends_on and draft.ends_on < draft.starts_on:
        raise Invalid(
            f"the campaign ends on {draft.ends_on}, before it starts on {draft.starts_on}",
            code="BAD_DATES", path="ends_on", hint="Give an end that is not before the start.",
        )  # fmt: skip
