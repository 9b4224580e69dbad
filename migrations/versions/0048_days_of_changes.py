"""Kept audiences that were counted anew each midnight are opened again: of most, the day of a change is told row by row."""

from migrations.runner import run_sql

revision = "0048"
down_revision = "0047"

SQL = """
-- Without a stamp they are counted once more, which notes who is due when, and what their upkeep is from then on.
UPDATE kept_audience SET stamp = NULL
 WHERE 'ages or days relative to today stand where the day of a change cannot be told' = ANY (reasons);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
