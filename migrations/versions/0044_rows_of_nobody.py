"""Visitors whom nobody ever knew are forgotten after their time, and devices are found by their token alone."""

from migrations.runner import run_sql

revision = "0044"
down_revision = "0043"

SQL = """
CREATE INDEX visitor_unidentified_changed ON visitor (updated_at) WHERE profile_id IS NULL;
CREATE INDEX app_subscription_token ON app_subscription USING hash (registration_token);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
