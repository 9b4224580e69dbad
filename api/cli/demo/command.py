"""`clarion demo`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
import uvloop
from rich.text import Text

from api.cli.client import Client
from api.cli.demo.checks import DoesNotAddUp
from api.cli.demo.mails import BrokenMail
from api.cli.demo.outside import Outside
from api.cli.demo.screen import Screen
from api.cli.demo.stage import Stage, stage
from api.cli.demo.story import Story
from core.config import load_settings

INTERRUPTED = 130


def demo(
    recipients: Annotated[int, typer.Option(min=1, help="How many people the file holds.")] = 20_000,
) -> None:
    """Watch the main job: import, target, compose, prepare, send, track, report; checked to the last message.

    It runs beside everything else, in a folder of its own that is thrown away.
    """
    screen = Screen()
    base = load_settings().var_dir / "demo"
    try:
        with _all_like_ctrl_c():
            line = _play(screen, base, recipients)
    except KeyboardInterrupt:
        screen.console.print("\nstopped; nothing of it is left")
        raise typer.Exit(INTERRUPTED) from None
    except (DoesNotAddUp, BrokenMail) as error:
        screen.console.print(Text.assemble(("\nThis does not add up: ", "bold red"), str(error)), soft_wrap=True)
        screen.say(f"Logs and mails are kept below {base} until the next demo.", "dim")
        raise typer.Exit(1) from None
    screen.console.print()
    print(json.dumps(line), flush=True)


def _play(screen: Screen, base: Path, recipients: int) -> dict[str, Any]:
    screen.say("Starting PostgreSQL, a broker, the API, workers and a mail sink.")
    with stage(base) as made, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_tell(made, screen, recipients))


async def _tell(made: Stage, screen: Screen, recipients: int) -> dict[str, Any]:
    screen.say(f"{made.url}/graphql", "dim")
    async with Client(made.url, made.token) as client:
        story = Story(made, Outside(client, made.token, screen), screen, recipients)
        try:
            return await story.play()
        finally:
            await story.watcher.stop()


@contextmanager
def _all_like_ctrl_c() -> Iterator[None]:
    """Other ways to be told to stop are taken like Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
