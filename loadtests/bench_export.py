"""`export_profiles`: ROWS people × 20 columns written to a CSV file by the job, against COPY of the same columns to a file.

Further lines: an audience of half of them; two of the columns computed by expressions, which COPY is given as SQL by hand; and
how much more memory the process takes than after the first 100,000 rows.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.access import SYSTEM
from core.clock import system_clock
from core.db import open_pool, transaction
from core.egress import GuardedIO
from core.files import Files
from core.files import get_file as get_stored
from core.profiles.export_runner import run_export
from core.profiles.exports import SELECTION_RESOURCE, get_export
from core.profiles.run_records import RunState
from core.runtime import Runtime
from core.secrets import load_keyring
from core.targeting.parse import parse_text
from core.transfers.composing import open_source
from core.transfers.exports import create_export
from core.workers.selection import select_people
from loadtests.bench_import import Bench as Import
from loadtests.figures import print_alone, print_figure
from loadtests.growth import Growth
from loadtests.people import COLUMNS, write_people
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "3"))
SETTLED = min(100_000, ROWS // 4)  # rows after which growth is watched
STORED = COLUMNS[:-2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is exported, and the SELECT of it."""

    name: str
    columns: Sequence[str]
    by_hand: str
    computed: Mapping[str, str]
    question: str | None = None


CASES = (
    Case(name="profiles", columns=COLUMNS, computed={}, by_hand=f"SELECT {', '.join(COLUMNS)} FROM profile"),
    Case(
        name="audience", columns=COLUMNS, computed={}, question="id % 2 = 0 and not opt_out",
        by_hand=f"SELECT {', '.join(COLUMNS)} FROM profile WHERE id % 2 = 0 AND NOT opt_out",
    ),
    Case(
        name="computed", columns=(*STORED, "full_name", "born_in"),
        computed={"full_name": "concat(first_name, ' ', last_name)", "born_in": "year(birth_date)"},
        by_hand=f"SELECT {', '.join(STORED)}, first_name || ' ' || last_name, extract(year FROM birth_date) FROM profile",
    ),
)  # fmt: skip


@dataclass(slots=True)
class Bench:
    """People in a database, and where their files go."""

    runtime: Runtime
    folder: Path

    async def ours(self, case: Case) -> tuple[float, Path]:
        """Seconds of an export, from its creation to its end, and its file."""
        runtime = self.runtime
        started = time.perf_counter()
        async with transaction(runtime.pool) as conn:
            run = await create_export(
                conn, SYSTEM, runtime.files, columns=case.columns, now=system_clock(),
                computed={name: parse_text(text) for name, text in case.computed.items()},
                expression=parse_text(case.question) if case.question else None,
            )  # fmt: skip
        await run_export(runtime, run.id, open_source)
        seconds = time.perf_counter() - started
        async with runtime.pool.acquire() as conn:
            done = await get_export(conn, run.id)
            file = await get_stored(conn, run.file_id)
        if done.state is not RunState.FINISHED:
            raise SystemExit(f"the export went wrong: {done}")
        return seconds, runtime.files.path(file)

    async def reference(self, case: Case) -> tuple[float, Path]:
        """Seconds of COPY, and its file."""
        target = self.folder / "reference.csv"
        async with self.runtime.pool.acquire() as conn:
            started = time.perf_counter()
            await conn.copy_from_query(case.by_hand, output=target, format="csv", header=True)
            return time.perf_counter() - started, target

    async def memory(self, case: Case) -> None:
        """What an export of a case adds to the process."""
        watch = Growth(SETTLED, self._written)
        watching = asyncio.create_task(watch.run())
        _, file = await self.ours(case)
        watching.cancel()
        file.unlink()
        growth = round(watch.growth, 1)
        print_alone(f"export_memory_{case.name}", watch.highest, unit="MB", growth_after_first_100k=growth, rows=ROWS)

    async def _written(self) -> int:
        async with self.runtime.pool.acquire() as conn:
            return int(await conn.fetchval("SELECT rows_written FROM export_run ORDER BY id DESC LIMIT 1") or 0)


def lines_of(file: Path) -> int:
    """How many lines a file has."""
    with file.open("rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))


async def measure(bench: Bench, case: Case) -> None:
    """Alternate the two."""
    ours, reference = [], []
    for _ in range(RUNS):
        seconds, file = await bench.reference(case)
        expected = lines_of(file)
        reference.append(seconds)
        seconds, file = await bench.ours(case)
        ours.append(seconds)
        if lines_of(file) != expected:
            raise SystemExit(f"{file} has {lines_of(file)} lines, the reference {expected}")
        file.unlink()
    against = "COPY of the same columns to a file"
    print_figure(f"export_{case.name}", ours, reference, unit="s", against=against, rows=expected - 1, columns=20)


async def bench(on: Stage, folder: Path) -> None:
    """Import people, then export them."""
    pool = await open_pool(str(on.settings.database_url), size=4, application="bench")
    runtime = Runtime(
        settings=on.settings, pool=pool, keyring=load_keyring(on.settings), files=Files(folder / "files"),
        io=GuardedIO.from_settings(on.settings), resources={SELECTION_RESOURCE: select_people},
    )  # fmt: skip
    people = folder / "people.csv"
    write_people(people, ROWS, bad_share=0, columns=COLUMNS)
    await Import(runtime, people, COLUMNS).ours()
    async with pool.acquire() as conn:
        await conn.execute("VACUUM ANALYZE profile")
    for case in CASES:
        await measure(Bench(runtime, folder), case)
    for case in CASES:
        await Bench(runtime, folder).memory(case)
    pool.terminate()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="clarion-people-") as work, stage() as made:
        asyncio.run(bench(made, Path(work)))
