"""Audiences of files, columns of members, expiry, jobs of audiences, and questions saved as filters."""

from migrations.runner import run_sql

revision = "0027"
down_revision = "0026"

SQL = """
ALTER TABLE audience
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN expires_at  timestamptz,
    ADD COLUMN counted     bigint,       -- by the last job that counted it
    ADD COLUMN counted_at  timestamptz;
CREATE INDEX audience_expires ON audience (expires_at) WHERE expires_at IS NOT NULL;

-- Columns that members of a list or a file bring along. personal: its values go when a person is erased.
CREATE TABLE audience_column (
    audience_id bigint NOT NULL REFERENCES audience ON DELETE CASCADE,
    position    int NOT NULL,
    name        text NOT NULL,
    label       text NOT NULL,
    kind        text NOT NULL,
    personal    boolean NOT NULL,
    PRIMARY KEY (audience_id, position),
    UNIQUE (audience_id, name)
);

-- What a member brings along, by the names of columns; nothing where there is no value.
ALTER TABLE audience_member ADD COLUMN data jsonb;

-- A file of rows of which nobody knows yet whom they are about. reconciled_at: the members are those its rows name.
CREATE TABLE audience_file (
    audience_id   bigint PRIMARY KEY REFERENCES audience ON DELETE CASCADE,
    file_id       bigint NOT NULL REFERENCES stored_file,
    options       jsonb NOT NULL,
    loaded_at     timestamptz,
    reconciled_at timestamptz
);

-- Its rows, all of them personal. profile_id: whom one was found to be about.
CREATE TABLE audience_row (
    audience_id bigint NOT NULL REFERENCES audience ON DELETE CASCADE,
    line        bigint NOT NULL,
    profile_id  bigint REFERENCES profile ON DELETE CASCADE,
    outcome     text NOT NULL DEFAULT 'waiting'
                CHECK (outcome IN ('waiting', 'matched', 'repeated', 'unmatched', 'ambiguous')),
    data        jsonb NOT NULL
);
CREATE UNIQUE INDEX audience_row_line ON audience_row (audience_id, line, profile_id) NULLS NOT DISTINCT;
CREATE INDEX audience_row_outcome ON audience_row (audience_id, outcome, line);
CREATE INDEX audience_row_profile ON audience_row (profile_id) WHERE profile_id IS NOT NULL;

-- Work on audiences that takes its time. position and lines_read: behind the last chunk of a file that was stored.
CREATE TABLE audience_run (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('ready', 'running', 'finished', 'failed', 'cancelled')),
    audience_id  bigint REFERENCES audience ON DELETE CASCADE,
    file_id      bigint REFERENCES stored_file,
    request      jsonb NOT NULL,
    time_zone    text NOT NULL DEFAULT 'UTC',
    seconds      int NOT NULL,
    total        bigint,
    done         bigint NOT NULL DEFAULT 0,
    position     bigint NOT NULL DEFAULT 0,
    lines_read   bigint NOT NULL DEFAULT 0,
    result       jsonb NOT NULL DEFAULT '{}',
    error        jsonb,
    fence        int NOT NULL DEFAULT 0,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    heartbeat_at timestamptz,
    finished_at  timestamptz
);
CREATE INDEX audience_run_open ON audience_run (id) WHERE finished_at IS NULL;
CREATE INDEX audience_run_audience ON audience_run (audience_id, id);

-- Questions under a name, with parameters, that other questions call like functions.
CREATE TABLE question_filter (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    label           text NOT NULL,
    entity          text NOT NULL,
    parameters      jsonb NOT NULL,
    expression      jsonb NOT NULL,
    expression_text text NOT NULL,
    reads           text[] NOT NULL DEFAULT '{}',
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
