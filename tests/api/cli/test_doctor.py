"""`clarion doctor` looks at what `clarion up` runs, at every account, whatever one of them does."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from api.cli import doctor, installation
from api.cli.embedded import EmbeddedPostgres
from channels.contract import ChannelIO, CheckResult
from channels.memory import MemoryChannel
from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.config import Settings, load_settings
from core.db import Pool
from core.planning import channel_accounts
from core.planning.records import AccountDraft
from core.secrets import load_keyring, new_key_text


class Strange(MemoryChannel):
    """A plugin that is not as it should be."""

    def __init__(self, config: Mapping[str, Any]):
        if config["store"] == "refuses":
            raise KeyError("refuses")
        super().__init__(config)
        self._asked = config["store"]

    async def check(self, io: ChannelIO) -> CheckResult:
        if self._asked == "crashes":
            raise ZeroDivisionError("crashes")
        return await super().check(io)


async def test_one_bad_account_hides_no_other(pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page."""
    settings = load_settings(database_url=database_url, secret_keys=new_key_text(1))
    strange = ChannelRegistry({"memory": Strange})
    async with pool.acquire() as conn, conn.transaction():
        for name in ("refuses", "crashes", "works"):
            draft = AccountDraft(name=name, label=name, channel="memory", config={"store": name})
            await channel_accounts.create_account(conn, SYSTEM, strange, load_keyring(settings), draft)
    monkeypatch.setattr(ChannelRegistry, "load", lambda: strange)
    monkeypatch.setattr(doctor, "PAGE", 2)
    found = {one.message.partition(":")[0]: one for one in await doctor._channels(settings)}
    assert [found[f"account {name}"].well for name in ("refuses", "crashes", "works")] == [False, False, True]
    assert "refuses its settings" in found["account refuses"].message
    assert "ZeroDivisionError: crashes" in found["account crashes"].message


@pytest.mark.usefixtures("bare")
def test_it_looks_with_the_settings_of_up(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    """The embedded server makes it a development installation, in which channels may reach this machine."""
    monkeypatch.setattr(EmbeddedPostgres, "start", lambda _: database_url)
    seen: list[Settings] = []

    async def look(settings: Settings) -> list[doctor.Finding]:
        seen.append(settings)
        return []

    async def production(_: Settings) -> list[doctor.Finding]:
        raise AssertionError("this is none")

    monkeypatch.setattr(doctor, "LOOKS", (look,))
    monkeypatch.setattr(doctor, "_production", production)
    doctor.doctor()
    assert seen[0].allow_private_egress
    assert seen[0].allow_private_egress == installation.plan(load_settings()).settings.allow_private_egress


async def test_what_is_for_development_only() -> None:
    """Where a database of one's own says that this is production."""
    own = {"database_url": "postgresql://db/x", "base_url": "http://localhost:8000", "allow_private_egress": True}
    assert len(await doctor._production(load_settings(**own, secret_keys=None))) == 3
    right = {"base_url": "https://mail.example", "allow_private_egress": False, "secret_keys": new_key_text(1)}
    assert await doctor._production(load_settings(**right)) == []


async def test_an_address_without_a_host_is_none() -> None:
    assert [one.well for one in await doctor._address(load_settings(base_url="https://:443"))] == [False]
    assert [one.well for one in await doctor._address(load_settings(base_url="https://mail.example"))] == [True]


def test_foreign_text_is_no_markup() -> None:
    """A server's name in brackets stays, and what looks like an ending ends nothing."""
    out = io.StringIO()
    doctor._show(Console(file=out, width=300), doctor.Finding(False, "[mx.example] says [/x]", "Ask [mx.example]."))
    assert out.getvalue() == "✗ [mx.example] says [/x]\n    Ask [mx.example].\n"
