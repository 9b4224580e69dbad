"""Who is in a kept audience and when the answer may become another one stand in one row."""

from migrations.runner import run_sql

revision = "0035"
down_revision = "0034"

SQL = """
-- entered_at: NULL for who is no member and may become one by time alone. due_at: when the answer may become another one by
-- time alone; NULL: never.
ALTER TABLE kept_member ALTER COLUMN entered_at DROP NOT NULL, ADD COLUMN due_at timestamptz;
INSERT INTO kept_member AS m (profile_id, kept_id, due_at) SELECT profile_id, kept_id, due_at FROM kept_due
    ON CONFLICT (profile_id, kept_id) DO UPDATE SET due_at = excluded.due_at;
DROP TABLE kept_due;
CREATE INDEX kept_member_due ON kept_member (kept_id, due_at) WHERE due_at IS NOT NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
