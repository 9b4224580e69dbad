"""The settings of an email account, and what the manifest says about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from channels.contract import ConfigField, ConfigType


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"  # required, not tried
    TLS = "tls"  # from the first byte


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimSetting:
    """One of the keys that an account may have, or half of it, and what its settings are called."""

    selector: str | None
    private_key: str | None = field(repr=False)
    selector_name: str
    key_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """One SMTP account. Times in seconds."""

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None = field(repr=False)
    sender_domain: str
    helo_name: str
    connections: int
    verify_certificates: bool
    connect_timeout: float
    reply_timeout: float
    final_timeout: float
    idle_timeout: float
    archive_address: str | None
    dkim_domain: str
    dkim: tuple[DkimSetting, ...]

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> SmtpConfig:
        """The checked values of an account."""
        return cls(
            host=config["host"],
            port=int(config["port"]),
            security=Security(config["security"]),
            username=config.get("username") or None,
            password=config.get("password") or None,
            sender_domain=config["sender_domain"],
            helo_name=config.get("helo_name") or config["sender_domain"],
            connections=int(config["connections"]),
            verify_certificates=bool(config["verify_certificates"]),
            connect_timeout=float(config["connect_timeout"]),
            reply_timeout=float(config["reply_timeout"]),
            final_timeout=float(config["final_timeout"]),
            idle_timeout=float(config["idle_timeout"]),
            archive_address=config.get("archive_address") or None,
            dkim_domain=config.get("dkim_domain") or config["sender_domain"],
            dkim=tuple(_dkim_settings(config)),
        )


DKIM_NAMES = (("dkim_selector", "dkim_private_key"), ("dkim_selector_2", "dkim_private_key_2"))


def _dkim_settings(config: Mapping[str, Any]) -> Iterator[DkimSetting]:
    for selector_name, key_name in DKIM_NAMES:
        selector, private_key = config.get(selector_name) or None, config.get(key_name) or None
        if selector is not None or private_key is not None:
            yield DkimSetting(selector=selector, private_key=private_key, selector_name=selector_name, key_name=key_name)


def _dkim_fields() -> Iterator[ConfigField]:
    for (selector_name, key_name), (which, why) in zip(DKIM_NAMES, DKIM_USES, strict=True):
        yield ConfigField(
            name=selector_name,
            type=ConfigType.TEXT,
            description=f"Name of {which} in DNS, under _domainkey of the DKIM domain{why}.",
        )
        yield ConfigField(
            name=key_name,
            type=ConfigType.TEXT,
            secret=True,
            description=f"The private key of {which}, as PEM without a password: RSA of 2,048 to 4,096 bits, or Ed25519.",
        )


DKIM_USES = (
    ("the DKIM key", "; empty: messages are not signed"),
    ("a second DKIM key", ", for a signature of the other kind"),
)
CONFIG_FIELDS = (
    ConfigField(name="host", type=ConfigType.TEXT, required=True, description="Name of the SMTP server."),
    ConfigField(
        name="port",
        type=ConfigType.INTEGER,
        default=587,
        minimum=1,
        maximum=65535,
        description="Its port: 587 for submission, 465 with TLS from the start, 25 for a relay of your own.",
    ),
    ConfigField(
        name="security",
        type=ConfigType.CHOICE,
        default=Security.STARTTLS.value,
        choices=tuple(member.value for member in Security),
        description="starttls: encrypted after STARTTLS or not at all; tls: from the first byte; none.",
    ),
    ConfigField(name="username", type=ConfigType.TEXT, description="Name to log in with; empty: no login."),
    ConfigField(name="password", type=ConfigType.TEXT, secret=True, description="Password to log in with."),
    ConfigField(
        name="sender_domain",
        type=ConfigType.TEXT,
        required=True,
        description="Domain of the envelope sender, to which bounces come, and of the Message-ID.",
    ),
    ConfigField(
        name="helo_name",
        type=ConfigType.TEXT,
        description="Name given in EHLO; by default the sender domain.",
    ),
    ConfigField(
        name="archive_address",
        type=ConfigType.TEXT,
        description="Address that gets a hidden copy of every message that the server takes; empty: none.",
    ),
    ConfigField(
        name="dkim_domain",
        type=ConfigType.TEXT,
        description="Domain that signs with DKIM, best that of the From address; by default the sender domain.",
    ),
    *_dkim_fields(),
    ConfigField(
        name="connections",
        type=ConfigType.INTEGER,
        default=20,
        minimum=1,
        maximum=200,
        description="Connections to the server at once, all worker processes together.",
    ),
    ConfigField(
        name="max_bytes",
        type=ConfigType.INTEGER,
        minimum=1_000,
        maximum=25 * 1024 * 1024,
        description="Bytes of the largest message that the server takes; empty: 25 MB.",
    ),
    ConfigField(
        name="verify_certificates",
        type=ConfigType.BOOLEAN,
        default=True,
        description="Refuse servers whose certificate cannot be verified.",
    ),
    ConfigField(
        name="connect_timeout",
        type=ConfigType.NUMBER,
        default=10.0,
        minimum=0.1,
        maximum=300,
        description="Seconds for connecting, TLS and login together.",
    ),
    ConfigField(
        name="reply_timeout",
        type=ConfigType.NUMBER,
        default=60.0,
        minimum=0.1,
        maximum=600,
        description="Seconds to wait for the answer to a command.",
    ),
    ConfigField(
        name="final_timeout",
        type=ConfigType.NUMBER,
        default=300.0,
        minimum=0.1,
        maximum=900,
        description="Seconds to wait for the answer to a message; when they pass, its fate is unknown.",
    ),
    ConfigField(
        name="idle_timeout",
        type=ConfigType.NUMBER,
        default=30.0,
        minimum=0.1,
        maximum=600,
        description="Seconds after which a connection that is not needed is closed.",
    ),
)
