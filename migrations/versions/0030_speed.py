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
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
