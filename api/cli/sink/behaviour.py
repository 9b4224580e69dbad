"""How the sink answers: well by default, badly where a test or a demo asks for it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_SIZE = 50 * 1024 * 1024


class Stage(StrEnum):
    """The points of an SMTP session at which a server can misbehave."""

    GREETING = "greeting"
    EHLO = "ehlo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the command
    BODY = "body"  # the first bytes of the message have come
    FINAL = "final"  # the whole message has come, and been kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What happens to recipients whose local part starts with `prefix`."""

    prefix: bytes
    reply: bytes | None = None  # to RCPT TO; None: accepted
    delay: float = 0.0  # seconds until the final answer


RULES = (
    Rule(prefix=b"bounce-", reply=b"550 5.1.1 The email account that you tried to reach does not exist\r\n"),
    Rule(prefix=b"full-", reply=b"452 4.2.2 The recipient's inbox is out of storage space\r\n"),
    Rule(prefix=b"later-", reply=b"451 4.7.1 Greylisted, please try again later\r\n"),
    Rule(prefix=b"spam-", reply=b"554 5.7.1 Message refused because of its content\r\n"),
    Rule(prefix=b"slow-", delay=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One server's manners. `hang_at`, `close_at` and `replies` take effect after `well_for` messages."""

    pipelining: bool = True  # without: a client that does not wait for answers is thrown out
    eight_bit: bool = True
    smtp_utf8: bool = True
    size: int | None = DEFAULT_SIZE  # the advertised limit; None: SIZE is not offered
    rules: tuple[Rule, ...] = RULES
    delay: float = 0.0  # seconds by which final answers come late …
    delay_every: int = 1  # … every how many messages
    hang_at: Stage | None = None
    close_at: Stage | None = None
    replies: Mapping[Stage, bytes] = field(default_factory=dict)  # instead of the good answer
    well_for: int = 0
    goodbye_after: int | None = None  # messages on one connection, then 421
    max_connections: int | None = None
    empty_data: bool = False  # DATA is welcome when every recipient was refused, and answered 250
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False  # TLS from the first byte instead of STARTTLS
    users: Mapping[str, str] = field(default_factory=dict)  # names and passwords; none: AUTH is not offered
