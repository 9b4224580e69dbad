"""`clarion schema`: the GraphQL schema as text."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from api.cli.installation import database
from core.config import load_settings
from core.datamodel.present import present_model
from core.datamodel.records import Model
from core.runtime import open_runtime


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="With the types of the data model that this installation has published.")
    ] = False,
) -> None:
    """Print the schema: that of an empty installation, or with --live that of this one."""
    # Here and not above: it takes half a second, for which every other command, and so every start, would wait.
    from api.graphql.rows.typed import typed_schema
    from api.graphql.schema import make_schema, print_sdl

    made = make_schema()
    if live:
        made._schema = typed_schema(made._schema, asyncio.run(_published()))
    if output is None:
        print(print_sdl(made), end="")
    else:
        output.write_text(print_sdl(made), encoding="utf-8")


async def _published() -> Model:
    with database(load_settings()) as settings:
        async with open_runtime(settings, "cli") as runtime, runtime.pool.acquire() as conn:
            return await present_model(conn)
