"""Audiences keep their versions, name each other, and may be lists."""

from migrations.runner import run_sql

revision = "0022"
down_revision = "0021"

SQL = """
-- reads: the fields and links that its question reads, as `core.targeting.check` tells them.
ALTER TABLE audience ADD COLUMN reads text[] NOT NULL DEFAULT '{}';
UPDATE audience a
   SET reads = ARRAY(SELECT DISTINCT f #>> '{}' FROM jsonb_path_query(a.expression, '$.**.field') AS f ORDER BY 1);

-- What a question was, for those that name an audience with its version.
CREATE TABLE audience_version (
    audience_id     bigint NOT NULL REFERENCES audience ON DELETE CASCADE,
    version         bigint NOT NULL,
    expression      jsonb NOT NULL,
    expression_text text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (audience_id, version)
);
INSERT INTO audience_version (audience_id, version, expression, expression_text, created_at)
SELECT id, version, expression, expression_text, updated_at FROM audience;

-- Which audiences a question names, directly. What is named is neither deleted nor renamed.
CREATE TABLE audience_use (
    audience_id bigint NOT NULL REFERENCES audience ON DELETE CASCADE,
    used_id     bigint NOT NULL REFERENCES audience,
    PRIMARY KEY (audience_id, used_id)
);
CREATE INDEX audience_use_used ON audience_use (used_id);

-- Who is on a list.
CREATE TABLE audience_member (
    audience_id bigint NOT NULL REFERENCES audience ON DELETE CASCADE,
    profile_id  bigint NOT NULL REFERENCES profile ON DELETE CASCADE,
    added_at    timestamptz NOT NULL,
    PRIMARY KEY (audience_id, profile_id)
);
CREATE INDEX audience_member_profile ON audience_member (profile_id);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
