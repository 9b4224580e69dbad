"""The figures of the quarantine, which a team may change while everything runs (feature map 2.58-2.60, B).

Statements that count errors and let addresses out read them where they stand, so a change holds from its commit on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_version
from core.db import Connection
from core.errors import Invalid
from core.profiles.quarantine_records import QuarantineSettings
from core.profiles.store import quarantine_settings as store

MOST_ERRORS = 100
LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    soft_errors: int
    between_soft_errors: timedelta
    forget_soft_after: timedelta
    release_full_after: timedelta


async def get_settings(conn: Connection) -> QuarantineSettings:
    """As they are now."""
    return await store.get_settings(conn)


async def update_settings(
    conn: Connection,
    actor: Actor,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
    now: datetime,
) -> QuarantineSettings:
    """Change the figures given. What changes nothing makes no new version.

    Raises Invalid (BAD_VALUE, UNKNOWN_FIELD, REQUIRED), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.ADMINISTER)
    settings = await store.lock_settings(conn)
    check_version("quarantine settings", settings.version, expected_version)
    before = _Draft(**{field.name: getattr(settings, field.name) for field in fields(_Draft)})
    draft = changed(before, changes)
    if draft == before:
        return settings
    _check(draft)
    wanted = replace(settings, **{field.name: getattr(draft, field.name) for field in fields(_Draft)})
    updated = await store.update_settings(conn, wanted, actor.name, now)
    told = difference(_told(before) | {"version": settings.version}, _told(draft) | {"version": updated.version})
    await record(conn, actor, "quarantine_settings.update", "quarantine_settings", 1, told)
    return updated


def _check(draft: _Draft) -> None:
    if not 1 <= draft.soft_errors <= MOST_ERRORS:
        raise Invalid(f"1 to {MOST_ERRORS} soft errors can quarantine", code="BAD_VALUE", path="soft_errors")
    for field in fields(_Draft)[1:]:
        if not timedelta(0) <= getattr(draft, field.name) <= LONGEST:
            message = f"this length is from nothing to {LONGEST.days} days"
            raise Invalid(message, code="BAD_VALUE", path=field.name)
    if draft.forget_soft_after < draft.between_soft_errors:
        raise Invalid(
            "soft errors would be forgotten before the next one counts", code="BAD_VALUE", path="forget_soft_after",
            hint="Keep them at least as long as two significant errors are apart.",
        )  # fmt: skip
    if draft.release_full_after < draft.forget_soft_after:
        raise Invalid(
            "a full mailbox would be forgotten before other soft errors are", code="BAD_VALUE", path="release_full_after",
            hint="Keep it at least as long as other soft errors.",
        )  # fmt: skip


def _told(draft: _Draft) -> dict[str, Any]:
    lengths = {field.name: int(getattr(draft, field.name).total_seconds()) for field in fields(_Draft)[1:]}
    return {"soft_errors": draft.soft_errors, **{f"{name}_seconds": value for name, value in lengths.items()}}
