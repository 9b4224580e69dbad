"""What jobs build after a publication of the data model: indexes, and foreign keys checked for the rows of before."""

from migrations.runner import run_sql

revision = "0014"
down_revision = "0013"

SQL = """
CREATE TABLE data_model_build (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object      text NOT NULL UNIQUE,        -- an index, or a table and its constraint; says all that it is made of
    kind        text NOT NULL CHECK (kind IN ('key', 'index', 'link', 'reference')),
    entity      text NOT NULL,
    name        text NOT NULL,               -- of the key, the index or the link
    statement   text NOT NULL,
    table_name  text NOT NULL,
    columns     text[] NOT NULL,             -- of a unique index
    dropping    boolean NOT NULL DEFAULT false,
    state       text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    turn        integer NOT NULL DEFAULT 0,  -- grows whenever something else is asked of it
    error       jsonb,
    asked_at    timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz
);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
