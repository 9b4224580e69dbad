"""Audiences whose members are kept: who they are, who came and went, and what has changed since."""

from migrations.runner import run_sql

revision = "0026"
down_revision = "0025"

SQL = r"""
-- An audience whose members are kept. What is released, or whose audience is deleted, has no audience_id: its rows are cleared
-- away. Another keeping of the same audience has another id, so that nothing of the former one is taken for its own.
-- state: 'waiting' (changes are not captured yet), 'counting' (everybody is looked at, up to counted_through), 'kept'.
-- stamp: what the members depend on besides data, as it was when they were last counted: another one counts them anew.
-- upkeep: 'incremental', 'recounted_daily' (at midnight of the time zone) or 'recounted' (every few minutes); reasons say why.
CREATE TABLE kept_audience (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audience_id     bigint UNIQUE REFERENCES audience ON DELETE SET NULL,
    time_zone       text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'counting', 'kept')),
    stamp           bytea,
    upkeep          text NOT NULL DEFAULT 'incremental' CHECK (upkeep IN ('incremental', 'recounted_daily', 'recounted')),
    reasons         text[] NOT NULL DEFAULT '{}',
    trouble         text,                        -- why it cannot be kept now
    counted_through bigint NOT NULL DEFAULT 0,   -- profiles up to this one are looked at
    counted_at      timestamptz,                 -- when the last whole count began
    counting_since  timestamptz,
    again           boolean NOT NULL DEFAULT false,  -- something changed meanwhile that may concern everybody
    log_dropped     bigint NOT NULL DEFAULT 0,   -- the highest position of what retention has dropped of its log
    recount_at      timestamptz,
    members         bigint NOT NULL DEFAULT 0,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL
);

-- No foreign keys on profile: who is deleted leaves by the log, as everybody does.
CREATE TABLE kept_member (
    profile_id bigint NOT NULL,
    kept_id    bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    PRIMARY KEY (profile_id, kept_id)
);
CREATE INDEX kept_member_audience ON kept_member (kept_id, profile_id);

-- When the answer for somebody may become another one by time alone.
CREATE TABLE kept_due (
    profile_id bigint NOT NULL,
    kept_id    bigint NOT NULL,
    due_at     timestamptz NOT NULL,
    PRIMARY KEY (profile_id, kept_id)
);
CREATE INDEX kept_due_next ON kept_due (due_at);
CREATE INDEX kept_due_audience ON kept_due (kept_id, due_at);

-- Who entered and who left. Positions are taken under an advisory lock that is held to the end of the transaction, so that
-- their order is the order of commits.
CREATE SEQUENCE membership_position AS bigint MINVALUE 1 CACHE 1;
CREATE TABLE membership_log (
    kept_id    bigint NOT NULL,
    position   bigint NOT NULL,
    profile_id bigint NOT NULL,
    entered    boolean NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (kept_id, position, profile_id)
);
CREATE INDEX membership_log_age ON membership_log USING brin (at);

-- What has changed and is not looked at yet: a queue, not a stream. Whoever takes rows deletes them, so that a row that is
-- committed late is taken late and never passed over. columns: NULL means any of them; profile_ids: NULL means everybody.
CREATE TABLE membership_change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    entity      text NOT NULL,
    columns     text[],
    profile_ids bigint[]
);

-- Puts on the queue what a statement changed: see core/targeting/membership/capture.py, which makes the triggers.
-- Arguments: how rows belong to people ('profile': they are; 'owned': columns say whose; 'far': nobody in particular), the
-- entity, the columns that say whose, the columns that are read, a condition on rows or '', and what it is called for.
CREATE FUNCTION note_membership_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    way text := TG_ARGV[0];
    entity text := TG_ARGV[1];
    owners text[] := TG_ARGV[2];
    reads text[] := TG_ARGV[3];
    rows_of text;
    changed text;
    people text;
BEGIN
    IF way = 'profile' AND TG_OP = 'UPDATE' THEN
        SELECT string_agg(format('CASE WHEN n.%1$I IS DISTINCT FROM o.%1$I THEN %1$L END', name), ', ') INTO changed
          FROM unnest(reads) AS name;
        EXECUTE format(
            'INSERT INTO membership_change (entity, columns, profile_ids)
             SELECT %L, columns, array_agg(id) FROM (
                 SELECT columns, whose.id, (row_number() OVER ()) / 10000 AS part FROM (
                     SELECT array_remove(ARRAY[%s]::text[], NULL) AS columns, n.id, o.merged_into
                       FROM new_rows n JOIN old_rows o ON o.id = n.id) AS each,
                     LATERAL (SELECT each.id UNION SELECT each.merged_into WHERE each.merged_into IS NOT NULL) AS whose (id)
                  WHERE columns <> ''{}'') AS cut
              GROUP BY columns, part', entity, changed);
        RETURN NULL;
    END IF;
    SELECT coalesce(string_agg(quote_ident(name), ', '), '') INTO changed
      FROM (SELECT DISTINCT unnest(CASE TG_OP WHEN 'UPDATE' THEN owners || reads ELSE owners END) AS name) AS names;
    IF TG_OP = 'UPDATE' THEN
        rows_of := format('((SELECT %1$s FROM new_rows %2$s EXCEPT ALL SELECT %1$s FROM old_rows %2$s) UNION ALL
                            (SELECT %1$s FROM old_rows %2$s EXCEPT ALL SELECT %1$s FROM new_rows %2$s))', changed, TG_ARGV[4]);
    ELSE
        rows_of := format('(SELECT %s FROM %s %s)', changed, CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END,
                          TG_ARGV[4]);
    END IF;
    IF way = 'far' THEN
        EXECUTE format('INSERT INTO membership_change (entity) SELECT %L WHERE EXISTS (SELECT FROM %s AS found)',
                       entity, rows_of);
        RETURN NULL;
    END IF;
    SELECT string_agg(format('(%I)', name), ', ') INTO people FROM unnest(owners) AS name;
    EXECUTE format(
        'INSERT INTO membership_change (entity, profile_ids)
         SELECT %L, array_agg(id) FROM (
             SELECT id, (row_number() OVER ()) / 10000 AS part FROM (
                 SELECT DISTINCT whose.id FROM %s AS found, LATERAL (VALUES %s) AS whose (id)
                  WHERE whose.id IS NOT NULL) AS each) AS cut
          GROUP BY part', entity, rows_of, people);
    RETURN NULL;
EXCEPTION WHEN undefined_column THEN
    -- A column that was read is gone. Whoever writes is not to suffer for it: everybody is looked at again.
    EXECUTE format('INSERT INTO membership_change (entity) VALUES (%L)', entity);
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
