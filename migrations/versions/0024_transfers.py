"""Imports into more than profiles, and exports of more than fields."""

from migrations.runner import run_sql

revision = "0024"
down_revision = "0023"

SQL = """
-- Who was named so far by an import that replaces the members of a list, until it ends.
CREATE TABLE import_list_member (
    import_id  bigint NOT NULL REFERENCES import_run ON DELETE CASCADE,
    profile_id bigint NOT NULL REFERENCES profile ON DELETE CASCADE,
    PRIMARY KEY (import_id, profile_id)
);
CREATE INDEX import_list_member_profile ON import_list_member (profile_id);

-- dimension: what a row of the file is; computed: the expressions of columns that are not fields, by the columns' names.
ALTER TABLE export_run
    ADD COLUMN dimension text NOT NULL DEFAULT 'profile',
    ADD COLUMN computed  jsonb NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
