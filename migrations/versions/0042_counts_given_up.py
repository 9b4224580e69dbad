"""A kept audience whose count takes too long is given up, so that the others go on; exports are asked in a time zone."""

from migrations.runner import run_sql

revision = "0042"
down_revision = "0041"

SQL = """
ALTER TABLE kept_audience DROP CONSTRAINT kept_audience_state_check;
ALTER TABLE kept_audience ADD CONSTRAINT kept_audience_state_check
      CHECK (state IN ('waiting', 'counting', 'kept', 'given_up'));

ALTER TABLE export_run ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';  -- whose days its question and columns mean
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
