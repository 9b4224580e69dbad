"""No faster than the channel allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Pace:
    """A token bucket that holds `burst` units and fills at `rate` units a second. One per account and process."""

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ):
        """`clock` tells seconds; default: the running loop's."""
        self._second = 1 / rate
        self._burst = burst / rate
        self._clock = clock or asyncio.get_running_loop().time
        self._sleep = sleep
        self._spent_until = float("-inf")

    async def take(self, units: int) -> None:
        """Wait until so many units may go. Whoever asks first goes first."""
        now = self._clock()
        self._spent_until = max(self._spent_until, now - self._burst) + units * self._second
        if self._spent_until > now:
            await self._sleep(self._spent_until - now)
