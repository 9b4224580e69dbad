"""Whom other systems speak of: the one place that finds profiles by what is known of them, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid, NotFound
from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue, shown
from core.profiles.store import identities as store
from core.profiles.values import UNSTORABLE

LONGEST = 254  # characters of an external id or an address


class ReferenceKind(StrEnum):
    """By what a profile is known."""

    ID = "id"
    EXTERNAL_ID = "external_id"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class ProfileReference:
    """A profile as somebody else speaks of it."""

    kind: ReferenceKind
    value: int | str  # the key of an id


def checked(reference: ProfileReference) -> ProfileReference:
    """The reference in the form in which profiles are compared. Raises Invalid (BAD_EMAIL, BAD_EXTERNAL_ID, BAD_ID)."""
    value = reference.value
    if reference.kind is ReferenceKind.ID:
        if isinstance(value, int) and 0 < value < 2**63:
            return reference
        raise Invalid("this is not an id of a profile", code="BAD_ID", path="id")
    text = str(value)
    if reference.kind is ReferenceKind.EMAIL:
        try:
            return ProfileReference(ReferenceKind.EMAIL, parse_email(text).key)
        except BadValue as error:
            raise error.at("email", "email") from None
    if not 1 <= len(text) <= LONGEST or UNSTORABLE.search(text):
        raise Invalid(
            f"an external id has 1 to {LONGEST} characters that can be stored", code="BAD_EXTERNAL_ID",
            path="external_id",
        )  # fmt: skip
    return reference


async def identify(conn: Connection, references: Iterable[ProfileReference]) -> dict[ProfileReference, int | ClarionError]:
    """The id of the profile of each reference that `checked` has let through, or why there is none. Of a profile that is merged
    it is the survivor's.

    Otherwise it is NotFound (PROFILE_NOT_FOUND), or Conflict (AMBIGUOUS_EMAIL): an address may belong to several.
    """
    wanted = set(references)
    by_kind = {kind: [one for one in wanted if one.kind is kind] for kind in ReferenceKind}
    found: dict[ProfileReference, int | ClarionError] = {}
    if some := by_kind[ReferenceKind.ID]:
        ids = await store.ids_by_id(conn, [int(one.value) for one in some])
        found |= {one: ids[int(one.value)] for one in some if one.value in ids}
    if some := by_kind[ReferenceKind.EXTERNAL_ID]:
        known = await store.ids_by_external_id(conn, [str(one.value) for one in some])
        found |= {one: known[str(one.value)] for one in some if one.value in known}
    if some := by_kind[ReferenceKind.EMAIL]:
        owners = await store.ids_by_email(conn, [str(one.value) for one in some])
        for one in some:
            profile_id, profiles = owners.get(str(one.value), (0, 0))
            if profiles:
                found[one] = profile_id if profiles == 1 else _ambiguous(profiles)
    return {one: found[one] if one in found else _unknown(one) for one in wanted}


async def hold_identified(
    conn: Connection, references: Iterable[ProfileReference]
) -> dict[ProfileReference, int | ClarionError]:
    """The same, and whoever is found stays until the transaction ends: for what is stored because of them."""
    found = await identify(conn, references)
    held = await store.hold(conn, sorted({one for one in found.values() if isinstance(one, int)}))
    return {one: owner if not isinstance(owner, int) or owner in held else _unknown(one) for one, owner in found.items()}


async def hold_each(
    conn: Connection, references: Mapping[int, ProfileReference], errors: dict[int, ClarionError]
) -> dict[int, int]:
    """The same for the rows of a call, by their places; why a row has none, or says it wrongly, goes into `errors`."""
    readable: dict[int, ProfileReference] = {}
    for n, one in references.items():
        try:
            readable[n] = checked(one)
        except Invalid as error:
            errors[n] = error
    found = await hold_identified(conn, readable.values()) if readable else {}
    owners = {}
    for n, one in readable.items():
        owner = found[one]
        if isinstance(owner, int):
            owners[n] = owner
        else:
            errors[n] = owner
    return owners


def _ambiguous(profiles: int) -> Conflict:
    return Conflict(
        f"{profiles} profiles have this address", code="AMBIGUOUS_EMAIL", path="email",
        hint="Name the profile by its id or its external id.",
    )  # fmt: skip


def _unknown(one: ProfileReference) -> NotFound:
    known_by = "id" if one.kind is ReferenceKind.ID else f"{one.kind.value.replace('_', ' ')} {shown(one.value)}"
    return NotFound(
        f"there is no profile of this {known_by}", code="PROFILE_NOT_FOUND", path=one.kind.value,
        hint="Create or import the profile first.",
    )  # fmt: skip
