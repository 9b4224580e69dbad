"""Where the demo plays."""

from __future__ import annotations

import pytest

from api.cli.demo.stage import with_database


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://me:pw@db/prod", "postgresql://me:pw@db/demo"),
        ("postgresql://me@db:5432,db2:5433/prod?sslmode=require", "postgresql://me@db:5432,db2:5433/demo?sslmode=require"),
        ("postgresql://clarion@/clarion?host=/tmp/x", "postgresql://clarion@/demo?host=%2Ftmp%2Fx"),
        ("postgresql://db?dbname=prod&database=prod&user=me", "postgresql://db/demo?user=me"),
    ],
)
def test_the_same_server_another_database(url: str, wanted: str) -> None:
    """Whatever spelling names the one that is not to be touched."""
    assert with_database(url, "demo") == wanted
