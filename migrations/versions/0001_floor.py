"""Floor and accounts: outbox, audit, files, idempotency, tokens."""

from migrations.runner import run_sql

revision = "0001"
down_revision = None

SQL = """
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    ids         jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_entry (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   text NOT NULL,
    changes     jsonb NOT NULL DEFAULT '{}',
    request_id  text
);
CREATE INDEX audit_entry_object ON audit_entry (object_type, object_id, id);

CREATE TABLE stored_file (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    name        text NOT NULL,
    location    text NOT NULL UNIQUE,
    size        bigint,
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL
);

CREATE TABLE file_ticket (
    secret_hash bytea PRIMARY KEY,
    file_id     bigint NOT NULL REFERENCES stored_file ON DELETE CASCADE,
    purpose     text NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    uses        integer NOT NULL DEFAULT 0
);

CREATE TABLE idempotency_key (
    actor        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    response     bytea,  -- sealed
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

CREATE TABLE api_token (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    key_id       smallint NOT NULL,
    roles        text[] NOT NULL,
    scopes       text[],
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
