"""The embedded parts: PostgreSQL and Redis started from the binaries that two wheels bring along.

Used when no `CLARION_DATABASE_URL` or `CLARION_BROKER_URL` is set. Both keep their files below one directory
(`./var`), listen on a Unix socket in a private directory with a short path, and die with the process that
started them.
"""

from api.cli.embedded.place import EmbeddedError
from api.cli.embedded.postgres import EmbeddedPostgres
from api.cli.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedError", "EmbeddedPostgres", "EmbeddedRedis"]
