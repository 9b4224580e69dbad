"""The table of fields says of the database what the database says of itself."""

from __future__ import annotations

from dataclasses import fields

from core.db import Connection
from core.profiles.fields import ALL, FIELDS, SETTABLE, WRITTEN_COLUMNS, FieldType
from core.profiles.records import Profile

DATABASE_TYPES = {
    FieldType.DATE: "date",
    FieldType.BOOLEAN: "boolean",
    FieldType.NUMBER: "double precision",
    FieldType.ENUMERATION: "smallint",
    FieldType.INTEGER: "bigint",
    FieldType.UUID: "uuid",
    FieldType.INSTANT: "timestamp with time zone",
}


async def test_the_table_and_the_record_have_the_columns_of_the_fields(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        SELECT column_name, data_type, character_maximum_length, is_nullable
          FROM information_schema.columns WHERE table_name = 'profile'
        """
    )
    columns = {row["column_name"]: row for row in rows}

    assert set(columns) == {*FIELDS, "email_key", "merged_into", "search_words"}
    assert set(columns) - {"merged_into", "search_words"} == {one.name for one in fields(Profile)}
    for field in ALL:
        found = columns[field.name]
        assert found["data_type"] == DATABASE_TYPES.get(field.type, "character varying"), field.name
        assert found["is_nullable"] == ("NO" if field.required else "YES"), field.name
        if field.max_length is not None:
            assert found["character_maximum_length"] == field.max_length, field.name


async def test_fields_that_must_be_unique_are(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = 'profile'::regclass AND i.indisunique AND NOT i.indisprimary AND i.indnkeyatts = 1
        """
    )

    assert {row["attname"] for row in rows} == {field.name for field in ALL if field.unique}


def test_what_is_written_follows_from_what_can_be_set() -> None:
    assert {"email", "email_key", "email_domain"} <= set(WRITTEN_COLUMNS)
    assert set(WRITTEN_COLUMNS) - {"email_key", "email_domain"} == set(SETTABLE)
    assert len(set(WRITTEN_COLUMNS)) == len(WRITTEN_COLUMNS)
    assert not {"id", "created_at", "updated_at", "opt_in_id", "email_domain"} & set(SETTABLE)
