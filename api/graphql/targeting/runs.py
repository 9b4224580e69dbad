"""Work on audiences that takes its time, and audiences that are files: reads and writes."""

from __future__ import annotations

from functools import partial
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import mutation
from api.graphql.nodes import load_one, optional_id
from api.graphql.profiles.transfers import address
from api.graphql.targeting.columns import columns_of
from api.graphql.targeting.inputs import ExpressionInput
from api.graphql.targeting.run_types import (
    AudienceRowKeyInput,
    AudienceRun,
    CreateFileAudienceInput,
    PopulationInput,
    StartFreezeInput,
    load_runs,
)
from api.graphql.targeting.segment_types import SegmentationInput
from api.graphql.targeting.types import Audience, RowOutcome, zone_of
from core.ids import from_global_id
from core.targeting import audience_files, audience_runs


def _minutes(given: int | None) -> int:
    return audience_runs.QUESTION_MINUTES if given is None else given


@strawberry.type
class AudienceRunsQuery:
    """Runs."""

    @field(AudienceRun | None)
    async def audience_run(self, info: Info, id: strawberry.ID) -> Any:
        """Work on an audience."""
        return await load_one(info.context, "AudienceRun", load_runs, id)

    @field(Connection[AudienceRun])
    async def audience_runs(
        self, info: Info, audience_id: strawberry.ID | None = None, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Work on an audience, or on all, oldest first."""
        page, chosen = requested_page(info, first, after), optional_id("Audience", audience_id, "audienceId")
        async with info.context.lease.use() as conn:
            rows = await audience_runs.list_runs(conn, chosen, page)
        return Listing(rows, info.context.counted(partial(audience_runs.count_runs, audience_id=chosen)), by_id, page.after)


@strawberry.type
class AudienceRunsMutation:
    """Runs and files."""

    @mutation(audience=Audience, upload_url=str)
    async def create_file_audience(self, info: Info, input: CreateFileAudienceInput) -> Any:
        """Announce a file of rows of unknown dimension. PUT its bytes to `uploadUrl`, then call loadAudienceFile."""
        context = info.context
        audience, ticket = await audience_files.create_file_audience(
            context.conn, context.actor, context.runtime.files, name=input.name, label=input.label,
            file_name=input.file_name, options=input.options(), now=context.now, description=input.description,
            expires_at=input.expires_at,
        )  # fmt: skip
        return {"audience": audience, "upload_url": address(info, ticket)}

    @mutation(upload_url=str)
    async def renew_audience_upload(self, info: Info, id: strawberry.ID) -> Any:
        """Another upload address for a file that did not arrive."""
        context, key = info.context, from_global_id("Audience", id, "id")
        return address(info, await audience_files.renew_upload(context.conn, context.actor, key, context.now))

    @mutation(run=AudienceRun)
    async def load_audience_file(
        self,
        info: Info,
        id: strawberry.ID,
        reconcile_by: list[AudienceRowKeyInput] | None = None,
        default_country: str | None = None,
    ) -> Any:
        """Read the uploaded file, and then reconcile its rows if it is said by what."""
        context, key = info.context, from_global_id("Audience", id, "id")
        keys = [one.record() for one in reconcile_by or []]
        return await audience_files.load_file(
            context.conn, context.actor, key, context.now, keys=keys, region=default_country
        )  # fmt: skip

    @mutation(run=AudienceRun)
    async def reconcile_audience(
        self, info: Info, id: strawberry.ID, by: list[AudienceRowKeyInput], default_country: str | None = None
    ) -> Any:
        """Find whom the rows of a file are about: by the first key, in this order, that finds one profile alone."""
        context, key = info.context, from_global_id("Audience", id, "id")
        keys = [one.record() for one in by]
        return await audience_files.reconcile(context.conn, context.actor, key, keys, context.now, region=default_country)

    @mutation(run=AudienceRun)
    async def start_count(
        self, info: Info, of: PopulationInput, time_zone: str | None = None, minutes: int | None = None
    ) -> Any:
        """Count as a job, for as many minutes as are allowed; an audience keeps the count."""
        context = info.context
        return await audience_runs.start_count(
            context.conn, context.actor, of.parsed(), zone=zone_of(time_zone), now=context.now, minutes=_minutes(minutes)
        )

    @mutation(run=AudienceRun)
    async def start_freeze(self, info: Info, input: StartFreezeInput) -> Any:
        """Make a list as a job."""
        context = info.context
        return await audience_runs.start_freeze(
            context.conn, context.actor, input.of.parsed(), name=input.name, label=input.label,
            zone=zone_of(input.time_zone), now=context.now, columns=columns_of(input.columns), expires_at=input.expires_at,
            minutes=input.minutes,
        )  # fmt: skip

    @mutation(run=AudienceRun)
    async def start_segmentation(
        self, info: Info, population: ExpressionInput, into: SegmentationInput, prefix: str | None = None,
        name: str | None = None, label: str | None = None, time_zone: str | None = None, minutes: int | None = None,
    ) -> Any:  # fmt: skip
        """Cut a population up as a job: count the segments, or with a prefix put each on a list, or with a name all on one,
        whose members have the code of theirs in the column `segment`. `label` is that of the one list; none: its name."""
        context = info.context
        return await audience_runs.start_segmentation(
            context.conn, context.actor, population.parsed(), into.record(), prefix=prefix, name=name, label=label,
            zone=zone_of(time_zone), now=context.now, minutes=_minutes(minutes),
        )  # fmt: skip

    @mutation(run=AudienceRun)
    async def start_audience_export(
        self, info: Info, id: strawberry.ID, outcome: RowOutcome | None = None  # type: ignore[valid-type]
    ) -> Any:  # fmt: skip
        """Write the rows of a file, or those of one outcome, or the members of a list with their columns, as CSV."""
        context, key = info.context, from_global_id("Audience", id, "id")
        return await audience_runs.start_export(
            context.conn, context.actor, context.runtime.files, key, outcome=outcome, now=context.now
        )

    @mutation(download_url=str)
    async def create_audience_download(self, info: Info, id: strawberry.ID) -> Any:
        """A one-time address of the file that a run has written. It is audited."""
        context, key = info.context, from_global_id("AudienceRun", id, "id")
        return address(info, await audience_runs.issue_download(context.conn, context.actor, key, context.now))

    @mutation(run=AudienceRun)
    async def cancel_audience_run(self, info: Info, id: strawberry.ID) -> Any:
        """End work on an audience; what it asks of the database is ended within seconds."""
        context, key = info.context, from_global_id("AudienceRun", id, "id")
        return await audience_runs.cancel_run(context.conn, context.actor, key, context.now)
