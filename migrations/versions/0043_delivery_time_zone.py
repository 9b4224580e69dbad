"""A delivery has a time zone: that of the days in what it asks."""

from migrations.runner import run_sql

revision = "0043"
down_revision = "0042"

SQL = """
ALTER TABLE delivery ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
