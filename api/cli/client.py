"""A small GraphQL client for the commands that work on a running installation."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from api.cli.addresses import is_this_machine
from core.errors import Conflict, Invalid, Unavailable


def open_http(url: str, *, token: str | None = None, timeout: float | None = 60) -> httpx.AsyncClient:
    """An HTTP client for the machine that `url` names. Raises Invalid (BAD_URL).

    A proxy of the environment does not lead to this machine, and what is meant for it is not the proxy's to see.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _bad_url(url, str(error)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _bad_url(url, "it needs http:// or https:// and a host")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=not is_this_machine(parsed.host))


def _bad_url(url: str, why: str) -> Invalid:
    return Invalid(
        f"{url!r} is no address of an API: {why}", code="BAD_URL",
        hint="Pass --url or set CLARION_BASE_URL, as in http://127.0.0.1:8000.",
    )  # fmt: skip


class Client:
    """One connection to an API. Raises Invalid (BAD_URL)."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        self._http = open_http(self.url, token=token)

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
