"""What authors say about links, beside the links of each program."""

from migrations.runner import run_sql

revision = "0011"
down_revision = "0010"

SQL = """
ALTER TABLE tracked_link
    ADD COLUMN category text,
    ADD COLUMN mode     text NOT NULL DEFAULT 'tracked' CHECK (mode IN ('tracked', 'opt_out'));

-- Links of programs tell where they lead, which was what their authors wrote.
UPDATE program
   SET content = jsonb_set(content, '{links}', (
           SELECT jsonb_agg(jsonb_build_object('target', link -> 'url') || link ORDER BY place)
             FROM jsonb_array_elements(content -> 'links') WITH ORDINALITY AS of_program (link, place)))
 WHERE EXISTS (SELECT FROM jsonb_array_elements(content -> 'links') AS link WHERE NOT link ? 'target');
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
