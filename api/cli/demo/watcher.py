"""Somebody who watches the tracking events live, from before the first one to after the last, and breaks off in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from api.cli.client import Client
from api.cli.demo import documents
from api.cli.demo.checks import DoesNotAddUp, same
from api.cli.demo.crowd import Tally
from api.cli.demo.subscriptions import subscription

SECONDS = 30.0  # for events that were answered to arrive
AFTERWARDS = 0.5  # seconds in which nothing more may come
_MACHINE = "machine"

Event = Mapping[str, Any]


class Watcher:
    """One subscriber. `show` is told of every event."""

    def __init__(self, client: Client, token: str, show: Callable[[Event], None]):
        self._client = client
        self._token = token
        self._show = show
        self._cursor = ""
        self._last = 0
        self._kinds: dict[int, str] = {}  # position → what a person, or a machine, did
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.breaks = 0

    @property
    def events(self) -> int:
        """Events seen so far, corrections left out."""
        return len(self._kinds)

    async def start(self) -> None:
        """Take a cursor, and follow the stream from there. Raises DoesNotAddUp when there are events already."""
        now = (await self._client.ask(documents.TRACKING_CURSOR))["trackingEvents"]
        same("tracking events before anybody did anything", len(now["events"]), 0)
        self._cursor = now["cursor"]
        self._task = asyncio.create_task(self._follow(), name="watcher")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def reconnect(self) -> None:
        """Break the subscription off and resume from the cursor."""
        await self.stop()
        self.breaks += 1
        self._task = asyncio.create_task(self._follow(), name="watcher")

    async def wait_for(self, count: int) -> None:
        """Until so many events were seen. Raises DoesNotAddUp when they do not come, or the subscription breaks."""
        assert self._task is not None
        deadline = asyncio.get_running_loop().time() + SECONDS
        while self.events < count:
            left = deadline - asyncio.get_running_loop().time()
            if self._task.done():
                self._task.result()  # raises what ended it
            if left <= 0 or self._task.done():
                raise DoesNotAddUp(f"the subscription saw {self.events} of {count} events")
            self._moved.clear()
            waiting = asyncio.create_task(self._moved.wait())
            await asyncio.wait({waiting, self._task}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    async def check(self, tally: Tally) -> None:
        """Every event was seen once, as what it was. Raises DoesNotAddUp."""
        await self.wait_for(tally.events)
        await asyncio.sleep(AFTERWARDS)
        same("events on the subscription", self.events, tally.events)
        wanted = Counter(
            {
                "OPEN": tally.open_events, "CLICK": tally.clicks, "UNSUBSCRIBE": tally.unsubscribed, "MIRROR": tally.mirrored,
                _MACHINE: tally.machine_events,
            }
        )  # fmt: skip
        same("what the events say", Counter(self._kinds.values()), +wanted)

    async def _follow(self) -> None:
        async with subscription(self._client.url, self._token, documents.TRACKING_EVENTS, after=self._cursor) as answers:
            async for answer in answers:
                batch = answer["trackingEvents"]
                for event in batch["events"]:
                    self._take(event)
                self._cursor = batch["cursor"]
                self._moved.set()

    def _take(self, event: Event) -> None:
        position = int(event["position"])
        if position <= self._last:
            raise DoesNotAddUp(f"the event at {position} came after the one at {self._last}")
        self._last = position
        if event["corrects"] is not None:
            self._kinds[int(event["corrects"])] = _MACHINE
            return
        self._kinds[position] = _MACHINE if event["machine"] else event["kind"]
        self._show(event)
