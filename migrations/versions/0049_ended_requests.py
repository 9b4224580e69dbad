"""A privacy request that has ended keeps the name of its namespace, which may go."""

from migrations.runner import run_sql

revision = "0049"
down_revision = "0048"

SQL = """
-- namespace: its name. namespace_id: NULL when it is gone; then the request has ended and cannot be tried again.
ALTER TABLE privacy_request ADD COLUMN namespace text;
UPDATE privacy_request r SET namespace = n.name FROM privacy_namespace n WHERE n.id = r.namespace_id;
ALTER TABLE privacy_request
  ALTER COLUMN namespace SET NOT NULL,
  ALTER COLUMN namespace_id DROP NOT NULL,
  ADD CHECK (namespace_id IS NOT NULL OR finished_at IS NOT NULL AND value IS NULL);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
