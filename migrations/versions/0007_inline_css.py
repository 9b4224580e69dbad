"""Content says whether the style sheets of its HTML are written into the elements."""

from migrations.runner import run_sql

revision = "0007"
down_revision = "0006"

SQL = """
ALTER TABLE content ADD COLUMN inline_css boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
