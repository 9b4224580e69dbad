"""The one place that reads the time. Operations take `now` or a `Clock` by argument, so that a test can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
UTC_ZONE = ZoneInfo("UTC")  # whose days are meant where nobody says so


def system_clock() -> datetime:
    """The present instant in UTC."""
    return datetime.now(UTC)
