"""Test profiles, traps and control groups of deliveries, and the global holdout."""

from migrations.runner import run_sql

revision = "0028"
down_revision = "0027"

SQL = """
-- Nobody, with a person's fields: the same columns as a profile has, those of the team too, so that whatever is computed of a
-- profile is computed of one. Publications add columns to both. Numbers of test profiles lie above all those of profiles:
-- nothing that is looked up by the number of the one is ever found by that of the other.
CREATE TABLE test_profile (LIKE profile INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE test_profile DROP COLUMN merged_into, DROP COLUMN search_words;
ALTER TABLE test_profile
    ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START WITH 1000000000000001),
    ADD PRIMARY KEY (id),
    ADD COLUMN label         text NOT NULL,
    ADD COLUMN uses          text[] NOT NULL,
    ADD COLUMN app_token     varchar(1000),  -- where an app of a phone is reached
    ADD COLUMN event_type    text,           -- of the business event that it stands for in previews
    ADD COLUMN event_payload jsonb,
    ADD COLUMN built_in      boolean NOT NULL DEFAULT false,
    ADD COLUMN version       bigint NOT NULL DEFAULT 1,
    ADD COLUMN created_by    text NOT NULL;

-- Test profiles that get a delivery's real messages: by number, and those that a question about their fields finds.
CREATE TABLE delivery_trap (
    delivery_id     bigint NOT NULL REFERENCES delivery ON DELETE CASCADE,
    test_profile_id bigint NOT NULL REFERENCES test_profile ON DELETE CASCADE,
    PRIMARY KEY (delivery_id, test_profile_id)
);
CREATE INDEX delivery_trap_test_profile ON delivery_trap (test_profile_id);
CREATE TABLE delivery_trap_question (
    delivery_id bigint PRIMARY KEY REFERENCES delivery ON DELETE CASCADE,
    question    jsonb NOT NULL,
    text        text NOT NULL
);

-- Who is held back from a delivery though nothing else keeps the message from them. share: per cent.
CREATE TABLE delivery_control_group (
    delivery_id   bigint PRIMARY KEY REFERENCES delivery ON DELETE CASCADE,
    extraction    text NOT NULL CHECK (extraction IN ('none', 'random', 'first')),
    share         numeric(5, 2) CHECK (share > 0 AND share < 100),
    size          bigint CHECK (size > 0),
    order_by      jsonb,
    order_text    text,
    lowest        boolean NOT NULL DEFAULT false,
    same_for      text NOT NULL DEFAULT 'delivery' CHECK (same_for IN ('delivery', 'campaign')),
    audience_id   bigint REFERENCES audience,
    question      jsonb,
    question_text text
);
CREATE INDEX delivery_control_group_audience ON delivery_control_group (audience_id);

-- Who is held back from all deliveries, one share of all people at a time. share: per cent.
CREATE TABLE holdout (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    label      text NOT NULL,
    share      numeric(5, 2) NOT NULL CHECK (share > 0 AND share <= 50),
    seed       bigint NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz CHECK (ends_at > starts_at),
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    CONSTRAINT holdout_one_at_a_time EXCLUDE USING gist (tstzrange(starts_at, ends_at) WITH &&)
);
ALTER TABLE delivery ADD COLUMN ignores_holdout boolean NOT NULL DEFAULT false;

-- Where somebody stands among 10,000 places of a holdout: the first ones are held out. The same for good: Postgres keeps
-- hashint8extended as it is, for the partitions that lie by it.
CREATE FUNCTION holdout_place(profile_id bigint, seed bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((hashint8extended($1, $2) & 9223372036854775807) % 10000)::integer
$$;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
