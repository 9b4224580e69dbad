"""The reference of `bench_redirect`: the same server with the same checks, that stores no hit. Run like `api.server`."""

from __future__ import annotations

import sys

from api.server import main
from core.tracking.hits import HitRecorder
from core.tracking.records import Hit


async def _forget(self: HitRecorder, hit: Hit) -> None:
    """Take the hit and let it go."""


if __name__ == "__main__":
    HitRecorder.record = _forget  # type: ignore[method-assign]
    sys.exit(main())
