"""Contents and fragments keep what of the data model they read, so that it is not hidden while they do."""

from migrations.runner import run_sql

revision = "0025"
down_revision = "0024"

SQL = """
-- reads: the team's fields and links that its own templates and conditions read, told as those of audiences are. So far no
-- template could read any.
ALTER TABLE content ADD COLUMN reads text[] NOT NULL DEFAULT '{}';
ALTER TABLE fragment ADD COLUMN reads text[] NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
