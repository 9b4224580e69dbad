"""API tokens: only a keyed hash is kept, and what is wrong with a token is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.access import Actor, Permission, Role
from core.accounts import tokens
from core.db import Connection
from core.errors import Forbidden, Invalid, Unauthenticated
from core.paging import PageRequest
from core.secrets import Keyring, new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def keyring() -> Keyring:
    return parse_keyring(new_key_text(1))


async def test_a_token_names_its_holder_and_allows_what_its_roles_allow(
    conn: Connection, actor: Actor, keyring: Keyring
) -> None:
    token, text = await tokens.create_token(
        conn, actor, keyring, name="reader", roles=[Role.EXPORT], scopes=[Permission.READ], now=NOW
    )
    holder = await tokens.authenticate(conn, keyring, text, NOW)
    assert holder.name == f"token:{token.id}"
    assert holder.permissions == {Permission.READ}

    # And neither the table nor the audit knows its text
    secret = text.rsplit("_", 1)[1]
    stored = await conn.fetchrow("SELECT t::text AS token FROM api_token t WHERE id = $1", token.id)
    audited = await conn.fetch("SELECT a::text AS entry FROM audit_entry a")
    assert secret not in stored["token"]
    assert audited
    assert not [row for row in audited if secret in row["entry"]]


async def test_altered_expired_revoked_and_foreign_tokens_are_refused_alike(
    conn: Connection, actor: Actor, keyring: Keyring
) -> None:
    token, text = await tokens.create_token(
        conn, actor, keyring, name="short", roles=[Role.EXPORT], expires_at=NOW + timedelta(hours=1), now=NOW
    )
    other = parse_keyring(new_key_text(2))
    attempts = [
        (keyring, text[:-1] + ("a" if text[-1] != "a" else "b"), NOW),
        (keyring, text.replace(str(token.id), str(token.id + 1), 1), NOW),
        (keyring, text, NOW + timedelta(hours=2)),
        (other, text, NOW),
        *(
            (keyring, bad, NOW)
            for bad in (
                "",
                "clarion",
                "clarion__",
                "clarion_9999999999999999999999_x",
                "clarion_²_x",
                "x" * 5000,
            )
        ),
    ]
    for ring, attempt, now in attempts:
        with pytest.raises(Unauthenticated, match="unknown, expired or revoked"):
            await tokens.authenticate(conn, ring, attempt, now)
    await tokens.revoke_token(conn, actor, token.id, NOW)
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(conn, keyring, text, NOW)


async def test_a_token_survives_the_rotation_of_keys(conn: Connection, actor: Actor) -> None:
    old = new_key_text(1)
    _, text = await tokens.create_token(
        conn, actor, parse_keyring(old), name="kept", roles=[Role.WORKFLOW], now=NOW
    )
    rotated = parse_keyring(f"{new_key_text(2)},{old}")
    assert (await tokens.authenticate(conn, rotated, text, NOW)).label == "kept"


async def test_only_administrators_make_tokens(conn: Connection, keyring: Keyring) -> None:
    weak = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    with pytest.raises(Forbidden, match="administer"):
        await tokens.create_token(conn, weak, keyring, name="x", roles=[Role.EXPORT], now=NOW)


async def test_a_bad_draft_names_its_field(conn: Connection, actor: Actor, keyring: Keyring) -> None:
    for draft, path in (
        ({"name": " ", "roles": [Role.EXPORT]}, "name"),
        ({"name": "x", "roles": []}, "roles"),
        ({"name": "x", "roles": [Role.EXPORT], "expires_at": NOW}, "expires_at"),
    ):
        with pytest.raises(Invalid) as caught:
            await tokens.create_token(conn, actor, keyring, now=NOW, **draft)  # type: ignore[arg-type]
        assert caught.value.path == path


async def test_the_first_administrator_is_made_once(conn: Connection, keyring: Keyring) -> None:
    text = await tokens.first_admin_token(conn, keyring, NOW)
    assert text is not None
    assert (await tokens.authenticate(conn, keyring, text, NOW)).permissions == frozenset(Permission)
    assert await tokens.first_admin_token(conn, keyring, NOW) is None


async def test_last_use_is_written_apart_and_never_moves_back(
    conn: Connection, actor: Actor, keyring: Keyring
) -> None:
    token, _ = await tokens.create_token(conn, actor, keyring, name="busy", roles=[Role.EXPORT], now=NOW)
    used = tokens.LastUsed()
    used.note(token.id, NOW + timedelta(minutes=5))
    await used.flush(conn)
    used.note(token.id, NOW + timedelta(minutes=1))
    await used.flush(conn)
    page = await tokens.list_tokens(conn, PageRequest(first=10))
    assert [row.last_used_at for row in page.rows] == [NOW + timedelta(minutes=5)]
