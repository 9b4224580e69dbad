"""Content in several languages, with places that differ by recipient, and what an author says about its links."""

from migrations.runner import run_sql

revision = "0008"
down_revision = "0007"

SQL = """
ALTER TABLE content
    ADD COLUMN language            text  NOT NULL DEFAULT 'en',  -- of parts
    ADD COLUMN translations        jsonb NOT NULL DEFAULT '{}',  -- by language, the parts that differ
    ADD COLUMN dynamic             jsonb NOT NULL DEFAULT '[]',  -- places with variants by targeting expression
    ADD COLUMN links               jsonb NOT NULL DEFAULT '[]',  -- by address: tracking mode, label, category
    ADD COLUMN campaign_parameters jsonb NOT NULL DEFAULT '{}';  -- appended to the query of links
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
