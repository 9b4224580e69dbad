"""How far apart places are without the arc's sine undone, and whose word counts of people who are one."""

from migrations.runner import run_sql

revision = "0030"
down_revision = "0022"

SQL = """
-- The haversine of the angle between two places, which grows with their distance: enough to know which is nearer. Not STRICT,
-- so that it is written into the statement.
CREATE FUNCTION sphere_part(
    longitude double precision, latitude double precision, longitude2 double precision, latitude2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT power(greatest(abs(sin(radians($4 - $2) / 2)), 1e-100), 2)
        + cos(radians($2)) * cos(radians($4)) * power(greatest(abs(sin(radians($3 - $1) / 2)), 1e-100), 2)
$$;

-- Since when a profile stands under its survivor: the last merge that put it under somebody.
CREATE FUNCTION merged_since(profile bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT max(m.merged_at) FROM profile_alias a JOIN profile_merge m ON m.id = a.merge_id
     WHERE a.profile_id = $1 AND m.undone_at IS NULL
$$;

-- What counts of what people said, those who are merged into them included: whoever refuses or has left does so for all, until
-- the survivor agrees or comes back, later than that and later than the merge.
CREATE VIEW person_consent AS
SELECT purpose_id, profile_id, decision, since, wording_id FROM purpose_consent
UNION ALL
SELECT s.purpose_id, f.merged_into, s.decision, s.since, s.wording_id
  FROM profile f
  JOIN purpose_consent s ON s.profile_id = f.id
  LEFT JOIN purpose_consent o ON o.purpose_id = s.purpose_id AND o.profile_id = f.merged_into
 WHERE f.merged_into IS NOT NULL
   AND (s.decision = 'granted'
        OR (o.decision = 'granted' AND o.since > s.since AND o.since > merged_since(f.id)) IS NOT true);

CREATE VIEW person_subscription AS
SELECT service_id, profile_id, state, since, expires_at, confirm_by, origin FROM subscription
UNION ALL
SELECT s.service_id, f.merged_into, s.state, s.since, s.expires_at, s.confirm_by, s.origin
  FROM profile f
  JOIN subscription s ON s.profile_id = f.id
  LEFT JOIN subscription o ON o.service_id = s.service_id AND o.profile_id = f.merged_into
 WHERE f.merged_into IS NOT NULL
   AND (s.state <> 'unsubscribed'
        OR (o.state = 'active' AND o.since > s.since AND o.since > merged_since(f.id)) IS NOT true);
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
