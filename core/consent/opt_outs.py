"""What people refuse: a flag per channel, and one for all (feature map 2.06, 2.45-2.47).

The database itself adds to the ledger whatever changes a flag (`log_opt_outs` in the migration), so that profiles written by
hand and imports leave their entries too; here it is told who acts, from where, and with what proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from channels.contract import AddressKind
from core.access import Actor
from core.audit import record_many
from core.authored import not_found
from core.consent.acts import check_act, provenance
from core.consent.records import UNKNOWN, Act, Outcome
from core.consent.store import people as store
from core.db import Connection
from core.profiles.records import Channel
from core.provenance import tell_provenance

FLAGS: Mapping[AddressKind, str] = {
    kind: store.OPT_OUT_COLUMNS[Channel(kind.value)] for kind in AddressKind if kind.value in {one.value for one in Channel}
}
"""The flag by which people refuse what is sent to an address of a kind. Applications have none."""


async def opt_out(
    conn: Connection, actor: Actor, profile_ids: Sequence[int], channel: Channel, act: Act = UNKNOWN, *, now: datetime
) -> list[int]:
    """Stop writing to these people by a channel; the ids of those that had not refused before.

    It holds for all profiles that are one person by a merge, also after the merge is undone. Asks for no permission: it is
    the person's own act, whoever carries it out.
    Raises Invalid (BAD_ORIGIN, BAD_PROOF, BAD_MOMENT), NotFound (CONSENT_WORDING_NOT_FOUND).
    """
    column = store.OPT_OUT_COLUMNS[channel]
    at = await check_act(conn, act, now)
    changed: list[int] = []
    if profile_ids:
        await tell_provenance(conn, provenance(actor, act, at, now))
        changed = await _refuse(conn, column, profile_ids, now)
        again = sorted(set(profile_ids).difference(changed))
        if again:
            await store.add_repeated_refusals(conn, channel, again, act, at, actor.name, now)
    await record_many(conn, actor, "profile.opt_out", "profile", changed, {"fields": [column]})
    return changed


async def _refuse(conn: Connection, column: str, profile_ids: Sequence[int], now: datetime) -> list[int]:
    found = await store.opt_out(conn, column, profile_ids, now)
    changed = {one for one, _ in found}
    late = {into for _, into in found if into is not None} - changed
    if late:  # a merge may have been under way
        changed |= {one for one, _ in await store.opt_out(conn, column, sorted(late), now)}
    return sorted(changed)


async def set_flags_own(
    conn: Connection, actor: Actor, profile_id: int, flags: Mapping[Channel, bool], act: Act, *, now: datetime
) -> dict[Channel, Outcome]:
    """Set a person's flags, true: refused. Asks for no permission, and leaves the audit to its caller.

    What is said to have happened before something newer is recorded and changes nothing.
    Raises NotFound (PROFILE_NOT_FOUND), and as `opt_out`.
    """
    at = await check_act(conn, act, now)
    await store.lock_profiles(conn, [profile_id])
    kept = await store.get_flags(conn, profile_id)
    if kept is None:
        raise not_found("profile", profile_id)
    newest = await store.newest_by_channel(conn, profile_id)
    late = {one: is_set for one, is_set in flags.items() if one in newest and newest[one] > at}
    changes = {one: is_set for one, is_set in flags.items() if one not in late and is_set != kept[one]}
    if late:
        await store.add_late_flags(conn, profile_id, late, act, at, actor.name, now)
    for channel in (one for one, is_set in flags.items() if is_set and one not in late and one not in changes):
        await store.add_repeated_refusals(conn, channel, [profile_id], act, at, actor.name, now)
    if changes:
        await tell_provenance(conn, provenance(actor, act, at, now))
        for channel in (one for one, is_set in changes.items() if is_set):
            await _refuse(conn, store.OPT_OUT_COLUMNS[channel], [profile_id], now)
        granted = {one: is_set for one, is_set in changes.items() if not is_set}
        if granted:
            await store.set_flags(conn, profile_id, granted, now)
    return {one: _outcome(one in late, one in changes) for one in flags}


def _outcome(late: bool, changed: bool) -> Outcome:
    if late:
        return Outcome.LATE
    return Outcome.RECORDED if changed else Outcome.UNCHANGED
