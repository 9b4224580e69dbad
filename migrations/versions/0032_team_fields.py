"""Teams add fields and links to services, and what traps and control groups ask about is told, so that nobody hides it."""

from migrations.runner import run_sql

revision = "0032"
down_revision = "0031"

SQL = """
-- Those of ours come before the datasets.
UPDATE data_model_version SET definition = jsonb_insert(
    definition, '{entities,3}', '{"name": "service", "label": "Service", "built_in": true}'
);
UPDATE data_model_draft SET definition = jsonb_insert(
    definition, '{entities,3}', '{"name": "service", "label": "Service", "built_in": true}'
);

-- The fields and links that a question reads, as those of audiences.
ALTER TABLE delivery_trap_question ADD COLUMN reads text[] NOT NULL DEFAULT '{}';
ALTER TABLE delivery_control_group ADD COLUMN reads text[] NOT NULL DEFAULT '{}';
UPDATE delivery_trap_question
   SET reads = ARRAY(SELECT DISTINCT f #>> '{}' FROM jsonb_path_query(question, '$.**.field') AS f ORDER BY 1);
UPDATE delivery_control_group
   SET reads = ARRAY(
        SELECT DISTINCT f #>> '{}' FROM jsonb_path_query(jsonb_build_array(question, order_by), '$.**.field') AS f ORDER BY 1);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
