"""A process's runtime on a fresh database, with a clock that the test moves: as of imports."""

from __future__ import annotations

from tests.core.profiles.conftest import db, runtime, times

__all__ = ["db", "runtime", "times"]
