"""How business events lie in the database, for whoever writes SQL on them. Pure.

Each type has a table of its own, `e_<type>`, partitioned by month of `occurred_at`, whose fields are real typed columns:

    profile_id   bigint       NOT NULL  whose event it is
    occurred_at  timestamptz  NOT NULL  when it happened, as its teller says: the partition key
    id           bigint       NOT NULL  one numbering over all types, in the order of telling
    received_at  timestamptz  NOT NULL  when Clarion stored it
    key          varchar(200) NOT NULL  the teller's own, unique within the type
    x_<field>    …                      each field of the payload, as `columns_of` says; NULL where it was left out

Indexes:

    PRIMARY KEY (profile_id, occurred_at, id)   what one person did, also within a window of time, in its order: serves EXISTS,
                                                "the last" (ORDER BY occurred_at DESC, id DESC LIMIT 1) and sequences
    BRIN (occurred_at)                          a window of time over all people, within a month

What compares `occurred_at` with bound values reads the months of that window alone. Months are `em_<type>_2026_03`, made ahead;
`em_<type>_other` holds what no month takes. Nobody but this room writes them, and nobody needs to name them.

    SELECT … FROM profile p WHERE EXISTS (
        SELECT FROM e_purchase e WHERE e.profile_id = p.id AND e.occurred_at >= $1 AND e.x_amount > $2)

Kinds are stored as the data model stores them (`core/datamodel/physical.py`): text `varchar(n)`, integer `bigint`, decimal
`numeric`, boolean, date, instant `timestamptz`, enumeration `varchar(30)` with the name of the choice, JSON `jsonb`. A column
keeps its type as long as there are events; that of a field which was taken out stays, unseen.

Why not one table for all types: its payload would be JSON, which is neither typed nor has statistics, or more columns than a
table may have; and a question about rare events would read through the many of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.datamodel.physical import column_of, sql_type
from core.datamodel.records import DataField, FieldKind
from core.events.records import EventField, EventType
from core.partitions import Partitioned

TABLE_PREFIX = "e_"
PARTITION_PREFIX = "em_"
KEY_LENGTH = 200  # characters
OWN_COLUMNS = ("profile_id", "occurred_at", "id", "received_at", "key")

_OWN = (
    DataField(name="occurred_at", label="Occurred at", kind=FieldKind.INSTANT, category="Event"),
    DataField(name="received_at", label="Received at", kind=FieldKind.INSTANT, category="Event"),
    DataField(name="key", label="Key", kind=FieldKind.TEXT, max_length=KEY_LENGTH, category="Event"),
)
OWN_FIELDS = frozenset(one.name for one in _OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColumn:
    """What one can ask about an event: the column, and of which kind its values are."""

    column: str
    sql_type: str
    field: DataField  # its name, label, kind, choices and marks


def table_of(name: str) -> str:
    """The table of the type of a name."""
    return TABLE_PREFIX + name


def partitioned(name: str) -> Partitioned:
    """How that table is divided."""
    return Partitioned(table=table_of(name), prefix=PARTITION_PREFIX + name, column="occurred_at")


def columns_of(event_type: EventType) -> Mapping[str, EventColumn]:
    """What one can ask about events of a type, by the names that people use: ours first, then the payload's."""
    ours = {one.name: EventColumn(column=one.name, sql_type=sql_type(one), field=one) for one in _OWN}
    return ours | {
        one.name: EventColumn(column=column_of(one.name), sql_type=sql_type(one), field=one) for one in event_type.fields
    }


def create_statements(name: str, fields: tuple[EventField, ...]) -> Iterator[str]:
    """The statements that make the table of a type, without months."""
    of = partitioned(name)
    columns = "".join(f",\n    {column_of(one.name)} {sql_type(one)}" for one in fields)
    yield (
        f"CREATE TABLE {of.table} (\n"
        "    profile_id bigint NOT NULL,\n"
        "    occurred_at timestamptz NOT NULL,\n"
        "    id bigint NOT NULL DEFAULT nextval('business_event_id'),\n"
        "    received_at timestamptz NOT NULL,\n"
        f"    key varchar({KEY_LENGTH}) NOT NULL{columns},\n"
        "    PRIMARY KEY (profile_id, occurred_at, id)\n"
        ") PARTITION BY RANGE (occurred_at)"
    )
    yield f"CREATE INDEX ON {of.table} USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on)"
    yield f"CREATE TABLE {of.other} PARTITION OF {of.table} DEFAULT"


def alter_statements(name: str, fields: tuple[EventField, ...], lying: Mapping[str, str]) -> Iterator[str]:
    """The statements that give the table its new and longer columns. `lying`: the types of its columns, by name."""
    for one in fields:
        column, wanted = column_of(one.name), sql_type(one)
        if column not in lying:
            yield f"ALTER TABLE {table_of(name)} ADD COLUMN {column} {wanted}"
        elif lying[column] != wanted:
            yield f"ALTER TABLE {table_of(name)} ALTER COLUMN {column} TYPE {wanted}"
