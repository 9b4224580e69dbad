"""Consent: services and subscriptions, purposes, and the ledger that proves what people agreed to."""

from migrations.runner import run_sql

revision = "0015"
down_revision = "0014"

SQL = """
-- What people subscribe to (feature map 2.37-2.40). Confirmations are kept as data: none, default or custom.
CREATE TABLE service (
    id                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                     text NOT NULL UNIQUE,
    label                    text NOT NULL,
    public_label             text NOT NULL DEFAULT '',
    address_kind             text NOT NULL,
    mode                     text NOT NULL DEFAULT 'newsletter',
    starts_at                timestamptz,
    ends_at                  timestamptz,
    validity                 interval,           -- how long a subscription lasts; null: until it is ended
    double_opt_in            boolean NOT NULL DEFAULT false,
    confirm_within           interval NOT NULL DEFAULT '7 days',
    subscribe_confirmation   text NOT NULL DEFAULT 'none',
    subscribe_event          text,
    unsubscribe_confirmation text NOT NULL DEFAULT 'none',
    unsubscribe_event        text,
    version                  integer NOT NULL DEFAULT 1,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    created_by               text NOT NULL
);

-- How it stands between a person and a service. No foreign key on profile: people are many, and kept where their shard is.
-- Active is: state = 'active' AND (expires_at IS NULL OR expires_at > now); the sweep that writes 'expired' may come later.
CREATE TABLE subscription (
    service_id bigint NOT NULL REFERENCES service,
    profile_id bigint NOT NULL,
    state      text NOT NULL CHECK (state IN ('pending', 'active', 'unsubscribed', 'expired')),
    since      timestamptz NOT NULL,
    expires_at timestamptz,
    confirm_by timestamptz,                      -- of pending ones
    origin     text NOT NULL DEFAULT '',
    PRIMARY KEY (service_id, profile_id)
);
CREATE INDEX subscription_profile ON subscription (profile_id);
CREATE INDEX subscription_expiry ON subscription (expires_at) WHERE state = 'active' AND expires_at IS NOT NULL;
CREATE INDEX subscription_unconfirmed ON subscription (confirm_by) WHERE state = 'pending';

-- Its history: only ever added to. service_id has no foreign key, for the mass of rows; a service with history is not deleted.
CREATE TABLE subscription_event (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    profile_id  bigint NOT NULL,
    service_id  bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('requested', 'subscribed', 'confirmed', 'renewed', 'unsubscribed', 'expired')),
    state       text NOT NULL,                   -- that the subscription had afterwards
    first_time  boolean NOT NULL,                -- nothing was before it between the two
    happened_at timestamptz NOT NULL,
    expires_at  timestamptz,
    origin      text NOT NULL DEFAULT '',
    actor       text NOT NULL,
    PRIMARY KEY (profile_id, id)
);
CREATE INDEX subscription_event_service ON subscription_event (service_id, happened_at);

CREATE TABLE consent_purpose (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    label         text NOT NULL,
    needs_consent boolean NOT NULL DEFAULT true, -- false: allowed until it is refused
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL
);

-- What people were shown when they decided. A changed text is another version; none is ever changed or removed.
CREATE TABLE consent_wording (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    version    integer NOT NULL,
    text       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    UNIQUE (name, version)
);

-- The ledger. proof is personal data (address, browser, form, ...).
CREATE TABLE consent_entry (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    profile_id  bigint NOT NULL,
    channel     text,
    purpose_id  bigint,
    service_id  bigint,
    decision    text NOT NULL CHECK (decision IN ('granted', 'refused', 'withdrawn', 'requested')),
    wording_id  bigint,
    origin      text NOT NULL DEFAULT '',
    proof       jsonb,
    actor       text NOT NULL,
    happened_at timestamptz NOT NULL,            -- when it is said to have happened
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (profile_id, id),
    CHECK (num_nonnulls(channel, purpose_id, service_id) = 1)
);

-- What the ledger says of purposes, now.
CREATE TABLE purpose_consent (
    purpose_id bigint NOT NULL REFERENCES consent_purpose,
    profile_id bigint NOT NULL,
    decision   text NOT NULL CHECK (decision IN ('granted', 'refused', 'withdrawn')),
    since      timestamptz NOT NULL,
    wording_id bigint,
    PRIMARY KEY (purpose_id, profile_id)
);
CREATE INDEX purpose_consent_profile ON purpose_consent (profile_id);

ALTER TABLE delivery ADD service_id bigint REFERENCES service, ADD purpose_id bigint REFERENCES consent_purpose;
CREATE INDEX delivery_service ON delivery (service_id) WHERE service_id IS NOT NULL;
CREATE INDEX delivery_purpose ON delivery (purpose_id) WHERE purpose_id IS NOT NULL;

-- Only ever added to: whoever moves or erases a person says so for the transaction (`core.consent.store.erasure`).
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME <> 'consent_wording' AND current_setting('clarion.rewriting_consent', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_entry
   FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON subscription_event
   FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_wording
   FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Whoever changes an opt-out flag, by whatever statement, leaves entries in the ledger. What is known of the act stands in the
-- setting `clarion.provenance` of the transaction (`core/provenance.py`). An entry is never older than the one it follows.
CREATE FUNCTION log_opt_outs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told jsonb := coalesce(nullif(current_setting('clarion.provenance', true), '')::jsonb, '{}');
    moment timestamptz := coalesce((told ->> 'now')::timestamptz, clock_timestamp());
BEGIN
    INSERT INTO consent_entry (profile_id, channel, decision, wording_id, origin, proof, actor, happened_at, recorded_at)
    SELECT NEW.id, f.channel, CASE WHEN NOT f.after THEN 'granted' WHEN TG_OP = 'INSERT' THEN 'refused' ELSE 'withdrawn' END,
           (told ->> 'wording_id')::bigint, coalesce(told ->> 'origin', ''), nullif(told -> 'proof', 'null'),
           coalesce(told ->> 'actor', 'sql:' || session_user),
           greatest(coalesce((told ->> 'happened_at')::timestamptz, moment),
                    (SELECT max(e.happened_at) FROM consent_entry e WHERE e.profile_id = NEW.id AND e.channel = f.channel)),
           moment
      FROM (VALUES ('all', OLD.opt_out, NEW.opt_out), ('email', OLD.opt_out_email, NEW.opt_out_email),
                   ('mobile', OLD.opt_out_mobile, NEW.opt_out_mobile), ('phone', OLD.opt_out_phone, NEW.opt_out_phone),
                   ('fax', OLD.opt_out_fax, NEW.opt_out_fax), ('postal', OLD.opt_out_postal, NEW.opt_out_postal),
                   ('push', OLD.opt_out_push, NEW.opt_out_push)) AS f (channel, before, after)
     WHERE coalesce(f.before, false) <> f.after;
    RETURN NULL;
END $$;
-- The conditions are asked without calling the function: rows that change no flag cost next to nothing.
CREATE TRIGGER opt_outs_of_new AFTER INSERT ON profile FOR EACH ROW
  WHEN (NEW.opt_out OR NEW.opt_out_email OR NEW.opt_out_mobile OR NEW.opt_out_phone OR NEW.opt_out_fax
        OR NEW.opt_out_postal OR NEW.opt_out_push)
EXECUTE FUNCTION log_opt_outs();
CREATE TRIGGER opt_outs_changed
 AFTER UPDATE OF opt_out, opt_out_email, opt_out_mobile, opt_out_phone, opt_out_fax, opt_out_postal, opt_out_push
    ON profile FOR EACH ROW
  WHEN (OLD.opt_out <> NEW.opt_out OR OLD.opt_out_email <> NEW.opt_out_email OR OLD.opt_out_mobile <> NEW.opt_out_mobile
        OR OLD.opt_out_phone <> NEW.opt_out_phone OR OLD.opt_out_fax <> NEW.opt_out_fax
        OR OLD.opt_out_postal <> NEW.opt_out_postal OR OLD.opt_out_push <> NEW.opt_out_push)
EXECUTE FUNCTION log_opt_outs();

-- Nobody who is gone is a subscriber. The ledger and the history stay until they are erased.
CREATE FUNCTION forget_consent_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM subscription s USING gone WHERE s.profile_id = gone.id;
    DELETE FROM purpose_consent c USING gone WHERE c.profile_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER consent_of_deleted AFTER DELETE ON profile REFERENCING OLD TABLE AS gone
   FOR EACH STATEMENT EXECUTE FUNCTION forget_consent_state();

-- What was refused before there was a ledger.
INSERT INTO consent_entry (profile_id, channel, decision, origin, actor, happened_at, recorded_at)
SELECT p.id, f.channel, 'refused', 'migration', 'system', p.updated_at, now()
  FROM profile p,
       LATERAL (VALUES ('all', p.opt_out), ('email', p.opt_out_email), ('mobile', p.opt_out_mobile), ('phone', p.opt_out_phone),
                       ('fax', p.opt_out_fax), ('postal', p.opt_out_postal), ('push', p.opt_out_push)) AS f (channel, is_set)
 WHERE f.is_set;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
