"""The catalogue says of the database what the database says of itself."""

from __future__ import annotations

import asyncpg

from core.datamodel.physical import BUILT_IN, HOUSE_ENTITIES, HOUSE_LINKS
from core.db import Connection
from core.delivery.records import LedgerState
from core.targeting.catalogue import CATALOGUE, MESSAGE_STATES, REACTION_KINDS, Derived, Kind
from core.targeting.language import NAME, RESERVED
from core.tracking.records import TrackingKind

VIEWS = {"message", "reaction"}
COLUMN_TYPES = {
    Kind.TEXT: {"text", "character varying"},
    Kind.INTEGER: {"smallint", "integer", "bigint"},
    Kind.DECIMAL: {"numeric", "double precision"},
    Kind.BOOLEAN: {"boolean"},
    Kind.DATE: {"date"},
    Kind.INSTANT: {"timestamp with time zone"},
    Kind.ENUMERATION: {"smallint", "text"},
    Kind.UUID: {"uuid"},
    Kind.JSON: {"jsonb"},
}
DERIVED_FROM = {Derived.AGE: {"date"}, Derived.HELD_OUT: {"bigint"}}


async def test_every_field_has_its_column(conn: Connection) -> None:
    for entity in CATALOGUE.entities.values():
        rows = await conn.fetch(
            """
            SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = $1
            """,
            entity.table,
        )
        columns = {row["column_name"]: (row["data_type"], row["is_nullable"] == "YES") for row in rows}
        assert entity.key in columns
        for field in entity.fields.values():
            data_type, nullable = columns[field.column]
            expected = DERIVED_FROM[field.derived] if field.derived is not None else COLUMN_TYPES[field.kind]
            assert data_type in expected, field.name
            if entity.table not in VIEWS:  # whose columns may all be NULL, says Postgres
                assert nullable == field.nullable, field.name


async def test_only_rows_with_a_number_of_their_own_are_said_to_have_one(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        SELECT c.relname AS name, a.attname AS key
          FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL
        """
    )
    unique = {(row["name"], row["key"]) for row in rows}
    for entity in CATALOGUE.entities.values():
        if entity.table not in VIEWS:
            assert entity.single is ((entity.table, entity.key) in unique), entity.name


async def test_every_link_has_its_columns(conn: Connection) -> None:
    for entity in CATALOGUE.entities.values():
        for link in entity.links.values():
            target = CATALOGUE.entities[link.target]
            near = ", ".join(f"one.{column}" for column, _ in link.on)
            ties = [f"one.{column} = other.{far}" for column, far in link.on]
            only = [f"other.{column} = {value}" for column, value in link.only]
            where = " AND ".join([*ties, *only])
            await conn.fetch(f"SELECT {near} FROM {entity.table} one JOIN {target.table} other ON {where}")
            assert link.back is None or target.links[link.back].target == entity.name


def test_states_and_kinds_are_those_of_the_rooms() -> None:
    assert {state.name.lower(): state.value for state in LedgerState} == MESSAGE_STATES
    assert {kind.name.lower(): kind.value for kind in TrackingKind} == REACTION_KINDS


def test_no_team_can_call_its_things_like_ours() -> None:
    assert CATALOGUE.entities.keys() == HOUSE_ENTITIES
    for entity in CATALOGUE.entities.values():
        if entity.name in BUILT_IN:
            assert entity.links.keys() == HOUSE_LINKS.get(entity.name, frozenset())


def test_every_field_of_ours_has_a_heading() -> None:
    fields = [
        (entity.name, field.name, field.category) for entity in CATALOGUE.entities.values() for field in entity.fields.values()
    ]
    assert [(entity, name) for entity, name, category in fields if not category] == []
    assert ("profile", "email", "Contact") in fields


async def test_every_column_of_a_profile_can_be_asked_about(conn: Connection) -> None:
    rows = await conn.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'profile'")
    asked = {field.column for field in CATALOGUE.entities["profile"].fields.values()}

    # the address as typed answers through its key; the others are how people are found and read, not what they are
    assert {row["column_name"] for row in rows} - asked == {"email", "merged_into", "search_words"}


async def test_the_codes_of_an_enumeration_are_those_the_database_takes(conn: Connection) -> None:
    for field in CATALOGUE.entities["profile"].fields.values():
        if field.kind is not Kind.ENUMERATION:
            continue
        taken = []
        for code in range(-1, 10):
            try:
                async with conn.transaction():
                    await conn.execute(f"INSERT INTO profile ({field.column}) VALUES ($1)", code)
                taken.append(code)
            except asyncpg.CheckViolationError:
                pass
        assert taken == sorted(field.values.values()), field.name


def test_every_name_can_be_written() -> None:
    for entity in CATALOGUE.entities.values():
        for name, field in entity.fields.items():
            assert field.name == name
            assert NAME.fullmatch(name)
            assert name not in RESERVED
            assert field.label
