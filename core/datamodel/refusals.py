"""What the database refuses because of a team's own keys and links, as errors that say so."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

from core.datamodel.physical import PREFIX, has_column, is_pair, link_column
from core.datamodel.present import present_model
from core.datamodel.records import Entity, Model
from core.datamodel.wanted import INDEX_PREFIX, wanted
from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid

# What a statement that writes or deletes rows may be refused with.
REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
Refused: TypeAlias = asyncpg.PostgresError


async def refusal(conn: Connection, error: Refused) -> ClarionError | None:
    """Conflict (VALUE_TAKEN, LINKED, TARGET_GONE), Invalid (ROW_TOO_BIG); None: it has nothing to do with a model.

    The transaction must not be broken: what was refused was within a savepoint.
    """
    if isinstance(error, asyncpg.ProgramLimitExceededError):
        return Invalid(
            "the values of this row are too long together", code="ROW_TOO_BIG",
            hint="Shorten its texts, or move some fields to a dataset of their own: a row has room for about 8,000 bytes.",
        )  # fmt: skip
    name = error.constraint_name or ""
    if isinstance(error, asyncpg.UniqueViolationError) and name.startswith(INDEX_PREFIX):
        return _taken(await present_model(conn), name)
    if name.startswith(PREFIX) or is_pair(error.table_name or ""):
        return _linked(await present_model(conn), error)
    return None


def _taken(model: Model, index: str) -> Conflict:
    for one in wanted(model):
        entity = model.find(one.entity)
        if one.object == index and entity is not None:
            fields = _fields_of(entity, one.name)
            labels = [_label(entity, name) for name in fields]
            return Conflict(
                f"another row of {one.entity} has the same {' and '.join(labels)} ({one.name})", code="VALUE_TAKEN",
                path=fields[0] if len(fields) == 1 else None, hint="Change that row, or use another value.",
            )  # fmt: skip
    return Conflict(
        "another row has the same in a unique key that is about to go", code="VALUE_TAKEN", hint="Try again in a moment.",
    )  # fmt: skip


def _fields_of(entity: Entity, name: str) -> tuple[str, ...]:
    key = entity.find_key(name)
    if key is not None:
        return key.fields
    link = entity.find_link(name)
    return link.source_fields if link is not None and link.source_fields else (name,)


def _label(entity: Entity, name: str) -> str:
    found = entity.find(name) or entity.find_link(name)
    return found.label if found is not None else name


def _linked(model: Model, error: asyncpg.IntegrityConstraintViolationError) -> Conflict:
    """Of a foreign key: a row that goes is held by others, or the row that is to be linked to is not there."""
    entity = next((one for one in model.entities if error.table_name in (one.name, PREFIX + one.name)), None)
    links = entity.links if entity is not None else ()
    column = (error.constraint_name or "").removesuffix("_fkey")
    link = next((one for one in links if has_column(one) and link_column(one.name) == column), None)
    if link is None or entity is None:
        return Conflict("rows are linked to it", code="LINKED", hint="Delete them, or their links, first.")
    if "update or delete" in str(error):
        return Conflict(
            f"rows of {entity.name} are linked to it by {link.name!r}", code="LINKED",
            hint="Delete them, or their links, first.",
        )  # fmt: skip
    return Conflict(
        f"there is no {link.target} to which {link.name!r} could lead", code="TARGET_GONE", path=link.name,
        hint="It was deleted meanwhile: choose another.",
    )  # fmt: skip
