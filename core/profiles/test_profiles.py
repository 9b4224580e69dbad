"""Test profiles: create, change, delete, find. Their fields are those of profiles, ours and the team's (2.36)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import changed, check_label, check_version, not_found
from core.datamodel.refusals import REFUSED
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.profiles import team_rows
from core.profiles.fields import FIELDS, SETTABLE, WRITTEN_COLUMNS
from core.profiles.profiles import DEFAULT_COUNTRY, clean_values
from core.profiles.store import test_profiles as store
from core.profiles.team_rows import Extended
from core.profiles.test_profile_records import TestProfile, TestProfileDraft, TestProfileUse
from core.profiles.values import UNSTORABLE

LONGEST_TOKEN = 1_000  # characters
LARGEST_PAYLOAD = 64 * 1024  # bytes of JSON
DEEPEST_PAYLOAD = 16  # levels
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,29}")
_EMPTY: dict[str, Any] = dict.fromkeys(WRITTEN_COLUMNS) | {
    field.name: field.default for field in SETTABLE.values() if field.required
}


async def create_test_profile(
    conn: Connection,
    actor: Actor,
    draft: TestProfileDraft,
    values: Mapping[str, Any],
    team: Mapping[str, Any] = MappingProxyType({}),
    *,
    now: datetime,
    default_country: str = DEFAULT_COUNTRY,
) -> TestProfile:
    """A new test profile; `values` and `team` as of a profile.

    Raises FieldsInvalid, Invalid (BAD_LABEL, BAD_USES, BAD_EVENT, BAD_VALUE, ROW_TOO_BIG).
    """
    require(actor, Permission.EDIT)
    _check(draft)
    columns = _EMPTY | clean_values(values, now=now, country=None, default_country=default_country)
    columns |= await team_rows.clean_new(conn, Extended.TEST_PROFILE, team)
    try:
        async with conn.transaction():
            made = await store.insert_test_profile(conn, draft, columns, actor.name, now)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or error from None
    told = {"uses": [*draft.uses], "fields": sorted({**values, **team})}
    await record(conn, actor, "test_profile.create", "test_profile", made.id, told)
    return made


async def update_test_profile(
    conn: Connection,
    actor: Actor,
    test_profile_id: int,
    changes: Mapping[str, Any],
    values: Mapping[str, Any] = MappingProxyType({}),
    team: Mapping[str, Any] = MappingProxyType({}),
    *,
    expected_version: int | None = None,
    now: datetime,
    default_country: str = DEFAULT_COUNTRY,
) -> TestProfile:
    """Change what is given: `changes` of its draft, `values` and `team` of its fields; None clears. What changes nothing makes
    no new version.

    Raises as `create_test_profile`, NotFound (TEST_PROFILE_NOT_FOUND), Stale (VERSION_CHANGED), Conflict (BUILT_IN).
    """
    require(actor, Permission.EDIT)
    found = await _lock(conn, test_profile_id)
    check_version("test profile", found.version, expected_version)
    before = _draft(found)
    draft = changed(before, changes)
    _check(draft)
    columns = store.written(found.person)
    columns |= clean_values(values, now=now, country=found.person.country, default_country=default_country)
    added = await team_rows.clean_changed(conn, Extended.TEST_PROFILE, found.id, team)
    if draft == before and columns == store.written(found.person) and not added:
        return found
    try:
        async with conn.transaction():
            updated = await store.update_test_profile(conn, test_profile_id, draft, columns | added, now)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or error from None
    old, new = asdict(before), asdict(draft)
    own = [*(name for name in old if old[name] != new[name]), *(name for name in values if name in FIELDS)]
    told = [*own, *team_rows.told(team, added)]
    await record(conn, actor, "test_profile.update", "test_profile", test_profile_id, {"fields": sorted(told)})
    return updated


async def delete_test_profile(conn: Connection, actor: Actor, test_profile_id: int) -> None:
    """Delete it; it is no trap of any delivery any more. Raises NotFound, Conflict (BUILT_IN)."""
    require(actor, Permission.EDIT)
    await _lock(conn, test_profile_id)
    await store.delete_test_profile(conn, test_profile_id)
    await record(conn, actor, "test_profile.delete", "test_profile", test_profile_id)


async def get_test_profile(conn: Connection, test_profile_id: int) -> TestProfile:
    """Raises NotFound (TEST_PROFILE_NOT_FOUND)."""
    found = await store.find_test_profiles(conn, [test_profile_id])
    if not found:
        raise not_found("test profile", test_profile_id)
    return found[0]


async def find_test_profiles(conn: Connection, ids: Sequence[int]) -> list[TestProfile]:
    """Those of the ids that exist, in their order."""
    return await store.find_test_profiles(conn, ids)


async def list_test_profiles(
    conn: Connection, page: PageRequest, *, use: TestProfileUse | None = None, text: str | None = None
) -> Page[TestProfile]:
    """A page in the order of ids: of one use or of all, with the text in label, email or name, capitals and accents or not."""
    if text is not None and UNSTORABLE.search(text):
        return Page(rows=[], has_next=False)
    return cut(await store.list_test_profiles(conn, use, text, page.after, page.first + 1), page)


async def count_test_profiles(conn: Connection, *, use: TestProfileUse | None = None, text: str | None = None) -> int:
    """How many those are."""
    return 0 if text is not None and UNSTORABLE.search(text) else await store.count_test_profiles(conn, use, text)


async def _lock(conn: Connection, test_profile_id: int) -> TestProfile:
    found = await store.lock_test_profile(conn, test_profile_id)
    if found is None:
        raise not_found("test profile", test_profile_id)
    if found.built_in:
        raise Conflict(
            f"the test profile {found.label!r} is built in", code="BUILT_IN", path="id", hint="Create one of your own."
        )
    return found


def _draft(found: TestProfile) -> TestProfileDraft:
    return TestProfileDraft(
        label=found.label, uses=found.uses, app_token=found.app_token, event_type=found.event_type,
        event_payload=found.event_payload,
    )  # fmt: skip


def _check(draft: TestProfileDraft) -> None:
    check_label(draft.label)
    if TestProfileUse.RENDERING in draft.uses:
        raise Invalid(
            "only built-in test profiles look at messages in mail programs", code="BAD_USES", path="uses",
            hint="Choose PROOF, TRAP or PREVIEW.",
        )  # fmt: skip
    if not draft.uses or len(set(draft.uses)) < len(draft.uses):
        raise Invalid("a test profile has one use at least, each once", code="BAD_USES", path="uses")
    token = draft.app_token
    if token is not None and (not 0 < len(token) <= LONGEST_TOKEN or not token.isprintable()):
        raise Invalid(f"an app's token is 1 to {LONGEST_TOKEN} printable characters", code="BAD_VALUE", path="app_token")
    _check_event(draft)


def _check_event(draft: TestProfileDraft) -> None:
    if draft.event_type is not None and not _EVENT_TYPE.fullmatch(draft.event_type):
        raise Invalid(
            f"{draft.event_type[:80]!r} is no name of an event type", code="BAD_EVENT", path="event_type",
            hint="Small letters, digits and '_', up to 30.",
        )  # fmt: skip
    if draft.event_payload is None:
        return
    if draft.event_type is None:
        raise Invalid("a payload is that of an event", code="BAD_EVENT", path="event_payload", hint="Name the event's type.")
    if not _is_storable(draft.event_payload):
        raise Invalid(
            f"the payload is nested deeper than {DEEPEST_PAYLOAD} levels or holds a character that cannot be stored",
            code="BAD_EVENT", path="event_payload",
        )  # fmt: skip
    if len(msgspec.json.encode(draft.event_payload)) > LARGEST_PAYLOAD:
        raise Invalid(f"the payload is larger than {LARGEST_PAYLOAD // 1024} KB", code="BAD_EVENT", path="event_payload")


def _is_storable(payload: Mapping[str, Any]) -> bool:
    level: list[Any] = [payload]
    for _ in range(DEEPEST_PAYLOAD):
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                below += [*value, *value.values()]
            elif isinstance(value, list | tuple):
                below += value
            elif isinstance(value, str) and UNSTORABLE.search(value):
                return False
        if not below:
            return True
        level = below
    return False
