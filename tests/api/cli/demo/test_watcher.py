"""What a subscriber makes of the events."""

from __future__ import annotations

from typing import Any

import pytest

from api.cli.client import Client
from api.cli.demo.checks import DoesNotAddUp
from api.cli.demo.watcher import Event, Watcher


def event(position: int, kind: str = "CLICK", machine: bool = False, corrects: int | None = None) -> dict[str, Any]:
    """An event as the subscription gives it."""
    return {"position": position, "kind": kind, "machine": machine, "corrects": corrects}


def make_watcher() -> tuple[Watcher, list[Event]]:
    """A watcher that was not started, and what it showed."""
    shown: list[Event] = []
    return Watcher(Client("http://127.0.0.1:1", ""), "", shown.append), shown


def test_a_correction_takes_an_event_back() -> None:
    """It is no event of its own."""
    watcher, shown = make_watcher()
    for one in (event(1), event(2, "OPEN"), event(5, machine=True, corrects=1)):
        watcher._take(one)
    assert watcher.events == 2
    assert len(shown) == 2
    assert watcher._kinds == {1: "machine", 2: "OPEN"}


@pytest.mark.parametrize("position", [3, 2])
def test_a_repeat_and_a_step_back_are_noticed(position: int) -> None:
    """Positions only grow."""
    watcher, _ = make_watcher()
    watcher._take(event(3))
    with pytest.raises(DoesNotAddUp):
        watcher._take(event(position))
