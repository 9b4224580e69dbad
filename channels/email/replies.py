"""What an SMTP reply means for the message it was given to.

By the enhanced status code (RFC 3463, RFC 7505 and the registry of RFC 5248) where there is one, by the words
where there is none (`wording.py`). Only addressing codes (5.1.x) and, without a code, words that say so blame
the address; codes of the x.7 family never do, whatever their words say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from channels.contract import FailureReason as Reason
from channels.contract import Outcome, OutcomeKind
from channels.contract.outcomes import ACCEPTED
from channels.email import wording

LONGEST_TEXT = 500
_READ = 1500  # bytes of a reply that are looked at


class Stage(StrEnum):
    """What the reply answers."""

    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    FINAL = "final"  # the message itself


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply taken apart. `status` is the enhanced code, such as (5, 1, 1), or None."""

    code: int
    status: tuple[int, int, int] | None
    text: str


_ENHANCED = re.compile(r"(?:^|[\s(#\[])([245])\.(\d{1,3})\.(\d{1,3})(?=$|[\s)\]:;,.<-])")
_QUEUED = re.compile(  # Postfix and most others; Amazon SES
    rb"(?i)queued as[ :]*<?([0-9A-Za-z._@-]{4,120})|^250 Ok ([0-9a-z-]{20,120})$"
)


def parse(reply: bytes) -> Reply:
    """Take a reply apart, of one line or of several. The code is 0 for what is no SMTP reply."""
    lines = reply[:_READ].decode("utf-8", "replace").splitlines()
    code = int(reply[:3]) if reply[:3].isdigit() else 0
    head = " ".join(line[4:].strip() for line in lines)
    status = None
    for found in _ENHANCED.finditer(head[:200]):
        if found[1] == str(code)[:1]:
            status = (int(found[1]), int(found[2]), int(found[3]))
            break
    if status is not None:  # many servers repeat it on every line
        head = re.sub(rf"(?:(?<=\s)|^)#?{'.'.join(map(str, status))}\s", "", head + " ")
    return Reply(code, status, " ".join(head.split()))


def shorten(text: str) -> str:
    """Words of a provider, fit to be stored."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def accepted(reply: bytes) -> Outcome:
    """The outcome of a message that was taken, with the provider's own id where the reply names one."""
    found = _QUEUED.search(reply.rstrip())
    if found is None:
        return ACCEPTED
    return Outcome(kind=OutcomeKind.ACCEPTED, provider_id=(found[1] or found[2]).decode("ascii"))


def classify(reply: bytes, stage: Stage) -> Outcome:
    """The outcome of a message that was refused at this stage."""
    parts = parse(reply)
    verdict = _verdict(parts, stage)
    code = str(parts.code)
    if parts.status is not None:
        code += " " + ".".join(map(str, parts.status))
    return Outcome(
        kind=verdict.kind,
        reason=verdict.reason,
        scope=verdict.scope,
        code=code,
        text=shorten(parts.text),
    )


# The verdicts a reply can have.


@dataclass(frozen=True, slots=True)
class _Verdict:
    kind: OutcomeKind
    reason: Reason = Reason.REFUSED
    scope: str | None = None


_LATER = _Verdict(OutcomeKind.TRANSIENT, Reason.UNREACHABLE)
_SERVER_TROUBLE = _Verdict(OutcomeKind.TRANSIENT, Reason.REFUSED)  # not the mailbox's
_NONSENSE = _Verdict(OutcomeKind.TRANSIENT, Reason.NOT_CONNECTED)
_LOST = _Verdict(OutcomeKind.UNKNOWN, Reason.NOT_CONNECTED)
_FULL = _Verdict(OutcomeKind.TRANSIENT, Reason.MAILBOX_FULL)
_SLOWER = _Verdict(OutcomeKind.RATE_LIMITED, Reason.REFUSED, "domain")
_SLOWER_ACCOUNT = _Verdict(OutcomeKind.RATE_LIMITED, Reason.REFUSED, "account")
_NOBODY = _Verdict(OutcomeKind.INVALID_ADDRESS, Reason.USER_UNKNOWN)
_NOWHERE = _Verdict(OutcomeKind.INVALID_ADDRESS, Reason.INVALID_DOMAIN)
_DISABLED = _Verdict(OutcomeKind.SUPPRESSED, Reason.ACCOUNT_DISABLED)
_UNREACHABLE = _Verdict(OutcomeKind.SUPPRESSED, Reason.UNREACHABLE)
_SUPPRESSED = _Verdict(OutcomeKind.SUPPRESSED, Reason.DENYLISTED_ADDRESS)
_REFUSED = _Verdict(OutcomeKind.CONTENT_REJECTED)
_TOO_LARGE = _Verdict(OutcomeKind.TOO_LARGE)
_ACCOUNT = _Verdict(OutcomeKind.ACCOUNT_ERROR)


def _verdict(reply: Reply, stage: Stage) -> _Verdict:
    if reply.code in (530, 534, 535, 538):
        return _ACCOUNT
    if reply.code < 400:  # no answer that belongs here: a server gone wrong, which may have the message by now
        return _LOST if stage is Stage.FINAL else _NONSENSE
    if reply.code < 500:
        return _temporary(reply)
    if reply.status is None or reply.status[1:] == (0, 0):
        return _by_words(reply, stage)
    return _permanent(reply, reply.status, stage)


def _temporary(reply: Reply) -> _Verdict:
    subject = reply.status[1:] if reply.status is not None else None
    if wording.OWN_QUOTA.search(reply.text):
        return _SLOWER_ACCOUNT
    if subject == (2, 2):
        return _FULL
    if subject is None and reply.code in (450, 451, 452) and wording.FULL.search(reply.text):
        return _FULL
    if subject != (5, 3) and wording.RATE.search(reply.text):
        return _SLOWER
    about_us = reply.code == 421 if subject is None else subject[0] in (3, 5, 6, 7)
    return _SERVER_TROUBLE if about_us else _LATER


def _permanent(reply: Reply, status: tuple[int, int, int], stage: Stage) -> _Verdict:
    _, subject, detail = status
    text = reply.text
    if subject == 1:
        return _addressing(detail, text, stage)
    if subject == 2:
        return _mailbox(detail, text)
    if subject == 3:
        if detail == 4 or (detail in (0, 3) and wording.SIZE.search(text)):
            return _TOO_LARGE
        return _SERVER_TROUBLE if detail == 1 else _by_words(reply, stage, blame=False)
    if subject == 4:
        if detail == 5 or wording.OWN_QUOTA.search(text):
            return _SLOWER_ACCOUNT
        return _UNREACHABLE
    if subject == 6 or (subject == 7 and 100 <= detail < 200):  # 7.1xx: who may write there (Exchange)
        return _REFUSED
    return _by_words(reply, stage, blame=False)


def _addressing(detail: int, text: str, stage: Stage) -> _Verdict:
    """x.1: the recipient's address, unless the sender's is meant."""
    if detail in (7, 8) or stage is Stage.MAIL:  # the sender's address is ours: a matter of the account
        return _ACCOUNT
    us = wording.SENDER.search(text) or wording.BLOCKED.search(text)
    if detail == 0 and us and not wording.NO_USER.search(text):
        return _ACCOUNT if wording.ACCOUNT.search(text) else _REFUSED
    if detail == 2 or (detail == 10 and not wording.NO_USER.search(text)):  # 10: null MX; Exchange: nobody
        return _NOWHERE
    return _NOBODY


def _mailbox(detail: int, text: str) -> _Verdict:
    """x.2: the mailbox exists, and does not take this message."""
    if detail == 2:
        return _FULL
    if detail == 3:
        return _TOO_LARGE
    if wording.OWN_QUOTA.search(text):
        return _SLOWER_ACCOUNT
    if wording.RATE.search(text):
        return _SLOWER
    if wording.BLOCKED.search(text):
        return _REFUSED
    if wording.FULL.search(text):
        return _FULL
    return _DISABLED if detail == 1 else _UNREACHABLE


def _by_words(reply: Reply, stage: Stage, *, blame: bool = True) -> _Verdict:
    """A permanent refusal whose code says little. `blame`: its words may say that the address is wrong."""
    text = reply.text
    if wording.ACCOUNT.search(text):
        return _ACCOUNT
    if wording.OWN_QUOTA.search(text):
        return _SLOWER_ACCOUNT
    if wording.SUPPRESSION.search(text):
        return _SUPPRESSED
    if not blame and reply.status is not None and reply.status[1] == 7:
        return _SLOWER if wording.RATE.search(text) else _REFUSED
    if reply.code == 552 and wording.FULL.search(text):
        return _FULL
    if wording.SIZE.search(text):
        return _TOO_LARGE
    if stage is Stage.MAIL:
        return _ACCOUNT if wording.SENDER.search(text) and not wording.BLOCKED.search(text) else _REFUSED
    return _about_recipient(reply, stage, blame)


def _about_recipient(reply: Reply, stage: Stage, blame: bool) -> _Verdict:
    text = reply.text
    if wording.FULL.search(text):
        return _FULL
    if wording.DISABLED.search(text):
        return _DISABLED
    if blame and not wording.SENDER.search(text) and not wording.BLOCKED.search(text):
        if wording.NO_DOMAIN.search(text):
            return _NOWHERE
        if wording.NO_USER.search(text):
            return _NOBODY
    if wording.BLOCKED.search(text) or wording.SENDER.search(text):
        return _REFUSED
    if wording.RATE.search(text):
        return _SLOWER
    return _UNREACHABLE if stage is Stage.RCPT and reply.code in (550, 551, 553) else _REFUSED
