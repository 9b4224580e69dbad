"""What authors say about links, beside the links of each program."""

from migrations.runner import run_sql

revision = "0010"
down_revision = "0009"

SQL = """
ALTER TABLE tracked_link
    ADD COLUMN category text,
    ADD COLUMN mode     text NOT NULL DEFAULT 'tracked' CHECK (mode IN ('tracked', 'opt_out'));
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
