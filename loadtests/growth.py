"""How much more memory this process takes once work is well under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psutil

EVERY = 0.1  # seconds


class Growth:
    """Looks at the process again and again; sizes are of resident memory, in MB."""

    def __init__(self, settled: int, done: Callable[[], Awaitable[int]]):
        """`settled`: how much is `done` when growth begins to count."""
        self.highest = 0.0
        self.growth = 0.0
        self._first: float | None = None
        self._settled = settled
        self._done = done

    async def run(self) -> None:
        """Until it is cancelled."""
        process = psutil.Process()
        while True:
            now = process.memory_info().rss / 2**20
            self.highest = max(self.highest, now)
            if self._first is None and await self._done() >= self._settled:
                self._first = now
            if self._first is not None:
                self.growth = max(self.growth, now - self._first)
            await asyncio.sleep(EVERY)
