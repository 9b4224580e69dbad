"""What workers did under their leases, kept until the ledger's rows say the same."""

from migrations.runner import run_sql

revision = "0012"
down_revision = "0011"

SQL = """
-- Two or three updates of a ledger row for each message cost more than all else that sending asks of the database. So intents
-- and outcomes are committed here, a row for all that waited, and reach the ledger in sets a moment later. Rows go with their
-- lease. They are read only when a worker left something open; as text: convert_from(settled, 'UTF8').
CREATE TABLE lease_journal (
    lease_id    bigint NOT NULL,
    handed_over bytea,   -- JSON: [[recipient kind, recipient id, occurrence], …]
    settled     bytea    -- JSON: of each outcome what `core.delivery.store.journal` writes
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
-- They live too briefly to be worth compressing.
ALTER TABLE lease_journal ALTER COLUMN handed_over SET STORAGE EXTERNAL, ALTER COLUMN settled SET STORAGE EXTERNAL;
CREATE INDEX lease_journal_lease ON lease_journal (lease_id);

-- For which kind of address outcomes blame somebody, should another process have to write them down.
ALTER TABLE lease ADD COLUMN address_kind text;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
