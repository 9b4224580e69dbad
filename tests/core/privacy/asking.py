"""Privacy requests for the tests of this room, as the doors would make them."""

from __future__ import annotations

import itertools
import json
import zipfile
from typing import Any

from core import files as stored_files
from core.access import SYSTEM
from core.db import Connection, transaction
from core.privacy import namespaces, requests
from core.privacy.records import Namespace, NamespaceDraft, PrivacyRequest, Regulation, RequestDraft, RequestKind
from core.privacy.work import work
from core.runtime import Runtime

_numbers = itertools.count(1)


async def add_namespace(runtime: Runtime, name: str, field: str, entity: str = "profile") -> Namespace:
    """A namespace over a field of something."""
    draft = NamespaceDraft(name=name, label=name.title(), entity=entity, field=field)
    async with transaction(runtime.pool) as conn:
        return await namespaces.create_namespace(conn, SYSTEM, draft)


async def ask(runtime: Runtime, kind: RequestKind, namespace: str, value: str, **more: Any) -> int:
    """A request that nobody has worked on yet."""
    draft = RequestDraft(
        **{
            "name": f"asked-{next(_numbers)}",
            "label": "Asked",
            "kind": kind,
            "regulation": Regulation.GDPR,
            "namespace": namespace,
            "value": value,
            **more,
        }
    )
    async with transaction(runtime.pool) as conn:
        return (await requests.create_request(conn, SYSTEM, runtime, draft, runtime.clock())).id


async def done(runtime: Runtime, kind: RequestKind, namespace: str, value: str, **more: Any) -> PrivacyRequest:
    """A request, and what became of it."""
    request_id = await ask(runtime, kind, namespace, value, **more)
    await work(runtime)
    return await get(runtime, request_id)


async def get(runtime: Runtime, request_id: int) -> PrivacyRequest:
    """A request as it is now."""
    async with runtime.pool.acquire() as conn:
        return await requests.get_request(conn, request_id)


async def given(runtime: Runtime, conn: Connection, request: PrivacyRequest) -> tuple[dict[str, Any], zipfile.ZipFile]:
    """What an access request has gathered: its JSON and the archive."""
    assert request.file_id is not None
    file = await stored_files.get_file(conn, request.file_id)
    archive = zipfile.ZipFile(runtime.files.path(file))
    return json.loads(archive.read("data.json")), archive
