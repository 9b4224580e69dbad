"""Plugins are found by entry point; a broken one is a named problem and never a crash."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from channels.contract import (
    AddressKind,
    Capabilities,
    Channel,
    ChannelIO,
    CheckResult,
    ConfigField,
    ConfigProblem,
    ConfigType,
    ContentField,
    InboundEvent,
    InboundRequest,
    Manifest,
    MessageContent,
    Program,
    Sender,
)
from core.channel_registry import GROUP, ChannelRegistry, ConfigInvalid
from core.errors import Invalid, NotFound

CONFIG = (
    ConfigField(name="host", type=ConfigType.TEXT, description="Where to.", required=True),
    ConfigField(name="port", type=ConfigType.INTEGER, description="Its port.", default=25, minimum=1, maximum=65535),
    ConfigField(name="rate", type=ConfigType.NUMBER, description="Messages per second.", minimum=0.5),
    ConfigField(
        name="tls",
        type=ConfigType.CHOICE,
        description="How.",
        default="starttls",
        choices=("none", "starttls"),
    ),
    ConfigField(name="verify", type=ConfigType.BOOLEAN, description="Whether.", default=True),
    ConfigField(name="password", type=ConfigType.TEXT, description="Word.", required=True, secret=True),
)


class Pigeon:
    """A channel that only has a manifest worth looking at."""

    manifest: ClassVar[Manifest] = Manifest(name="pigeon", label="Pigeon", address_kind=AddressKind.POSTAL, config=CONFIG)

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def compile(self, content: MessageContent) -> Program:
        raise NotImplementedError

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        raise NotImplementedError

    async def check(self, io: ChannelIO) -> CheckResult:
        raise NotImplementedError

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        raise NotImplementedError


def changed(**fields: Any) -> type[Pigeon]:
    """The pigeon with another manifest."""
    given = {"name": "pigeon", "label": "P", "address_kind": AddressKind.POSTAL, **fields}
    return type("Other", (Pigeon,), {"manifest": Manifest(**given)})


@pytest.fixture
def plugin() -> Iterator[types.ModuleType]:
    """An importable module to put plugins in."""
    module = types.ModuleType("a_strangers_plugin")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def registry(plugin: types.ModuleType, **channels: object) -> ChannelRegistry:
    for name, channel in channels.items():
        setattr(plugin, name, channel)
    return ChannelRegistry.load([point(name, f"a_strangers_plugin:{name}") for name in channels])


def test_a_plugin_is_found(plugin: types.ModuleType) -> None:
    found = registry(plugin, pigeon=Pigeon)
    assert found.names() == ["pigeon"]
    assert found.get("pigeon") is Pigeon
    assert found.manifest("pigeon") is Pigeon.manifest
    assert found.problems == ()


def test_the_installed_plugins_load_without_a_problem() -> None:
    found = ChannelRegistry.load()
    assert found.problems == ()
    assert set(found.names()) >= {"email", "memory"}


def test_an_unknown_channel_is_told_with_the_known_ones(plugin: types.ModuleType) -> None:
    with pytest.raises(NotFound) as caught:
        registry(plugin, pigeon=Pigeon).get("owl")
    assert caught.value.code == "CHANNEL_NOT_FOUND"
    assert caught.value.hint == "Installed: pigeon."


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (object(), "no class with a `manifest`"),
        (type("Bare", (), {}), "no class with a `manifest`"),
        (type("Half", (), {"manifest": Pigeon.manifest}), "lacks compile, open, check, callback"),
        (changed(contract_version=99), "written for contract 99"),
        (changed(capabilities=Capabilities(poll_seconds=5)), "`poll` without `poll_seconds`, or the other way round"),
        (changed(name="owl"), "manifest says 'owl', its entry point 'pigeon'"),
        (changed(config=(CONFIG[0], CONFIG[0])), "setting 'host' twice"),
        (changed(content=(ContentField(name="body", description=""),) * 2), "content field 'body' twice"),
        (
            changed(config=(ConfigField(name="x", type=ConfigType.CHOICE, description=""),)),
            "choice without choices",
        ),
        (
            changed(config=(ConfigField(name="x", type=ConfigType.INTEGER, description="", default=0, minimum=1),)),
            "default of its setting is wrong",
        ),
    ],
)
def test_a_broken_plugin_is_a_problem_and_the_others_work(plugin: types.ModuleType, broken: object, told: str) -> None:
    plugin.good = changed(name="good")  # type: ignore[attr-defined]
    plugin.broken = broken  # type: ignore[attr-defined]
    found = ChannelRegistry.load([point("pigeon", "a_strangers_plugin:broken"), point("good", "a_strangers_plugin:good")])
    assert found.names() == ["good"]
    (problem,) = found.problems
    assert problem.name == "pigeon"
    assert told in problem.message
    with pytest.raises(NotFound, match="cannot be used"):
        found.get("pigeon")


def test_a_plugin_that_fails_on_import_is_a_problem() -> None:
    found = ChannelRegistry.load([point("gone", "no_such_module_anywhere:Channel")])
    assert found.names() == []
    assert "ModuleNotFoundError" in found.problems[0].message
    assert found.problems[0].source == "no_such_module_anywhere:Channel"


def test_two_plugins_of_one_name_are_a_problem_of_the_second(plugin: types.ModuleType) -> None:
    plugin.a, plugin.b = Pigeon, changed()  # type: ignore[attr-defined]
    found = ChannelRegistry.load([point("pigeon", "a_strangers_plugin:a"), point("pigeon", "a_strangers_plugin:b")])
    assert found.get("pigeon") is Pigeon
    assert "taken by another plugin" in found.problems[0].message


# ---- settings of an account


@pytest.fixture
def pigeons(plugin: types.ModuleType) -> ChannelRegistry:
    return registry(plugin, pigeon=Pigeon)


class Choosy(Pigeon):
    """A channel that looks at its settings itself."""

    def config_problems(self) -> list[ConfigProblem]:
        if self.config.get("password") == "raise":
            raise ValueError("no raise please")
        if self.config["host"] == "nest":
            secret = ConfigProblem(field="host", message="not with s3cret-of-a-nest")
            return [secret, ConfigProblem(field="port", message="x", hint="y")]
        return []


def test_a_channel_that_knows_more_is_asked_about_its_settings(plugin: types.ModuleType) -> None:
    choosy = ChannelRegistry({"pigeon": Choosy, "plain": Pigeon})
    choosy.check_together("plain", {"host": "nest"})
    choosy.check_together("pigeon", {"host": "h", "password": "p"})
    with pytest.raises(ConfigInvalid) as caught:
        choosy.check_together("pigeon", {"host": "nest", "password": "s3cret-of-a-nest"})
    host, port = caught.value.problems
    assert (host.code, host.path, port.path, port.hint) == ("CONFIG_REFUSED", "config.host", "config.port", "y")
    assert host.message.startswith("host: not with ")
    assert host.hint  # the field's description
    assert "s3cret" not in str(caught.value)
    with pytest.raises(Invalid, match="refuses its settings"):
        choosy.check_together("pigeon", {"host": "h", "password": "raise"})


def test_good_settings_are_completed_and_secrets_kept_apart(pigeons: ChannelRegistry) -> None:
    checked = pigeons.check_config("pigeon", {"host": "h", "password": "p", "port": 2525.0, "rate": 3})
    assert checked.config == {"host": "h", "port": 2525, "rate": 3.0, "tls": "starttls", "verify": True}
    assert isinstance(checked.config["port"], int)
    assert checked.secrets == {"password": "p"}


def test_a_stored_secret_need_not_be_given_again_but_cannot_be_taken_away(pigeons: ChannelRegistry) -> None:
    assert pigeons.check_config("pigeon", {"host": "h"}, stored_secrets={"password"}).secrets == {}
    with pytest.raises(ConfigInvalid, match="password is required"):
        pigeons.check_config("pigeon", {"host": "h", "password": None}, stored_secrets={"password"})


def test_every_wrong_setting_is_told_at_its_place(pigeons: ChannelRegistry) -> None:
    wrong = {"host": 7, "port": 70_000, "rate": "3", "tls": "startls", "verify": 1, "pasword": "x"}
    with pytest.raises(ConfigInvalid) as caught:
        pigeons.check_config("pigeon", wrong)
    assert {(problem.path, problem.code, problem.hint) for problem in caught.value.problems} == {
        ("config.host", "CONFIG_TYPE", "Where to."),
        ("config.port", "CONFIG_RANGE", "Its port."),
        ("config.rate", "CONFIG_TYPE", "Messages per second."),
        ("config.tls", "CONFIG_CHOICE", "Did you mean 'starttls'?"),
        ("config.verify", "CONFIG_TYPE", "Whether."),
        ("config.password", "CONFIG_REQUIRED", "Word."),
        ("config.pasword", "CONFIG_UNKNOWN", "Did you mean 'password'?"),
    }


@pytest.mark.parametrize(
    "value",
    [{"port": True}, {"port": 2.5}, {"port": float("nan")}, {"port": 0}, {"rate": 0.4},
     {"rate": float("inf")}, {"host": ""}, {"host": "a\r\nb"}, {"host": "\ud800"}, {"host": None}],
)  # fmt: skip
def test_values_that_look_right_and_are_not(pigeons: ChannelRegistry, value: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid):
        pigeons.check_config("pigeon", {"host": "h", "password": "p", **value})


def test_a_wrong_secret_is_never_repeated_in_the_error(pigeons: ChannelRegistry) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        pigeons.check_config("pigeon", {"host": "h", "password": 123456789})
    assert "123456789" not in str(caught.value)


def test_the_pigeon_is_a_channel() -> None:
    channel: type[Channel] = Pigeon
    assert channel.manifest.name == "pigeon"
