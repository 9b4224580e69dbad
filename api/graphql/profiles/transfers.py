"""Imports and exports: reads, writes and progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, subscription
from api.graphql.live import Watches
from api.graphql.mutations import mutation
from api.graphql.nodes import optional_id
from api.graphql.profiles.transfer_types import CreateExportInput, CreateImportInput, Export, Import
from core.authored import not_found
from core.errors import NotFound
from core.files import Ticket
from core.ids import from_global_id
from core.profiles import exports, imports
from core.profiles.records import ExportRun, ImportRun, RunState
from core.targeting.audiences import find_audiences, open_question
from core.targeting.json_form import to_json

ENDED = (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)


def address(info: Info, ticket: Ticket) -> str:
    """The one-time address of a ticket."""
    return f"{info.context.runtime.settings.base_url.rstrip('/')}/files/{ticket.secret}"


async def load_imports(context: Any, ids: list[int]) -> list[Any]:
    """Imports by id. Only `node` and `import` lead here, so they come one by one."""
    async with context.lease.use() as conn:
        return [await _or_none(imports.get_import(conn, one)) for one in ids]


async def load_exports(context: Any, ids: list[int]) -> list[Any]:
    """Exports by id, one by one as imports."""
    async with context.lease.use() as conn:
        return [await _or_none(exports.get_export(conn, one)) for one in ids]


async def _or_none(getting: Any) -> Any:
    try:
        return await getting
    except NotFound:
        return None


@strawberry.type
class TransfersQuery:
    """Imports and exports."""

    @field(Import | None, name="import")
    async def import_(self, info: Info, id: strawberry.ID) -> Any:
        """An import."""
        return await info.context.loader(load_imports).load(from_global_id("Import", id, "id"))

    @field(Connection[Import])
    async def imports(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Imports, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await imports.list_imports(conn, page)
        return Listing(rows, info.context.counted(imports.count_imports), by_id, page.after)

    @field(Export | None)
    async def export(self, info: Info, id: strawberry.ID) -> Any:
        """An export."""
        return await info.context.loader(load_exports).load(from_global_id("Export", id, "id"))

    @field(Connection[Export])
    async def exports(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Exports, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await exports.list_exports(conn, page)
        return Listing(rows, info.context.counted(exports.count_exports), by_id, page.after)


@strawberry.type
class TransfersMutation:
    """Imports and exports."""

    @mutation(import_=Import, upload_url=str)
    async def create_import(self, info: Info, input: CreateImportInput) -> Any:
        """Announce a file of people. PUT its bytes to `uploadUrl`, then call startImport."""
        context = info.context
        run, ticket = await imports.create_import(
            context.conn,
            context.actor,
            context.runtime.files,
            file_name=input.file_name,
            match_key=input.match_key,
            options=input.options.record() if input.options is not None else None,
            now=context.now,
        )
        return {"import_": run, "upload_url": address(info, ticket)}

    @mutation(upload_url=str)
    async def renew_import_upload(self, info: Info, id: strawberry.ID) -> Any:
        """Another upload address for a file that did not arrive."""
        context = info.context
        ticket = await imports.renew_upload(context.conn, context.actor, from_global_id("Import", id, "id"), context.now)
        return address(info, ticket)

    @mutation(import_=Import)
    async def start_import(self, info: Info, id: strawberry.ID) -> Any:
        """Read the uploaded file."""
        context = info.context
        return await imports.start_import(context.conn, context.actor, from_global_id("Import", id, "id"), context.now)

    @mutation(import_=Import)
    async def cancel_import(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an import; what was stored stays."""
        context = info.context
        return await imports.cancel_import(context.conn, context.actor, from_global_id("Import", id, "id"), context.now)

    @mutation(download_url=str)
    async def create_rejects_download(self, info: Info, import_id: strawberry.ID) -> Any:
        """A one-time address of the file of refused rows, each with its line and the reason."""
        context = info.context
        ticket = await imports.issue_rejects_ticket(
            context.conn, context.actor, from_global_id("Import", import_id, "importId"), context.now
        )
        return address(info, ticket)

    @mutation(export=Export)
    async def create_export(self, info: Info, input: CreateExportInput) -> Any:
        """Write profiles to a CSV file. It starts at once; when it is finished, call createExportDownload."""
        context = info.context
        expression = None
        if input.expression is not None:
            expression = to_json((await open_question(context.conn, input.expression.parsed())).expression)
        audience_id = optional_id("Audience", input.audience_id, "audienceId")
        if audience_id is not None and not await find_audiences(context.conn, [audience_id]):
            raise not_found("audience", str(input.audience_id), "audienceId")
        return await exports.create_export(
            context.conn,
            context.actor,
            context.runtime.files,
            file_name=input.file_name,
            columns=input.columns,
            audience_id=audience_id,
            expression=expression,
            now=context.now,
        )

    @mutation(export=Export)
    async def cancel_export(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an export; nothing can be downloaded."""
        context = info.context
        return await exports.cancel_export(context.conn, context.actor, from_global_id("Export", id, "id"), context.now)

    @mutation(download_url=str)
    async def create_export_download(self, info: Info, export_id: strawberry.ID) -> Any:
        """A one-time address of the file of a finished export. It is audited."""
        context = info.context
        ticket = await exports.issue_download_ticket(
            context.conn, context.actor, from_global_id("Export", export_id, "exportId"), context.now
        )
        return address(info, ticket)


@strawberry.type
class TransfersSubscription:
    """Imports and exports as they go."""

    @subscription(Import)
    async def import_progress(self, info: Info, import_id: strawberry.ID) -> AsyncGenerator[ImportRun, None]:
        """An import, whenever it has moved; ends with it."""
        key = from_global_id("Import", import_id, "importId")
        watches: Watches = info.context.watches
        return watches.follow(("import", key), lambda conn: imports.get_import(conn, key), lambda run: run.state in ENDED)

    @subscription(Export)
    async def export_progress(self, info: Info, export_id: strawberry.ID) -> AsyncGenerator[ExportRun, None]:
        """An export, whenever it has moved; ends with it."""
        key = from_global_id("Export", export_id, "exportId")
        watches: Watches = info.context.watches
        return watches.follow(("export", key), lambda conn: exports.get_export(conn, key), lambda run: run.state in ENDED)
