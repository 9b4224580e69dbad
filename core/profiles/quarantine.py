"""Addresses that must not be written to, whoever owns them (feature map 2.51-2.65).

Kept per kind and normalised address: capitals make no difference, and a person who changes the address is free. Sending
tells of errors in sets, in the transaction that stores the outcomes; `quarantine_settings` says how many are too many, people
put addresses in and let them out by hand, one by one here and many at once in `quarantine_correction`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.contract import AddressKind, FailureReason
from core.access import Actor, Permission, require
from core.audit import count_by_key, record_many
from core.authored import not_found
from core.db import Connection
from core.errors import Invalid
from core.profiles.address_keys import address_key, prefix_key
from core.profiles.quarantine_records import QuarantineEntry, QuarantineFilter, QuarantineStatus
from core.profiles.store import quarantine as store
from core.profiles.store.quarantine import Where
from core.secrets import Keyring

EXPIRE_AT_ONCE = 10_000
TEXT_LENGTH = 1000
MOST_BY_HAND = 1000  # addresses of one call
AUDIT_PURPOSE = "audit-reference"

REASONS = frozenset(
    {
        FailureReason.NOT_DEFINED,
        FailureReason.USER_UNKNOWN,
        FailureReason.INVALID_DOMAIN,
        FailureReason.DENYLISTED_ADDRESS,
        FailureReason.REFUSED,
        FailureReason.ERROR_IGNORED,
        FailureReason.UNREACHABLE,
        FailureReason.ACCOUNT_DISABLED,
        FailureReason.MAILBOX_FULL,
        FailureReason.NOT_CONNECTED,
    }
)
"""What can be the matter with an address (2.55). Anything else that a channel tells is kept as not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressError:
    """What a provider said about an address; `address_key` is normalised."""

    address_key: str
    reason: FailureReason
    text: str


async def record_hard(
    conn: Connection,
    kind: AddressKind | str,
    errors: Sequence[AddressError],
    *,
    delivery_id: int | None,
    now: datetime,
) -> None:
    """These addresses do not exist: in quarantine at once (2.57). Ignored errors do not count (2.56)."""
    if counting := _counting(errors):
        await store.put_hard(conn, AddressKind(kind).value, *_columns(counting), delivery_id, now)


async def record_soft(
    conn: Connection,
    kind: AddressKind | str,
    errors: Sequence[AddressError],
    *,
    delivery_id: int | None,
    now: datetime,
) -> None:
    """These addresses failed this time (2.58). Ignored errors do not count (2.56), nor two that are too near to each other."""
    if counting := _counting(errors):
        await store.count_soft(conn, AddressKind(kind).value, *_columns(counting), delivery_id, now)


async def record_good(conn: Connection, kind: AddressKind | str, address_keys: Sequence[str]) -> None:
    """These addresses took a message: soft errors are forgotten, quarantine is not (2.60)."""
    if address_keys:
        await store.forget_erroneous(conn, AddressKind(kind).value, address_keys)


async def put_in(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    kind: AddressKind | str,
    addresses: Sequence[str],
    *,
    status: QuarantineStatus = QuarantineStatus.QUARANTINE,
    reason: FailureReason = FailureReason.NOT_DEFINED,
    text: str = "",
    now: datetime,
    region: str = "US",
) -> list[QuarantineEntry]:
    """Give addresses a status by hand (2.52), whatever they had before; what is the same already is not written.

    Raises Invalid (BAD_EMAIL, BAD_PHONE, BAD_REASON, …).
    """
    require(actor, Permission.ADMINISTER)
    kind = AddressKind(kind)
    if reason not in REASONS:
        allowed = ", ".join(one.name for one in sorted(REASONS))
        raise Invalid(
            f"{reason.name} is nothing that can be the matter with an address", code="BAD_REASON", path="reason",
            hint=f"Use one of {allowed}.",
        )  # fmt: skip
    keys = address_keys(kind, addresses, region)
    changed = await store.put_by_hand(conn, kind.value, keys, status, reason, _storable(text), now)
    told = {"kind": kind.value, "status": status.value, "reason": reason.name}
    await record_changes(conn, actor, keyring, "put", [(kind.value, key) for key in changed], told)
    return await store.get_entries(conn, kind.value, keys)


async def release(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    kind: AddressKind | str,
    addresses: Sequence[str],
    *,
    region: str = "US",
) -> int:
    """Let addresses out; returns how many were in. Raises Invalid (BAD_EMAIL, BAD_PHONE, …)."""
    require(actor, Permission.ADMINISTER)
    kind = AddressKind(kind)
    found = await store.delete_entries(conn, kind.value, address_keys(kind, addresses, region))
    await record_changes(conn, actor, keyring, "release", [(kind.value, key) for key in found])
    return len(found)


def audit_references(keyring: Keyring, kind: AddressKind | str, address: str, *, region: str = "US") -> list[str]:
    """What stands for an address in the audit log, where addresses themselves never are; the newest key's first.

    Entries keep the reference of the key that was the newest when they were written. Raises Invalid for what is no address.
    """
    kind = AddressKind(kind)
    return keyring.keyed_hashes(_referred(kind.value, address_key(kind, address, region)), AUDIT_PURPOSE)


async def count_audit_references_by_key(conn: Connection) -> dict[int, int]:
    """How many entries of the audit log have a reference made with each master key, by its id; suppression lists' too."""
    counts = Counter(await count_by_key(conn, "quarantine"))
    counts.update(await count_by_key(conn, "suppression"))
    return dict(counts)


async def get_entry(conn: Connection, kind: AddressKind | str, address: str, *, region: str = "US") -> QuarantineEntry:
    """Raises NotFound (QUARANTINE_ENTRY_NOT_FOUND), Invalid for what is no address."""
    entry = await find_entry(conn, kind, address, region=region)
    if entry is None:
        raise not_found("quarantine entry", address)
    return entry


async def find_entry(conn: Connection, kind: AddressKind | str, address: str, *, region: str = "US") -> QuarantineEntry | None:
    """What is known of an address in any spelling; None when nothing. Raises Invalid for what is no address."""
    kind = AddressKind(kind)
    return await store.find_entry(conn, kind.value, address_key(kind, address, region))


async def list_entries(
    conn: Connection,
    filter: QuarantineFilter = QuarantineFilter(),  # noqa: B008 - frozen
    *,
    after: tuple[str, str] | None = None,
    limit: int,
    region: str = "US",
) -> list[QuarantineEntry]:
    """In the order of kind and address; `after` is the kind and key of the last one seen. Raises as `where`."""
    return await store.list_entries(conn, where(filter, region), after or ("", ""), limit)


async def count_entries(conn: Connection, filter: QuarantineFilter, *, region: str = "US") -> int:
    """How many there are. Raises as `where`."""
    return await store.count_entries(conn, where(filter, region))


def where(filter: QuarantineFilter, region: str) -> Where:
    """A filter in the terms of the table. Raises Invalid (BAD_EMAIL, …) for an address of which its kind has none."""
    return Where(
        kind=filter.kind.value if filter.kind else None,
        keys=None if filter.address is None else _meant(filter.kind, filter.address, region),
        prefix=None if filter.prefix is None else _storable(prefix_key(filter.kind, filter.prefix)),
        statuses=None if filter.statuses is None else [one.value for one in filter.statuses],
        reasons=None if filter.reasons is None else [int(one) for one in filter.reasons],
        text=None if filter.text is None else _storable(filter.text),
        changed_from=filter.changed_from,
        changed_before=filter.changed_before,
    )


async def expire(conn: Connection, now: datetime) -> int:
    """Forget soft errors when the settings say so, and corrected addresses with them (2.59, 2.60); returns how many.

    Quarantine and denylisting stay until somebody lifts them, whatever their reason.
    """
    return await store.expire(conn, now, EXPIRE_AT_ONCE)


def address_keys(kind: AddressKind, addresses: Sequence[str], region: str, path: str = "addresses") -> list[str]:
    """The keys of addresses entered by hand. Raises Invalid, naming the place of the first that is none."""
    if not 1 <= len(addresses) <= MOST_BY_HAND:
        raise Invalid(f"give 1 to {MOST_BY_HAND} {path}", code="BAD_VALUE", path=path)
    return [address_key(kind, address, region, f"{path}.{n}") for n, address in enumerate(addresses)]


async def record_changes(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    action: str,
    changed: Sequence[tuple[str, str]],
    told: Mapping[str, str] | None = None,
) -> None:
    """One entry of the audit for each kind and key, which stands in it by reference."""
    for kind in sorted({kind for kind, _ in changed}):
        keys = (_referred(kind, key) for of, key in changed if of == kind)
        references = keyring.keyed_hashes_of(keys, AUDIT_PURPOSE)
        await record_many(conn, actor, f"quarantine.{action}", "quarantine", references, {"kind": kind, **(told or {})})


def _meant(kind: AddressKind | None, address: str, region: str) -> list[str]:
    """What an address may be kept as: where nobody says its kind, as each kind of which it is one."""
    if kind is not None:
        return [address_key(kind, address, region)]
    keys = set()
    for one in AddressKind:
        try:
            keys.add(address_key(one, address, region))
        except Invalid:
            continue
    return sorted(keys)


def _referred(kind: str, key: str) -> str:
    return f"{kind}/{key}"


def _counting(errors: Sequence[AddressError]) -> list[AddressError]:
    return [error for error in errors if error.reason is not FailureReason.ERROR_IGNORED]


def _columns(errors: Sequence[AddressError]) -> tuple[list[str], list[int], list[str]]:
    return (
        [error.address_key for error in errors],
        [int(error.reason if error.reason in REASONS else FailureReason.NOT_DEFINED) for error in errors],
        [_storable(error.text) for error in errors],
    )


def _storable(text: str) -> str:
    return text[:TEXT_LENGTH].replace("\0", "").encode("utf-8", "replace").decode()


async def get_entries_of(conn: Connection, profile_ids: Sequence[int]) -> dict[int, list[QuarantineEntry]]:
    """What is known against the addresses of people, where they live and their devices included; those with nothing are left
    out."""
    found: dict[int, list[QuarantineEntry]] = {}
    for person, entry in await store.get_entries_of(conn, profile_ids):
        found.setdefault(person, []).append(entry)
    return found
