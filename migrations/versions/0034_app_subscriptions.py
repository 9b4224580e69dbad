"""People by other things than their profile: apps on their devices."""

from migrations.runner import run_sql

revision = "0034"
down_revision = "0033"

SQL = """
-- A device that an app may send to. It is known by its token before anybody knows whose it is: profile_id comes later, or
-- never. No foreign key on profile, as for subscriptions to services.
CREATE TABLE app_subscription (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app                varchar(100) NOT NULL,
    registration_token varchar(1000) NOT NULL,   -- ASCII, so that an index can hold it
    platform           text NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
    opted_out          boolean NOT NULL DEFAULT false,
    profile_id         bigint,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (app, registration_token)
);
CREATE INDEX app_subscription_profile ON app_subscription (profile_id) WHERE profile_id IS NOT NULL;

-- Devices of those who are gone are nobody's any more, and not written to.
CREATE FUNCTION forget_app_subscriptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app_subscription s USING gone WHERE s.profile_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER app_subscriptions_of_deleted AFTER DELETE ON profile REFERENCING OLD TABLE AS gone
   FOR EACH STATEMENT EXECUTE FUNCTION forget_app_subscriptions();
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
