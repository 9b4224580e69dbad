"""What a delivery computes of each recipient (feature map 2.24, 3.36, 5.18-5.20)."""

from migrations.runner import run_sql

revision = "0038"
down_revision = "0037"

SQL = """
-- What the ledger keeps of each recipient besides the message. segment_code: an expression; NULL: the column `segment` of the
-- audience, where that has one. fields: of the profile.
CREATE TABLE delivery_sending_log (
    delivery_id  bigint PRIMARY KEY REFERENCES delivery ON DELETE CASCADE,
    segment_code jsonb,
    segment_text text,
    fields       text[] NOT NULL,
    reads        text[] NOT NULL
);
ALTER TABLE ledger ADD COLUMN segment_code text, ADD COLUMN logged jsonb;

-- When each recipient gets the message: an expression. zone: in which it is asked; of_recipient: what its clock shows is meant
-- as the time of the recipient's own zone.
CREATE TABLE delivery_send_dates (
    delivery_id  bigint PRIMARY KEY REFERENCES delivery ON DELETE CASCADE,
    expression   jsonb NOT NULL,
    text         text NOT NULL,
    zone         text NOT NULL,
    of_recipient boolean NOT NULL,
    reads        text[] NOT NULL
);

CREATE OR REPLACE VIEW message AS
SELECT delivery_id, recipient_id AS profile_id, occurrence, state, reason, settled_at AS at, segment_code, logged
  FROM ledger WHERE recipient_kind = 1;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
