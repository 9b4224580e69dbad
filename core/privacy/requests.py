"""Requests as people make and watch them (feature map 2.66-2.70). `work.py` carries them out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import check_label, check_name, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, IllegalMove, Invalid
from core.files import Ticket
from core.outbox import announce
from core.paging import Page, PageRequest
from core.privacy.namespaces import open_namespace
from core.privacy.places import open_place
from core.privacy.records import PrivacyRequest, RequestDraft, RequestKind, RequestState
from core.privacy.sealing import hash_of, seal_value
from core.privacy.store import requests as store
from core.profiles.values import UNSTORABLE
from core.runtime import Runtime

LONGEST_VALUE = 1000


async def create_request(
    conn: Connection, actor: Actor, runtime: Runtime, draft: RequestDraft, now: datetime
) -> PrivacyRequest:
    """Ask for somebody's data, or for its end. One request names one value of one namespace; all profiles that have it are
    meant.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_VALUE, BAD_EMAIL, BAD_PHONE, BAD_ADDRESS, UNKNOWN_FIELD), NotFound
    (PRIVACY_NAMESPACE_NOT_FOUND), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.PRIVACY)
    check_name(draft.name)
    check_label(draft.label)
    namespace = await open_namespace(conn, draft.namespace, "namespace_name")
    if not 1 <= len(draft.value.strip()) <= LONGEST_VALUE or UNSTORABLE.search(draft.value):
        raise Invalid(f"a value has 1 to {LONGEST_VALUE} characters", code="BAD_VALUE", path="reconciliation_value")
    value = (await open_place(conn, namespace)).read(draft.value, runtime.settings.default_country)
    needs_confirm = draft.kind is RequestKind.DELETE and runtime.settings.privacy_confirm_delete
    request_id = await store.insert_request(
        conn, draft, namespace, hash_of(runtime.keyring, namespace.name, value), needs_confirm, actor.name, now
    )
    if request_id is None:
        raise name_taken("privacy request", draft.name)
    await store.set_value(conn, request_id, seal_value(runtime.keyring, request_id, value))
    told = {"kind": draft.kind.value, "regulation": draft.regulation.value, "namespace": namespace.name}
    await record(conn, actor, "privacy_request.create", "privacy_request", request_id, told)
    await announce(conn, "privacy_request.ready", request_id=request_id)
    return await get_request(conn, request_id)


async def confirm_delete(conn: Connection, actor: Actor, request_id: int, now: datetime) -> PrivacyRequest:
    """Let a deletion begin that waits for it. Again: no change. Raises NotFound, IllegalMove."""
    require(actor, Permission.PRIVACY)
    found = await _lock(conn, request_id)
    if found.confirmed_at is not None:
        return found
    if found.state is not RequestState.DELETE_PENDING:
        raise IllegalMove(f"a request that is {found.state.value} has nothing to confirm", path="id")
    await store.confirm(conn, request_id, actor.name, now)
    await record(conn, actor, "privacy_request.confirm", "privacy_request", request_id)
    await announce(conn, "privacy_request.ready", request_id=request_id)
    return await get_request(conn, request_id)


async def retry_request(conn: Connection, actor: Actor, request_id: int) -> PrivacyRequest:
    """Try again what has ended in an error. Raises NotFound, IllegalMove, Conflict (VALUE_FORGOTTEN)."""
    require(actor, Permission.PRIVACY)
    found = await _lock(conn, request_id)
    if found.state is not RequestState.ERROR:
        raise IllegalMove(f"a request that is {found.state.value} is not tried again", path="id")
    if (await store.get_sealed(conn, request_id))[0] is None:
        raise Conflict(
            "the value of this request is not kept any more", code="VALUE_FORGOTTEN", path="id", hint="Make another request."
        )
    await store.retry(conn, request_id)
    await record(conn, actor, "privacy_request.retry", "privacy_request", request_id)
    await announce(conn, "privacy_request.ready", request_id=request_id)
    return await get_request(conn, request_id)


async def issue_download_ticket(conn: Connection, actor: Actor, request_id: int, now: datetime) -> Ticket:
    """The right to download once what an access request has gathered; audited.

    Raises NotFound (also FILE_REMOVED), Conflict (NO_FILE).
    """
    require(actor, Permission.PRIVACY)
    found = await get_request(conn, request_id)
    if found.file_id is None:
        raise Conflict(
            f"this request has no file: it is a request to {found.kind.value}, and {found.state.value}", code="NO_FILE",
            path="id", hint="Access requests have one when they are complete.",
        )  # fmt: skip
    await record(conn, actor, "privacy_request.download", "privacy_request", request_id)
    return await stored_files.issue_ticket(conn, found.file_id, "read", now, "id")


async def get_request(conn: Connection, request_id: int) -> PrivacyRequest:
    """Raises NotFound (PRIVACY_REQUEST_NOT_FOUND)."""
    found = await store.get_requests(conn, [request_id])
    if not found:
        raise not_found("privacy request", request_id)
    return found[0]


async def get_requests(conn: Connection, ids: Sequence[int]) -> list[PrivacyRequest]:
    """Those that exist."""
    return await store.get_requests(conn, ids)


async def list_requests(
    conn: Connection,
    page: PageRequest,
    *,
    kind: RequestKind | None = None,
    states: Sequence[RequestState] | None = None,
) -> Page[PrivacyRequest]:
    """A page of them, the newest first."""
    rows = await store.list_requests(conn, kind, states, page.after, page.first + 1)
    return Page(rows=rows[: page.first], has_next=len(rows) > page.first)


async def count_requests(
    conn: Connection, *, kind: RequestKind | None = None, states: Sequence[RequestState] | None = None
) -> int:
    """How many there are."""
    return await store.count_requests(conn, kind, states)


async def _lock(conn: Connection, request_id: int) -> PrivacyRequest:
    found = await store.lock_request(conn, request_id)
    if found is None:
        raise not_found("privacy request", request_id)
    return found
