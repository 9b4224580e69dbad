"""Kept audiences are counted in one statement each, and who is due is found audience by audience."""

from migrations.runner import run_sql

revision = "0031"
down_revision = "0030"

SQL = """
-- A count is one transaction: nothing can change while it is half done.
ALTER TABLE kept_audience DROP COLUMN counted_through, DROP COLUMN again;

-- Who is due is looked for in each audience: (kept_id, due_at) serves.
DROP INDEX kept_due_next;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
