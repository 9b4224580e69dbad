"""${message}."""

from migrations.runner import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

SQL = """
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
