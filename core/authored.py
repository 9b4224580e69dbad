"""Rules for everything that people author: names, labels, partial changes, versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import Conflict, Invalid, NotFound, Stale

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Draft = TypeVar("Draft", bound=DataclassInstance)

NAME = re.compile(r"[a-z0-9_-]{1,64}")
LABEL_LENGTH = 200


def check_name(name: str, path: str = "name") -> None:
    """Raises Invalid (BAD_NAME) for anything but 1 to 64 of `a-z 0-9 _ -`."""
    if NAME.fullmatch(name):
        return
    slug = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:64]
    hint = f"For example {slug!r}." if slug else "For example 'spring-sale'."
    raise Invalid(
        f"{name[:80]!r} is not a name: 1 to 64 small letters, digits, '_' or '-'",
        code="BAD_NAME", path=path, hint=hint,
    )  # fmt: skip


def check_label(label: str, path: str = "label") -> None:
    """Raises Invalid (BAD_LABEL) for an empty label, a long one, or one with control characters."""
    if not label.strip() or len(label) > LABEL_LENGTH:
        raise Invalid(f"a label has 1 to {LABEL_LENGTH} characters", code="BAD_LABEL", path=path)
    if not label.isprintable():
        raise Invalid("a label is one line of printable characters", code="BAD_LABEL", path=path)


def check_version(kind: str, found: int, expected: int | None) -> None:
    """Raises Stale (VERSION_CHANGED) when somebody else has changed the thing since it was read."""
    if expected is not None and expected != found:
        raise Stale(
            f"the {kind} was changed since: it is at version {found}, not {expected}",
            code="VERSION_CHANGED", path="expected_version", hint="Read it again and repeat the change.",
        )  # fmt: skip


def changed(draft: Draft, changes: Mapping[str, Any]) -> Draft:
    """The draft with the given fields replaced. Raises Invalid (UNKNOWN_FIELD, REQUIRED)."""
    known = {field.name: str(field.type) for field in fields(draft)}
    for name, value in changes.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {', '.join(known)}."
            raise Invalid(f"{name!r} cannot be changed", code="UNKNOWN_FIELD", path=name, hint=hint)
        if value is None and "None" not in known[name]:
            raise Invalid(f"{name} cannot be empty", code="REQUIRED", path=name, hint="Leave it out.")
    return replace(draft, **changes)


def name_taken(kind: str, name: str) -> Conflict:
    """The error of a name that another thing of this kind has."""
    return Conflict(f"the name {name!r} is that of another {kind}", code="NAME_TAKEN", path="name", hint="Choose another name.")


def not_found(kind: str, key: int | str, path: str | None = None) -> NotFound:
    """The error of a thing that does not exist; `kind` in words, such as "channel account"."""
    code = f"{kind.upper().replace(' ', '_')}_NOT_FOUND"
    return NotFound(f"there is no {kind} {key!r}", code=code, path=path)
