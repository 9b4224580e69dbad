"""The GraphQL explorer: GraphiQL, served from this package, working without internet access.

    graphiql.min.js, graphiql.min.css       npm graphiql 3.8.3, without the references to source maps
    react.production.min.js                 npm react 18.3.1
    react-dom.production.min.js             npm react-dom 18.3.1
    explorer.js, explorer.css, explorer.html   ours

Their licences lie beside them (MIT). The page needs no token; what it asks does, and the token stays in the browser's tab.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

FOLDER = Path(__file__).parent
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
ASSETS = frozenset(path.name for path in FOLDER.iterdir() if path.suffix in KINDS)

# GraphiQL's editor writes style attributes; scripts come from here only, and the page talks to nobody else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src data:; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}


async def page(request: Request) -> Response:
    """GET /graphql: the explorer for browsers, a hint for programs."""
    if "text/html" not in request.headers.get("accept", ""):
        return Response("Send GraphQL with POST.\n", 405, {"allow": "POST"}, "text/plain")
    return Response(
        (FOLDER / "explorer.html").read_bytes(), media_type="text/html", headers=_HEADERS | {"cache-control": "no-store"}
    )


async def front_page(request: Request) -> Response:
    """GET /: the way to the explorer."""
    return RedirectResponse("/graphql")


async def asset(request: Request) -> Response:
    """GET /graphql/assets/{name}: one of the files above, compressed."""
    name = request.path_params["name"]
    if name not in ASSETS:
        return Response("not found\n", 404, media_type="text/plain")
    headers = {
        "content-encoding": "gzip",
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    return Response(_compressed(name), media_type=KINDS[Path(name).suffix], headers=headers)


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress((FOLDER / name).read_bytes(), 6, mtime=0)
