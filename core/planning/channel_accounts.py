"""Channel accounts: settings checked against the manifest, secrets sealed and never read back, a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.channel_io import AccountIO
from core.channel_registry import ChannelRegistry
from core.db import Connection
from core.egress import GuardedIO
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.planning.records import AccountDraft, ChannelAccount
from core.planning.store import accounts as store
from core.planning.uses import check_unused
from core.redaction import Redaction
from core.secrets import Keyring, key_id_of

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)
REASON_LENGTH = 500


async def create_account(
    conn: Connection, actor: Actor, registry: ChannelRegistry, keyring: Keyring, draft: AccountDraft
) -> ChannelAccount:
    """Raises Invalid (BAD_NAME, BAD_LABEL, CONFIG_REFUSED, …), NotFound (CHANNEL_NOT_FOUND), Conflict (NAME_TAKEN)."""
    require(actor, Permission.ADMINISTER)
    check_name(draft.name)
    check_label(draft.label)
    checked = registry.check_config(draft.channel, draft.config)
    await asyncio.to_thread(registry.check_together, draft.channel, {**checked.config, **checked.secrets})
    account = await store.insert_account(conn, draft, checked.config, actor.name)
    if account is None:
        raise name_taken("channel account", draft.name)
    if checked.secrets:
        await _seal(conn, keyring, account.id, checked.secrets)
    created = {"name": draft.name, "label": draft.label, "channel": draft.channel, **_config(checked.config)}
    changes = difference({}, created) | _named_secrets(checked.secrets)
    await record(conn, actor, "channel_account.create", "channel_account", account.id, changes)
    return await get_account(conn, account.id)


async def update_account(
    conn: Connection,
    actor: Actor,
    registry: ChannelRegistry,
    keyring: Keyring,
    account_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> ChannelAccount:
    """Change `name`, `label` or settings. `changes["config"]` has the settings to change; None takes one out.

    Secrets that are not named stay. Raises as `create_account`, NotFound, Stale (VERSION_CHANGED).
    """
    require(actor, Permission.ADMINISTER)
    account = await lock_account(conn, account_id)
    check_version("channel account", account.version, expected_version)
    given = changes.get("config") or {}
    draft = changed(
        AccountDraft(name=account.name, label=account.label, channel=account.channel, config=account.config),
        changes,
    )
    if draft.channel != account.channel:
        raise Invalid(
            "the channel of an account cannot be changed",
            code="CHANNEL_FIXED", path="channel", hint="Create another account.",
        )  # fmt: skip
    check_name(draft.name)
    check_label(draft.label)
    checked = registry.check_config(account.channel, {**account.config, **given}, stored_secrets=account.secret_names)
    before = {"name": account.name, "label": account.label, **_config(account.config)}
    after = {"name": draft.name, "label": draft.label, **_config(checked.config)}
    touched = {name for name in given if name in checked.secrets or name in account.secret_names}
    if before == after and not touched:
        return account
    if touched or checked.config != account.config:
        stored = _unseal(account, keyring) if set(account.secret_names) - set(given) else {}  # else they are all replaced
        secrets = {name: value for name, value in stored.items() if name not in given} | dict(checked.secrets)
        await asyncio.to_thread(registry.check_together, account.channel, {**checked.config, **secrets})
    await _write(conn, account, draft, checked.config)
    if touched:
        await _seal(conn, keyring, account_id, secrets)
    told = difference(before, after) | _named_secrets(touched)
    await record(conn, actor, "channel_account.update", "channel_account", account_id, told)
    return await get_account(conn, account_id)


async def _write(conn: Connection, account: ChannelAccount, draft: AccountDraft, config: Mapping[str, Any]) -> None:
    try:
        async with conn.transaction():
            await store.update_account(conn, account.id, name=draft.name, label=draft.label, config=config)
    except asyncpg.UniqueViolationError:
        raise name_taken("channel account", draft.name) from None


async def delete_account(conn: Connection, actor: Actor, account_id: int) -> None:
    """Raises NotFound, Conflict (IN_USE) naming the deliveries that use it."""
    require(actor, Permission.ADMINISTER)
    account = await lock_account(conn, account_id)
    await check_unused(conn, channel_account_id=account_id)
    try:
        async with conn.transaction():
            await store.delete_account(conn, account_id)
    except asyncpg.ForeignKeyViolationError:  # a delivery that took it a moment ago
        raise Conflict("the channel account is in use", code="IN_USE") from None
    await record(conn, actor, "channel_account.delete", "channel_account", account_id, {"name": {"from": account.name}})


async def get_account(conn: Connection, account_id: int) -> ChannelAccount:
    """Raises NotFound (CHANNEL_ACCOUNT_NOT_FOUND)."""
    account = await store.find_account(conn, account_id)
    if account is None:
        raise not_found("channel account", account_id)
    return account


async def find_open_account(conn: Connection, account_id: int, now: datetime) -> ChannelAccount | None:
    """The account, if messages may be sent through it now."""
    account = await store.find_account(conn, account_id)
    return account if account is not None and account.is_open(now) else None


async def find_account(conn: Connection, account_id: int) -> ChannelAccount | None:
    """The account, or None."""
    return await store.find_account(conn, account_id)


async def find_accounts(conn: Connection, ids: Sequence[int]) -> list[ChannelAccount]:
    """Those of the ids that exist, in any order."""
    return await store.find_accounts(conn, ids)


async def find_account_by_name(conn: Connection, name: str) -> ChannelAccount | None:
    """The account, or None."""
    return await store.find_account_by_name(conn, name)


async def lock_account(conn: Connection, account_id: int) -> ChannelAccount:
    """The account, locked. Raises NotFound (CHANNEL_ACCOUNT_NOT_FOUND)."""
    account = await store.lock_account(conn, account_id)
    if account is None:
        raise not_found("channel account", account_id)
    return account


async def list_accounts(conn: Connection, page: PageRequest) -> Page[ChannelAccount]:
    """A page in the order of ids."""
    return cut(await store.list_accounts(conn, page.after, page.first + 1), page)


async def count_accounts(conn: Connection) -> int:
    """How many there are."""
    return await store.count_accounts(conn)


def open_config(account: ChannelAccount, keyring: Keyring) -> Mapping[str, Any]:
    """Every setting including secrets, for the plugin alone: never log it, never store it.

    Secrets that are not set are None. Raises Invalid (SECRET_UNREADABLE) when the key is gone.
    """
    return {**account.config, **_unseal(account, keyring)}


def io_of(account: ChannelAccount, config: Mapping[str, Any], out: GuardedIO) -> AccountIO:
    """The way out for the account's plugin; `config` is that of `open_config`."""
    return AccountIO(out, account.channel, Redaction(config.get(name) for name in account.secret_names))


async def reseal_accounts(conn: Connection, actor: Actor, keyring: Keyring) -> int:
    """Encrypt every stored secret with the newest key, so that older keys can go. Returns of how many accounts.

    Raises Conflict (SECRETS_UNREADABLE), naming every account whose key is gone; then nothing is changed.
    """
    require(actor, Permission.ADMINISTER)
    opened = _unseal_all(await store.list_sealed(conn), keyring)
    resealed = 0
    for account, secrets in opened:
        key_id = key_id_of(account.sealed or b"")
        if key_id == keyring.newest.key_id:
            continue
        await _seal(conn, keyring, account.id, secrets)
        told = {"key_id": {"from": key_id, "to": keyring.newest.key_id}}
        await record(conn, actor, "channel_account.reseal", "channel_account", account.id, told)
        resealed += 1
    return resealed


async def pause_account(conn: Connection, actor: Actor, account_id: int, reason: str, *, now: datetime) -> None:
    """Stop sending through it until somebody resumes it. A second pause changes nothing. Raises NotFound."""
    require(actor, Permission.ADMINISTER)
    if await store.pause_account(conn, account_id, reason[:REASON_LENGTH], now):
        # Not the reason itself: a provider's answer may name a recipient.
        await record(conn, actor, "channel_account.pause", "channel_account", account_id, {"fields": ["pause_reason"]})
    else:
        await get_account(conn, account_id)


async def resume_account(conn: Connection, actor: Actor, account_id: int) -> ChannelAccount:
    """Send through it again at once, also where the breaker was open. Raises NotFound."""
    require(actor, Permission.ADMINISTER)
    account = await lock_account(conn, account_id)
    if account.paused_at is None and account.retry_at is None:
        return account
    await store.resume_account(conn, account_id)
    await record(conn, actor, "channel_account.resume", "channel_account", account_id)
    return await get_account(conn, account_id)


async def note_failure(conn: Connection, account_id: int, *, now: datetime) -> datetime:
    """The provider is down: open the breaker. Returns when to try again; each time in a row waits longer.

    News of the same outage from other connections changes nothing. Raises NotFound.
    """
    account = await lock_account(conn, account_id)
    if account.retry_at is not None and account.retry_at > now:
        return account.retry_at
    retry_at = now + breaker_delay(account.failures)
    await store.open_breaker(conn, account_id, account.failures + 1, retry_at)
    return retry_at


async def note_success(conn: Connection, account_id: int, *, asked_at: datetime) -> None:
    """The provider took messages that were claimed at `asked_at`: close the breaker, unless it was opened meanwhile.

    Writes nothing when it is closed.
    """
    await store.close_breaker(conn, account_id, asked_at)


def breaker_delay(failures: int) -> timedelta:
    """How long to wait after so many earlier failures in a row: doubles each time up to a bound."""
    return min(FIRST_RETRY * (1 << min(failures, 20)), LONGEST_RETRY)


def _context(account_id: int) -> str:
    return f"channel account {account_id}"


async def _seal(conn: Connection, keyring: Keyring, account_id: int, secrets: Mapping[str, Any]) -> None:
    sealed = keyring.encrypt(msgspec.json.encode(secrets), _context(account_id)) if secrets else None
    await store.seal_secrets(conn, account_id, sealed, sorted(secrets))


def _unseal(account: ChannelAccount, keyring: Keyring) -> dict[str, Any]:
    if account.sealed is None:
        return {}
    return msgspec.json.decode(keyring.decrypt(account.sealed, _context(account.id)), type=dict[str, Any])


def _unseal_all(accounts: Sequence[ChannelAccount], keyring: Keyring) -> list[tuple[ChannelAccount, dict[str, Any]]]:
    opened, unreadable = [], []
    for account in accounts:
        try:
            opened.append((account, _unseal(account, keyring)))
        except Invalid:
            unreadable.append(f"{account.name!r} (master key {key_id_of(account.sealed or b'')})")
    if unreadable:
        raise Conflict(
            f"stored secrets cannot be read, of the channel accounts {', '.join(unreadable)}; nothing was changed",
            code="SECRETS_UNREADABLE",
            hint="Put these master keys back into CLARION_SECRET_KEYS, or enter all secrets of these accounts again"
            " (updateChannelAccount), then repeat.",
        )
    return opened


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {f"config.{name}": value for name, value in config.items()}


def _named_secrets(names: Any) -> dict[str, Any]:
    return {"secrets": sorted(names)} if names else {}
