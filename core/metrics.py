"""What worker processes and relays count about themselves; `/metrics` shows it together with what the API counts.

Labels have few values, all of our own making: names of jobs, channels, topics and outcomes, never of people or deliveries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from core.process import alive

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own variable: where the processes of one tree leave their counts

JOBS = Counter("clarion_jobs_total", "Jobs that workers ran, by job and outcome (done, failed).", ["job", "outcome"])
JOB_SECONDS = Histogram(
    "clarion_job_seconds", "Time that a job took.", ["job"], buckets=(0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600, 3600)
)
MESSAGES = Counter("clarion_messages_total", "Messages settled by a channel, by outcome.", ["channel", "outcome"])
CONNECTIONS = Counter(
    "clarion_channel_connections_total",
    "Connections that channels asked for, by outcome (connected, refused, timeout, failed).",
    ["channel", "outcome"],
)
CONNECTION_SECONDS = Histogram(
    "clarion_channel_connection_seconds",
    "Time from asking for a connection to having it.",
    ["channel"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60),
)
CHANNEL_EVENTS = Counter(
    "clarion_channel_events_total", "What channels count about their own work, by event.", ["channel", "event"]
)
ANNOUNCEMENTS = Counter("clarion_announcements_total", "Announcements carried from the outbox to the broker.", ["topic"])
OUTBOX_WAITING = Gauge("clarion_outbox_waiting", "Announcements that no relay has carried yet.", multiprocess_mode="mostrecent")
OUTBOX_AGE = Gauge("clarion_outbox_age_seconds", "Age of the oldest of them.", multiprocess_mode="mostrecent")
SWEEPS = Counter("clarion_sweeps_total", "Sweeps of the reconciler, by sweep and outcome (done, failed).", ["sweep", "outcome"])
SWEEP_SECONDS = Histogram(
    "clarion_sweep_seconds", "Time that a sweep took.", ["sweep"], buckets=(0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120)
)


class Counts(Collector):
    """The counts that processes left in a folder, as a registry that is read anew each time."""

    def __init__(self, folder: Path):
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """The sums over all processes; what the dead ones had open counts no more."""
        for file in self._folder.glob("gauge_live*_*.db"):
            if not alive(int(file.stem.rpartition("_")[2])):
                file.unlink(missing_ok=True)
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]  # a new one is empty for a moment
        found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return found


def exposition() -> bytes:
    """Prometheus text of this process, or of all processes of its tree where they share a folder."""
    folder = os.environ.get(FOLDER)
    return generate_latest(REGISTRY if folder is None else Counts(Path(folder)))
