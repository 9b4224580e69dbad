"""How long the fuzz tests go on: a little and always the same in the suite, more and ever new with CLARION_FUZZ=TIMES.

What fails tells its seed: CLARION_FUZZ_SEED=… begins there again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("CLARION_FUZZ", "1"))
SEED = int(os.environ.get("CLARION_FUZZ_SEED", "0" if TIMES == 1 else str(SystemRandom().randrange(1 << 32))))


def fuzz(examples: int) -> Callable[[Any], Any]:
    """The settings of a test that hypothesis feeds."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def rounds(count: int) -> list[Random]:
    """A source of chance for each round of a test, which tells its seed."""
    return [Seeded(SEED + number) for number in range(count * TIMES)]


class Seeded(Random):
    """Chance that can be had again."""

    def __init__(self, seed: int):
        super().__init__(seed)
        self.started = seed

    def __repr__(self) -> str:
        return f"CLARION_FUZZ_SEED={self.started}"
