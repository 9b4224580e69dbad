"""What people were sent and what they did, as questions see it."""

from migrations.runner import run_sql

revision = "0021"
down_revision = "0020"

SQL = """
CREATE VIEW message AS
SELECT delivery_id, recipient_id AS profile_id, occurrence, state, reason, settled_at AS at
  FROM ledger WHERE recipient_kind = 1;

-- What people did: a hit that a machine made is none, and so is one that was taken for a person's until a later row said
-- otherwise.
CREATE VIEW reaction AS
SELECT e.position, e.at, e.delivery_id, e.recipient_id AS profile_id, e.kind, e.link, e.url
  FROM tracking_event e
 WHERE e.recipient_kind = 1 AND e.machine_rule = 0 AND e.corrects IS NULL
   AND NOT EXISTS (SELECT FROM tracking_event c WHERE c.corrects = e.position);
CREATE INDEX tracking_event_corrects ON tracking_event (corrects) WHERE corrects IS NOT NULL;

-- Kilometres between two places, by the haversine on a sphere of the earth's mean radius. Postgres refuses to square what is
-- too near to zero, and rounding must not give asin more than 1. Not STRICT, so that it is written into the statement.
CREATE FUNCTION sphere_km(
    longitude double precision, latitude double precision, longitude2 double precision, latitude2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 2 * 6371.0088::double precision * asin(0.999999999999999::double precision * sqrt(
        power(greatest(abs(sin(radians($4 - $2) / 2)), 1e-100), 2)
        + cos(radians($2)) * cos(radians($4)) * power(greatest(abs(sin(radians($3 - $1) / 2)), 1e-100), 2)))
$$;

-- Birthdays are asked about every day: written as `month(birth_date)` and `day(birth_date)` are.
CREATE INDEX profile_birthday ON profile ((floor(EXTRACT(month FROM birth_date))), (floor(EXTRACT(day FROM birth_date))))
 WHERE birth_date IS NOT NULL;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
