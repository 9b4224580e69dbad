"""What people were shown when they decided. A changed text is another version; none is ever changed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import check_name
from core.consent.records import Wording
from core.consent.store import wordings as store
from core.db import Connection
from core.errors import Invalid
from core.paging import Page, PageRequest, cut

TEXT_LENGTH = 20_000


async def add_wording(conn: Connection, actor: Actor, name: str, text: str, *, now: datetime) -> Wording:
    """The version that says this: the newest one if it does, else the next. Raises Invalid (BAD_NAME, BAD_TEXT)."""
    require(actor, Permission.EDIT)
    check_name(name)
    if not text.strip() or len(text) > TEXT_LENGTH or "\0" in text:
        raise Invalid(f"a wording has 1 to {TEXT_LENGTH:,} characters, none of them NUL", code="BAD_TEXT", path="text")
    await store.lock_name(conn, name)
    newest = await store.find_newest(conn, name)
    if newest is not None and newest.text == text:
        return newest
    wording = await store.insert_wording(conn, name, text, actor.name, now)
    told = {"name": wording.name, "version": wording.version}
    await record(conn, actor, "consent_wording.add", "consent_wording", wording.id, told)
    return wording


async def find_wordings(conn: Connection, ids: Sequence[int]) -> list[Wording]:
    """Those of the ids that exist, in any order."""
    return await store.find_wordings(conn, ids)


async def list_wordings(conn: Connection, page: PageRequest) -> Page[Wording]:
    """Every version of every text, oldest first."""
    return cut(await store.list_wordings(conn, page.after, page.first + 1), page)


async def count_wordings(conn: Connection) -> int:
    """How many versions there are."""
    return await store.count_wordings(conn)
