"""What one event is called in a body of `POST /events`, and how it is read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from core.errors import ClarionError, Invalid, LimitReached
from core.events.records import SentEvent
from core.ids import from_global_id
from core.profiles.identities import ProfileReference, ReferenceKind

LONGEST_LINE = 1 << 20  # bytes of one event

_HINT = 'Write {"type": "purchase", "profile": {"externalId": "crm-1"}, "occurredAt": "2026-03-01T09:00:00Z", "key": "order-1",'
_HINT += ' "payload": {…}}.'


class _Profile(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    id: str | None = None
    external_id: str | None = None
    email: str | None = None


class _Event(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    type: str
    profile: _Profile
    occurred_at: str
    key: str
    payload: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Event, float_hook=Decimal).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_lines(lines: Iterable[bytes | msgspec.Raw | None]) -> list[SentEvent | ClarionError]:
    """Each event, or what is wrong with it; None is one that was too long to be held."""
    return [_read(line) for line in lines]


def _read(line: bytes | msgspec.Raw | None) -> SentEvent | ClarionError:
    if line is None or len(memoryview(line)) > LONGEST_LINE:
        return LimitReached(
            f"an event may have {LONGEST_LINE} bytes", code="EVENT_TOO_LARGE", hint="Send its identifiers, not its documents."
        )
    try:
        told = _decode(line)
        reference = _reference(told.profile)
    except ClarionError as error:
        return error
    except RecursionError:
        return _bad("it nests too deeply")
    except UnicodeDecodeError:
        return _bad("it is not UTF-8")
    except ArithmeticError:
        return _bad("a number is too large")
    except (msgspec.DecodeError, ValueError) as error:
        return _bad(str(error))
    return SentEvent(type=told.type, profile=reference, occurred_at=told.occurred_at, key=told.key, payload=told.payload)


def _reference(profile: _Profile) -> ProfileReference:
    given = [value for value in (profile.id, profile.external_id, profile.email) if value is not None]
    if len(given) != 1:
        raise _bad("`profile` has one of `id`, `externalId` and `email`")
    if profile.external_id is not None:
        return ProfileReference(ReferenceKind.EXTERNAL_ID, profile.external_id)
    if profile.email is not None:
        return ProfileReference(ReferenceKind.EMAIL, profile.email)
    return ProfileReference(ReferenceKind.ID, from_global_id("Profile", given[0], "id"))


def _bad(reason: str) -> Invalid:
    return Invalid(f"this is no event: {reason[:200]}", code="BAD_EVENT", hint=_HINT)


def read_array(body: bytes) -> Sequence[msgspec.Raw]:
    """The elements of a JSON array, as they stand. Raises Invalid (BAD_JSON)."""
    try:
        return _elements(body)
    except RecursionError:
        reason = "it nests too deeply"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error)
    raise Invalid(
        f"the body is no JSON array of events: {reason[:200]}", code="BAD_JSON",
        hint="Write [{…}, {…}], or send one event a line as application/x-ndjson.",
    )  # fmt: skip
