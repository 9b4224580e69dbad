"""Teams add fields to devices with their apps; visitors of forms are known before anybody knows who they are."""

from migrations.runner import run_sql

revision = "0039"
down_revision = "0038"

SQL = """
-- Those of ours come before the datasets.
UPDATE data_model_version SET definition = jsonb_insert(
    definition, '{entities,4}', '{"name": "app_subscription", "label": "App subscription", "built_in": true}'
);
UPDATE data_model_draft SET definition = jsonb_insert(
    definition, '{entities,4}', '{"name": "app_subscription", "label": "App subscription", "built_in": true}'
);

-- Somebody who came to a form or a page. They are known by the id that the page gave them before anybody knows who they are:
-- profile_id comes later, or never. No foreign keys on profile, as for devices. Addresses stand in the form in which they are
-- compared.
CREATE TABLE visitor (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id         varchar(200) NOT NULL UNIQUE,   -- ASCII
    email               varchar(254),
    first_name          varchar(100),
    last_name           varchar(100),
    origin              varchar(100),
    forward_url         varchar(1000),
    referrer_email      varchar(254),
    referrer_first_name varchar(100),
    referrer_last_name  varchar(100),
    referrer_comment    varchar(255),
    referrer_id         bigint,
    profile_id          bigint,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX visitor_profile ON visitor (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX visitor_referrer ON visitor (referrer_id) WHERE referrer_id IS NOT NULL;
CREATE INDEX visitor_email ON visitor (email) WHERE email IS NOT NULL;
CREATE INDEX visitor_referrer_email ON visitor (referrer_email) WHERE referrer_email IS NOT NULL;
CREATE INDEX visitor_unidentified ON visitor (id) WHERE profile_id IS NULL;

-- Visits of those who are gone go with them, and whom they referred was referred by nobody known.
CREATE FUNCTION forget_visitors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM visitor v USING gone WHERE v.profile_id = gone.id;
    UPDATE visitor v SET referrer_id = NULL FROM gone WHERE v.referrer_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER visitors_of_deleted AFTER DELETE ON profile REFERENCING OLD TABLE AS gone
   FOR EACH STATEMENT EXECUTE FUNCTION forget_visitors();
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
