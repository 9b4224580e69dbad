"""API tokens: made, checked, revoked. The secret is shown once and only its keyed hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from core.access import SYSTEM, Actor, Permission, Role, permissions_of, require
from core.accounts import store
from core.accounts.records import TokenRecord
from core.audit import record
from core.authored import check_label, not_found
from core.db import Connection
from core.errors import Forbidden, Invalid, Unauthenticated
from core.paging import Page, PageRequest, cut
from core.secrets import Keyring, MasterKey

PURPOSE = "api-tokens"
SECRET_BYTES = 32
FIRST_NAME = "First administrator"

_TEXT = re.compile(r"clarion_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43})")
_NO_HASH = bytes(hashlib.sha256().digest_size)  # what an unknown token is compared with, so that it takes as long


async def create_token(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    *,
    name: str,
    roles: Collection[Role],
    scopes: Collection[Permission] | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[TokenRecord, str]:
    """A new token and its text, which cannot be read again.

    Raises Invalid (BAD_LABEL, NO_ROLES, BAD_EXPIRY), Forbidden when it would allow more than the actor may.
    """
    require(actor, Permission.ADMINISTER)
    _check_new(actor, name, roles, scopes, expires_at, now)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    token = await store.insert_token(
        conn,
        name=name,
        token_hash=_hash(keyring.newest, secret),
        key_id=keyring.newest.key_id,
        roles=set(roles),
        scopes=None if scopes is None else set(scopes),
        expires_at=expires_at,
        created_by=actor.name,
        now=now,
    )
    await record(conn, actor, "token.create", "token", token.id, _told(token))
    return token, f"clarion_{token.id}_{secret}"


async def authenticate(conn: Connection, keyring: Keyring, text: str, now: datetime) -> Actor:
    """Who bears this token. Reads one row and writes nothing: see `last_used`.

    Raises Unauthenticated: BAD_TOKEN for anything unknown or altered, TOKEN_REVOKED or TOKEN_EXPIRED for its
    true bearer.
    """
    parts = _TEXT.fullmatch(text)
    stored = await store.find_stored(conn, int(parts[1])) if parts else None
    key = keyring.by_id.get(stored.key_id) if stored else None
    expected = stored.token_hash if stored else _NO_HASH
    given = _hash(key or keyring.newest, parts[2] if parts else "")
    if not hmac.compare_digest(given, expected) or stored is None or key is None:
        raise Unauthenticated(
            "this is not a valid token",
            code="BAD_TOKEN",
            hint="Send `Authorization: Bearer clarion_…` with a live token.",
        )
    _check_live(stored.record, now)
    token = stored.record
    return Actor(name=f"token:{token.id}", permissions=token.permissions, label=token.name, token_id=token.id)


async def revoke_token(conn: Connection, actor: Actor, token_id: int, now: datetime) -> TokenRecord:
    """End a token for good. Does nothing to one that is revoked already. Raises NotFound."""
    require(actor, Permission.ADMINISTER)
    revoked = await store.revoke_token(conn, token_id, now)
    if revoked is None:
        return await get_token(conn, token_id)
    await record(conn, actor, "token.revoke", "token", token_id)
    return revoked


async def get_token(conn: Connection, token_id: int) -> TokenRecord:
    """Raises NotFound (TOKEN_NOT_FOUND)."""
    token = await store.find_token(conn, token_id)
    if token is None:
        raise not_found("token", token_id)
    return token


async def list_tokens(conn: Connection, page: PageRequest) -> Page[TokenRecord]:
    """A page in the order of ids."""
    return cut(await store.list_tokens(conn, page.after, page.first + 1), page)


async def count_tokens(conn: Connection) -> int:
    """How many there are, revoked ones included."""
    return await store.count_tokens(conn)


async def count_live_by_key(conn: Connection, now: datetime) -> dict[int, int]:
    """How many live ones each master key checks, by its id."""
    return await store.count_live_by_key(conn, now)


async def first_admin_token(conn: Connection, keyring: Keyring, now: datetime) -> tuple[TokenRecord, str] | None:
    """A token with every permission for a house that never had one, else None. Two at once make one."""
    await store.lock_first_token(conn)
    if await store.count_tokens(conn):
        return None
    return await create_token(conn, SYSTEM, keyring, name=FIRST_NAME, roles=[Role.ADMINISTRATION], now=now)


@lru_cache(maxsize=64)
def _hash_key(key: MasterKey) -> bytes:
    return key.derive(PURPOSE)


def _hash(key: MasterKey, secret: str) -> bytes:
    return hmac.new(_hash_key(key), secret.encode(), hashlib.sha256).digest()


def _check_new(
    actor: Actor,
    name: str,
    roles: Collection[Role],
    scopes: Collection[Permission] | None,
    expires_at: datetime | None,
    now: datetime,
) -> None:
    check_label(name, path="name")
    allowed = permissions_of(frozenset(roles))
    if scopes is not None:
        allowed &= frozenset(scopes)
    if not allowed:
        raise Invalid(
            "this token would allow nothing",
            code="NO_ROLES",
            path="roles",
            hint="Give it a role, or wider scopes.",
        )
    if expires_at is not None and expires_at <= now:
        raise Invalid(
            "the token would have expired already",
            code="BAD_EXPIRY",
            path="expires_at",
            hint="Give a later time.",
        )
    beyond = sorted(allowed - actor.permissions)
    if beyond:
        raise Forbidden(
            f"a token cannot be given more than one has: {', '.join(beyond)}",
            path="roles",
            hint="Narrow it by scopes.",
        )


def _check_live(token: TokenRecord, now: datetime) -> None:
    if token.is_live(now):
        return
    if token.revoked_at is not None:
        raise Unauthenticated("this token was revoked", code="TOKEN_REVOKED", hint="Ask an administrator for a new one.")
    raise Unauthenticated("this token has expired", code="TOKEN_EXPIRED", hint="Ask an administrator for a new one.")


def _told(token: TokenRecord) -> dict[str, object]:
    return {
        "name": {"from": None, "to": token.name},
        "roles": {"from": None, "to": sorted(token.roles)},
        "scopes": {"from": None, "to": None if token.scopes is None else sorted(token.scopes)},
        "expires_at": {"from": None, "to": token.expires_at},
    }
