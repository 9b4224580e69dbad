"""Distances: of a place that has no longitude, or none on earth, there is none."""

from migrations.runner import run_sql

revision = "0033"
down_revision = "0032"

# What is squared is never too small for floating point, and not known where an angle is not known.
SQL = """
CREATE OR REPLACE FUNCTION sphere_km(
    longitude double precision, latitude double precision, longitude2 double precision, latitude2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 2 * 6371.0088::double precision * asin(0.999999999999999::double precision * sqrt(
        power(sin(radians($4 - $2) / 2) + 1e-100, 2)
        + cos(radians($2)) * cos(radians($4)) * power(sin(radians($3 - $1) / 2) + 1e-100, 2)))
$$;

CREATE OR REPLACE FUNCTION sphere_part(
    longitude double precision, latitude double precision, longitude2 double precision, latitude2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT power(sin(radians($4 - $2) / 2) + 1e-100, 2)
        + cos(radians($2)) * cos(radians($4)) * power(sin(radians($3 - $1) / 2) + 1e-100, 2)
$$;
"""


def upgrade() -> None:
    """Apply."""
    run_sql(SQL)
