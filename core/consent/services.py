"""What people subscribe to: create, change, delete, list (feature map 2.37-2.40)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import LABEL_LENGTH, changed, check_label, check_name, check_version, name_taken, not_found
from core.consent.records import Confirmation, Service, ServiceDraft
from core.consent.store import services as store
from core.datamodel.refusals import REFUSED, Refused, refusal
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.profiles import team_rows
from core.profiles.team_rows import NO_VALUES, Extended, Values

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=36_500)


async def create_service(conn: Connection, actor: Actor, draft: ServiceDraft, team: Values = NO_VALUES) -> Service:
    """A new service; `team` are values of the team's fields.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_PERIOD, BAD_VALIDITY, BAD_CONFIRMATION, ROW_TOO_BIG), FieldsInvalid, Conflict
    (NAME_TAKEN, VALUE_TAKEN).
    """
    require(actor, Permission.EDIT)
    _check(draft)
    columns = await team_rows.clean_new(conn, Extended.SERVICE, team)
    try:
        async with conn.transaction():
            service = await store.insert_service(conn, draft, actor.name)
            if service is not None:
                await team_rows.write(conn, Extended.SERVICE, service.id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or error from None
    if service is None:
        raise name_taken("service", draft.name)
    told = difference({}, _told(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "service.create", "service", service.id, told)
    return service


async def update_service(
    conn: Connection,
    actor: Actor,
    service_id: int,
    changes: Mapping[str, Any],
    team: Values = NO_VALUES,
    *,
    expected_version: int | None = None,
) -> Service:
    """Change the fields given, `team` those of the team. What changes nothing makes no new version; subscriptions keep the end
    they have.

    Raises as `create_service`, NotFound (SERVICE_NOT_FOUND), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.EDIT)
    service = await _lock(conn, service_id)
    check_version("service", service.version, expected_version)
    before = ServiceDraft(**{one.name: getattr(service, one.name) for one in fields(ServiceDraft)})
    draft = changed(before, changes)
    columns = await team_rows.clean_changed(conn, Extended.SERVICE, service_id, team)
    if draft == before and not columns:
        return service
    _check(draft)
    try:
        async with conn.transaction():
            updated = await store.update_service(conn, service_id, draft)
            await team_rows.write(conn, Extended.SERVICE, service_id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or _taken(error, draft) from None
    told = difference(_told(before), _told(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "service.update", "service", service_id, told)
    return updated


async def delete_service(conn: Connection, actor: Actor, service_id: int) -> None:
    """Raises NotFound (SERVICE_NOT_FOUND), Conflict (IN_USE) once somebody subscribed or while a delivery names it, Conflict
    (LINKED) where rows of a dataset hold it."""
    require(actor, Permission.EDIT)
    service = await _lock(conn, service_id)
    if await store.is_used(conn, service_id):
        raise Conflict(
            f"the service {service.name!r} has or had subscribers", code="IN_USE",
            hint="Give it an end instead: then nobody can subscribe any more.",
        )  # fmt: skip
    try:
        async with conn.transaction():
            await store.delete_service(conn, service_id)
    except REFUSED as error:
        raise await refusal(conn, error) or Conflict(
            f"deliveries name the service {service.name!r}", code="IN_USE", hint="Change or delete those deliveries first."
        ) from None
    await record(conn, actor, "service.delete", "service", service_id, {"name": {"from": service.name}})


async def get_service(conn: Connection, service_id: int) -> Service:
    """Raises NotFound (SERVICE_NOT_FOUND)."""
    found = await store.find_services(conn, [service_id])
    if not found:
        raise not_found("service", service_id)
    return found[0]


async def find_services(conn: Connection, ids: Sequence[int]) -> list[Service]:
    """Those of the ids that exist, in any order."""
    return await store.find_services(conn, ids)


async def find_service_by_name(conn: Connection, name: str) -> Service | None:
    """The service, or None."""
    return await store.find_service_by_name(conn, name)


async def find_numbers(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """The ids of those of the services that exist, by their names; one statement however many."""
    return await store.find_numbers(conn, names) if names else {}


async def list_services(conn: Connection, page: PageRequest) -> Page[Service]:
    """Services, oldest first."""
    return cut(await store.list_services(conn, page.after, page.first + 1), page)


async def count_services(conn: Connection) -> int:
    """How many there are."""
    return await store.count_services(conn)


async def _lock(conn: Connection, service_id: int) -> Service:
    service = await store.lock_service(conn, service_id)
    if service is None:
        raise not_found("service", service_id)
    return service


def _taken(error: Refused, draft: ServiceDraft) -> Exception:
    return name_taken("service", draft.name) if isinstance(error, asyncpg.UniqueViolationError) else error


def _told(draft: ServiceDraft) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, timedelta) else value for name, value in asdict(draft).items()}


def _check(draft: ServiceDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)
    if len(draft.public_label) > LABEL_LENGTH or not draft.public_label.isprintable():
        raise Invalid(f"a label is one line of at most {LABEL_LENGTH} characters", code="BAD_LABEL", path="public_label")
    for path in ("starts_at", "ends_at"):
        moment = getattr(draft, path)
        if moment is not None and moment.tzinfo is None:
            raise Invalid("the date has no time zone", code="BAD_PERIOD", path=path, hint="Write it with an offset.")
    if draft.starts_at is not None and draft.ends_at is not None and draft.ends_at <= draft.starts_at:
        raise Invalid("a service ends after it starts", code="BAD_PERIOD", path="ends_at", hint="Leave one of the two out.")
    for path in ("validity", "confirm_within"):
        length = getattr(draft, path)
        if length is not None and not SHORTEST <= length <= LONGEST:
            raise Invalid("this lasts from 1 minute to 100 years", code="BAD_VALIDITY", path=path)
    for act in ("subscribe", "unsubscribe"):
        _check_confirmation(getattr(draft, f"{act}_confirmation"), getattr(draft, f"{act}_event"), f"{act}_event")


def _check_confirmation(mode: Confirmation, event: str | None, path: str) -> None:
    if event is not None:
        check_name(event, path)
    if (mode is Confirmation.CUSTOM) != (event is not None):
        raise Invalid(
            "a custom confirmation names its event, and no other does", code="BAD_CONFIRMATION", path=path,
            hint="Give both, or neither.",
        )  # fmt: skip
