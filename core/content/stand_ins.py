"""A channel and a signer for content that is looked at or checked and reaches no provider."""

from __future__ import annotations

from typing import Any

from channels.contract import Channel, ConfigField, ConfigType
from core.channel_registry import ChannelRegistry
from render_ext import TokenKey, TokenSigner

STAND_IN = "preview.invalid"  # a name that RFC 2606 keeps from existing
SIGNER = TokenSigner(f"https://{STAND_IN}", TokenKey(1, bytes(32)))


def stand_in_channel(registry: ChannelRegistry, name: str) -> Channel:
    """The channel with the defaults of its settings, and something that fits where it requires what has none.

    Raises NotFound (CHANNEL_NOT_FOUND), and Invalid (CHANNEL_REFUSED_SETTINGS) where only real settings will do.
    """
    config: dict[str, Any] = {}
    for field in registry.manifest(name).config:
        if field.required and field.default is None:
            config[field.name] = _fitting(field)
        elif not field.secret:
            config[field.name] = field.default
    return registry.make(name, config)


def _fitting(field: ConfigField) -> Any:
    match field.type:
        case ConfigType.CHOICE:
            return field.choices[0]
        case ConfigType.BOOLEAN:
            return False
        case ConfigType.INTEGER | ConfigType.NUMBER:
            return int(field.minimum or 0)
        case ConfigType.TEXT:
            return STAND_IN
