"""Quarantine whose thresholds are the team's, refusals of short codes, and suppression lists with their files."""

from migrations.runner import run_sql

revision = "0016"
down_revision = "0015"

SQL = """
-- One row: the figures of feature map 2.58-2.60.
CREATE TABLE quarantine_settings (
    is_only             boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    soft_errors         integer NOT NULL DEFAULT 5 CHECK (soft_errors > 0),
    between_soft_errors interval NOT NULL DEFAULT '1 day',
    forget_soft_after   interval NOT NULL DEFAULT '10 days',
    release_full_after  interval NOT NULL DEFAULT '30 days',
    version             integer NOT NULL DEFAULT 1,
    changed_by          text,
    changed_at          timestamptz
);
INSERT INTO quarantine_settings DEFAULT VALUES;

-- What time lets out: soft errors, and what was corrected by hand. Quarantine itself never is (2.60).
DROP INDEX quarantine_expiry;
CREATE INDEX quarantine_expiry ON quarantine (last_error_at) WHERE status = 'erroneous';
CREATE INDEX quarantine_corrected ON quarantine (updated_at) WHERE status = 'valid';
-- What is looked for: the beginning of an address, and when something changed.
CREATE INDEX quarantine_prefix ON quarantine (address_key text_pattern_ops);
CREATE INDEX quarantine_changed ON quarantine (updated_at);

-- Phones that answered STOP to one short code only (2.62).
CREATE TABLE short_code_stop (
    short_code  text NOT NULL,
    address_key text NOT NULL,
    stopped_at  timestamptz NOT NULL,
    PRIMARY KEY (short_code, address_key)
);
CREATE INDEX short_code_stop_phone ON short_code_stop (address_key);

CREATE TABLE suppression_list (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    label      text NOT NULL,
    kind       text NOT NULL,              -- an address kind, or email_domain
    scope      text NOT NULL,              -- all deliveries, or those that name it
    version    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);

-- form: 1 an address, 2 its SHA-256, 3 its MD5 (both hexadecimal), 4 a domain, 5 a domain with all below it.
-- The order of the key is that of the questions: which forms does a list hold, and is this one of them.
CREATE TABLE suppression_entry (
    list_id    bigint NOT NULL REFERENCES suppression_list ON DELETE CASCADE,
    form       smallint NOT NULL CHECK (form BETWEEN 1 AND 5),
    value      text NOT NULL,
    comment    text NOT NULL DEFAULT '',
    origin     text NOT NULL DEFAULT '',
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (list_id, form, value)
);
CREATE INDEX suppression_entry_expiry ON suppression_entry (expires_at) WHERE expires_at IS NOT NULL;

-- The lists that deliveries name.
CREATE TABLE delivery_suppression (
    delivery_id bigint NOT NULL REFERENCES delivery ON DELETE CASCADE,
    list_id     bigint NOT NULL REFERENCES suppression_list,
    PRIMARY KEY (delivery_id, list_id)
);
CREATE INDEX delivery_suppression_list ON delivery_suppression (list_id);

CREATE TABLE suppression_import (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list_id         bigint NOT NULL REFERENCES suppression_list ON DELETE CASCADE,
    state           text NOT NULL,
    file_id         bigint NOT NULL REFERENCES stored_file,
    rejects_file_id bigint REFERENCES stored_file,
    action          text NOT NULL,         -- add or remove
    options         jsonb NOT NULL DEFAULT '{}',
    bytes_total     bigint NOT NULL DEFAULT 0,
    bytes_read      bigint NOT NULL DEFAULT 0,
    lines_read      bigint NOT NULL DEFAULT 0,
    added           bigint NOT NULL DEFAULT 0,
    changed         bigint NOT NULL DEFAULT 0,
    unchanged       bigint NOT NULL DEFAULT 0,
    removed         bigint NOT NULL DEFAULT 0,
    rejected        bigint NOT NULL DEFAULT 0,
    repeated        bigint NOT NULL DEFAULT 0,
    fence           integer NOT NULL DEFAULT 0,
    error           jsonb,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    heartbeat_at    timestamptz,
    finished_at     timestamptz
);
CREATE INDEX suppression_import_open ON suppression_import (state) WHERE finished_at IS NULL;

CREATE TABLE suppression_reject (
    import_id   bigint NOT NULL REFERENCES suppression_import ON DELETE CASCADE,
    line        bigint NOT NULL,
    column_name text NOT NULL DEFAULT '',
    code        text NOT NULL,
    message     text NOT NULL,
    row_text    text NOT NULL
);
CREATE INDEX suppression_reject_order ON suppression_reject (import_id, line);

CREATE TABLE suppression_export (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list_id      bigint NOT NULL REFERENCES suppression_list ON DELETE CASCADE,
    state        text NOT NULL,
    file_id      bigint NOT NULL REFERENCES stored_file,
    rows_written bigint NOT NULL DEFAULT 0,
    fence        integer NOT NULL DEFAULT 0,
    error        jsonb,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    heartbeat_at timestamptz,
    finished_at  timestamptz
);
CREATE INDEX suppression_export_open ON suppression_export (state) WHERE finished_at IS NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
