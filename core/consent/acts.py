"""What every decision brings along: where it comes from, what was shown, when it was, and the proof."""

from __future__ import annotations

from datetime import datetime

import msgspec

from core.access import Actor
from core.authored import not_found
from core.consent.records import Act
from core.consent.store import wordings as store
from core.db import Connection
from core.errors import Invalid
from core.provenance import Provenance

ORIGIN_LENGTH = 100
PROOF_BYTES = 16 * 1024


async def check_act(conn: Connection, act: Act, now: datetime) -> datetime:
    """When it happened. Raises Invalid (BAD_ORIGIN, BAD_PROOF, BAD_MOMENT), NotFound (CONSENT_WORDING_NOT_FOUND)."""
    if len(act.origin) > ORIGIN_LENGTH or not act.origin.isprintable():
        raise Invalid(
            f"an origin is one line of at most {ORIGIN_LENGTH} printable characters", code="BAD_ORIGIN", path="origin",
            hint="Name the place, such as 'preference page'; details go into the proof.",
        )  # fmt: skip
    if act.proof is not None:
        _check_proof(act)
    if act.wording_id is not None and not await store.has_wording(conn, act.wording_id):
        raise not_found("consent wording", act.wording_id, "wording_id")
    if act.happened_at is None:
        return now
    if act.happened_at.tzinfo is None or act.happened_at > now:
        raise Invalid(
            "a decision is said to have happened at a time with a zone that is not to come", code="BAD_MOMENT",
            path="happened_at", hint="Write it with an offset, such as 2026-01-31T09:00:00+01:00, or leave it out.",
        )  # fmt: skip
    return act.happened_at


def provenance(actor: Actor, act: Act, at: datetime, now: datetime) -> Provenance:
    """The same for the database."""
    return Provenance(
        actor=actor.name, now=now, origin=act.origin, happened_at=at, wording_id=act.wording_id, proof=act.proof,
        by_person=act.by_person,
    )  # fmt: skip


def _check_proof(act: Act) -> None:
    if not isinstance(act.proof, dict):
        raise Invalid("a proof is an object", code="BAD_PROOF", path="proof", hint='Write it like {"form": "footer"}.')
    try:
        text = msgspec.json.encode(act.proof)
    except (TypeError, ValueError, RecursionError):
        raise Invalid("a proof is plain JSON", code="BAD_PROOF", path="proof") from None
    if len(text) > PROOF_BYTES:
        raise Invalid(
            f"a proof has at most {PROOF_BYTES:,} bytes", code="BAD_PROOF", path="proof",
            hint="Keep long documents elsewhere and name the place.",
        )  # fmt: skip
    if b"\\u0000" in text:
        raise Invalid("a proof cannot hold the character NUL", code="BAD_PROOF", path="proof")
