"""SQL on `program` and `tracked_link`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.content.records import TrackedLink, TrackingMode
from core.db import Connection
from core.delivery.records import DeliveryLink, ProgramVariant, StoredProgram
from core.errors import NotFound


async def insert_program(
    conn: Connection,
    *,
    delivery_id: int,
    variant: int = 0,
    channel: str,
    config: Mapping[str, Any],
    content: Mapping[str, Any],
    fields: Sequence[str],
    token_key_id: int,
    base_url: str,
    engine_version: int,
) -> int:
    """Store a frozen program; returns its id."""
    program_id: int = await conn.fetchval(
        """
        INSERT INTO program (delivery_id, variant, channel, config, content, fields, token_key_id, base_url, engine_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
        """,
        delivery_id, variant, channel, dict(config), dict(content), list(fields), token_key_id, base_url, engine_version,
    )  # fmt: skip
    return program_id


async def insert_links(conn: Connection, program_id: int, links: Sequence[TrackedLink]) -> None:
    """The tracked links of a program."""
    rows = [(link.number, link.url, link.label, link.category, link.mode.value) for link in links]
    columns = list(map(list, zip(*rows, strict=True))) if rows else [[]] * 5
    await conn.execute(
        """
        INSERT INTO tracked_link (program_id, link, url, label, category, mode)
        SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[])
        """,
        program_id, *columns,
    )  # fmt: skip


async def get_program(conn: Connection, program_id: int) -> StoredProgram:
    """Raises NotFound."""
    row = await conn.fetchrow(
        """
        SELECT id, delivery_id, variant, channel, config, content, fields, token_key_id, base_url, engine_version
          FROM program WHERE id = $1
        """,
        program_id,
    )
    if row is None:
        raise NotFound("there is no such program", code="PROGRAM_NOT_FOUND")
    return StoredProgram(**{**dict(row), "fields": tuple(row["fields"])})


async def count_deliveries_by_key(conn: Connection) -> dict[int, int]:
    """How many deliveries have links made with each master key, by its id."""
    rows = await conn.fetch(
        "SELECT token_key_id AS key_id, count(DISTINCT delivery_id) AS deliveries FROM program GROUP BY token_key_id"
    )
    return {row["key_id"]: row["deliveries"] for row in rows}


async def list_variants_of(conn: Connection, delivery_id: int) -> list[ProgramVariant]:
    """The programs of a delivery's standing preparation, the default first."""
    rows = await conn.fetch(
        """
        SELECT id, channel, content ->> 'locale' AS language, fields, coalesce(content -> 'dynamic', '{}') AS dynamic,
               coalesce(content -> 'columns', '[]') AS columns
          FROM program WHERE delivery_id = $1 ORDER BY variant, id
        """,
        delivery_id,
    )
    return [
        ProgramVariant(
            id=row["id"],
            channel=row["channel"],
            language=row["language"],
            fields=tuple(row["fields"]),
            dynamic={name: tuple(conditions) for name, conditions in row["dynamic"].items()},
            columns=tuple(row["columns"]),
        )
        for row in rows
    ]


async def list_programs_of(conn: Connection, delivery_id: int) -> list[int]:
    """Every program of a delivery, oldest first."""
    rows = await conn.fetch("SELECT id FROM program WHERE delivery_id = $1 ORDER BY id", delivery_id)
    return [row["id"] for row in rows]


async def largest_files(conn: Connection, delivery_id: int) -> int:
    """How many bytes the files of a message have, those of the delivery's program with the largest."""
    size: int = await conn.fetchval(
        """
        SELECT coalesce(max(files.size), 0)::bigint
          FROM program p,
               LATERAL (SELECT sum((one ->> 'size')::bigint) AS size
                          FROM jsonb_array_elements(p.content -> 'attachments') AS one) AS files
         WHERE p.delivery_id = $1
        """,
        delivery_id,
    )
    return size


async def list_links_of(conn: Connection, delivery_id: int) -> list[DeliveryLink]:
    """A delivery's links, without the one that no person sees; a link of several variants as the first has it."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (l.link) l.link AS number, l.url, l.label, l.category, l.mode
          FROM program p JOIN tracked_link l ON l.program_id = p.id
         WHERE p.delivery_id = $1 AND l.link IS DISTINCT FROM (p.content ->> 'hidden_link')::int
         ORDER BY l.link, p.id
        """,
        delivery_id,
    )
    return [DeliveryLink(**{**dict(row), "mode": TrackingMode(row["mode"])}) for row in rows]
