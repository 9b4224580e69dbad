"""Is it alive, is it ready, and what does it count. For probes and Prometheus; no token needed, nothing personal told."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.metrics import exposition
from core.runtime import Runtime
from migrations.runner import DatabaseTooNew, DatabaseTooOld, check_schema

READY_SECONDS = 2.0


async def health(request: Request) -> Response:
    """The process answers. Says nothing of what it depends on."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether requests can be served now: the database answers and has the schema of this code."""
    runtime: Runtime = request.app.state.runtime
    problem = "stopping" if runtime.stopping.is_set() else await _database_problem(runtime)
    body = {"status": "ok"} if problem is None else {"status": "unavailable", "reason": problem}
    return JSONResponse(body, status_code=200 if problem is None else 503)


async def _database_problem(runtime: Runtime) -> str | None:
    assert runtime.settings.database_url is not None
    try:
        async with asyncio.timeout(READY_SECONDS):
            await check_schema(runtime.settings.database_url)
    except (DatabaseTooNew, DatabaseTooOld):
        return "the database has another schema version"
    except Exception:  # whatever it is, the probe's answer is the same
        return "the database does not answer"
    return None


async def metrics(request: Request) -> Response:
    """Prometheus text of this process, or of all processes of `clarion up`, workers and relay included."""
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)
