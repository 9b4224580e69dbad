"""The commands that precede a message: MAIL FROM and RCPT TO (RFC 5321, 1870, 6152, 6531)."""

from __future__ import annotations

import re

from channels.contract import FailureReason, Outcome, OutcomeKind, OutgoingMessage
from channels.email.dial import Session

DATA = b"DATA\r\n"
_MAILBOX = re.compile(  # what cannot end the path or the line; the server judges the rest
    r"""(?: [^\s<>"@,;:\\()\[\]\x00-\x20\x7f]+ | "(?: [^"\\\x00-\x1f\x7f] | \\[\x20-\x7e] )*" )
        @ (?: [^\s<>"@,;:\\()\[\]\x00-\x20\x7f]+ | \[ [0-9A-Za-z.:-]+ \] )""",
    re.VERBOSE,
)


def is_mailbox(address: str) -> bool:
    """It can stand between the brackets of a command."""
    return _MAILBOX.fullmatch(address) is not None and len(address) <= 320


def commands(session: Session, message: OutgoingMessage) -> tuple[bytes, bytes] | Outcome:
    """MAIL and RCPT for this message on this server, or why it cannot be sent there."""
    recipient, sender, body = message.address, message.sender or "", message.body
    if not is_mailbox(recipient):
        return _unasked(OutcomeKind.INVALID_ADDRESS, FailureReason.USER_UNKNOWN, "malformed address")
    if sender and not _MAILBOX.fullmatch(sender):
        return _unasked(OutcomeKind.ACCOUNT_ERROR, FailureReason.REFUSED, "malformed envelope sender")
    parameters = ""
    if session.offers_size:
        parameters = f" SIZE={len(body)}"
        if session.size is not None and len(body) > session.size:
            text = f"{len(body)} bytes; the server takes {session.size}"
            return _unasked(OutcomeKind.TOO_LARGE, FailureReason.TEXT_TOO_LONG, text)
    if not message.wire_ready and not body.isascii():
        if not session.eight_bit:
            return _unasked(*_NOT_SUPPORTED, "the server takes no 8-bit messages")
        parameters += " BODY=8BITMIME"
    if not (recipient.isascii() and sender.isascii()):
        if not session.utf8:
            return _unasked(*_NOT_SUPPORTED, "the server takes no internationalised addresses")
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{sender}>{parameters}\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode()


_NOT_SUPPORTED = (OutcomeKind.CONTENT_REJECTED, FailureReason.CHARACTER_NOT_SUPPORTED)


def _unasked(kind: OutcomeKind, reason: FailureReason, text: str) -> Outcome:
    """The server was not asked: there is no code, and the message does not count as sent and bounced."""
    return Outcome(kind=kind, reason=reason, text=text)
