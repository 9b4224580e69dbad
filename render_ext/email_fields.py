"""The header of a message: the fields that are the same for everyone, and the names that a source may add."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import format_datetime
from typing import TYPE_CHECKING

from render_ext._headers import mailbox_field, structured_field, unstructured_field
from render_ext.errors import BadSender

if TYPE_CHECKING:
    from render_ext.email import EmailSource

FIELD_NAME = re.compile(r"[!-\-/-9;-~][!-9;-~]{0,69}")  # RFC 5322, but for a dot in front
OURS = frozenset(
    {
        "bcc", "cc", "date", "from", "list-unsubscribe", "list-unsubscribe-post", "message-id", "mime-version",
        "reply-to", "return-path", "sender", "subject", "to",
    }
)  # fmt: skip
# Fields of addresses, ids and words of a list: other scripts have no place in them, not even encoded (RFC 2047, 5).
STRUCTURED = frozenset(
    {
        "apparently-to", "auto-submitted", "auto-suppress", "autosubmitted", "bimi-selector",
        "disposition-notification-options", "disposition-notification-to", "errors-to", "expires", "expiry-date",
        "importance", "in-reply-to", "list-archive", "list-help", "list-id", "list-owner", "list-post", "list-subscribe",
        "mail-followup-to", "mail-reply-to", "original-message-id", "precedence", "priority", "references", "reply-by",
        "return-receipt-to", "sensitivity", "supersedes", "x-auto-response-suppress", "x-confirm-reading-to", "x-priority",
    }
)  # fmt: skip
SENDER_PARTS = {"From": "from_address", "Reply-To": "reply_to"}  # what EmailSource calls the addresses of these fields


def header_name_problem(name: str) -> str | None:
    """Why a source cannot add a field of this name, None where it can."""
    lower = name.lower()
    if FIELD_NAME.fullmatch(name) is None:
        return f"not the name of a header field: {name[:80]!r}"
    if lower in OURS or lower.startswith("content-"):
        return f"the header field {name} is written by the engine"
    return None


def is_structured(name: str) -> bool:
    """Whether a field holds plain ASCII only: a value that does not is left out."""
    return name.lower() in STRUCTURED


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError for a name that a source cannot add, or a value that is no line."""
    for name, value in headers:
        if problem := header_name_problem(name):
            raise ValueError(problem)
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ValueError(f"the header field {name} holds a control character")


def fixed_fields(source: EmailSource, headers: Iterable[tuple[str, str]]) -> bytes:
    """What stands before To: Date, From, Reply-To and those `headers` that are the same for everyone."""
    fields = [
        f"Date: {format_datetime(source.date)}\r\n".encode(),
        _mailbox("From", source.from_name, source.from_address),
    ]
    if source.reply_to is not None:
        fields.append(_mailbox("Reply-To", source.reply_to_name, source.reply_to))
    fields += [_further(name, value) for name, value in headers if value.strip()]
    return b"".join(fields)


def _further(name: str, value: str) -> bytes:
    return structured_field(name, value) if is_structured(name) else unstructured_field(name, value)


def _mailbox(name: str, display_name: str | None, address: str) -> bytes:
    try:
        return mailbox_field(name, display_name, address)
    except ValueError as error:
        raise BadSender(f"{name}: {error}: {address!r}", SENDER_PARTS[name]) from None
