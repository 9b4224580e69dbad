"""The versions of everything a preparation read, and whether they still stand."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from core.content.libraries import load_library_named
from core.content.uses import MEMBERS
from core.db import Connection
from core.delivery.records import DeliveryRun
from core.delivery.store import read_versions
from core.errors import Stale
from core.planning import computed, seeds
from core.targeting.errors import ExpressionError
from core.targeting.filters_called import expand_all
from core.targeting.references import members_named

LABELS = {
    "delivery": "the delivery",
    "content": "the content",
    "audience": "the audience",
    "account": "the channel account",
    "schema": "the data model",
    "purpose": "the purpose",
    "holdout": "the global holdout",
    "campaign": "the campaign",
}
FRAGMENT = "fragment:"
AUDIENCE = "audience:"


async def current_versions(conn: Connection, delivery_id: int, now: datetime) -> dict[str, int]:
    """The versions now, their rows held until the transaction ends.

    Those of fragments and of audiences that are named stand after FRAGMENT and AUDIENCE with their names.
    """
    versions = await read_versions.read_versions(conn, delivery_id, now)
    named = await read_versions.audiences_named(conn, delivery_id, await _names(conn, delivery_id))
    versions |= {AUDIENCE + name: version for name, version in named.items()}
    versions |= await campaign_version(conn, delivery_id)
    library = await load_library_named(conn, set(await read_versions.fragments_used(conn, delivery_id)), hold=True)
    return versions | {FRAGMENT + name: fragment.version for name, fragment in library.fragments.items()}


async def campaign_version(conn: Connection, delivery_id: int) -> dict[str, int]:
    """That of the campaign, where the programs of the delivery's preparation read something of it. It is held likewise."""
    version = await read_versions.campaign_read(conn, delivery_id)
    return {} if version is None else {"campaign": version}


async def _names(conn: Connection, delivery_id: int) -> list[str]:
    """The audiences that questions of its control group, its traps and its content name, and what it computes of
    recipients, by themselves and by filters."""
    group = (await seeds.get_control_groups(conn, [delivery_id])).get(delivery_id)
    traps = (await seeds.get_traps(conn, [delivery_id])).get(delivery_id)
    kept = (await computed.get_sending_logs(conn, [delivery_id])).get(delivery_id)
    asked = [group.question, group.by] if group else []
    asked += [traps.question] if traps else []
    asked += [kept.segment_code] if kept else []
    dates = (await computed.get_send_dates(conn, [delivery_id])).get(delivery_id)
    asked += [dates.expression] if dates else []
    roots = [one.root for one in asked if one is not None]
    with suppress(ExpressionError):  # what cannot be asked any more is told when it is prepared
        roots = await expand_all(conn, roots)
    named = {one.audience for root in roots for one in members_named(root)}
    read = await read_versions.content_reads(conn, delivery_id, MEMBERS)
    return sorted(named | {one.removeprefix(MEMBERS) for one in read})


async def changed_since(conn: Connection, run: DeliveryRun, now: datetime) -> list[str]:
    """What changed since the run was prepared, by name."""
    after = await current_versions(conn, run.delivery_id, now)
    before = run.versions or {}
    names = [*LABELS, *sorted({*after, *before} - LABELS.keys())]
    return [_label(name) for name in names if before.get(name) != after.get(name)]


def _label(name: str) -> str:
    if name.startswith(AUDIENCE):
        return f"the audience {name.removeprefix(AUDIENCE)!r}"
    return LABELS.get(name) or f"the fragment {name.removeprefix(FRAGMENT)!r}"


async def check_unchanged(conn: Connection, run: DeliveryRun, now: datetime) -> None:
    """Raises Stale when what was prepared is not what would be sent."""
    changed = await changed_since(conn, run, now)
    if changed:
        raise Stale(
            f"{' and '.join(changed)} changed since the delivery was prepared",
            code="STALE_PREPARATION",
            hint="Prepare it again.",
        )
