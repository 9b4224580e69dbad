"""Business events: their types, the keys by which repeats are known, and the stream of what has changed."""

from migrations.runner import run_sql

revision = "0018"
down_revision = "0017"

SQL = """
-- What may be told. The events of a type lie in a table of its own, `e_<name>`, with a real column for each field: see
-- core/events/physical.py. Ids are never given twice.
CREATE TABLE event_type (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    label          text NOT NULL,
    description    text NOT NULL DEFAULT '',
    fields         jsonb NOT NULL,               -- of `core.events.records.EventField`
    unknown_fields text NOT NULL,
    retention_days integer CHECK (retention_days > 0),
    version        integer NOT NULL DEFAULT 1,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    changed_by     text NOT NULL,
    changed_at     timestamptz NOT NULL
);

-- One row: grows with every change of a type, so that one look tells whether what is remembered still counts.
CREATE TABLE event_types_version (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version integer NOT NULL
);
INSERT INTO event_types_version (version) VALUES (0);

CREATE SEQUENCE business_event_id AS bigint MINVALUE 1 CACHE 1;

-- Which keys were told. A table of its own, and without the person: whoever resends an event under its key is known, also when
-- the time or the person has become another one. key, digest: the first 16 bytes of the SHA-256 of the key and of the content.
CREATE TABLE event_key (
    type_id     integer NOT NULL,
    key         bytea NOT NULL,
    digest      bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (type_id, key)
);
CREATE INDEX event_key_age ON event_key USING brin (occurred_at);

-- Who has new events: one row for each call that stored some. Positions are taken under an advisory lock that is held to the
-- end of the transaction, so that their order is the order of commits.
CREATE SEQUENCE event_position AS bigint MINVALUE 1 CACHE 1;
CREATE TABLE event_change (
    position    bigint PRIMARY KEY,
    at          timestamptz NOT NULL,
    events      integer NOT NULL,
    type_ids    integer[] NOT NULL,
    profile_ids bigint[] NOT NULL
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
