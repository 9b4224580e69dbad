"""What a type of events may be. Pure; raises Invalid, and Conflict for what its events do not allow."""

from __future__ import annotations

from collections.abc import Mapping

from core.authored import check_label
from core.datamodel.physical import column_of, sql_type
from core.datamodel.records import AUDIT_KINDS, FieldKind
from core.datamodel.rules import DESCRIPTION_LENGTH, check_field, check_name, is_longer
from core.errors import Conflict, Invalid
from core.events.physical import OWN_FIELDS
from core.events.records import EventField, EventType, EventTypeDraft

MAX_TYPES = 200
MAX_FIELDS = 50  # of one type
LONGEST_RETENTION = 36_500  # days
KINDS = frozenset(FieldKind) - {FieldKind.POINT} - AUDIT_KINDS
RESERVED = OWN_FIELDS | {"profile", "profile_id", "type", "payload"}


def check_draft(draft: EventTypeDraft) -> None:
    """What a type says of itself. Raises Invalid."""
    check_name(draft.name, "name")
    check_label(draft.label)
    if len(draft.description) > DESCRIPTION_LENGTH or not draft.description.isprintable():
        raise Invalid(
            f"a description is one line of up to {DESCRIPTION_LENGTH} printable characters", code="BAD_DESCRIPTION",
            path="description",
        )  # fmt: skip
    if draft.retention_days is not None and not 1 <= draft.retention_days <= LONGEST_RETENTION:
        raise Invalid(
            f"events are kept for 1 to {LONGEST_RETENTION:,} days, or for ever", code="BAD_RETENTION", path="retention_days",
            hint="Leave it out to keep them for ever.",
        )  # fmt: skip
    if len(draft.fields) > MAX_FIELDS:
        raise Invalid(f"a type may have {MAX_FIELDS} fields", code="TOO_MANY_FIELDS", path="fields", hint="Remove some.")
    seen: set[str] = set()
    for place, one in enumerate(draft.fields):
        _check_field(one, seen, f"fields.{place}")
        seen.add(one.name)


def _check_field(one: EventField, seen: set[str], path: str) -> None:
    try:
        check_field(one)
    except Invalid as error:
        raise Invalid(error.message, code=error.code, path=f"{path}.{error.path}", hint=error.hint) from None
    if one.kind not in KINDS:
        names = ", ".join(sorted(kind.value for kind in KINDS))
        raise Invalid(f"a payload holds no {one.kind.value}", code="BAD_KIND", path=f"{path}.kind", hint=f"Use one of {names}.")
    if one.name in RESERVED:
        raise Invalid(
            f"every event has {one.name!r} already", code="RESERVED_NAME", path=f"{path}.name", hint="Choose another name."
        )
    if one.name in seen:
        raise Invalid(f"{one.name!r} is there twice", code="NAME_TAKEN", path=f"{path}.name", hint="Write it once.")


def check_columns(draft: EventTypeDraft, before: EventType, lying: Mapping[str, str]) -> None:
    """Beside the events that there are: their columns keep their types, but for texts that become longer. Raises Conflict."""
    for place, one in enumerate(draft.fields):
        lies, wanted = lying.get(column_of(one.name)), sql_type(one)
        if lies is None or lies == wanted or is_longer(wanted, lies):
            continue
        old = before.find(one.name)
        path = f"fields.{place}"
        if old is None:
            raise Conflict(
                f"events have hidden values of the type {lies} under {one.name!r}", code="HIDDEN_DATA", path=f"{path}.name",
                hint="Choose another name.",
            )  # fmt: skip
        if old.kind is one.kind:
            raise Conflict(
                f"{one.name!r} may be {old.max_length} characters long, and cannot become shorter", code="LENGTH_FIXED",
                path=f"{path}.max_length", hint=f"Write {old.max_length} or more.",
            )  # fmt: skip
        raise Conflict(
            f"events have {one.name!r} as {old.kind.value}: it cannot come to hold another kind", code="KIND_FIXED",
            path=f"{path}.kind", hint="Add a field of another name.",
        )  # fmt: skip
