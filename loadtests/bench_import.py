"""`import_profiles`: ROWS rows × 20 columns upserted with validation on, against COPY of the same rows into an empty table
with the same columns, key and indexes.

Ours reads the people's CSV file, checks it, and goes through the job; the reference is given what came out of that, so that
both tables end with the same rows. Further lines: without phone columns, the same file again, and how much more memory the
process takes than after the first 100,000 rows.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core import files as stored_files
from core.access import SYSTEM
from core.clock import system_clock
from core.db import open_pool, transaction
from core.egress import GuardedIO
from core.files import Files
from core.profiles import imports
from core.profiles.fields import FIELDS, columns_of
from core.profiles.import_runner import run_import
from core.profiles.run_records import ImportRun, MatchKey, RunState
from core.runtime import Runtime
from core.secrets import load_keyring
from loadtests.figures import print_alone, print_figure
from loadtests.growth import Growth
from loadtests.people import COLUMNS, MORE_COLUMNS, write_people
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "3"))
SETTLED = min(100_000, ROWS // 2)  # rows after which growth is watched
WITHOUT_PHONES = tuple(name for name in (*COLUMNS, *MORE_COLUMNS) if "phone" not in name)


@dataclass(slots=True)
class Bench:
    """One file of people, both ways."""

    runtime: Runtime
    people: Path
    columns: tuple[str, ...]

    async def ours(self) -> float:
        """Seconds of the import into an empty table."""
        await self._empty("profile")
        seconds, run = await self._import()
        if run.inserted != ROWS:
            raise SystemExit(f"the import went wrong: {run}")
        return seconds

    async def again(self) -> float:
        """Seconds of the same file once more."""
        seconds, run = await self._import()
        if run.unchanged != ROWS:
            raise SystemExit(f"the same file changed something: {run}")
        return seconds

    async def memory(self) -> None:
        """What an import into an empty table adds to the process."""
        watch = Growth(SETTLED, self._read)
        watching = asyncio.create_task(watch.run())
        await self.ours()
        watching.cancel()
        print_alone("import_memory", watch.highest, unit="MB", growth_after_first_100k=round(watch.growth, 1), rows=ROWS)

    async def _read(self) -> int:
        async with self.runtime.pool.acquire() as conn:
            return int(await conn.fetchval("SELECT inserted FROM import_run ORDER BY id DESC LIMIT 1") or 0)

    async def reference(self, source: Path) -> float:
        """Seconds of COPY."""
        await self._empty("profile_reference")
        async with self.runtime.pool.acquire() as conn:
            started = time.perf_counter()
            await conn.copy_to_table("profile_reference", source=source, columns=self.written, format="csv")
            seconds = time.perf_counter() - started
            if await conn.fetchval("SELECT count(*) FROM profile_reference") != ROWS:
                raise SystemExit("the reference went wrong")
        return seconds

    async def write_reference(self, target: Path) -> None:
        """What an import stored, as COPY takes it."""
        async with self.runtime.pool.acquire() as conn:
            await conn.execute("DROP TABLE IF EXISTS profile_reference")
            await conn.execute("CREATE TABLE profile_reference (LIKE profile INCLUDING ALL)")
            await conn.copy_from_query(
                f"SELECT {', '.join(self.written)} FROM profile ORDER BY id", output=target, format="csv"
            )

    @property
    def written(self) -> list[str]:
        """The columns of the table that the file fills."""
        return [column for name in self.columns for column in columns_of(FIELDS[name])]

    async def _empty(self, table: str) -> None:
        async with self.runtime.pool.acquire() as conn:
            await conn.execute(f"TRUNCATE {table} CASCADE")
            await conn.execute("CHECKPOINT")

    async def _import(self) -> tuple[float, ImportRun]:
        runtime = self.runtime
        async with transaction(runtime.pool) as conn:
            run, _ = await imports.create_import(
                conn, SYSTEM, runtime.files, file_name="people.csv", match_key=MatchKey.EXTERNAL_ID, now=system_clock()
            )
            file = await stored_files.get_file(conn, run.file_id)
            runtime.files.path(file).symlink_to(self.people)
            await stored_files.complete_file(conn, file.id, self.people.stat().st_size, system_clock())
            await imports.start_import(conn, SYSTEM, run.id, system_clock())
        started = time.perf_counter()
        await run_import(runtime, run.id)
        seconds = time.perf_counter() - started
        async with runtime.pool.acquire() as conn:
            done = await imports.get_import(conn, run.id)
        if done.state is not RunState.FINISHED or done.rejected:
            raise SystemExit(f"the import went wrong: {done}")
        return seconds, done


async def measure(name: str, bench: Bench, folder: Path, *, repeat: bool) -> None:
    """Alternate the two, then import the same file again."""
    write_people(bench.people, ROWS, bad_share=0, columns=bench.columns)
    copied = folder / "reference.csv"
    await bench.ours()  # also makes what the reference reads
    await bench.write_reference(copied)
    ours, reference, again = [], [], []
    for _ in range(RUNS):
        reference.append(await bench.reference(copied))
        ours.append(await bench.ours())
        if repeat:
            again.append(await bench.again())
    against = "COPY into an empty table with the same columns, key and indexes"
    print_figure(name, ours, reference, unit="s", against=against, rows=ROWS, columns=len(bench.columns))
    if repeat:
        print_figure(f"{name}_again", again, ours, unit="s", against="the first import of the same file", rows=ROWS)
        await bench.memory()


async def bench(on: Stage, folder: Path) -> None:
    """Both files."""
    pool = await open_pool(str(on.settings.database_url), size=4, application="bench")
    runtime = Runtime(
        settings=on.settings,
        pool=pool,
        keyring=load_keyring(on.settings),
        files=Files(folder / "files"),
        io=GuardedIO.from_settings(on.settings),
    )
    people = folder / "people.csv"
    await measure("import_profiles", Bench(runtime, people, WITHOUT_PHONES), folder, repeat=True)
    await measure("import_profiles_with_phones", Bench(runtime, people, COLUMNS), folder, repeat=False)
    pool.terminate()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="clarion-people-") as work, stage() as made:
        asyncio.run(bench(made, Path(work)))
