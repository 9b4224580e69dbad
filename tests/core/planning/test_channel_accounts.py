"""Accounts keep what the channel needs; secrets go in and never come back out."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from core import audit
from core.access import Actor, Permission
from core.channel_registry import ConfigInvalid
from core.db import Connection, Pool
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from core.planning import channel_accounts as accounts
from core.planning.channel_accounts import LONGEST_RETRY, breaker_delay, open_config
from core.planning.deliveries import create_delivery
from core.planning.records import AccountDraft, ChannelAccount, DeliveryDraft
from core.secrets import Keyring, new_key_text, parse_keyring
from tests.core.authors import KEYRING, REGISTRY, SMTP, a_content, an_account, an_audience

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def entries(conn: Connection, account: ChannelAccount) -> list[audit.AuditEntry]:
    return await audit.list_entries(conn, object_type="channel_account", object_ids=[str(account.id)], before_id=None, limit=50)


async def test_an_account_is_complete_and_its_secret_sealed(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    assert account.config["host"] == "smtp.example.com"
    assert account.config["connections"] == 20  # a default of the manifest
    assert account.secret_names == ("password",)
    assert account.version == 1
    # Nothing that is stored, shown or logged holds the secret; only the plugin gets it
    stored = await conn.fetchval("SELECT row_to_json(a)::text FROM channel_account a")
    assert "s3cret" not in stored
    assert "s3cret" not in repr(account)
    assert "s3cret" not in repr(AccountDraft(name="x", label="X", channel="email", config=SMTP))
    assert "s3cret" not in str(await entries(conn, account))
    assert open_config(account, KEYRING) == {**account.config, "password": "s3cret"}


async def test_a_secret_stays_until_another_is_given_or_it_is_taken_out(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)

    async def change(config: dict[str, object]) -> ChannelAccount:
        return await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"config": config})

    moved = await change({"host": "other.example.com"})
    assert (moved.version, moved.config["port"]) == (2, 2525)
    assert open_config(moved, KEYRING)["password"] == "s3cret"
    renewed = await change({"password": "n3w"})
    assert renewed.version == 3
    assert open_config(renewed, KEYRING)["password"] == "n3w"
    opened = await change({"password": None})
    assert opened.secret_names == ()
    assert opened.sealed is None
    assert "password" not in open_config(opened, KEYRING)
    changes = [entry.changes for entry in await entries(conn, account)]
    assert changes[0] == changes[1] == {"secrets": ["password"]}
    assert changes[2] == {"config.host": {"from": "smtp.example.com", "to": "other.example.com"}}


async def test_changing_nothing_makes_no_version_and_no_entry(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    same = {"label": account.label, "config": {"port": 2525}}
    assert await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, same) == account
    assert len(await entries(conn, account)) == 1


async def test_a_setting_taken_out_returns_to_its_default(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    back = await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"config": {"port": None}})
    assert back.config["port"] == 587


async def test_wrong_settings_are_located(conn: Connection, actor: Actor) -> None:
    draft = AccountDraft(name="relay", label="Relay", channel="email", config={**SMTP, "port": "25"})
    with pytest.raises(ConfigInvalid) as caught:
        await accounts.create_account(conn, actor, REGISTRY, KEYRING, draft)
    assert caught.value.path == "config.port"
    account = await an_account(conn, actor)
    with pytest.raises(ConfigInvalid) as caught:
        await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"config": {"hst": "x"}})
    assert caught.value.problems[0].hint == "Did you mean 'host'?"


async def test_two_accounts_cannot_have_one_name(conn: Connection, actor: Actor) -> None:
    await an_account(conn, actor, "one")
    two = await an_account(conn, actor, "two")
    with pytest.raises(Conflict) as caught:
        await an_account(conn, actor, "one")
    assert (caught.value.code, caught.value.path) == ("NAME_TAKEN", "name")
    with pytest.raises(Conflict, match="one"):
        await accounts.update_account(conn, actor, REGISTRY, KEYRING, two.id, {"name": "one"})
    assert (await accounts.get_account(conn, two.id)).name == "two"


async def test_the_channel_is_fixed_and_must_exist(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    with pytest.raises(Invalid) as caught:
        await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"channel": "sms"})
    assert caught.value.code == "CHANNEL_FIXED"
    draft = AccountDraft(name="x", label="X", channel="owl", config={})
    with pytest.raises(NotFound, match="owl"):
        await accounts.create_account(conn, actor, REGISTRY, KEYRING, draft)


async def test_a_change_on_an_old_version_is_refused(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"label": "New"}, expected_version=1)
    with pytest.raises(Stale):
        await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"label": "Newer"}, expected_version=1)


async def test_an_account_in_use_cannot_be_deleted(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    audience, content = await an_audience(conn, actor), await a_content(conn, actor)
    draft = DeliveryDraft(
        name="spring",
        label="S",
        channel_account_id=account.id,
        audience_id=audience.id,
        content_id=content.id,
    )
    await create_delivery(conn, actor, draft)
    with pytest.raises(Conflict, match="used by the deliveries 'spring'") as caught:
        await accounts.delete_account(conn, actor, account.id)
    assert caught.value.code == "IN_USE"
    await conn.execute("DELETE FROM delivery")
    await accounts.delete_account(conn, actor, account.id)
    with pytest.raises(NotFound) as gone:
        await accounts.get_account(conn, account.id)
    assert gone.value.code == "CHANNEL_ACCOUNT_NOT_FOUND"


async def test_only_an_administrator_touches_accounts(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    draft = AccountDraft(name="a", label="A", channel="email", config=SMTP)
    for attempt in (
        accounts.create_account(conn, editor, REGISTRY, KEYRING, draft),
        accounts.update_account(conn, editor, REGISTRY, KEYRING, account.id, {"label": "B"}),
        accounts.delete_account(conn, editor, account.id),
        accounts.pause_account(conn, editor, account.id, "no", now=NOW),
        accounts.resume_account(conn, editor, account.id),
        accounts.reseal_accounts(conn, editor, KEYRING),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            await attempt


async def test_a_paused_account_waits_for_a_person(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    await accounts.pause_account(conn, actor, account.id, "535 wrong password", now=NOW)
    await accounts.pause_account(conn, actor, account.id, "another reason", now=NOW + timedelta(hours=1))
    paused = await accounts.get_account(conn, account.id)
    assert (paused.paused_at, paused.pause_reason, paused.version) == (NOW, "535 wrong password", 1)
    assert not paused.is_open(NOW + timedelta(days=400))
    resumed = await accounts.resume_account(conn, actor, account.id)
    assert resumed.is_open(NOW)
    assert [entry.action for entry in await entries(conn, account)][:2] == [
        "channel_account.resume",
        "channel_account.pause",
    ]
    with pytest.raises(NotFound):
        await accounts.pause_account(conn, actor, 0, "nobody", now=NOW)


async def test_the_breaker_opens_longer_each_time_and_closes_on_success(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    first = await accounts.note_failure(conn, account.id, now=NOW)
    assert first == NOW + timedelta(seconds=10)
    # Other connections report the same outage
    assert await accounts.note_failure(conn, account.id, now=NOW + timedelta(seconds=1)) == first
    open_now = await accounts.get_account(conn, account.id)
    assert (open_now.failures, open_now.is_open(NOW), open_now.is_open(first)) == (1, False, True)
    assert await accounts.note_failure(conn, account.id, now=first) == first + timedelta(seconds=20)
    await accounts.note_success(conn, account.id, asked_at=first)
    assert (await accounts.get_account(conn, account.id)).failures == 2, "what was claimed before it opened says nothing"
    await accounts.note_success(conn, account.id, asked_at=first + timedelta(seconds=20))
    closed = await accounts.get_account(conn, account.id)
    assert (closed.failures, closed.retry_at, closed.version) == (0, None, 1)


def test_the_breaker_never_waits_longer_than_its_bound() -> None:
    delays = [breaker_delay(failures) for failures in range(40)]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_RETRY


async def test_a_key_can_be_retired_after_sealing_anew(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    newer = parse_keyring(new_key_text(2))
    both = Keyring([newer.newest, KEYRING.newest])
    with pytest.raises(Invalid) as caught:
        open_config(account, newer)
    assert caught.value.code == "SECRET_UNREADABLE"
    assert await accounts.reseal_accounts(conn, actor, both) == 1
    assert open_config(await accounts.get_account(conn, account.id), newer)["password"] == "s3cret"
    # Again, and with the older key gone: there is nothing left to do
    assert await accounts.reseal_accounts(conn, actor, both) == await accounts.reseal_accounts(conn, actor, newer) == 0
    told = await entries(conn, account)
    assert [entry.action for entry in told] == ["channel_account.reseal", "channel_account.create"]
    assert told[0].changes == {"key_id": {"from": 1, "to": 2}}


async def test_secrets_whose_key_is_gone_can_be_entered_again(conn: Connection, actor: Actor) -> None:
    account = await an_account(conn, actor)
    newer = parse_keyring(new_key_text(2))
    with pytest.raises(Conflict, match="'relay' \\(master key 1\\)"):
        await accounts.reseal_accounts(conn, actor, newer)
    await accounts.update_account(conn, actor, REGISTRY, newer, account.id, {"config": {"password": "n3w"}})
    assert open_config(await accounts.get_account(conn, account.id), newer)["password"] == "n3w"
    assert await accounts.reseal_accounts(conn, actor, newer) == 0


async def test_of_accounts_that_cannot_all_be_read_none_is_sealed_anew(conn: Connection, actor: Actor) -> None:
    made = [await an_account(conn, actor, name) for name in ("one", "two", "three")]
    lost, newer = parse_keyring(new_key_text(3)), parse_keyring(new_key_text(2))
    for account in made[1:]:
        await accounts.update_account(conn, actor, REGISTRY, lost, account.id, {"config": {"password": "n3w"}})

    with pytest.raises(Conflict) as caught:
        await accounts.reseal_accounts(conn, actor, Keyring([newer.newest, KEYRING.newest]))

    assert caught.value.code == "SECRETS_UNREADABLE"
    assert "'two' (master key 3), 'three' (master key 3)" in caught.value.message
    assert open_config(await accounts.get_account(conn, made[0].id), KEYRING)["password"] == "s3cret"


async def test_a_change_and_a_sealing_anew_take_turns(pool: Pool, actor: Actor) -> None:
    newer = parse_keyring(new_key_text(2))
    both = Keyring([newer.newest, KEYRING.newest])
    async with pool.acquire() as conn, pool.acquire() as other:
        account = await an_account(conn, actor)

        async def reseal() -> int:
            async with other.transaction():
                return await accounts.reseal_accounts(other, actor, both)

        async with conn.transaction():
            await accounts.update_account(conn, actor, REGISTRY, KEYRING, account.id, {"config": {"password": "n3w"}})
            sealing = asyncio.create_task(reseal())
            await asyncio.sleep(0.2)
            assert not sealing.done()
        assert await sealing == 1
        assert open_config(await accounts.get_account(conn, account.id), newer)["password"] == "n3w"


async def test_a_sealed_secret_belongs_to_its_account(conn: Connection, actor: Actor) -> None:
    one, two = await an_account(conn, actor, "one"), await an_account(conn, actor, "two")
    await conn.execute("UPDATE channel_account SET secrets = $1 WHERE id = $2", one.sealed, two.id)
    with pytest.raises(Invalid):
        open_config(await accounts.get_account(conn, two.id), KEYRING)


async def test_accounts_are_listed_in_pages_and_found(conn: Connection, actor: Actor) -> None:
    made = [await an_account(conn, actor, f"relay-{number}") for number in range(3)]
    page = await accounts.list_accounts(conn, PageRequest(first=2, after=made[0].id - 1))
    assert ([one.id for one in page.rows], page.has_next) == ([made[0].id, made[1].id], True)
    rest = await accounts.list_accounts(conn, PageRequest(first=2, after=made[1].id))
    assert ([one.id for one in rest.rows], rest.has_next) == ([made[2].id], False)
    assert await accounts.count_accounts(conn) == 3
    assert await accounts.find_account_by_name(conn, "relay-1") == made[1]
    assert await accounts.find_account_by_name(conn, "relay-9") is None
    assert await accounts.find_account(conn, 0) is None
    found = await accounts.find_accounts(conn, [made[2].id, 0, made[0].id])
    assert {one.id for one in found} == {made[0].id, made[2].id}
    assert {field.name for field in fields(made[0])} >= {"id", "version", "secret_names"}
