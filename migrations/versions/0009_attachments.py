"""Content carries files; their bytes are kept once, as long as content or a program refers to them."""

from migrations.runner import run_sql

revision = "0009"
down_revision = "0008"

SQL = """
-- Bytes by their hash, never changed. touched_at: when somebody last asked for them to be kept.
CREATE TABLE blob (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    size       bigint NOT NULL,
    touched_at timestamptz NOT NULL,
    data       bytea NOT NULL
);
ALTER TABLE blob ALTER COLUMN data SET STORAGE EXTERNAL;  -- pictures and documents are compressed already

-- Who refers to bytes, one column for each kind. What nobody refers to goes some time after it was last asked for.
CREATE TABLE blob_use (
    sha256     bytea NOT NULL REFERENCES blob,
    content_id bigint REFERENCES content ON DELETE CASCADE,
    program_id bigint REFERENCES program ON DELETE CASCADE,
    CHECK (num_nonnulls(content_id, program_id) = 1)
);
CREATE INDEX blob_use_blob ON blob_use (sha256);
CREATE UNIQUE INDEX blob_use_content ON blob_use (content_id, sha256) WHERE content_id IS NOT NULL;
CREATE UNIQUE INDEX blob_use_program ON blob_use (program_id, sha256) WHERE program_id IS NOT NULL;

ALTER TABLE content ADD COLUMN attachments jsonb NOT NULL DEFAULT '[]';  -- name, type, hash and size, in order
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
