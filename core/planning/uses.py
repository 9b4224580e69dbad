"""Which deliveries use something, and the refusal to delete what is used."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.errors import Conflict
from core.planning.records import Use
from core.planning.seed_records import Asking
from core.planning.store import asked
from core.planning.store import deliveries as store

SHOWN = 5


async def list_uses(
    conn: Connection,
    *,
    campaign_id: int | None = None,
    channel_account_id: int | None = None,
    audience_id: int | None = None,
    content_id: int | None = None,
    limit: int = 100,
) -> list[Use]:
    """The deliveries that use any of the things given, oldest first."""
    return await store.list_uses(conn, campaign_id, channel_account_id, audience_id, content_id, limit)


async def check_unused(
    conn: Connection,
    *,
    campaign_id: int | None = None,
    channel_account_id: int | None = None,
    audience_id: int | None = None,
    content_id: int | None = None,
) -> None:
    """Raises Conflict (IN_USE) that names the deliveries which use the thing. Call it before deleting one."""
    given = {
        "campaign": campaign_id,
        "channel account": channel_account_id,
        "audience": audience_id,
        "content": content_id,
    }
    found = await store.list_uses(conn, campaign_id, channel_account_id, audience_id, content_id, SHOWN + 1)
    if not found:
        return
    kind = next(kind for kind, key in given.items() if key is not None)
    names = ", ".join(repr(use.name) for use in found[:SHOWN]) + (" and others" if len(found) > SHOWN else "")
    raise Conflict(
        f"the {kind} is used by the deliveries {names}",
        code="IN_USE", hint="Delete those deliveries, or give them another one, first.",
    )  # fmt: skip


async def check_audience_unnamed(conn: Connection, name: str) -> None:
    """Raises Conflict (IN_USE) where what deliveries ask names an audience. Call it after the audience was deleted, or named
    otherwise, in the same transaction: whoever saves such an expression meanwhile waits."""
    found = await asked.list_naming(conn, name, SHOWN + 1)
    if found:
        raise Conflict(
            f"the audience {name!r} is named by {told(found)}", code="IN_USE", path="name",
            hint="Change those first; delete the deliveries that are over.",
        )  # fmt: skip


def told(found: Sequence[Asking]) -> str:
    """Some of them in words."""
    shown = ", ".join(f"the {one.what} of the delivery {one.name!r}" for one in found[:SHOWN])
    return shown + (" and others" if len(found) > SHOWN else "")
