"""`clarion token reseal`: an older master key can go once it says that nothing needs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import tokens as commands
from channels.contract import AddressKind, FailureReason
from channels.email import EmailChannel
from core import audit, idempotency
from core.access import SYSTEM, Role
from core.accounts import tokens
from core.channel_registry import ChannelRegistry
from core.clock import system_clock
from core.db import Connection
from core.delivery.store.programs import insert_program
from core.errors import Conflict
from core.planning import channel_accounts
from core.planning.records import AccountDraft
from core.profiles import quarantine
from core.profiles.quarantine_records import QuarantineStatus
from core.runtime import Runtime
from core.secrets import new_key_text
from tests.core.authors import SMTP

OLD, NEW = new_key_text(1), new_key_text(2)
Keys = Callable[..., None]


@pytest.fixture
def keys(bare: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Keys:
    """Put master keys into the settings of an installation with a database."""
    monkeypatch.setenv("CLARION_DATABASE_URL", database_url)
    return lambda *given: monkeypatch.setenv("CLARION_SECRET_KEYS", ",".join(given))


async def add_account(runtime: Runtime, conn: Connection) -> None:
    draft = AccountDraft(name="relay", label="Relay", channel="email", config=SMTP)
    await channel_accounts.create_account(conn, SYSTEM, ChannelRegistry({"email": EmailChannel}), runtime.keyring, draft)


async def use_newest_key(runtime: Runtime, conn: Connection) -> None:
    """Everything else that is made with the newest key and stored."""
    keyring, now = runtime.keyring, system_clock()
    for name in ("live", "revoked"):
        made, _ = await tokens.create_token(conn, SYSTEM, keyring, name=name, roles=[Role.EXPORT], now=now)
    await tokens.revoke_token(conn, SYSTEM, made.id, now)
    await idempotency.claim(conn, keyring, "anna", "key", b"request")
    await idempotency.keep_answer(conn, keyring, "anna", "key", b"answer")
    await quarantine.put_in(
        conn, SYSTEM, keyring, AddressKind.EMAIL, ["a@mail.example", "b@mail.example"],
        status=QuarantineStatus.DENYLISTED, reason=FailureReason.NOT_DEFINED, now=now,
    )  # fmt: skip
    for delivery_id in (1, 2, 2):
        await insert_program(
            conn, delivery_id=delivery_id, channel="email", config={}, content={}, fields=[],
            token_key_id=keyring.newest.key_id, base_url="http://x", engine_version=1,
        )  # fmt: skip


async def told(runtime: Runtime, conn: Connection) -> list[tuple[str, str]]:
    found = await audit.list_entries(conn, object_type="channel_account", object_ids=None, before_id=None, limit=9)
    return [(entry.actor, entry.action) for entry in found]


def reseal(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What it says."""
    commands.reseal()
    return capsys.readouterr().out.splitlines()


def test_a_key_that_nothing_needs_can_go(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    keys(OLD)
    commands.on_database(add_account)
    keys(NEW, OLD)
    first = "channel accounts whose secrets are encrypted with master key 2 from now on:"
    nothing = "master key 1 is needed by nothing stored any more"

    assert reseal(capsys) == [f"{first} 1", nothing]
    assert reseal(capsys) == [f"{first} 0", nothing]
    keys(NEW)
    assert reseal(capsys) == [f"{first} 0"]
    assert commands.on_database(told) == [("system", "channel_account.reseal"), ("system", "channel_account.create")]


def test_what_still_needs_a_key_is_told(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    keys(OLD)
    commands.on_database(use_newest_key)

    keys(NEW, OLD)
    _, which, *needed = reseal(capsys)
    assert which == "master key 1 is still needed by"
    assert [one.split(" (")[0] for one in needed] == [
        "  live API tokens: 1",
        "  deliveries: 2",
        "  audit entries on quarantined addresses: 2",
        "  stored answers to requests: 1",
    ]
    keys(NEW)  # taken out too early
    assert reseal(capsys)[1] == "master key 1, which is not in CLARION_SECRET_KEYS, is still needed by"


def test_an_account_that_cannot_be_read_is_named(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    keys(OLD)
    commands.on_database(add_account)
    keys(NEW)
    with pytest.raises(Conflict, match="'relay' \\(master key 1\\); nothing was changed"):
        commands.reseal()
    assert capsys.readouterr().out == ""
