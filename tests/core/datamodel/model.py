"""Short ways to say what a model has, shared by the tests of the data model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import get_draft, save_dataset, save_field
from core.datamodel.keys import save_index, save_key
from core.datamodel.links import save_link
from core.datamodel.publication import publish
from core.datamodel.records import Build, DataField, FieldKind, Index, Key, Link, LinkKind, Published
from core.datamodel.store import builds as build_store
from core.db import Connection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def field(name: str = "tier", kind: FieldKind = FieldKind.TEXT, **more: Any) -> DataField:
    """A field with a label made of its name."""
    if kind is FieldKind.TEXT:
        more.setdefault("max_length", 255)
    return DataField(**{"name": name, "label": name.title(), "kind": kind} | more)


async def save(conn: Connection, one: DataField, entity: str = "profile") -> None:
    """Into the draft."""
    await save_field(conn, SYSTEM, entity, one, now=NOW)


async def publish_draft(conn: Connection) -> Published:
    """As it is."""
    return await publish(conn, SYSTEM, expected_version=(await get_draft(conn)).version, now=NOW, guard=UNUSED)


async def publish_fields(conn: Connection, *fields: DataField, entity: str = "profile") -> Published:
    """Save and publish."""
    for one in fields:
        await save(conn, one, entity)
    return await publish_draft(conn)


async def dataset(conn: Connection, name: str = "purchase", *fields: DataField) -> None:
    """A dataset of the draft."""
    await save_dataset(conn, SYSTEM, name=name, label=name.title(), now=NOW)
    for one in fields:
        await save(conn, one, name)


def link(name: str = "customer", target: str = "profile", kind: LinkKind = LinkKind.MANY_TO_ONE, **more: Any) -> Link:
    """A link with labels and a way back made of its name."""
    made = {"name": name, "label": name.title(), "target": target, "kind": kind}
    return Link(**made | {"reverse_name": f"of_{name}", "reverse_label": f"Of {name}"} | more)


async def point(conn: Connection, one: Link, entity: str = "purchase") -> None:
    """A link into the draft."""
    await save_link(conn, SYSTEM, entity, one, now=NOW)


async def unique(conn: Connection, name: str, *fields: str, entity: str = "purchase") -> None:
    """A key into the draft."""
    await save_key(conn, SYSTEM, entity, Key(name=name, fields=fields), now=NOW)


async def indexed(conn: Connection, name: str, *fields: str, entity: str = "purchase") -> None:
    """An index into the draft."""
    await save_index(conn, SYSTEM, entity, Index(name=name, fields=fields), now=NOW)


async def builds(conn: Connection) -> list[Build]:
    """All that was asked for, by kind and name."""
    found = await build_store.list_builds(conn, None, 1_000)
    return sorted(found, key=lambda one: (one.kind, one.entity, one.name, one.object))


async def columns(conn: Connection, table: str = "profile") -> dict[str, str]:
    """A team's columns of a table, by name, with their types."""
    rows = await conn.fetch(
        r"""
        SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attname LIKE 'x\_%' AND NOT attisdropped ORDER BY attnum
        """,
        table,
    )
    return {row["attname"]: row["type"] for row in rows}
