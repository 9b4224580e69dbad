"""Files are kept for a time: since when nobody works with one, and when it was removed."""

from migrations.runner import run_sql

revision = "0006"
down_revision = "0005"

SQL = """
-- idle_since: since when the file waits for its bytes (size IS NULL) or is complete; NULL while a run needs it.
-- removed_at: its bytes are gone, or go with the next sweep; the row stays for those that name it.
ALTER TABLE stored_file
    ADD COLUMN idle_since timestamptz,
    ADD COLUMN removed_at timestamptz;

UPDATE stored_file SET idle_since = created_at;
UPDATE stored_file SET idle_since = NULL
 WHERE id IN (SELECT file_id FROM import_run WHERE finished_at IS NULL AND state <> 'waiting'
              UNION ALL
              SELECT file_id FROM export_run WHERE finished_at IS NULL);

CREATE INDEX stored_file_kept ON stored_file (idle_since) WHERE removed_at IS NULL AND size IS NOT NULL;
CREATE INDEX stored_file_awaited ON stored_file (idle_since) WHERE removed_at IS NULL AND size IS NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
