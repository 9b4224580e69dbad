"""Privacy: what people are known by, requests for their data and for its end, and whom nobody writes to again."""

from migrations.runner import run_sql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SQL = """
-- What a request names somebody by (feature map 2.66): a field of profiles, or of a dataset whose rows belong to them.
CREATE TABLE privacy_namespace (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    label      text NOT NULL,
    entity     text NOT NULL,
    field      text NOT NULL,
    built_in   boolean NOT NULL DEFAULT false,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO privacy_namespace (name, label, entity, field, built_in, created_by) VALUES
    ('email', 'Email', 'profile', 'email', true, 'system'),
    ('mobile_phone', 'Mobile phone', 'profile', 'mobile_phone', true, 'system'),
    ('external_id', 'External id', 'profile', 'external_id', true, 'system'),
    ('profile_id', 'Profile', 'profile', 'id', true, 'system');

-- value: sealed, until a deletion is complete; value_hash: keyed. person: sealed, whom a deletion has found, while it is at
-- work. erased_at: when everything it found had been erased once; gone_at: the same by the database's own clock: whatever was
-- at work on the data before has to end first.
CREATE TABLE privacy_request (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    label          text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('access', 'delete')),
    regulation     text NOT NULL CHECK (regulation IN ('gdpr', 'ccpa', 'pdpa', 'lgpd')),
    namespace_id   bigint NOT NULL REFERENCES privacy_namespace,
    value          bytea,
    value_hash     text NOT NULL,
    state          text NOT NULL,
    needs_confirm  boolean NOT NULL DEFAULT false,
    confirmed_at   timestamptz,
    confirmed_by   text,
    profiles_found integer,
    waits_for      text,
    error          jsonb,
    file_id        bigint REFERENCES stored_file,
    person         bytea,
    erased_at      timestamptz,
    gone_at        timestamptz,
    counts         jsonb NOT NULL DEFAULT '{}',
    proof          jsonb,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    started_at     timestamptz,
    finished_at    timestamptz
);
CREATE INDEX privacy_request_open ON privacy_request (id) WHERE finished_at IS NULL;
CREATE INDEX privacy_request_hash ON privacy_request (value_hash);

-- Addresses of people who were erased, which are not written to until whoever has one opts in again. hash: HMAC-SHA256 of the
-- normalised address under a key that is derived from the master key of that id. spared: who had the address too, and was not
-- erased.
CREATE TABLE erased_address (
    address_kind text NOT NULL,
    key_id       smallint NOT NULL,
    hash         bytea NOT NULL,
    erased_at    timestamptz NOT NULL,
    spared       bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (address_kind, key_id, hash)
);

-- Profiles that are gone, whose events go next: whoever deletes a profile, by whatever statement, leaves a row, so no wake-up
-- has to arrive for it.
CREATE TABLE event_forgetting (profile_id bigint PRIMARY KEY);
CREATE FUNCTION forget_events_of_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_forgetting (profile_id) SELECT id FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER events_of_deleted AFTER DELETE ON profile REFERENCING OLD TABLE AS gone
   FOR EACH STATEMENT EXECUTE FUNCTION forget_events_of_deleted();
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
