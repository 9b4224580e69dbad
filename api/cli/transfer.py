"""`clarion import` and `clarion export`: files to and from a running installation, through its API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.addresses import with_known_address
from api.cli.client import Client, open_http
from core.config import load_settings
from core.errors import Conflict, Invalid, Unavailable
from core.profiles.export_options import ExportFormat, ExportOptions
from core.profiles.run_records import MatchKey

CHUNK = 1 << 20  # bytes sent at once
POLL_SECONDS = 0.3

CREATE_IMPORT = """
mutation ($input: CreateImportInput!) {
  createImport(input: $input) { import { id } uploadUrl userErrors { code message path hint } }
}"""
START_IMPORT = "mutation ($id: ID!) { startImport(id: $id) { userErrors { code message path hint } } }"
IMPORT = """
query ($id: ID!) {
  import(id: $id) {
    state bytesTotal bytesRead inserted updated unchanged rejected repeated ambiguous hasRejects
    error { code message path hint }
  }
}"""
REJECTS = """
mutation ($id: ID!) { createRejectsDownload(importId: $id) { downloadUrl userErrors { code message path hint } } }"""
CREATE_EXPORT = """
mutation ($input: CreateExportInput!) { createExport(input: $input) { export { id } userErrors { code message path hint } } }"""
EXPORT = "query ($id: ID!) { export(id: $id) { state rowsTotal rowsWritten error { code message path hint } } }"
DOWNLOAD = """
mutation ($id: ID!) { createExportDownload(exportId: $id) { downloadUrl userErrors { code message path hint } } }"""

OPERATIONS = (CREATE_IMPORT, START_IMPORT, IMPORT, REJECTS, CREATE_EXPORT, EXPORT, DOWNLOAD)

Url = Annotated[str | None, typer.Option(help="Address of the API; without, that of the settings.")]
Token = Annotated[str | None, typer.Option(help="API token; without, the environment's CLARION_TOKEN.")]


def open_client(url: str | None, token: str | None) -> Client:
    """A client of the running installation. Raises Invalid (NO_TOKEN)."""
    text = token or os.environ.get("CLARION_TOKEN")
    if not text:
        raise Invalid(
            "no token is given",
            code="NO_TOKEN",
            hint="Pass --token or set CLARION_TOKEN; make one with `clarion token create`.",
        )
    return Client(url or with_known_address(load_settings()).base_url, text)


def import_file(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="CSV with a header, JSON Lines, .xlsx or Parquet; packed or not."),
    ],
    key: Annotated[MatchKey, typer.Option(help="The column by which people are known.")] = MatchKey.EMAIL,
    url: Url = None,
    token: Token = None,
) -> None:
    """Import people from a file and wait until it is done."""
    asyncio.run(_import(open_client(url, token), file, key))


def export_file(
    file: Annotated[Path, typer.Argument(help="Where the file goes; .csv, .jsonl, .xlsx, .parquet or ….gz say what it is.")],
    audience: Annotated[str | None, typer.Option(help="Id of an audience; without, everybody.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Whose days the audience's question means; without, UTC.")] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Export people to a file."""
    if not file.parent.is_dir():  # known now, and not only when the whole export was made
        raise Invalid(f"there is no folder {file.parent}", code="NO_FOLDER", hint="Make it first.")
    asyncio.run(_export(open_client(url, token), file, audience, time_zone))


async def pieces(file: Path) -> AsyncIterator[bytes]:
    """A file as it is uploaded: piece by piece, read in a thread."""
    with file.open("rb") as source:
        while piece := await asyncio.to_thread(source.read, CHUNK):
            yield piece


async def _import(client: Client, file: Path, key: MatchKey) -> None:
    async with client:
        answer = await client.ask(CREATE_IMPORT, input={"fileName": file.name, "matchKey": key.name})
        made = answer["createImport"]
        run_id = made["import"]["id"]
        await _upload(made["uploadUrl"], file)
        await client.ask(START_IMPORT, id=run_id)
        with _progress() as progress:
            task = progress.add_task("importing", total=file.stat().st_size or 1)  # noqa: ASYNC240

            def show(now: dict[str, Any]) -> None:
                progress.update(task, completed=now["bytesRead"])

            found = await _wait(client, IMPORT, "import", run_id, show)
        if found["hasRejects"]:
            rejects = file.with_name(f"{file.stem}-rejects.csv")
            answer = await client.ask(REJECTS, id=run_id)
            await _download(answer["createRejectsDownload"]["downloadUrl"], rejects)
            _say(f"rejected lines with their reasons: {rejects}")
        _check_finished(found)
        names = ("inserted", "updated", "unchanged", "rejected", "repeated", "ambiguous")
        _say("  ".join(f"{name} {found[name]:,}" for name in names))


async def _export(client: Client, file: Path, audience: str | None, time_zone: str | None) -> None:
    asked = {"fileName": file.name, "audienceId": audience, "timeZone": time_zone, "options": _options(file)}
    async with client:
        answer = await client.ask(CREATE_EXPORT, input=asked)
        run_id = answer["createExport"]["export"]["id"]
        with _progress() as progress:
            task = progress.add_task("exporting", total=None)

            def show(now: dict[str, Any]) -> None:
                progress.update(task, completed=now["rowsWritten"], total=now["rowsTotal"])

            found = await _wait(client, EXPORT, "export", run_id, show)
        _check_finished(found)
        answer = await client.ask(DOWNLOAD, id=run_id)
        await _download(answer["createExportDownload"]["downloadUrl"], file)
        _say(f"{found['rowsWritten']:,} people in {file}")


def _options(file: Path) -> dict[str, Any]:
    """How an export is written, by the name of its file; as CSV when that says nothing."""
    packed = {".gz": "gzip", ".zip": "zip"}.get(file.suffix)
    suffix = file.with_suffix("").suffix if packed else file.suffix
    forms = (one for one in ExportFormat if one is not ExportFormat.FIXED_WIDTH)  # of which a name does not tell the widths
    form = next((one for one in forms if ExportOptions(format=one).suffix == suffix), ExportFormat.CSV)
    return {"format": form.name} | ({packed: True} if packed else {})


async def _wait(client: Client, query: str, name: str, run_id: str, show: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Poll a run until it ended, however it did."""
    while True:
        found: dict[str, Any] = (await client.ask(query, id=run_id))[name]
        show(found)
        if found["state"] in ("FINISHED", "FAILED", "CANCELLED"):
            return found
        await asyncio.sleep(POLL_SECONDS)


def _check_finished(run: dict[str, Any]) -> None:
    """Raises Conflict with the place and advice of what made a run fail."""
    if run["state"] != "FINISHED":
        error = run["error"] or {"message": f"it was {run['state'].lower()}"}
        raise Conflict(error["message"], code=error.get("code"), path=error.get("path"), hint=error.get("hint"))


async def _upload(address: str, file: Path) -> None:
    with _progress() as progress:
        task = progress.add_task("uploading", total=file.stat().st_size)  # noqa: ASYNC240

        async def chunks() -> AsyncIterator[bytes]:
            async for piece in pieces(file):
                yield piece
                progress.advance(task, len(piece))

        with _transport("upload"):
            async with open_http(address, timeout=None) as http:
                response = await http.put(address, content=chunks())
    if response.status_code >= 300:
        raise Conflict(f"the upload was refused: {response.text[:300]}", code="UPLOAD_REFUSED")


async def _download(address: str, file: Path) -> None:
    """The file appears under its name only when it is whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        with _transport("download"):
            async with open_http(address, timeout=None) as http, http.stream("GET", address) as response:
                if response.status_code >= 300:
                    text = (await response.aread()).decode(errors="replace")
                    raise Conflict(f"the download was refused: {text[:300]}", code="DOWNLOAD_REFUSED")
                with part.open("wb") as target:
                    async for chunk in response.aiter_bytes(CHUNK):
                        await asyncio.to_thread(target.write, chunk)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _transport(what: str) -> Iterator[None]:
    """Raises Unavailable (TRANSFER_BROKE) when the connection does not last."""
    try:
        yield
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the {what} broke off: {str(error) or type(error).__name__}", code="TRANSFER_BROKE",
            hint="Look whether the API still runs, and try again.",
        ) from error  # fmt: skip


def _say(text: str) -> None:
    Console().print(text, markup=False, soft_wrap=True)  # names of files are not markup


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn()
    )
