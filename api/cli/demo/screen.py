"""What the demo prints: chapters, facts, bars and tables. Without a terminal the same, bars only when they are full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 110


def many(number: int, one: str, several: str | None = None) -> str:
    """A number and what there are so many of."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


class Screen:
    """The demo's output."""

    def __init__(self, console: Console | None = None):
        self.console = console or _console()
        self._started = time.monotonic()
        self._chapters = 0

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._started

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapters += 1
        line = Text.assemble((f"{self._chapters} ", "bold cyan"), (title, "bold"), (f"  {self.seconds:.0f} s", "dim"))
        self.console.print()
        self.console.print(line)

    def say(self, text: str, style: str = "") -> None:
        """One line, as it is."""
        self.console.print(Text(f"  {text}", style=style), soft_wrap=True)

    def checked(self, text: str) -> None:
        """Something that was checked and holds."""
        self.console.print(Text.assemble(("  ✓ ", "green"), text), soft_wrap=True)

    def counts(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Names and numbers on one line."""
        line = Text("  ")
        for name, number in pairs:
            line.append(f"{name} ", "dim").append(f"{number:,}", "bold").append("   ")
        self.console.print(line, soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table."""
        self.console.print(table)

    @contextmanager
    def bar(self, what: str, total: int, unit: str = "") -> Iterator[Callable[[int], None]]:
        """A progress bar; the block is given a function that says how many are done."""
        count = TextColumn(f"{{task.completed:>9,}} of {{task.total:,}}{unit}")
        columns = (TextColumn("  {task.description:<10}"), BarColumn(), count, TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    return console
