"""Who uses an audience, and which columns of its members: deliveries, contents, other audiences and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from core.content.audience_uses import list_contents_asking
from core.content.uses import find_columns_read
from core.db import Connection
from core.errors import ClarionError
from core.planning.columns import find_brought
from core.planning.store import audience_uses as store
from core.planning.store.asked import list_naming
from core.planning.store.audience_uses import Target
from core.targeting.audience_users import AudienceUse, AudienceUser, columns_named, list_asking, list_made_of
from core.targeting.audiences import get_audience
from core.targeting.listed import Brought
from core.targeting.records import Audience

MOST = 1_000  # of each kind
MOST_OPENED = 100  # audiences made of it, of whose deliveries it is asked what they read

_KINDS = {
    "traps": AudienceUser.TRAPS, "control group": AudienceUser.CONTROL_GROUP, "sending log": AudienceUser.SENDING_LOG,
    "send dates": AudienceUser.SEND_DATES,
}  # fmt: skip


async def list_audience_uses(conn: Connection, audience_id: int) -> Sequence[AudienceUse]:
    """Deliveries, what they ask and compute, contents, audiences and filters, oldest first, at most MOST of each.

    A delivery to another audience is one of them where its content reads a column which that audience has from this one.
    Raises NotFound (AUDIENCE_NOT_FOUND).
    """
    audience = await get_audience(conn, audience_id)
    return [
        *await _deliveries(conn, audience_id),
        *await _asked(conn, audience),
        *await list_contents_asking(conn, audience.name, MOST),
        *await list_asking(conn, audience, MOST),
    ]


async def _deliveries(conn: Connection, audience_id: int) -> list[AudienceUse]:
    made_of_it = await list_made_of(conn, audience_id, MOST_OPENED)
    found = await store.list_deliveries_to(conn, [audience_id], MOST)
    if made_of_it:
        found += await store.list_deliveries_to(conn, made_of_it, MOST)
    reads = await find_columns_read(conn, {one.content_id for one in found})
    opened = dict.fromkeys(one.audience_id for one in found if one.content_id in reads)
    brought = {one: await _brought(conn, one) for one in opened}
    uses: list[AudienceUse] = []
    for one in sorted(found, key=lambda target: target.delivery_id):
        columns = _columns(one, audience_id, reads.get(one.content_id, ()), brought.get(one.audience_id, {}))
        if columns or one.audience_id == audience_id:
            uses.append(AudienceUse(kind=AudienceUser.DELIVERY, id=one.delivery_id, name=one.name, columns=columns))
    return uses[:MOST]


async def _asked(conn: Connection, audience: Audience) -> list[AudienceUse]:
    """Control groups, which may be it or name it, and what else deliveries ask and compute."""
    groups = {
        key: AudienceUse(kind=AudienceUser.CONTROL_GROUP, id=key, name=name)
        for key, name in await store.list_control_groups_of(conn, audience.id, MOST)
    }
    others: list[AudienceUse] = []
    for one in await list_naming(conn, audience.name, MOST):
        columns = columns_named([*one.questions, *one.computed], audience.name)
        use = AudienceUse(kind=_KINDS[one.what], id=one.delivery_id, name=one.name, columns=columns)
        if use.kind is AudienceUser.CONTROL_GROUP:
            groups[use.id] = use
        else:
            others.append(use)
    return [*(groups[key] for key in sorted(groups)[:MOST]), *others]


async def _brought(conn: Connection, audience_id: int) -> Mapping[str, Brought]:
    """The columns of an audience; none of one that cannot be asked now, which is told where that matters."""
    with suppress(ClarionError):
        return await find_brought(conn, audience_id)
    return {}


def _columns(target: Target, audience_id: int, read: Sequence[str], brought: Mapping[str, Brought]) -> tuple[str, ...]:
    """Those that are read: of its own audience all that it brings along, of another one what it has from this one."""
    to_it = target.audience_id == audience_id
    return tuple(name for name in read if name in brought and (to_it or brought[name].audience_id == audience_id))
