"""How long a wake-up waits that a process passes on."""

from __future__ import annotations

from core.workers.broker import PASSES
from core.workers.process import pass_delay


def test_a_wake_up_comes_back_soon_at_first_and_then_later() -> None:
    assert [pass_delay(passed) for passed in (0, 1, 2, 3, PASSES)] == [50, 100, 200, 200, 200]
