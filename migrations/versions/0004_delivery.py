"""What happens to a delivery: its run, the frozen programs, the ledger, leases and counters."""

from migrations.runner import run_sql

revision = "0004"
down_revision = "0003"

SQL = """
-- state: the codes of feature map A.1.
CREATE TABLE delivery_run (
    delivery_id     bigint PRIMARY KEY REFERENCES delivery ON DELETE CASCADE,
    state           smallint NOT NULL DEFAULT 0,
    versions        jsonb,            -- of everything the preparation read
    prepare_id      bigint NOT NULL DEFAULT 0,  -- fences preparations: only the newest may write
    prepare_from    bigint,           -- progress of the preparation: profile ids up to …
    prepare_to      bigint,           -- … of this highest one
    prepared_at     timestamptz,
    contact_at      timestamptz,      -- when sending may start; set by confirm
    deadline        timestamptz,      -- when retries end; set at start
    confirmed_at    timestamptz,
    started_at      timestamptz,
    finished_at     timestamptz,
    pause_reason    text,
    error           jsonb,
    heartbeat_at    timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX delivery_run_moving ON delivery_run (state, contact_at) WHERE state NOT IN (0, 85, 87, 95);

CREATE TABLE delivery_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id bigint NOT NULL REFERENCES delivery ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT now(),
    level       text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    code        text NOT NULL,
    message     text NOT NULL,
    details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX delivery_log_delivery ON delivery_log (delivery_id, id);

-- Everything a rendering depends on besides the recipient, frozen at prepare.
CREATE TABLE program (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id    bigint NOT NULL,
    variant        smallint NOT NULL DEFAULT 0,
    channel        text NOT NULL,
    config         jsonb NOT NULL,   -- of the channel account, without secrets
    content        jsonb NOT NULL,   -- rewritten sources, date, seed, locale, data
    fields         text[] NOT NULL,  -- the profile fields that ledger rows carry for it
    token_key_id   smallint NOT NULL,
    base_url       text NOT NULL,
    engine_version integer NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX program_delivery ON program (delivery_id);

CREATE TABLE tracked_link (
    program_id bigint NOT NULL REFERENCES program ON DELETE CASCADE,
    link       integer NOT NULL,
    url        text NOT NULL,
    label      text,
    PRIMARY KEY (program_id, link)
);

-- One row per targeted recipient. state: 0 excluded, 1 pending, 2 claimed, 3 handed over, 4 accepted, 5 failed, 6 unknown,
-- 7 withdrawn, 8 expired, 9 cancelled. recipient_kind: 1 profile, 2 device, 3 test profile, 4 trap, 5 event.
CREATE TABLE ledger (
    delivery_id    bigint NOT NULL,
    recipient_id   bigint NOT NULL,
    occurrence     integer NOT NULL DEFAULT 0,
    program_id     bigint,
    lease_id       bigint,
    due_at         timestamptz NOT NULL,
    settled_at     timestamptz,
    recipient_kind smallint NOT NULL DEFAULT 1,
    state          smallint NOT NULL,
    reason         smallint NOT NULL DEFAULT 0,
    attempt        smallint NOT NULL DEFAULT 0,
    after_hand_over boolean NOT NULL DEFAULT false,  -- the provider has seen it: counts as sent, whatever became of it
    address        text,
    address_key    text,
    values         jsonb,
    provider_id    text,
    answer         text,  -- the provider's last words
    PRIMARY KEY (delivery_id, recipient_kind, recipient_id, occurrence)
) PARTITION BY RANGE (delivery_id);
-- Scratch of a preparation: addresses that several targeted people share, and who keeps theirs. Logged: a preparation that
-- goes on after a crash of the server relies on it.
CREATE TABLE prepare_duplicate (
    delivery_id bigint NOT NULL,
    address_key text NOT NULL,
    keeper      bigint NOT NULL,
    PRIMARY KEY (delivery_id, address_key)
);
CREATE INDEX ledger_pending ON ledger (delivery_id, due_at, recipient_kind, recipient_id, occurrence) WHERE state = 1;

-- How many ledger rows are in which state, moved in the transactions of the rows. Slots keep writers out of each other's way.
CREATE TABLE ledger_count (
    delivery_id     bigint NOT NULL,
    slot            smallint NOT NULL,
    state           smallint NOT NULL,
    reason          smallint NOT NULL,
    after_hand_over boolean NOT NULL,
    n               bigint NOT NULL,
    PRIMARY KEY (delivery_id, slot, state, reason, after_hand_over)
) WITH (fillfactor = 50);

-- A worker's hold on a batch of ledger rows. A row belongs to the lease only while it says so itself.
CREATE TABLE lease (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id    bigint NOT NULL,
    account_id     bigint NOT NULL,
    worker         text NOT NULL,
    connections    integer NOT NULL,
    claimed_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    recipient_low  bigint,
    recipient_high bigint,
    settled        integer NOT NULL DEFAULT 0,
    invalid        integer NOT NULL DEFAULT 0,
    refused        integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX lease_delivery ON lease (delivery_id, id);
CREATE INDEX lease_open ON lease (account_id, expires_at) WHERE ended_at IS NULL;

"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
