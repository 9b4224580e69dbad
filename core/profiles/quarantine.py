"""Addresses that must not be written to, whoever owns them (feature map 2.51-2.65).

Kept per kind and normalised address: capitals make no difference, and a person who changes the address is free. Sending
tells of errors in sets, in the transaction that stores the outcomes; people put addresses in and let them out by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.contract import AddressKind, FailureReason
from core.access import Actor, Permission, require
from core.audit import count_by_key, record_many
from core.authored import not_found
from core.db import Connection
from core.errors import Invalid
from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue
from core.profiles.phones import parse_phone
from core.profiles.records import QuarantineEntry, QuarantineStatus
from core.profiles.store import quarantine as store
from core.secrets import Keyring

BETWEEN_SOFT_ERRORS = timedelta(days=1)  # of two that count (2.58)
SOFT_ERRORS = 5  # the fifth is the first in quarantine (2.58)
FORGET_SOFT_AFTER = timedelta(days=10)  # without another (2.59, 2.60)
RELEASE_FULL_AFTER = timedelta(days=30)  # a full mailbox may have been emptied (2.60)
EXPIRE_AT_ONCE = 10_000
TEXT_LENGTH = 1000
MOST_BY_HAND = 1000  # addresses of one call
AUDIT_PURPOSE = "audit-reference"
CHANNELS_WITH_NUMBERS = frozenset({AddressKind.MOBILE, AddressKind.PHONE})


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
    """These addresses do not exist: in quarantine at once (2.57)."""
    if errors:
        await store.put_hard(conn, AddressKind(kind).value, *_columns(errors), delivery_id, now)


async def record_soft(
    conn: Connection,
    kind: AddressKind | str,
    errors: Sequence[AddressError],
    *,
    delivery_id: int | None,
    now: datetime,
) -> None:
    """These addresses failed this time (2.58). Ignored errors do not count (2.56), nor two within a day."""
    counting = [error for error in errors if error.reason is not FailureReason.ERROR_IGNORED]
    if counting:
        await store.count_soft(
            conn, AddressKind(kind).value, *_columns(counting), delivery_id, now,
            between=BETWEEN_SOFT_ERRORS, reset_after=FORGET_SOFT_AFTER, most=SOFT_ERRORS,
        )  # fmt: skip


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

    Raises Invalid (BAD_EMAIL, BAD_PHONE, …).
    """
    require(actor, Permission.ADMINISTER)
    kind = AddressKind(kind)
    keys = _keys(kind, addresses, region)
    changed = await store.put_by_hand(conn, kind.value, keys, status, reason, text[:TEXT_LENGTH], now)
    told = {"kind": kind.value, "status": status.value, "reason": reason.name}
    await _record(conn, actor, keyring, "quarantine.put", kind, changed, told)
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
    found = await store.delete_entries(conn, kind.value, _keys(kind, addresses, region))
    await _record(conn, actor, keyring, "quarantine.release", kind, found, {"kind": kind.value})
    return len(found)


def audit_references(keyring: Keyring, kind: AddressKind | str, address: str, *, region: str = "US") -> list[str]:
    """What stands for an address in the audit log, where addresses themselves never are; the newest key's first.

    Entries keep the reference of the key that was the newest when they were written. Raises Invalid for what is no address.
    """
    kind = AddressKind(kind)
    return keyring.keyed_hashes(_referred(kind, address_key(kind, address, region)), AUDIT_PURPOSE)


async def count_audit_references_by_key(conn: Connection) -> dict[int, int]:
    """How many entries of the audit log have a reference made with each master key, by its id."""
    return await count_by_key(conn, "quarantine")


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
    *,
    kind: AddressKind | None = None,
    status: QuarantineStatus | None = None,
    after: tuple[str, str] | None = None,
    limit: int,
) -> list[QuarantineEntry]:
    """In the order of kind and address; `after` is the kind and key of the last one seen."""
    return await store.list_entries(
        conn, kind.value if kind else None, status.value if status else None, after or ("", ""), limit
    )


async def expire(conn: Connection, now: datetime) -> int:
    """Forget soft errors after ten days and full mailboxes after thirty (2.59, 2.60); returns how many.

    Quarantine for other reasons and denylisting stay until somebody lifts them.
    """
    return await store.expire(
        conn,
        soft_before=now - FORGET_SOFT_AFTER,
        full_before=now - RELEASE_FULL_AFTER,
        limit=EXPIRE_AT_ONCE,
    )


def address_key(kind: AddressKind, address: str, region: str = "US", path: str = "address") -> str:
    """The form in which addresses of a kind are compared. Raises Invalid (BAD_EMAIL, BAD_PHONE, EMPTY_ADDRESS)."""
    try:
        if kind is AddressKind.EMAIL:
            return parse_email(address).key
        if kind in CHANNELS_WITH_NUMBERS:
            return parse_phone(address, region)
    except BadValue as error:
        raise error.at(path, "address") from None
    if not address.strip():
        raise Invalid("an address is missing", code="EMPTY_ADDRESS", path=path)
    return address.strip()


def _keys(kind: AddressKind, addresses: Sequence[str], region: str) -> list[str]:
    if not 1 <= len(addresses) <= MOST_BY_HAND:
        raise Invalid(f"give 1 to {MOST_BY_HAND} addresses", code="BAD_VALUE", path="addresses")
    return [address_key(kind, address, region, f"addresses.{n}") for n, address in enumerate(addresses)]


def _referred(kind: AddressKind, key: str) -> str:
    return f"{kind.value}/{key}"


async def _record(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    action: str,
    kind: AddressKind,
    keys: Sequence[str],
    told: Mapping[str, str],
) -> None:
    """One entry for each address, which stands in it by reference."""
    references = [keyring.keyed_hash(_referred(kind, key), AUDIT_PURPOSE) for key in keys]
    await record_many(conn, actor, action, "quarantine", references, told)


def _columns(errors: Sequence[AddressError]) -> tuple[list[str], list[int], list[str]]:
    return (
        [error.address_key for error in errors],
        [int(error.reason) for error in errors],
        [error.text[:TEXT_LENGTH].replace("\0", "") for error in errors],
    )
