"""Imports and exports: reads, writes and progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, subscription
from api.graphql.live import Watches
from api.graphql.mutations import given, mutation, once, paths_as
from api.graphql.nodes import optional_id
from api.graphql.profiles.transfer_inputs import (
    CreateExportInput,
    CreateImportInput,
    CreateImportTemplateInput,
    UpdateImportTemplateInput,
)
from api.graphql.profiles.transfer_types import (
    Export,
    Import,
    ImportPreview,
    ImportReject,
    ImportTemplate,
    TemplateStatus,
    load_templates,
)
from api.graphql.targeting.types import zone_of
from core.authored import not_found
from core.errors import Invalid, NotFound
from core.files import Ticket
from core.ids import from_global_id
from core.profiles import exports, import_templates, imports
from core.profiles.import_preview import preview_import
from core.profiles.import_template_records import ImportTemplateDraft
from core.profiles.run_records import ExportRun, ImportOptions, ImportRun, MatchKey, RunState
from core.targeting.audiences import find_audiences
from core.transfers.destinations import find_destination
from core.transfers.exports import create_export

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


async def _how(context: Any, input: CreateImportInput, template_id: int | None) -> tuple[str, ImportOptions]:
    """The key and the options of an import: given, or a template's."""
    if template_id is not None:
        if input.match_key is not None or input.keys is not None or input.options is not None:
            message = "an import by a template has its key and its options"
            raise Invalid(message, code="TEMPLATE_AND_OPTIONS", path="options", hint="Leave them out, or the template.")
        template = await import_templates.open_template(context.conn, template_id)
        return template.match_key, template.options
    return _keyed(input.match_key, input.keys, input.options.record() if input.options is not None else ImportOptions())


def _keyed(match_key: MatchKey | None, keys: list[str] | None, options: ImportOptions) -> tuple[str, ImportOptions]:
    """The first key, and the options with the others."""
    if keys is not None and (match_key is not None or options.more_keys):
        raise Invalid("the keys are given twice", code="KEYS_TWICE", path="keys", hint="Leave matchKey and moreKeys out.")
    if keys:
        return keys[0], replace(options, more_keys=tuple(keys[1:]))
    if match_key is None:
        raise Invalid("an import needs a key", code="REQUIRED", path="matchKey", hint="Say how rows find their profiles.")
    return match_key, options


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
    async def imports(
        self, info: Info, first: int | None = None, after: str | None = None, template_id: strawberry.ID | None = None
    ) -> Listing:
        """Imports, or those made from a template, oldest first."""
        page = requested_page(info, first, after)
        chosen = optional_id("ImportTemplate", template_id, "templateId")
        async with info.context.lease.use() as conn:
            rows = await imports.list_imports(conn, page, chosen)
        return Listing(rows, info.context.counted(partial(imports.count_imports, template_id=chosen)), by_id, page.after)

    @field(ImportPreview)
    async def import_preview(self, info: Info, import_id: strawberry.ID, rows: int = 30) -> Any:
        """The first rows of an uploaded file and the fields of its columns, before it is started."""
        key, files = from_global_id("Import", import_id, "importId"), info.context.runtime.files
        async with info.context.lease.use() as conn:
            return await preview_import(conn, info.context.actor, files, key, rows, find_destination)

    @field(list[ImportReject])
    async def import_rejects(self, info: Info, import_id: strawberry.ID, first: int = 20) -> Any:
        """The first rows that an import refuses, also while it runs. createRejectsDownload has all of them."""
        key, files = from_global_id("Import", import_id, "importId"), info.context.runtime.files
        async with info.context.lease.use() as conn:
            return await imports.list_rejects(conn, info.context.actor, files, key, first)

    @field(ImportTemplate | None)
    async def import_template(self, info: Info, id: strawberry.ID) -> Any:
        """A template of imports."""
        return await info.context.loader(load_templates).load(from_global_id("ImportTemplate", id, "id"))

    @field(Connection[ImportTemplate])
    async def import_templates(
        self, info: Info, first: int | None = None, after: str | None = None,
        status: TemplateStatus | None = None,  # type: ignore[valid-type]
    ) -> Listing:  # fmt: skip
        """Templates of imports, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await import_templates.list_templates(conn, page, status)
        return Listing(rows, info.context.counted(partial(import_templates.count_templates, status=status)), by_id, page.after)

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
        """Announce a file. PUT its bytes to `uploadUrl`, then call startImport."""
        context = info.context
        template_id = optional_id("ImportTemplate", input.template_id, "templateId")
        match_key, options = await _how(context, input, template_id)
        run, ticket = await imports.create_import(
            context.conn,
            context.actor,
            context.runtime.files,
            file_name=input.file_name,
            match_key=match_key,
            options=replace(options, dry_run=True) if input.dry_run else options,
            template_id=template_id,
            now=context.now,
            find=find_destination,
        )
        return {"import_": run, "upload_url": address(info, ticket)}

    @mutation(import_template=ImportTemplate)
    async def create_import_template(self, info: Info, input: CreateImportTemplateInput) -> Any:
        """Save how files of a kind are imported."""
        given_options = input.options.record() if input.options is not None else ImportOptions()
        match_key, options = _keyed(input.match_key, input.keys, given_options)
        draft = ImportTemplateDraft(
            name=input.name, label=input.label, description=input.description, match_key=match_key, options=options,
            sample=input.sample,
        )  # fmt: skip
        context = info.context
        return await import_templates.create_template(context.conn, context.actor, draft, context.now, find_destination)

    @mutation(import_template=ImportTemplate)
    async def update_import_template(self, info: Info, input: UpdateImportTemplateInput) -> Any:
        """Change a template, archive it or make it available again. Imports made from it stay as they are."""
        context = info.context
        changes = given(
            name=input.name, label=input.label, description=input.description, match_key=input.match_key,
            options=input.options, sample=input.sample, status=input.status,
        )  # fmt: skip
        if changes.get("options") is not None:
            changes["options"] = changes["options"].record()
        if input.keys is not None:
            if changes.get("options") is None:
                raise Invalid("keys come with options", code="REQUIRED", path="options", hint="Give all options again.")
            changes["match_key"], changes["options"] = _keyed(changes.get("match_key"), input.keys, changes["options"])
        return await import_templates.update_template(
            context.conn, context.actor, from_global_id("ImportTemplate", input.id, "id"), changes,
            expected_version=input.expected_version, now=context.now, find=find_destination,
        )  # fmt: skip

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
        with paths_as(import_id="id"):
            return await imports.start_import(context.conn, context.actor, from_global_id("Import", id, "id"), context.now)

    @mutation(import_=Import)
    async def cancel_import(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an import; what was stored stays."""
        context = info.context
        with paths_as(import_id="id"):
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
        """Write profiles or other rows to a file. It starts at once; when it is finished, call createExportDownload."""
        context = info.context
        audience_id = optional_id("Audience", input.audience_id, "audienceId")
        if audience_id is not None and not await find_audiences(context.conn, [audience_id]):
            raise not_found("audience", str(input.audience_id), "audienceId")
        return await create_export(
            context.conn,
            context.actor,
            context.runtime.files,
            file_name=input.file_name,
            dimension=input.dimension,
            columns=input.columns,
            computed=once(((one.name, one.expression.parsed()) for one in input.computed), "computed"),
            audience_id=audience_id,
            expression=input.expression.parsed() if input.expression is not None else None,
            options=input.options.record() if input.options is not None else None,
            zone=zone_of(input.time_zone),
            now=context.now,
        )

    @mutation(export=Export)
    async def cancel_export(self, info: Info, id: strawberry.ID) -> Any:
        """Stop an export; nothing can be downloaded."""
        context = info.context
        with paths_as(export_id="id"):
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
