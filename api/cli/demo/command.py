"""`clarion demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    recipients: Annotated[int, typer.Option(min=1, help="How many people the campaign is sent to.")] = 20_000,
) -> None:
    """Watch the main job: import, target, compose, prepare, send, track, report; checked to the last message."""
    raise NotImplementedError
