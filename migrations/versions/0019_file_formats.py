"""Imports and exports of every format: places that are no offsets, modes, cells of refused rows, templates."""

from migrations.runner import run_sql

revision = "0019"
down_revision = "0018"

SQL = """
-- position: behind the last chunk that was stored, as the file's format counts; bytes_read: of the file as it was uploaded.
ALTER TABLE import_run
    ADD COLUMN position    bigint NOT NULL DEFAULT 0,
    ADD COLUMN header      text[],
    ADD COLUMN deleted     bigint NOT NULL DEFAULT 0,
    ADD COLUMN skipped     bigint NOT NULL DEFAULT 0;
UPDATE import_run SET position = bytes_read WHERE bytes_read > 0;

ALTER TABLE import_reject ADD COLUMN cells text[] NOT NULL DEFAULT '{}';

ALTER TABLE export_run ADD COLUMN options jsonb NOT NULL DEFAULT '{}';

CREATE TABLE import_template (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    label       text NOT NULL,
    description text NOT NULL DEFAULT '',
    match_key   text NOT NULL,
    options     jsonb NOT NULL,
    status      text NOT NULL DEFAULT 'available',
    version     integer NOT NULL DEFAULT 1,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE import_run ADD COLUMN template_id bigint REFERENCES import_template;
CREATE INDEX import_run_template ON import_run (template_id, id) WHERE template_id IS NOT NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
