"""A process's runtime on a fresh database, as the profiles' tests have it."""

from tests.core.profiles.conftest import db, runtime, times

__all__ = ["db", "runtime", "times"]
