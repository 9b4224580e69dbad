"""The data model that teams extend: its draft, and every version that was published."""

from migrations.runner import run_sql

revision = "0013"
down_revision = "0012"

SQL = """
CREATE TABLE data_model_version (
    version      integer PRIMARY KEY,
    definition   jsonb NOT NULL,               -- a `core.datamodel.records.Model`
    statements   text[] NOT NULL DEFAULT '{}',
    published_by text,
    published_at timestamptz
);

-- One row. changed_by is null while it is what is published.
CREATE TABLE data_model_draft (
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    definition jsonb NOT NULL,
    version    integer NOT NULL DEFAULT 1,
    changed_by text,
    changed_at timestamptz
);

INSERT INTO data_model_version (version, definition) VALUES (0, '{"entities": [
    {"name": "profile",  "label": "Profile",  "built_in": true},
    {"name": "campaign", "label": "Campaign", "built_in": true},
    {"name": "delivery", "label": "Delivery", "built_in": true}
]}');
INSERT INTO data_model_draft (definition) SELECT definition FROM data_model_version;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
