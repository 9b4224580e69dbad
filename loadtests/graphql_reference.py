"""What Clarion's GraphQL is measured beside: Strawberry and asyncpg as their manuals show them, one process, nothing else.

`python -m loadtests.graphql_reference PORT`; the database by CLARION_DATABASE_URL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import asyncpg
import strawberry
import uvicorn
from starlette.applications import Starlette
from strawberry.asgi import GraphQL


@strawberry.type
class Profile:
    """Eight fields of a person."""

    id: strawberry.ID
    email: str | None
    first_name: str | None
    last_name: str | None
    city: str | None
    country: str | None
    birth_date: date | None
    created_at: datetime


@strawberry.type
class ProfileConnection:
    """A page."""

    nodes: list[Profile]


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def profiles(self, info: strawberry.Info, first: int) -> ProfileConnection:
        """The first people."""
        pool: Any = info.context["request"].app.state.pool
        async with pool.acquire() as conn:
            rows = await conn.fetch(
                """
                SELECT id, email, first_name, last_name, city, country, birth_date, created_at
                  FROM profile ORDER BY id LIMIT $1
                """,
                first,
            )
        return ProfileConnection(nodes=[Profile(**dict(row)) for row in rows])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the pool."""
    async with asyncpg.create_pool(os.environ["CLARION_DATABASE_URL"]) as pool:
        app.state.pool = pool
        yield


def main() -> None:
    """Serve."""
    app = Starlette(lifespan=lifespan)
    app.mount("/graphql", GraphQL[Any, Any](strawberry.Schema(Query)))
    uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
