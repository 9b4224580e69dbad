"""The schema as it is now: the static one with the types of the published data model.

Every process looks once a second which model counts, and at once when it published one itself. Another model makes another
schema, with documents, plans and answers of its own; requests that have begun go on with theirs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from graphql import GraphQLSchema

from api.context import connection
from api.graphql.limits import Limits
from api.graphql.prepare import Documents
from api.graphql.rows.typed import typed_schema
from core.datamodel.present import present_model
from core.datamodel.records import Model
from core.errors import Unavailable
from core.log import get_logger
from core.runtime import Runtime

log = get_logger("clarion.api.graphql")

LOOK_SECONDS = 1.0


class PresentSchema:
    """Keeps `documents`, the prepared operations of the present schema."""

    def __init__(self, runtime: Runtime, base: GraphQLSchema, limits: Limits):
        self.documents = Documents(base, limits)
        self._runtime = runtime
        self._base = base
        self._limits = limits
        self._model: Model | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._silent = False  # that the database is away was told

    async def start(self) -> None:
        """Begin with the model that counts now, and look from then on."""
        await self._try()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> None:
        """Look at once: a model was published here."""
        self._news.set()

    async def refresh(self) -> None:
        """Look which model counts, and make its schema if it is another one."""
        async with connection(self._runtime.pool) as conn:
            model = await present_model(conn)
        if model is self._model:
            return
        self._model = model  # also one of which no schema can be made: the one before stays, and is told of once
        schema = await asyncio.to_thread(typed_schema, self._base, model)
        self.documents = Documents(schema, self._limits)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
            self._news.clear()
            await self._try()

    async def _try(self) -> None:
        try:
            await self.refresh()
            self._silent = False
        except Exception as error:
            if not self._silent:
                ours = not isinstance(error, Unavailable)  # that is the load of a moment
                log.warning("cannot look which data model counts", reason=str(error), exc_info=error if ours else None)
            self._silent = True
