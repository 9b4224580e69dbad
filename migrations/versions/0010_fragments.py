"""Fragments: pieces of content with parameters that contents, and other fragments, use by name."""

from migrations.runner import run_sql

revision = "0010"
down_revision = "0009"

SQL = """
CREATE TABLE fragment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    label      text NOT NULL,
    html       text NOT NULL,
    text       text,  -- for parts other than HTML; null: made from the HTML
    parameters jsonb NOT NULL DEFAULT '[]',
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);

-- What uses what, by itself. A fragment in use cannot be deleted.
CREATE TABLE content_fragment (
    content_id  bigint NOT NULL REFERENCES content (id) ON DELETE CASCADE,
    fragment_id bigint NOT NULL REFERENCES fragment (id),
    PRIMARY KEY (content_id, fragment_id)
);
CREATE INDEX content_fragment_fragment ON content_fragment (fragment_id);

CREATE TABLE fragment_fragment (
    user_id     bigint NOT NULL REFERENCES fragment (id) ON DELETE CASCADE,
    fragment_id bigint NOT NULL REFERENCES fragment (id),
    PRIMARY KEY (user_id, fragment_id)
);
CREATE INDEX fragment_fragment_fragment ON fragment_fragment (fragment_id);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
