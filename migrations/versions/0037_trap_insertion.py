"""Traps have a place among the letters of a delivery (feature map 2.35)."""

from migrations.runner import run_sql

revision = "0037"
down_revision = "0036"

SQL = """
ALTER TABLE delivery ADD COLUMN trap_insertion text NOT NULL DEFAULT 'mixed'
      CHECK (trap_insertion IN ('mixed', 'start', 'end'));
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
