"""What people say to a provider instead of to us: complaints, and STOP in answer to a short message (2.61, 2.62).

The address is denylisted, whatever it was before, allowlisted too: the person's word outranks the team's. By other channels the
person can still be written to. Nobody needs a permission for it: it is the person's own act, whoever carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from channels.contract import AddressKind, FailureReason
from core.access import Actor
from core.db import Connection
from core.errors import Invalid
from core.profiles.address_keys import address_key
from core.profiles.erased import that_are_somebodys
from core.profiles.quarantine import TEXT_LENGTH, address_keys, record_changes
from core.profiles.store import quarantine as store
from core.profiles.store import quarantine_settings as stops
from core.secrets import Keyring

SHORT_CODE = re.compile(r"[0-9A-Za-z]{1,15}")


async def record_complaint(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    kind: AddressKind | str,
    addresses: Sequence[str],
    *,
    text: str = "",
    delivery_id: int | None = None,
    now: datetime,
    region: str = "US",
) -> int:
    """The owners of these addresses reported a message as spam (2.61): denylisted. Returns how many were not before.

    Nothing is kept of addresses of people who were erased: they are not written to anyway.
    Raises Invalid (BAD_EMAIL, …).
    """
    kind = AddressKind(kind)
    keys = await that_are_somebodys(conn, keyring, kind, address_keys(kind, addresses, region))
    said = text[:TEXT_LENGTH].replace("\0", "")
    changed = await store.put_denylisted(conn, kind.value, keys, FailureReason.DENYLISTED_ADDRESS, said, delivery_id, now)
    await record_changes(conn, actor, keyring, "complaint", [(kind.value, key) for key in changed])
    return len(changed)


async def record_stop(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    phones: Sequence[str],
    *,
    short_code: str | None = None,
    text: str = "",
    delivery_id: int | None = None,
    now: datetime,
    region: str = "US",
) -> int:
    """The owners of these phones answered STOP (2.62): nothing more from this short code; None: from none of ours.

    Nothing is kept of phones of people who were erased. Returns how many had not refused before. Raises Invalid (BAD_PHONE,
    BAD_SHORT_CODE).
    """
    kind = AddressKind.MOBILE.value
    keys = await that_are_somebodys(conn, keyring, kind, address_keys(AddressKind.MOBILE, phones, region, "phones"))
    told = {}
    if short_code is None:
        said = text[:TEXT_LENGTH].replace("\0", "")
        reason = FailureReason.DENYLISTED_ADDRESS
        changed = await store.put_denylisted(conn, kind, keys, reason, said, delivery_id, now)
    else:
        told = {"short_code": _checked(short_code)}
        changed = await stops.put_stops(conn, short_code, keys, now)
    await record_changes(conn, actor, keyring, "stop", [(kind, key) for key in changed], told)
    return len(changed)


async def lift_stop(
    conn: Connection, actor: Actor, keyring: Keyring, phones: Sequence[str], *, short_code: str, region: str = "US"
) -> int:
    """The owners of these phones want messages from a short code again; how many had refused them.

    A refusal of all short codes is lifted by `quarantine.release`. Raises Invalid (BAD_PHONE, BAD_SHORT_CODE).
    """
    keys = address_keys(AddressKind.MOBILE, phones, region, "phones")
    changed = await stops.lift_stops(conn, _checked(short_code), keys)
    kind = AddressKind.MOBILE.value
    told = {"short_code": short_code}
    await record_changes(conn, actor, keyring, "lift_stop", [(kind, key) for key in changed], told)
    return len(changed)


async def list_stops(conn: Connection, phone: str, *, region: str = "US") -> list[str]:
    """The short codes from which a phone wants nothing more. Raises Invalid (BAD_PHONE)."""
    return await stops.list_stops(conn, address_key(AddressKind.MOBILE, phone, region))


def _checked(short_code: str) -> str:
    if SHORT_CODE.fullmatch(short_code):
        return short_code
    raise Invalid(f"{short_code[:40]!r} is no short code: 1 to 15 digits or letters", code="BAD_SHORT_CODE", path="short_code")
