"""Marks coroutines as jobs and keeps the list. Knows no broker: `core/workers/broker.py` binds the marks to actors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.runtime import Runtime


class Queue(StrEnum):
    """Queues, most urgent first."""

    URGENT = "urgent"  # state changes that a person waits for
    SEND = "send"  # bulk sending
    HEAVY = "heavy"  # imports, exports, preparations


class Next(Enum):
    """What is to become of a wake-up."""

    PASS_ON = auto()  # this process is at it already: another one may want to help


JobFunction = Callable[..., Awaitable[Next | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A coroutine `(runtime, **ids)` that may run at any time, again, and at the same time as itself elsewhere."""

    name: str
    queue: Queue
    function: JobFunction
    max_retries: int
    time_limit: timedelta

    async def __call__(self, runtime: Runtime, **ids: Any) -> Next | None:
        return await self.function(runtime, **ids)


JOBS: dict[str, Job] = {}


def job(
    name: str, *, queue: Queue, max_retries: int = 3, time_limit: timedelta = timedelta(hours=6)
) -> Callable[[JobFunction], Job]:
    """Mark a coroutine as a job. Jobs carry ids, read the rows, and do nothing when it is done already."""

    def mark(function: JobFunction) -> Job:
        if name in JOBS:
            raise ValueError(f"job {name!r} exists twice")
        JOBS[name] = Job(name=name, queue=queue, function=function, max_retries=max_retries, time_limit=time_limit)
        return JOBS[name]

    return mark
