"""Removes files that name somebody, and those in which they cannot be looked for: they may hold them.

A person is known by words (`finding`). A file that has none of them was either made without the person, or without what names
them: a column of last names, or an export of a dataset that their rows are in. Which of the two it is, the run behind the file
tells: it is kept only if its columns say that the person would have been found. Whoever has no profile and no address that
one could have (a device, a cookie, a row of a dataset of nobody's) stands in no file of profiles without being found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from core import files as stored_files
from core.datamodel.personal import datasets_of_nobody, datasets_with
from core.db import Connection, transaction
from core.files import FileKind, StoredFile
from core.personal import Person
from core.privacy.records import PrivacyRequest
from core.privacy.searching import NotSearchable, Search
from core.privacy.store import provenance, requests
from core.profiles.run_records import MatchKey
from core.profiles.suppression_forms import hashes
from core.runtime import Runtime

GIVEN = frozenset({FileKind.UPLOAD})
MADE = frozenset({FileKind.REJECTS, FileKind.EXPORT, FileKind.ACCESS})  # of what stood in tables

_AT_ONCE = 100  # files


async def remove_files(runtime: Runtime, request: PrivacyRequest, person: Person, kinds: Collection[FileKind]) -> bool:
    """Remove files that name the person or may hold them, whole; False: somebody works with one. Of uploads those that were
    there when the person was erased: later ones are of whom has come back."""
    async with transaction(runtime.pool) as conn:
        gone_at = await requests.set_gone(conn, request.id)  # by the database's clock, as the time of files
    before = gone_at if FileKind.UPLOAD in kinds else None
    search, after, free = Search([_with_hashes(person)]), 0, True
    while True:
        async with runtime.pool.acquire() as conn:
            portion = await stored_files.list_of_kinds(conn, kinds, before, after, _AT_ONCE)
            hiding = await _find_hiding(conn, person, portion, gone_at)
        if not portion:
            break
        after = portion[-1].id
        naming = set()
        for one in portion:
            try:
                if await asyncio.to_thread(search.finds, runtime.files.path(one)):
                    naming.add(one.id)
            except NotSearchable:
                hiding.add(one.id)
        if going := sorted(naming | hiding):
            async with transaction(runtime.pool) as conn:
                busy = set(await stored_files.give_up(conn, going, runtime.clock()))
                counts = {"file": len(naming - busy), "file_not_searchable": len(hiding - naming - busy)}
                await requests.add_counts(conn, request.id, {name: number for name, number in counts.items() if number})
            free = free and not busy
    await _empty(runtime)
    if not free:
        async with transaction(runtime.pool) as conn:
            await requests.set_waiting(conn, request.id, "files")
    return free


async def _find_hiding(conn: Connection, person: Person, portion: Sequence[StoredFile], gone_at: datetime) -> set[int]:
    """Of files from before the erasure those in which the person would not be found."""
    older = [one.id for one in portion if one.created_at <= gone_at]
    if not older:
        return set()
    if not person.profile_ids and not person.known_by:
        names = {*person.nobodys, *await datasets_with(conn, person.nobodys)}
        return await provenance.find_files_of(conn, older, sorted(names))
    keys = [one.value for one in MatchKey if one.value in person.known_by]  # a key of the team's may be called like a field
    datasets = await datasets_of_nobody(conn)
    return set(older) - await provenance.find_searchable(conn, older, person.known_by, keys, datasets)


def _with_hashes(person: Person) -> Person:
    """Lists of suppressed addresses may hold nothing else of them."""
    hashed = (value for _, key in person.addresses for _, value in hashes(key))
    return replace(person, words=tuple(dict.fromkeys((*person.words, *hashed))))


async def _empty(runtime: Runtime) -> None:
    """The bytes of files that were given up, now or before a crash."""
    listing = await asyncio.to_thread(runtime.files.listing, runtime.clock())
    async with runtime.pool.acquire() as conn:
        unwanted = await stored_files.find_unwanted(conn, dict.fromkeys(listing, False))
    refused = await asyncio.to_thread(runtime.files.remove, unwanted)
    if refused:
        raise refused[0][1]
