"""`clarion schema`: the GraphQL schema as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print the schema of this installation."""
    # Here and not above: it takes half a second, for which every other command, and so every start, would wait.
    from api.graphql.schema import make_schema, print_sdl

    if output is None:
        print(print_sdl(make_schema()), end="")
    else:
        output.write_text(print_sdl(make_schema()), encoding="utf-8")
