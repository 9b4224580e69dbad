"""Long postal addresses in quarantine and on lists are cut to what is compared of them."""

from migrations.runner import run_sql

revision = "0041"
down_revision = "0040"

SQL = """
-- Of several that begin alike one stays: the one that says no most strongly, then the one that was changed last.
DELETE FROM quarantine q
 USING (SELECT address_key, row_number() OVER (PARTITION BY left(address_key, 600)
                                       ORDER BY status <> 'denylisted', status <> 'quarantine', updated_at DESC) AS place
          FROM quarantine WHERE address_kind = 'postal') s
 WHERE q.address_kind = 'postal' AND q.address_key = s.address_key AND s.place > 1;
UPDATE quarantine SET address_key = left(address_key, 600) WHERE address_kind = 'postal' AND length(address_key) > 600;

-- Of these the one that holds longest. Hashes are those of what was hashed.
DELETE FROM suppression_entry e
 USING (SELECT e.list_id, e.value, row_number() OVER (PARTITION BY e.list_id, left(e.value, 600)
                                                      ORDER BY e.expires_at DESC NULLS FIRST, e.updated_at DESC) AS place
          FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id AND l.kind = 'postal' WHERE e.form = 1) s
 WHERE e.form = 1 AND e.list_id = s.list_id AND e.value = s.value AND s.place > 1;
UPDATE suppression_entry e SET value = left(e.value, 600)
  FROM suppression_list l WHERE l.id = e.list_id AND l.kind = 'postal' AND e.form = 1 AND length(e.value) > 600;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
