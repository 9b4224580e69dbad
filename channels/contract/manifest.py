"""What a channel says about itself before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

CONTRACT_VERSION = 1


class AddressKind(StrEnum):
    """What a recipient is reached by; quarantine is kept per kind and address."""

    EMAIL = "email"
    MOBILE = "mobile"
    PHONE = "phone"
    PUSH = "push"
    POSTAL = "postal"
    FAX = "fax"
    IN_APP = "in_app"
    OTHER = "other"


class ConfigType(StrEnum):
    """Types of an account's settings."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """One setting of a channel account. Secret ones are stored encrypted, never read back through the API."""

    name: str
    type: ConfigType
    description: str
    required: bool = False
    secret: bool = False
    default: str | int | float | bool | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentField:
    """One authored part of a message, such as `subject` or `html`."""

    name: str
    description: str
    required: bool = False
    template: bool = True  # Liquid is rendered in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the platform may rely on."""

    batch_size: int = 200  # messages per call of `send`
    tracking: bool = False  # links and opens can be tracked
    receipts: frozenset[str] = frozenset()  # what it really can report later: delivered, bounced, complained
    inbound: bool = False  # answers from recipients arrive through `callback` or `poll`
    poll_seconds: float | None = None  # how often `poll` is called; None: there is nothing to ask (see inbound.Polling)
    native_idempotency: bool = False  # the provider drops a repeated message by its reference


def _one_unit(body: bytes) -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds of the channel itself; an account may set lower ones."""

    rate: float | None = None  # units per second; None: no bound
    burst: int = 1
    concurrency: int = 20  # connections of one account over all workers
    max_bytes: int = 25 * 1024 * 1024  # of one message, as sent
    attachments: int = 0  # files of one message
    units: Callable[[bytes], int] = field(default=_one_unit)  # what one message counts for, such as SMS parts

    def of_account(self, config: Mapping[str, Any]) -> Limits:
        """With the lower ones that an account's settings `rate` and `max_bytes` give."""
        rates = [float(one) for one in (self.rate, config.get("rate")) if one]
        most = min(self.max_bytes, int(config.get("max_bytes") or self.max_bytes))
        return replace(self, rate=min(rates, default=None), max_bytes=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The static description of a channel plugin."""

    name: str
    label: str
    address_kind: AddressKind
    config: tuple[ConfigField, ...] = ()
    content: tuple[ContentField, ...] = ()
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    contract_version: int = CONTRACT_VERSION
