"""Answers the events of a subscription: by its plan where it has one, and once for all subscribers who get the same."""

from __future__ import annotations

from typing import Any

import msgspec

from api.errors import format_graphql_errors
from api.graphql.execution import LeafExecutor, event_plan, run
from api.graphql.prepare import Prepared
from api.requests import encode_json

SHARED_ANSWERS = 16  # kept per document


class EventAnswers:
    """One subscription. An event with a `share_key` is the same for every subscriber who gets one with that key."""

    def __init__(self, executor: LeafExecutor, prepared: Prepared, request_id: str):
        self._executor = executor
        self._shared = prepared.answers
        self._build = event_plan(executor)
        self._conditions = executor.context_value.conditions
        self._request_id = request_id

    async def answer(self, event: Any) -> Any:
        """What is sent for an event."""
        return self._known(event) or await self._executed(event)

    def _known(self, event: Any) -> msgspec.Raw | None:
        """The answer, if it takes nothing but reading."""
        if self._build is None:
            return None
        share_key = getattr(event, "share_key", None)
        key = (self._conditions, share_key)
        body = self._shared.get(key) if share_key is not None else None
        if body is None:
            try:
                body = encode_json({"data": self._build(event)})
            except Exception:  # the usual way says what is wrong, and where
                return None
            if share_key is not None:
                self._keep(key, body)
        return msgspec.Raw(body)

    def _keep(self, key: Any, body: bytes) -> None:
        if len(self._shared) >= SHARED_ANSWERS:
            self._shared.clear()
        self._shared[key] = body

    async def _executed(self, event: Any) -> dict[str, Any]:
        """The answer, by executing the selection; over a connection that is held no longer than that."""
        result = await run(self._executor.build_per_event_executor(event), serially=False)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = format_graphql_errors(result.errors, self._request_id)
        return answer
