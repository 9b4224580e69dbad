"""Tokens open the door for their bearer, and only for what they were given."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.access import SYSTEM, Actor, Permission, Role, permissions_of
from core.accounts import tokens
from core.audit import list_entries
from core.db import Connection, Pool, transaction
from core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from core.paging import PageRequest
from core.secrets import Keyring, new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def keyring() -> Keyring:
    """Fresh keys."""
    return parse_keyring(new_key_text(1))


async def test_a_token_says_who_its_bearer_is(conn: Connection, keyring: Keyring) -> None:
    token, text = await tokens.create_token(
        conn, SYSTEM, keyring, name="Import robot", roles=[Role.GENERIC_IMPORT, Role.EXPORT], now=NOW
    )

    actor = await tokens.authenticate(conn, keyring, text, NOW)

    assert text.startswith(f"clarion_{token.id}_")
    assert actor.name == f"token:{token.id}"
    assert actor.label == "Import robot"
    assert actor.token_id == token.id
    assert actor.permissions == permissions_of(frozenset({Role.GENERIC_IMPORT, Role.EXPORT}))


async def test_the_secret_is_nowhere_in_the_database(conn: Connection, keyring: Keyring) -> None:
    token, text = await tokens.create_token(conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], now=NOW)
    secret = text.split("_", 2)[2]

    stored = await conn.fetchval("SELECT t::text FROM api_token t WHERE id = $1", token.id)
    audited = await conn.fetchval("SELECT string_agg(a::text, '') FROM audit_entry a")

    assert secret not in stored
    assert secret not in audited
    assert secret not in repr(token)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text + "x",
        lambda text: text.replace("clarion_", "clarion_9"),
        lambda text: text.replace("clarion_", "clarion_0"),
        lambda text: text.upper(),
        lambda text: " " + text,
        lambda text: text.split("_", 2)[2],
        lambda text: "",
        lambda text: "clarion_99999999999999999999_" + "a" * 43,
        lambda text: "clarion_1_" + "\u0661" * 43,
    ],
)
async def test_an_altered_token_is_nobody(conn: Connection, keyring: Keyring, spoil: object) -> None:
    _, text = await tokens.create_token(conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], now=NOW)

    assert callable(spoil)
    with pytest.raises(Unauthenticated) as caught:
        await tokens.authenticate(conn, keyring, spoil(text), NOW)

    assert caught.value.code == "BAD_TOKEN"


async def test_a_token_of_another_installation_is_nobody(conn: Connection, keyring: Keyring) -> None:
    _, text = await tokens.create_token(conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], now=NOW)

    with pytest.raises(Unauthenticated):
        await tokens.authenticate(conn, parse_keyring(new_key_text(1)), text, NOW)
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(conn, parse_keyring(new_key_text(2)), text, NOW)


async def test_tokens_outlive_a_rotation_while_their_key_stays(conn: Connection) -> None:
    old, new = new_key_text(1), new_key_text(2)
    _, text = await tokens.create_token(conn, SYSTEM, parse_keyring(old), name="a", roles=[Role.EXPORT], now=NOW)

    assert await tokens.authenticate(conn, parse_keyring(f"{new},{old}"), text, NOW)
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(conn, parse_keyring(new), text, NOW)


async def test_a_token_ends_at_its_expiry(conn: Connection, keyring: Keyring) -> None:
    _, text = await tokens.create_token(
        conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], expires_at=NOW + timedelta(hours=1), now=NOW
    )

    assert await tokens.authenticate(conn, keyring, text, NOW + timedelta(minutes=59))
    with pytest.raises(Unauthenticated) as caught:
        await tokens.authenticate(conn, keyring, text, NOW + timedelta(hours=1))

    assert caught.value.code == "TOKEN_EXPIRED"


async def test_a_revoked_token_is_told_so_and_stays_revoked(conn: Connection, keyring: Keyring) -> None:
    token, text = await tokens.create_token(conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], now=NOW)

    revoked = await tokens.revoke_token(conn, SYSTEM, token.id, NOW)
    again = await tokens.revoke_token(conn, SYSTEM, token.id, NOW + timedelta(days=1))

    assert revoked.revoked_at == again.revoked_at == NOW
    with pytest.raises(Unauthenticated) as caught:
        await tokens.authenticate(conn, keyring, text, NOW)
    assert caught.value.code == "TOKEN_REVOKED"
    with pytest.raises(NotFound):
        await tokens.revoke_token(conn, SYSTEM, token.id + 1, NOW)


async def test_scopes_narrow_what_the_roles_allow(conn: Connection, keyring: Keyring) -> None:
    _, text = await tokens.create_token(
        conn, SYSTEM, keyring, name="a", roles=[Role.ADMINISTRATION], scopes=[Permission.READ], now=NOW
    )

    assert (await tokens.authenticate(conn, keyring, text, NOW)).permissions == {Permission.READ}


async def test_nobody_hands_out_more_than_he_has(conn: Connection, keyring: Keyring) -> None:
    keeper = Actor(name="token:1", permissions=frozenset({Permission.ADMINISTER, Permission.READ}))
    clerk = Actor(name="token:2", permissions=frozenset({Permission.READ}))

    with pytest.raises(Forbidden, match="edit"):
        await tokens.create_token(conn, keeper, keyring, name="a", roles=[Role.EXPORT], now=NOW)
    with pytest.raises(Forbidden):
        await tokens.create_token(conn, clerk, keyring, name="a", roles=[Role.EXPORT], scopes=[Permission.READ], now=NOW)

    made, _ = await tokens.create_token(conn, keeper, keyring, name="a", roles=[Role.EXPORT], scopes=[Permission.READ], now=NOW)
    assert made.permissions == {Permission.READ}
    assert made.created_by == "token:1"


@pytest.mark.parametrize(
    ("name", "roles", "expires_at", "code"),
    [
        ("", [Role.EXPORT], None, "BAD_LABEL"),
        ("a\nb", [Role.EXPORT], None, "BAD_LABEL"),
        ("a", [], None, "NO_ROLES"),
        ("a", [Role.EXPORT], NOW, "BAD_EXPIRY"),
    ],
)
async def test_a_useless_token_is_refused(
    conn: Connection, keyring: Keyring, name: str, roles: list[Role], expires_at: datetime | None, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await tokens.create_token(conn, SYSTEM, keyring, name=name, roles=roles, expires_at=expires_at, now=NOW)

    assert caught.value.code == code


async def test_making_and_revoking_are_audited(conn: Connection, keyring: Keyring) -> None:
    token, _ = await tokens.create_token(conn, SYSTEM, keyring, name="a", roles=[Role.EXPORT], now=NOW)
    await tokens.revoke_token(conn, SYSTEM, token.id, NOW)
    await tokens.revoke_token(conn, SYSTEM, token.id, NOW)

    entries = await list_entries(conn, object_type="token", object_ids=[str(token.id)], before_id=None, limit=10)

    assert [entry.action for entry in entries] == ["token.revoke", "token.create"]
    assert entries[1].changes["roles"]["to"] == ["export"]


async def test_tokens_are_listed_in_pages(conn: Connection, keyring: Keyring) -> None:
    made = [
        (await tokens.create_token(conn, SYSTEM, keyring, name=f"t{n}", roles=[Role.EXPORT], now=NOW))[0].id for n in range(3)
    ]

    first = await tokens.list_tokens(conn, PageRequest(first=2))
    second = await tokens.list_tokens(conn, PageRequest(first=2, after=made[1]))

    assert ([token.id for token in first.rows], first.has_next) == (made[:2], True)
    assert ([token.id for token in second.rows], second.has_next) == (made[2:], False)
    assert await tokens.count_tokens(conn) == 3


async def test_a_new_house_gets_one_first_token_however_many_ask(pool: Pool, keyring: Keyring) -> None:
    async def ask() -> object:
        async with transaction(pool) as conn:
            return await tokens.first_admin_token(conn, keyring, NOW)

    answers = [answer for answer in await asyncio.gather(*(ask() for _ in range(6))) if answer is not None]

    assert len(answers) == 1
    assert await ask() is None
    async with transaction(pool) as conn:
        assert await tokens.count_tokens(conn) == 1
