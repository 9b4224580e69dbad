"""A small GraphQL client for the commands that work on a running installation."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from core.errors import Conflict, Invalid, Unavailable

LOCAL = ("127.0.0.1", "::1", "localhost")


class Client:
    """One connection to an API."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"}
        # A proxy of the environment does not lead to this machine.
        self._http = httpx.AsyncClient(headers=headers, timeout=60, trust_env=urlsplit(self.url).hostname not in LOCAL)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run one operation. Raises Unavailable, Conflict for errors, Invalid for the first of `userErrors`."""
        try:
            response = await self._http.post(f"{self.url}/graphql", json={"query": query, "variables": variables})
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                f"no API answers at {self.url}: {error}", hint="Start it with `clarion up`, or pass --url."
            ) from error
        if answer.get("errors"):
            first = answer["errors"][0]
            more = first.get("extensions", {})
            raise Conflict(first["message"], code=more.get("code"), hint=more.get("hint"))
        data: dict[str, Any] = answer["data"]
        for payload in data.values():
            for problem in (payload or {}).get("userErrors", ()) if isinstance(payload, dict) else ():
                path = ".".join(problem["path"]) if isinstance(problem["path"], list) else problem["path"]
                raise Invalid(problem["message"], code=problem["code"], path=path, hint=problem.get("hint"))
        return data
