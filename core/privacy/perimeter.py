"""Everything that is kept of people: the tables of each room, and those that teams make. The one list of the house.

A table is declared in the `personal.py` of its room (the floor's are here). Erasures go through the list in its order, so what
is found by a profile stands before the profiles.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from core.accounts import personal as accounts
from core.consent import personal as consent
from core.content import personal as content
from core.datamodel import personal as datamodel
from core.db import Connection
from core.delivery import personal as delivery
from core.events import personal as events
from core.personal import BLOT, Kept, Person, of_object
from core.planning import personal as planning
from core.profiles import personal as profiles
from core.targeting import personal as targeting
from core.tracking import personal as tracking
from core.transfers import personal as transfers

FLOOR = (
    Kept(
        table="audit_entry", rows=of_object("object_type", "object_id", "profile"), texts={"changes": {}},
        other="id at actor action object_type object_id request_id",
    ),
    Kept(table="outbox", other="id topic ids created_at"),
    # Bytes of files are searched, and answers to requests opened: see searching.py and answers.py.
    Kept(
        table="stored_file", texts={"name": BLOT}, other="id kind location size created_at created_by idle_since removed_at",
    ),
    Kept(table="file_ticket", other="secret_hash file_id purpose expires_at used_at uses"),
    Kept(table="idempotency_key", other="actor key request_hash response created_at"),
    Kept(table="blob", authored="data", other="sha256 size touched_at"),
    Kept(table="blob_use", other="sha256 content_id program_id"),
    Kept(table="alembic_version", other="version_num"),
)  # fmt: skip

OWN = (
    Kept(table="privacy_namespace", authored="name label", other="id entity field built_in created_by created_at"),
    Kept(
        table="privacy_request", texts={"label": BLOT}, authored="namespace",
        other="id name kind regulation namespace_id value value_hash state needs_confirm confirmed_at confirmed_by"
        " profiles_found waits_for error file_id person erased_at gone_at counts proof created_by created_at started_at"
        " finished_at",
    ),
)  # fmt: skip

TABLES: tuple[Kept, ...] = (
    *FLOOR, *OWN, *accounts.TABLES, *datamodel.TABLES, *content.TABLES, *planning.TABLES, *targeting.TABLES, *transfers.TABLES,
    *consent.TABLES, *events.TABLES, *delivery.TABLES, *tracking.TABLES, *profiles.TABLES,
)  # fmt: skip

# Tables that teams make, as they are now.
Listing = Callable[[Connection], Awaitable[list[Kept]]]
TEAM_TABLES: tuple[Listing, ...] = (datamodel.team_tables, events.team_tables)

# What is erased otherwise than by a statement for each table (`Goes.ELSEWHERE`). Each says how many rows it was, by table.
Eraser = Callable[[Connection, Person, datetime], Awaitable[dict[str, int]]]
ERASERS: tuple[Eraser, ...] = (targeting.erase, events.erase, delivery.erase, profiles.erase)


async def all_tables(conn: Connection) -> list[Kept]:
    """What teams made first, then ours."""
    made = [kept for listing in TEAM_TABLES for kept in await listing(conn)]
    return [*made, *TABLES]
