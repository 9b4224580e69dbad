"""GraphQL types of work on audiences that takes its time, and of audiences that are files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.leaf import leaf
from api.graphql.nodes import Node, aligned, global_id, link, record_of
from api.graphql.profiles.transfer_inputs import FileShapeInput
from api.graphql.profiles.transfer_types import RunError, RunState
from api.graphql.scalars import Long
from api.graphql.targeting.columns import MemberColumnInput
from api.graphql.targeting.inputs import ExpressionInput, ValueKind
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.types import Audience
from core.ids import from_global_id
from core.targeting import audience_runs, records
from core.targeting.catalogue import Kind
from core.targeting.language import Expression

AudienceTask = strawberry.enum(records.Task, name="AudienceTask", description="Work on audiences that takes its time.")


async def load_runs(context: RequestContext, ids: list[int]) -> list[Any]:
    """Runs by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await audience_runs.find_runs(conn, ids))


def _number(name: str) -> Any:
    def read(run: Any) -> Long | None:
        found = run.result.get(name)
        return None if found is None else Long(found)

    return leaf(read)


@strawberry.type(description="How many are in a segment, as a run counted them.")
class CountedSegment:
    """Of a segmentation."""

    code: str = leaf(lambda one: one["code"])
    label: str = leaf(lambda one: one["label"])
    count: Long = leaf(lambda one: Long(one["count"]))


@strawberry.type(description="A row of a file that was left out. Its cells are not told, for they are personal.")
class LeftOutRow:
    """Of a load."""

    line: Long = leaf(lambda one: Long(one["line"]))
    column: str = leaf(lambda one: one["column"])
    code: str = leaf(lambda one: one["code"])


@strawberry.type(description="Work on audiences: what was asked, how far it is, and what came of it.")
class AudienceRun(Node):
    """A run. Counts are null until they are known, and where the task has none."""

    is_type_of = record_of(records.AudienceRun)

    id: strawberry.ID = global_id("AudienceRun")
    task: AudienceTask  # type: ignore[valid-type]
    state: RunState  # type: ignore[valid-type]
    audience: Audience | None = link(load_audiences, lambda run: run.audience_id)
    total: Long | None = leaf(lambda run: None if run.total is None else Long(run.total))
    done: Long = leaf(lambda run: Long(run.done), description="Rows so far.")
    count: Long | None = _number("count")
    counted_at: datetime | None = leaf(lambda run: _moment(run.result.get("at")), description="The moment of the question.")
    segments: list[CountedSegment] = leaf(lambda run: list(run.result.get("segments", ())))
    rows: Long | None = _number("rows")
    rejected: Long | None = _number("rejected")
    rejects: list[LeftOutRow] = leaf(
        lambda run: list(run.result.get("rejects", ())), description="The first hundred rows that were left out."
    )
    matched: Long | None = _number("matched")
    repeated: Long | None = _number("repeated")
    unmatched: Long | None = _number("unmatched")
    ambiguous: Long | None = _number("ambiguous")
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @strawberry.field(description="The lists that it made.")  # type: ignore[untyped-decorator]
    async def audiences(root: strawberry.Parent[Any], info: strawberry.Info) -> list[Audience]:
        """By their ids."""
        ids = root.result.get("audience_ids", ())
        found = await info.context.loader(load_audiences).load_many(list(ids))
        return [one for one in found if one is not None]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@strawberry.input(one_of=True, description="Whom a job is about: an audience, or those that an expression finds.")
class PopulationInput:
    """One of the two."""

    audience_id: strawberry.Maybe[strawberry.ID]
    expression: strawberry.Maybe[ExpressionInput]

    def parsed(self) -> Expression | int:
        """Raises ExpressionError, Invalid (BAD_ID)."""
        if self.audience_id is not None:
            return from_global_id("Audience", self.audience_id.value, "of.audienceId")
        assert self.expression is not None
        return self.expression.value.parsed()


@strawberry.input(description="A list to be made by a job.")
class StartFreezeInput:
    """Input of startFreeze."""

    of: PopulationInput
    name: str
    label: str
    columns: list[MemberColumnInput] | None = None
    expires_at: datetime | None = None
    time_zone: str | None = None
    minutes: int = strawberry.field(default=audience_runs.QUESTION_MINUTES, description="The longest that it may take.")


@strawberry.input(description="What is said of a column of a file; those of which nothing is said are kept as texts.")
class FileColumnInput:
    """One column."""

    column: str = strawberry.field(description="As the header calls it.")
    name: str | None = strawberry.field(default=None, description="Made of the header when left out.")
    kind: ValueKind = Kind.TEXT  # type: ignore[valid-type]
    personal: bool = True
    keep: bool = strawberry.field(default=True, description="False: it is left out.")


@strawberry.input(
    description="An audience of a file to come. Upload it to the address in the answer, then call loadAudienceFile."
)
class CreateFileAudienceInput:
    """Input of createFileAudience."""

    name: str
    label: str
    file_name: str = "rows.csv"
    delimiter: str | None = strawberry.field(default=None, description="Found in the header when left out.")
    file: FileShapeInput | None = None
    unescape_formulas: bool = True
    columns: list[FileColumnInput] = strawberry.field(default_factory=list)
    description: str = ""
    expires_at: datetime | None = None

    def options(self) -> records.FileOptions:
        """As the operation takes them."""
        shape = {} if self.file is None else {"file": self.file.record()}
        return records.FileOptions(
            delimiter=self.delimiter, unescape_formulas=self.unescape_formulas,
            columns=tuple(records.FileColumn(**vars(one)) for one in self.columns), **shape,
        )  # fmt: skip


@strawberry.input(description="A further field of a key, and the column that holds it.")
class AudienceRowPartInput:
    """Of a unique key of several fields."""

    field: str
    column: str


@strawberry.input(description="What tells whom a row is about.")
class AudienceRowKeyInput:
    """A field by which profiles are known, and the column that holds it."""

    field: str = strawberry.field(description="id, external_id, crypted_id, email, mobile_phone, phone, or a unique key.")
    column: str
    also: list[AudienceRowPartInput] = strawberry.field(
        default_factory=list, description="The other fields of a unique key of several, with their columns."
    )

    def record(self) -> records.RowKey:
        """As the operation takes it."""
        also = tuple(records.RowKey(field=one.field, column=one.column) for one in self.also)
        return records.RowKey(field=self.field, column=self.column, also=also)
