"""Finds channel plugins by entry point. A plugin that cannot be used is a named problem, not a crash."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from channels.contract import CONTRACT_VERSION, Channel, ConfigField, ConfigProblem, ConfigType, Manifest, Polling, Validating
from core.errors import ClarionError, Invalid, NotFound
from core.redaction import Redaction

GROUP = "clarion.channels"
METHODS = ("compile", "open", "check", "callback")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProblem:
    """A plugin that was found and cannot be used."""

    name: str  # of the entry point
    source: str  # "package.module:Class, from distribution 1.0"
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedConfig:
    """An account's settings, checked. `config` has a value for every public field of the manifest."""

    config: Mapping[str, Any]
    secrets: Mapping[str, Any]  # only those given


class ConfigInvalid(Invalid):
    """Settings of an account do not fit the channel; `problems` has one located error for each."""

    default_code = "CONFIG_INVALID"

    def __init__(self, problems: Collection[Invalid]):
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(
            "; ".join(problem.message for problem in self.problems),
            path=first.path,
            hint=first.hint,
            code=first.code,
        )


class _Unusable(Exception):
    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.message = message
        self.hint = hint


class ChannelRegistry:
    """The channels of this installation by name."""

    def __init__(self, channels: Mapping[str, type[Channel]], problems: Iterable[ChannelProblem] = ()):
        self._channels = dict(channels)
        self.problems = tuple(problems)

    @classmethod
    def load(cls, found: Iterable[EntryPoint] | None = None) -> ChannelRegistry:
        """Read the entry points of the group, or those `found` by a test. Never raises for a plugin."""
        channels: dict[str, type[Channel]] = {}
        problems = []
        points = entry_points(group=GROUP) if found is None else found
        for point in sorted(points, key=lambda one: (one.name, one.value)):
            try:
                channel = _load(point)
                if channel.manifest.name in channels and channels[channel.manifest.name] is not channel:
                    raise _Unusable(
                        f"the name {channel.manifest.name!r} is taken by another plugin",
                        "Uninstall one of the two.",
                    )
                channels[channel.manifest.name] = channel
            except _Unusable as error:
                problems.append(ChannelProblem(name=point.name, source=_source(point), message=error.message, hint=error.hint))
        return cls(channels, problems)

    def names(self) -> list[str]:
        """Usable channels, sorted."""
        return sorted(self._channels)

    def get(self, name: str) -> type[Channel]:
        """Raises NotFound (CHANNEL_NOT_FOUND), saying what is wrong with one that is installed and broken."""
        try:
            return self._channels[name]
        except KeyError:
            pass
        for problem in self.problems:
            if problem.name == name:
                raise NotFound(
                    f"the channel {name!r} cannot be used: {problem.message}",
                    code="CHANNEL_NOT_FOUND",
                    hint=problem.hint,
                ) from None
        raise NotFound(
            f"there is no channel {name!r}",
            code="CHANNEL_NOT_FOUND",
            hint=f"Installed: {', '.join(self.names()) or 'none'}.",
        )

    def make(self, name: str, config: Mapping[str, Any]) -> Channel:
        """A channel with its settings. Raises NotFound, and Invalid (CHANNEL_REFUSED_SETTINGS) with the plugin's own words."""
        channel = self.get(name)
        try:
            return channel(config)
        except ClarionError:
            raise
        except Exception as error:
            raise _refused(channel.manifest, config, error) from None  # the error itself may hold a secret

    def manifest(self, name: str) -> Manifest:
        """Raises NotFound (CHANNEL_NOT_FOUND)."""
        return self.get(name).manifest

    def check_config(self, name: str, config: Mapping[str, Any], *, stored_secrets: Collection[str] = ()) -> CheckedConfig:
        """Check an account's settings against the manifest; a required secret may be stored already.

        Raises NotFound (CHANNEL_NOT_FOUND) and ConfigInvalid, whose problems point at `config.<field>`.
        """
        return check_config(self.manifest(name), config, stored_secrets=stored_secrets)

    def check_together(self, name: str, config: Mapping[str, Any]) -> None:
        """Let a channel that knows more about them look at all its settings, secrets included. Slow: not for the event loop.

        Raises as `make`, and ConfigInvalid (CONFIG_REFUSED), whose problems point at `config.<field>`.
        """
        if not issubclass(self.get(name), Validating):
            return
        channel = self.make(name, config)
        assert isinstance(channel, Validating)
        try:
            problems = channel.config_problems()
        except Exception as error:
            raise _refused(channel.manifest, config, error) from None
        if problems:
            redacted = _redaction(channel.manifest, config)
            raise ConfigInvalid([_refused_field(channel.manifest, problem, redacted) for problem in problems])


def _redaction(manifest: Manifest, config: Mapping[str, Any]) -> Redaction:
    return Redaction(config.get(field.name) for field in manifest.config if field.secret)


def _refused(manifest: Manifest, config: Mapping[str, Any], error: Exception) -> Invalid:
    return Invalid(
        f"the channel {manifest.name!r} refuses its settings: {_redaction(manifest, config)(str(error))}",
        code="CHANNEL_REFUSED_SETTINGS",
        hint="Mend the channel account, and check it.",
    )


def _refused_field(manifest: Manifest, problem: ConfigProblem, redacted: Redaction) -> Invalid:
    hint = problem.hint or next((field.description for field in manifest.config if field.name == problem.field), None)
    message = redacted(f"{problem.field}: {problem.message}")
    return Invalid(message, code="CONFIG_REFUSED", path=f"config.{problem.field}", hint=hint and redacted(hint))


def check_config(manifest: Manifest, config: Mapping[str, Any], *, stored_secrets: Collection[str] = ()) -> CheckedConfig:
    """As `ChannelRegistry.check_config`, for one manifest. None means "not set"."""
    fields = {field.name: field for field in manifest.config}
    problems = [_unknown(key, fields) for key in config if key not in fields]
    public: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    for field in manifest.config:
        given = config.get(field.name)
        if given is not None:
            try:
                value = _value(field, given)
            except Invalid as error:
                problems.append(error)
                continue
            (secrets if field.secret else public)[field.name] = value
        elif field.required and field.default is None and not _kept(field, config, stored_secrets):
            problems.append(_invalid(field, "is required", "CONFIG_REQUIRED"))
        elif not field.secret:
            public[field.name] = field.default
    if problems:
        raise ConfigInvalid(problems)
    return CheckedConfig(config=public, secrets=secrets)


def _kept(field: ConfigField, config: Mapping[str, Any], stored_secrets: Collection[str]) -> bool:
    return field.secret and field.name in stored_secrets and field.name not in config


def _value(field: ConfigField, given: Any) -> Any:
    """The value in the field's type. Numbers are not read from text and text is not made from numbers."""
    match field.type:
        case ConfigType.TEXT | ConfigType.CHOICE:
            return _text(field, given)
        case ConfigType.BOOLEAN:
            if not isinstance(given, bool):
                raise _invalid(field, f"must be true or false, not {_shown(field, given)}", "CONFIG_TYPE")
            return given
        case ConfigType.INTEGER | ConfigType.NUMBER:
            return _number(field, given)


def _text(field: ConfigField, given: Any) -> str:
    if not isinstance(given, str):
        raise _invalid(field, f"must be a text, not {_shown(field, given)}", "CONFIG_TYPE")
    if field.required and not given.strip():
        raise _invalid(field, "must not be empty", "CONFIG_REQUIRED")
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in given) and not field.secret:
        raise _invalid(field, "must not contain line breaks or control characters", "CONFIG_TYPE")
    if field.choices and given not in field.choices:
        near = get_close_matches(given, field.choices, 1)
        hint = f"Did you mean {near[0]!r}?" if near else None
        raise _invalid(field, f"must be one of {', '.join(field.choices)}, not {given!r}", "CONFIG_CHOICE", hint)
    return given


def _number(field: ConfigField, given: Any) -> int | float:
    whole = field.type is ConfigType.INTEGER
    right = isinstance(given, int) or (isinstance(given, float) and math.isfinite(given) and (not whole or given.is_integer()))
    if isinstance(given, bool) or not right:
        raise _invalid(field, f"must be a {'whole ' if whole else ''}number, not {_shown(field, given)}", "CONFIG_TYPE")
    if field.minimum is not None and given < field.minimum:
        raise _invalid(field, f"must be at least {field.minimum:g}, not {_shown(field, given)}", "CONFIG_RANGE")
    if field.maximum is not None and given > field.maximum:
        raise _invalid(field, f"must be at most {field.maximum:g}, not {_shown(field, given)}", "CONFIG_RANGE")
    return int(given) if whole else float(given)


def _shown(field: ConfigField, given: Any) -> str:
    return "what was given" if field.secret else repr(given)[:80]


def _invalid(field: ConfigField, what: str, code: str, hint: str | None = None) -> Invalid:
    return Invalid(f"{field.name} {what}", code=code, path=f"config.{field.name}", hint=hint or field.description)


def _unknown(key: Any, fields: Mapping[str, ConfigField]) -> Invalid:
    name = str(key)[:80]
    near = get_close_matches(name, fields, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Settings of this channel: {', '.join(fields) or 'none'}."
    return Invalid(f"there is no setting {name!r}", code="CONFIG_UNKNOWN", path=f"config.{name}", hint=hint)


def _load(point: EntryPoint) -> type[Channel]:
    try:
        loaded = point.load()
    except Exception as error:  # a stranger's module may raise anything while it is imported
        raise _Unusable(f"it cannot be imported: {type(error).__name__}: {error}", "Repair or uninstall the plugin.") from None
    manifest = getattr(loaded, "manifest", None)
    if not isinstance(loaded, type) or not isinstance(manifest, Manifest):
        raise _Unusable("it is no class with a `manifest`", "The entry point must name the channel's class.")
    if manifest.contract_version != CONTRACT_VERSION:
        raise _Unusable(
            f"it is written for contract {manifest.contract_version}, this is {CONTRACT_VERSION}",
            "Install the version of the plugin that fits.",
        )
    if missing := [name for name in METHODS if not callable(getattr(loaded, name, None))]:
        raise _Unusable(f"it lacks {', '.join(missing)}", "See `channels/contract/channel.py`.")
    if (manifest.capabilities.poll_seconds is not None) != issubclass(loaded, Polling):
        raise _Unusable("it has `poll` without `poll_seconds`, or the other way round", "Have both, or neither.")
    if manifest.name != point.name:
        raise _Unusable(f"its manifest says {manifest.name!r}, its entry point {point.name!r}", "Give both the same name.")
    _check_manifest(manifest)
    return loaded


def _check_manifest(manifest: Manifest) -> None:
    """Refuse a manifest whose own defaults would not pass, or that names a field twice."""
    for what, names in (
        ("setting", [field.name for field in manifest.config]),
        ("content field", [field.name for field in manifest.content]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise _Unusable(f"it declares the {what} {twice[0]!r} twice", "Declare it once.")
    for field in manifest.config:
        if field.type is ConfigType.CHOICE and not field.choices:
            raise _Unusable(f"its setting {field.name!r} is a choice without choices", "List the choices.")
        if field.default is not None:
            try:
                _value(field, field.default)
            except Invalid as error:
                raise _Unusable(f"the default of its setting is wrong: {error.message}", "Repair the manifest.") from None


def _source(point: EntryPoint) -> str:
    origin = f", from {point.dist.name} {point.dist.version}" if point.dist is not None else ""
    return point.value + origin
