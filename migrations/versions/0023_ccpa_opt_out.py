"""Whether a person has said that their data is not to be sold."""

from migrations.runner import run_sql

revision = "0023"
down_revision = "0022"

SQL = "ALTER TABLE profile ADD COLUMN ccpa_opt_out boolean NOT NULL DEFAULT false;"


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
