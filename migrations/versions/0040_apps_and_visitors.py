"""Teams add fields to devices with their apps."""

from migrations.runner import run_sql

revision = "0040"
down_revision = "0039"

SQL = """
-- Those of ours come before the datasets.
UPDATE data_model_version SET definition = jsonb_insert(
    definition, '{entities,4}', '{"name": "app_subscription", "label": "App subscription", "built_in": true}'
);
UPDATE data_model_draft SET definition = jsonb_insert(
    definition, '{entities,4}', '{"name": "app_subscription", "label": "App subscription", "built_in": true}'
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
