"""Whom an audience that ranks everybody finds is written down once, and not asked again for each range of a preparation."""

from migrations.runner import run_sql

revision = "0046"
down_revision = "0045"

SQL = """
-- Scratch of a preparation. Logged: one that goes on after a crash of the server relies on it.
CREATE TABLE prepare_target (
    delivery_id bigint NOT NULL,
    profile_id  bigint NOT NULL,
    PRIMARY KEY (delivery_id, profile_id)
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
