"""Teams add fields and links to services, as to profiles, campaigns and deliveries."""

from migrations.runner import run_sql

revision = "0034"
down_revision = "0031"

# Those of ours come before the datasets.
SQL = """
UPDATE data_model_version SET definition = jsonb_insert(
    definition, '{entities,3}', '{"name": "service", "label": "Service", "built_in": true}'
);
UPDATE data_model_draft SET definition = jsonb_insert(
    definition, '{entities,3}', '{"name": "service", "label": "Service", "built_in": true}'
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
