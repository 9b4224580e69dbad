"""`clarion settings`: every setting with its default and meaning, as a table."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic_core import PydanticUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.config import Settings


def _rows() -> list[tuple[str, str, str]]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined, "") else str(field.default)
        rows.append((f"CLARION_{name.upper()}", default, field.description or ""))
    return rows


def markdown_table() -> str:
    """The table of the README."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |" for name, default, meaning in _rows()]
    return "\n".join(lines) + "\n"


def show(markdown: Annotated[bool, typer.Option("--markdown", help="As the README shows it.")] = False) -> None:
    """List every setting. They are read from the environment and from `.env`."""
    if markdown:
        print(markdown_table(), end="")
        return
    table = Table("setting", "default", "meaning")
    for row in _rows():
        table.add_row(*map(escape, row))
    Console().print(table)
