"""Where the demo plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.cli.demo.stage import _settings, with_database
from api.cli.installation import plan


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


def test_it_shares_no_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wake-ups of an installation are not the demo's to take, nor the other way round."""
    monkeypatch.setenv("CLARION_BROKER_URL", "redis://the-real-one.example")
    installation = plan(_settings(tmp_path, "postgresql://db/demo"))
    assert [child.name for child in installation.embedded] == ["redis"]
    assert str(installation.settings.broker_url).startswith("unix://")
