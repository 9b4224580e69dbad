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


def commands(session: Session, message: OutgoingMessage) -> tuple[bytes, bytes] | Outcome:
    """MAIL and RCPT for this message on this server, or why it cannot be sent there."""
    recipient, sender, body = message.address, message.sender or "", message.body
    if not _MAILBOX.fullmatch(recipient) or len(recipient) > 320:
        return _refused(OutcomeKind.INVALID_ADDRESS, "5.1.3", "malformed address", FailureReason.USER_UNKNOWN)
    if sender and not _MAILBOX.fullmatch(sender):
        return _refused(OutcomeKind.ACCOUNT_ERROR, "5.1.7", "malformed envelope sender")
    parameters = ""
    if session.offers_size:
        parameters = f" SIZE={len(body)}"
        if session.size is not None and len(body) > session.size:
            return _refused(OutcomeKind.TOO_LARGE, "5.3.4", f"{len(body)} bytes; the server takes {session.size}")
    if not body.isascii():
        if not session.eight_bit:
            return _refused(OutcomeKind.CONTENT_REJECTED, "5.6.3", "the server takes no 8-bit messages")
        parameters += " BODY=8BITMIME"
    if not (recipient.isascii() and sender.isascii()):
        if not session.utf8:
            return _refused(OutcomeKind.CONTENT_REJECTED, "5.6.7", "the server takes no internationalised addresses")
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{sender}>{parameters}\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode()


def _refused(kind: OutcomeKind, status: str, text: str, reason: FailureReason = FailureReason.REFUSED) -> Outcome:
    """The server was not asked: the status code is the one it would have given (RFC 3463)."""
    return Outcome(kind=kind, reason=reason, code=status, text=text)
