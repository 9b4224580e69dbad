"""`clarion`: the commands. Each is one file; this page is their list."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from api.cli import doctor, migrate, schema, settings, sink_command, tokens, transfer, up
from api.cli.demo import command as demo
from api.cli.troubles import tell
from core.log import set_up_logging
from core.process import die_with_parent

app = typer.Typer(
    name="clarion", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Headless campaign orchestration: plan, target, compose, send and report through one GraphQL API.",
)  # fmt: skip

app.command()(up.up)
app.command()(up.api)
app.command()(up.worker)
app.add_typer(migrate.app, name="migrate")
app.command(name="import")(transfer.import_file)
app.command(name="export")(transfer.export_file)
app.add_typer(tokens.app, name="token")
app.command()(demo.demo)
app.command()(sink_command.sink)
app.command()(doctor.doctor)
app.command()(schema.schema)
app.command(name="settings")(settings.show)


def main() -> None:
    """Entry of the program: errors are shown as a sentence and what to do, never as a traceback."""
    die_with_parent()
    set_up_logging("WARNING", "auto", "cli")
    try:
        app()
    except Exception as error:
        told = tell(error)
        if told is None:
            raise
        _complain(*told)


def _complain(message: str, hint: str | None) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    console.print(Text.assemble(("Error: ", "red"), message))
    if hint:
        console.print(hint)
    sys.exit(1)


if __name__ == "__main__":
    main()
