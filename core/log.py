"""Structured logs, set up once per process; request, job and delivery ids are bound to every line."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

SECRET_WORDS = ("password", "secret", "token", "authorization", "key")


def set_up_logging(level: str, fmt: str, process: str) -> None:
    """Send structlog and the standard library's records to standard error in one format."""
    console = fmt == "console" or (fmt == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("dramatiq", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("pika").setLevel(
        logging.CRITICAL
    )  # it tells each failed connection in six ways; who uses it tells it once
    structlog.contextvars.bind_contextvars(process=process)


def _hide_secrets(logger: Any, name: str, event: Any) -> Any:
    for key in event:
        if isinstance(key, str) and any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "…"
    return event


def get_logger(name: str) -> Any:
    """A structlog logger; bind ids with `structlog.contextvars.bound_contextvars(delivery_id=…)`."""
    return structlog.stdlib.get_logger(name)
