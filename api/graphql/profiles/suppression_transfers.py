"""Files of suppression entries: reads, writes and progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, leaf, subscription
from api.graphql.live import Watches
from api.graphql.mutations import mutation, paths_as
from api.graphql.nodes import Node, aligned, global_id, link, load_one, optional_id, record_of
from api.graphql.profiles.suppression_types import SuppressionForm, SuppressionList, load_suppression_lists
from api.graphql.profiles.transfer_types import RunError, RunState
from api.graphql.profiles.transfers import ENDED, address
from api.graphql.scalars import Long
from core.ids import from_global_id
from core.profiles import suppression_records
from core.profiles import suppression_transfers as transfers

SuppressionAction = strawberry.enum(
    suppression_records.SuppressionAction, name="SuppressionAction", description="What a file does to a suppression list."
)


async def load_suppression_imports(context: RequestContext, ids: list[int]) -> list[Any]:
    """Imports of entries by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await transfers.find_imports(conn, ids))


async def load_suppression_exports(context: RequestContext, ids: list[int]) -> list[Any]:
    """Exports of entries by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await transfers.find_exports(conn, ids))


@strawberry.type(description="One file of suppression entries on its way in.")
class SuppressionImport(Node):
    """An import."""

    is_type_of = record_of(suppression_records.SuppressionImport)

    id: strawberry.ID = global_id("SuppressionImport")
    list: SuppressionList | None = link(load_suppression_lists, lambda run: run.list_id)
    action: SuppressionAction  # type: ignore[valid-type]
    state: RunState  # type: ignore[valid-type]
    bytes_total: Long
    bytes_read: Long
    lines_read: Long
    rows: Long = strawberry.field(description="Rows so far; each is counted once below.")
    added: Long
    changed: Long
    unchanged: Long = strawberry.field(description="To be added and there already, or to be removed and not there.")
    removed: Long
    rejected: Long
    repeated: Long = strawberry.field(description="A later row says something of the same entry, and won.")
    has_rejects: bool = leaf(
        lambda run: run.rejects_file_id is not None,
        description="Whether there is a file of refused rows. createSuppressionRejectsDownload gives it while it is kept.",
    )
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.type(description="The entries of a suppression list on their way out.")
class SuppressionExport(Node):
    """An export."""

    is_type_of = record_of(suppression_records.SuppressionExport)

    id: strawberry.ID = global_id("SuppressionExport")
    list: SuppressionList | None = link(load_suppression_lists, lambda run: run.list_id)
    state: RunState  # type: ignore[valid-type]
    rows_written: Long
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.input(description="How a file of entries is read. Every option has a good default.")
class SuppressionOptionsInput:
    """Options."""

    header: bool = strawberry.field(
        default=True, description="Whether the first line names the columns; without it the first column holds the entries."
    )
    delimiter: str | None = strawberry.field(default=None, description="Found in the first line when left out.")
    form: SuppressionForm | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="Of entries whose row does not say; found out when left out."
    )
    origin: str = strawberry.field(default="", description="Of entries whose row does not say.")
    default_country: str | None = strawberry.field(
        default=None, description="Of phone numbers without an international prefix."
    )

    def record(self) -> suppression_records.SuppressionOptions:
        """As the operation takes them."""
        return suppression_records.SuppressionOptions(
            header=self.header,
            delimiter=self.delimiter,
            form=self.form,
            origin=self.origin,
            default_country=self.default_country,
        )


@strawberry.input(description="A file to come. Upload it to the address in the answer, then call startSuppressionImport.")
class CreateSuppressionImportInput:
    """Input of createSuppressionImport."""

    list_id: strawberry.ID
    file_name: str = "suppression.csv"
    action: SuppressionAction = suppression_records.SuppressionAction.ADD  # type: ignore[valid-type]
    options: SuppressionOptionsInput | None = None


@strawberry.input(description="A list whose entries are to be written to a file.")
class CreateSuppressionExportInput:
    """Input of createSuppressionExport."""

    list_id: strawberry.ID
    file_name: str = "suppression.csv"


@strawberry.type
class SuppressionTransfersQuery:
    """Imports and exports of entries."""

    @field(SuppressionImport | None)
    async def suppression_import(self, info: Info, id: strawberry.ID) -> Any:
        """An import of suppression entries."""
        return await load_one(info.context, "SuppressionImport", load_suppression_imports, id)

    @field(Connection[SuppressionImport])
    async def suppression_imports(
        self, info: Info, list_id: strawberry.ID | None = None, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Imports of suppression entries, oldest first; into one list or into all."""
        page, key = requested_page(info, first, after), optional_id("SuppressionList", list_id, "listId")
        async with info.context.lease.use() as conn:
            rows = await transfers.list_imports(conn, key, page)
        return Listing(rows, info.context.counted(lambda conn: transfers.count_imports(conn, key)), by_id, page.after)

    @field(SuppressionExport | None)
    async def suppression_export(self, info: Info, id: strawberry.ID) -> Any:
        """An export of suppression entries."""
        return await load_one(info.context, "SuppressionExport", load_suppression_exports, id)

    @field(Connection[SuppressionExport])
    async def suppression_exports(
        self, info: Info, list_id: strawberry.ID | None = None, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Exports of suppression entries, oldest first; of one list or of all."""
        page, key = requested_page(info, first, after), optional_id("SuppressionList", list_id, "listId")
        async with info.context.lease.use() as conn:
            rows = await transfers.list_exports(conn, key, page)
        return Listing(rows, info.context.counted(lambda conn: transfers.count_exports(conn, key)), by_id, page.after)


@strawberry.type
class SuppressionTransfersMutation:
    """Imports and exports of entries."""

    @mutation(suppression_import=SuppressionImport, upload_url=str)
    async def create_suppression_import(self, info: Info, input: CreateSuppressionImportInput) -> Any:
        """Announce a file of suppression entries. PUT its bytes to `uploadUrl`, then call startSuppressionImport."""
        context = info.context
        run, ticket = await transfers.create_import(
            context.conn,
            context.actor,
            context.runtime.files,
            from_global_id("SuppressionList", input.list_id, "list_id"),
            file_name=input.file_name,
            action=input.action,
            options=input.options.record() if input.options is not None else None,
            now=context.now,
        )
        return {"suppression_import": run, "upload_url": address(info, ticket)}

    @mutation(upload_url=str)
    async def renew_suppression_import_upload(self, info: Info, id: strawberry.ID) -> Any:
        """Another upload address for a file that did not arrive."""
        context = info.context
        key = from_global_id("SuppressionImport", id, "id")
        return address(info, await transfers.renew_upload(context.conn, context.actor, key, context.now))

    @mutation(suppression_import=SuppressionImport)
    async def start_suppression_import(self, info: Info, id: strawberry.ID) -> Any:
        """Read the uploaded file."""
        context = info.context
        key = from_global_id("SuppressionImport", id, "id")
        with paths_as(import_id="id"):
            return await transfers.start_import(context.conn, context.actor, key, context.now)

    @mutation(suppression_import=SuppressionImport)
    async def cancel_suppression_import(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an import; what was stored stays."""
        context = info.context
        key = from_global_id("SuppressionImport", id, "id")
        with paths_as(import_id="id"):
            return await transfers.cancel_import(context.conn, context.actor, key, context.now)

    @mutation(download_url=str)
    async def create_suppression_rejects_download(self, info: Info, import_id: strawberry.ID) -> Any:
        """A one-time address of the file of refused rows, each with its line and the reason."""
        context = info.context
        key = from_global_id("SuppressionImport", import_id, "importId")
        return address(info, await transfers.issue_rejects_ticket(context.conn, context.actor, key, context.now))

    @mutation(suppression_export=SuppressionExport)
    async def create_suppression_export(self, info: Info, input: CreateSuppressionExportInput) -> Any:
        """Write a list to a CSV file. It starts at once; when it is finished, call createSuppressionExportDownload."""
        context = info.context
        return await transfers.create_export(
            context.conn,
            context.actor,
            context.runtime.files,
            from_global_id("SuppressionList", input.list_id, "list_id"),
            file_name=input.file_name,
            now=context.now,
        )

    @mutation(suppression_export=SuppressionExport)
    async def cancel_suppression_export(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an export; nothing can be downloaded."""
        context = info.context
        key = from_global_id("SuppressionExport", id, "id")
        with paths_as(export_id="id"):
            return await transfers.cancel_export(context.conn, context.actor, key, context.now)

    @mutation(download_url=str)
    async def create_suppression_export_download(self, info: Info, export_id: strawberry.ID) -> Any:
        """A one-time address of the file of a finished export. It is audited."""
        context = info.context
        key = from_global_id("SuppressionExport", export_id, "exportId")
        return address(info, await transfers.issue_download_ticket(context.conn, context.actor, key, context.now))


@strawberry.type
class SuppressionTransfersSubscription:
    """Imports of entries as they go."""

    @subscription(SuppressionImport)
    async def suppression_import_progress(
        self, info: Info, import_id: strawberry.ID
    ) -> AsyncGenerator[suppression_records.SuppressionImport, None]:
        """An import of suppression entries, whenever it has moved; ends with it."""
        key = from_global_id("SuppressionImport", import_id, "importId")
        watches: Watches = info.context.watches
        return watches.follow(
            ("suppression_import", key), lambda conn: transfers.get_import(conn, key), lambda run: run.state in ENDED
        )
