"""The ledger of consent keeps which entries are people's own acts: only such a one lets somebody in who was erased."""

from migrations.runner import run_sql

revision = "0047"
down_revision = "0046"

SQL = """
-- Null: entered before it was kept. Entries that let somebody in who was erased before go on doing so: those that came neither
-- by a file nor by hand. What merges wrote never was anybody's act. Entries that are older than all erasures are left alone: no
-- erasure will ever ask them.
ALTER TABLE consent_entry ADD by_person boolean;
ALTER TABLE consent_entry ALTER by_person SET DEFAULT false;
SELECT set_config('clarion.rewriting_consent', 'on', true);
UPDATE consent_entry
   SET by_person = origin <> 'profile' AND origin !~ '^(import|merge|undone merge):'
 WHERE decision = 'granted' AND happened_at > (SELECT min(erased_at) FROM erased_address);
SELECT set_config('clarion.rewriting_consent', '', true);

CREATE OR REPLACE FUNCTION log_opt_outs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told jsonb := coalesce(nullif(current_setting('clarion.provenance', true), '')::jsonb, '{}');
    moment timestamptz := coalesce((told ->> 'now')::timestamptz, clock_timestamp());
BEGIN
    INSERT INTO consent_entry
           (profile_id, channel, decision, wording_id, origin, proof, actor, happened_at, recorded_at, by_person)
    SELECT NEW.id, f.channel, CASE WHEN NOT f.after THEN 'granted' WHEN TG_OP = 'INSERT' THEN 'refused' ELSE 'withdrawn' END,
           (told ->> 'wording_id')::bigint, coalesce(told ->> 'origin', ''), nullif(told -> 'proof', 'null'),
           coalesce(told ->> 'actor', 'sql:' || session_user),
           greatest(coalesce((told ->> 'happened_at')::timestamptz, moment),
                    (SELECT max(e.happened_at) FROM consent_entry e WHERE e.profile_id = NEW.id AND e.channel = f.channel)),
           moment, coalesce((told ->> 'by_person')::boolean, false)
      FROM (VALUES ('all', OLD.opt_out, NEW.opt_out), ('email', OLD.opt_out_email, NEW.opt_out_email),
                   ('mobile', OLD.opt_out_mobile, NEW.opt_out_mobile), ('phone', OLD.opt_out_phone, NEW.opt_out_phone),
                   ('fax', OLD.opt_out_fax, NEW.opt_out_fax), ('postal', OLD.opt_out_postal, NEW.opt_out_postal),
                   ('push', OLD.opt_out_push, NEW.opt_out_push)) AS f (channel, before, after)
     WHERE coalesce(f.before, false) <> f.after;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
