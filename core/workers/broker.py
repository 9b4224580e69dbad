"""Builds the Dramatiq broker and binds every marked job as an actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import dramatiq
from dramatiq import Broker
from dramatiq.brokers.rabbitmq import DEAD_MESSAGE_TTL, RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import xq_name
from dramatiq.middleware import AgeLimit, Callbacks, Middleware, Retries, ShutdownNotifications, TimeLimit

from core.errors import Invalid
from core.jobs import JOBS, Job

STALE = 60_000  # milliseconds after which a wake-up is worth nothing: the sweeps have made another
LONGEST_WAIT = 60_000  # milliseconds between two tries of a job; the sweeps find lost work anyway
PASSES = 30  # of one wake-up from process to process; then the sweeps ask again
PATIENCE = 10.0  # seconds for an answer of the broker: the relay holds a transaction open meanwhile


class QuorumBroker(RabbitmqBroker):
    """RabbitMQ with quorum queues, which survive the loss of a node. Nodes of a cluster are separated by `;`."""

    def __init__(self, url: str, middleware: list[Middleware]):
        super().__init__(url=[_patient(one) for one in url.split(";")], confirm_delivery=True, middleware=middleware)

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        arguments: dict[str, Any] = super()._build_queue_arguments(queue_name)  # type: ignore[no-untyped-call]
        return {**arguments, "x-queue-type": "quorum"}

    def _declare_xq_queue(self, queue_name: str) -> Any:
        arguments = {"x-queue-type": "quorum", "x-message-ttl": DEAD_MESSAGE_TTL}
        return self.channel.queue_declare(queue=xq_name(queue_name), durable=True, arguments=arguments)


def _patient(url: str) -> str:
    """The address with limits to our patience, unless it names its own: a broker short of memory blocks who publishes."""
    parts = urlsplit(url)
    limits = {"blocked_connection_timeout": PATIENCE, "socket_timeout": PATIENCE, **dict(parse_qsl(parts.query))}
    return parts._replace(query=urlencode(limits)).geturl()


def make_broker(url: str, *middleware: Middleware) -> Broker:
    """A broker for `amqp://`, `redis://` or `unix://`. Raises Invalid (BAD_BROKER_URL)."""
    stack: list[Middleware] = [
        AgeLimit(),
        TimeLimit(),
        ShutdownNotifications(),
        Callbacks(),
        Retries(max_backoff=LONGEST_WAIT),
        *middleware,
    ]
    if url.startswith(("amqp://", "amqps://")):
        return QuorumBroker(url, stack)
    if url.startswith(("redis://", "rediss://", "unix://")):
        return RedisBroker(url=url, middleware=stack, namespace="clarion")  # type: ignore[no-untyped-call]
    raise Invalid(
        "CLARION_BROKER_URL must begin with amqp:// or redis://",
        code="BAD_BROKER_URL",
        hint="Unset it to use the embedded Redis.",
    )


def bind(broker: Broker, run: Callable[[Job], Callable[..., Any]]) -> dict[str, dramatiq.Actor[..., Any]]:
    """Declare an actor for every job; `run` makes the function that a worker calls."""
    return {
        name: dramatiq.actor(
            actor_name=name,
            queue_name=job.queue.value,
            broker=broker,
            max_retries=job.max_retries,
            time_limit=int(job.time_limit.total_seconds() * 1000),
        )(run(job))
        for name, job in JOBS.items()
    }


def message_for(job: Job, ids: dict[str, Any], *, passes: int = PASSES) -> dramatiq.Message[Any]:
    """A wake-up for a job, which `passes` processes may pass on."""
    kwargs = ids if passes == PASSES else {**ids, "passes": passes}
    return dramatiq.Message(queue_name=job.queue.value, actor_name=job.name, args=(), kwargs=kwargs, options={"max_age": STALE})


def touch(broker: Broker) -> None:
    """Ask the broker for a sign of life. Raises what its client raises."""
    if isinstance(broker, RedisBroker):
        broker.client.ping()
    elif isinstance(broker, RabbitmqBroker):
        broker.connection.process_data_events()
