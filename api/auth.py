"""From a bearer token to the actor.

What was looked up is remembered for a moment, so that a busy client costs one statement every few seconds instead of one
per request. A revoked token is therefore refused within `REMEMBER_SECONDS` everywhere, and at once in the process that
revoked it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from api.context import connection
from core.access import Actor
from core.accounts.last_used import LastUsed
from core.accounts.tokens import authenticate
from core.errors import Unauthenticated
from core.runtime import Runtime

REMEMBER_SECONDS = 2.0
REMEMBERED = 10_000


class Authenticator:
    """One per process."""

    def __init__(self, runtime: Runtime, uses: LastUsed):
        self._runtime = runtime
        self._uses = uses
        self._known: dict[str, tuple[float, Actor]] = {}
        self._asking: dict[str, asyncio.Task[Actor]] = {}

    async def actor(self, token: str | None, request_id: str) -> Actor:
        """Who holds the token. Raises Unauthenticated."""
        if token is None:
            raise Unauthenticated(
                "no token came with the request", hint="Send `Authorization: Bearer …` with a token of this installation."
            )
        known = self._known.get(token)
        actor = known[1] if known is not None and known[0] > time.monotonic() else await self._ask(token)
        if actor.token_id is not None:
            self._uses.note(actor.token_id, self._runtime.clock())
        return replace(actor, request_id=request_id)

    def forget_all(self) -> None:
        """After a token was changed in this process."""
        self._known.clear()

    async def _ask(self, token: str) -> Actor:
        """Look the token up once, however many requests wait for it."""
        task = self._asking.get(token)
        if task is None:
            task = self._asking[token] = asyncio.create_task(self._look_up(token))
            task.add_done_callback(lambda _: self._asking.pop(token, None))
        return await asyncio.shield(task)

    async def _look_up(self, token: str) -> Actor:
        runtime = self._runtime
        async with connection(runtime.pool) as conn:
            actor = await authenticate(conn, runtime.keyring, token, runtime.clock())
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[token] = (time.monotonic() + REMEMBER_SECONDS, actor)
        return actor
