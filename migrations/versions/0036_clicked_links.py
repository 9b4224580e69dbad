"""What people clicked is told by the link's number, label and category, too."""

from migrations.runner import run_sql

revision = "0036"
down_revision = "0035"

# Number 0 is that of no link. A link of several variants is told as the first of them has it. Who asks for neither label nor
# category joins nothing: Postgres leaves out a join that finds one row at most and whose columns nobody reads.
SQL = """
CREATE OR REPLACE VIEW reaction AS
SELECT e.position, e.at, e.delivery_id, e.recipient_id AS profile_id, e.kind,
       nullif(e.link, 0) AS link, e.url, l.label, l.category
  FROM tracking_event e
  LEFT JOIN (SELECT DISTINCT ON (p.delivery_id, t.link) p.delivery_id, t.link, t.label, t.category
               FROM program p JOIN tracked_link t ON t.program_id = p.id
              ORDER BY p.delivery_id, t.link, p.id) AS l ON l.delivery_id = e.delivery_id AND l.link = e.link
 WHERE e.recipient_kind = 1 AND e.machine_rule = 0 AND e.corrects IS NULL
   AND NOT EXISTS (SELECT FROM tracking_event c WHERE c.corrects = e.position);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
