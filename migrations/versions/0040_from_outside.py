"""Templates of imports have a sample file, and three are there from the start; segments that outside systems fill."""

from migrations.runner import run_sql

revision = "0040"
down_revision = "0039"

SQL = """
ALTER TABLE import_template ADD COLUMN sample text NOT NULL DEFAULT '';  -- a small file that loads

INSERT INTO import_template (name, label, description, match_key, options, sample, created_by) VALUES
    ('import_data', 'Import data',
     'Adds people and changes those who are known by their email.', 'email', '{}',
     'email,external_id,first_name,last_name,mobile_phone,zip_code,city,country,language
maria.garcia@example.com,C-1001,Maria,Garcia,+34 600 123 456,28013,Madrid,ES,es
john.smith@example.com,C-1002,John,Smith,+44 7400 123456,M1 1AE,Manchester,GB,en
', 'system'),
    ('import_list', 'Import list',
     'Makes a list of people who are known, found by their email; other columns are passed over.', 'email',
     '{"unknown_columns": "ignore", "target": {"kind": "list"}}',
     'email,remark
maria.garcia@example.com,met at the fair
john.smith@example.com,
', 'system'),
    ('direct_mail_quarantine', 'Update direct-mail quarantines',
     'Letters that came back: their addresses go into quarantine. An address is the block of the letter on one line.',
     'address', '{"target": {"kind": "quarantine", "address_kind": "postal"}}',
     'address,status,reason,text
Maria Garcia 12 Harbour Street 28013 Madrid,quarantine,user_unknown,moved away
John Smith 3 Mill Lane M1 1AE Manchester,quarantine,unreachable,no such street
', 'system')
ON CONFLICT (name) DO NOTHING;

-- An audience whose members an outside system tells by their ids: values of one field of profiles. snapshots: so many were
-- begun that replace all of it; snapshot: the one that is being pushed.
CREATE TABLE external_segment (
    audience_id bigint PRIMARY KEY REFERENCES audience ON DELETE CASCADE,
    source      text NOT NULL,
    key         text NOT NULL,
    fresh_hours integer,
    received_at timestamptz,
    snapshot    text,
    snapshots   integer NOT NULL DEFAULT 0,
    completed   text
);

-- Its ids as profiles keep them. profile_id: whose it is, where that is one; snapshot: the number of the last that named it.
-- The audience is held by whoever changes them, so each is there once.
CREATE TABLE external_segment_id (
    audience_id bigint NOT NULL REFERENCES external_segment ON DELETE CASCADE,
    value       text NOT NULL,
    profile_id  bigint REFERENCES profile ON DELETE SET NULL,
    ambiguous   boolean NOT NULL,
    snapshot    integer NOT NULL
);
CREATE UNIQUE INDEX external_segment_id_value ON external_segment_id (audience_id, value, profile_id) NULLS NOT DISTINCT;
CREATE INDEX external_segment_id_nobody ON external_segment_id (audience_id, value) WHERE profile_id IS NULL;
CREATE INDEX external_segment_id_profile ON external_segment_id (profile_id, audience_id) WHERE profile_id IS NOT NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
