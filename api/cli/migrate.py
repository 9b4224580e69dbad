"""`clarion migrate`: bring the database to the schema of this version."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.installation import database
from core.config import load_settings
from migrations.runner import migrate_now, new_revision

app = typer.Typer(invoke_without_command=True, help="Bring the database up to date (under a lock; safe to run twice at once).")


@app.callback()
def run(context: typer.Context) -> None:
    """Apply what is missing."""
    if context.invoked_subcommand is None:
        with database(load_settings()) as settings:
            print(f"the database is at revision {migrate_now(str(settings.database_url))}")


@app.command()
def new(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write an empty revision file for developers to fill in."""
    print(new_revision(name))
