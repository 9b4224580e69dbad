"""A token bucket on a clock that the test moves."""

from core.delivery.pace import Pace


class Watch:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += seconds


async def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    watch = Watch()
    pace = Pace(10, 5, clock=watch, sleep=watch.sleep)
    times = []
    for _ in range(8):
        await pace.take(1)
        times.append(round(watch.now, 6))
    assert times == [100.0] * 5 + [100.1, 100.2, 100.3]


async def test_units_count_and_a_rest_fills_no_more_than_the_bucket() -> None:
    watch = Watch()
    pace = Pace(2, 2, clock=watch, sleep=watch.sleep)
    watch.now += 3600
    await pace.take(2)
    assert watch.now == 3700
    await pace.take(3)  # a long SMS of three parts
    assert watch.now == 3701.5
