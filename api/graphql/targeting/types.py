"""GraphQL types of targeting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from api.context import Info
from api.graphql.connections import Connection, ForwardPage, Listing, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, link, record_of
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import Profile
from api.graphql.scalars import JSON, Long
from api.graphql.targeting.columns import MemberColumn, MemberColumnInput, load_columns, load_files, load_segments
from api.graphql.targeting.inputs import ExpressionInput, ValueKind
from api.graphql.targeting.membership_types import AudienceMembership, MembershipChange, load_memberships
from core.errors import Invalid
from core.ids import from_global_id
from core.targeting import audience_files, audiences, lists, records
from core.targeting.catalogue import CatalogueField
from core.targeting.check import CheckedExpression
from core.targeting.describe import describe
from core.targeting.examine import examine
from core.targeting.json_form import to_json
from core.targeting.language import Expression
from core.targeting.membership import keeping
from core.targeting.operators import OPERATORS
from core.targeting.samples import sample_rows
from core.targeting.text_form import to_text

AudienceKind = strawberry.enum(
    records.AudienceKind, name="AudienceKind", description="How the members of an audience are known."
)

DEFAULT_SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Question:
    """An expression that was checked, and the zone its days are counted in."""

    expression: Expression
    checked: CheckedExpression
    zone: ZoneInfo


async def ask(info: Info, expression: Expression, zone: str | None, entity: str = "profile") -> Question:
    """Raises ExpressionError, Invalid (UNKNOWN_TIME_ZONE, UNKNOWN_ENTITY)."""
    async with info.context.lease.ask() as conn:
        checked = await audiences.open_question(conn, expression, entity)
    return Question(expression, checked, zone_of(zone))


def zone_of(name: str | None) -> ZoneInfo:
    """UTC where none is given. Raises Invalid (UNKNOWN_TIME_ZONE)."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, KeyError):
        raise Invalid(
            f"{name!r} is not a time zone", code="UNKNOWN_TIME_ZONE", path="timeZone",
            hint="Write it as in Europe/Paris.",
        ) from None  # fmt: skip


@strawberry.type(description="A table that would be read from one end to the other.")
class Scan:
    """A part of an examination."""

    table: str
    rows: Long = leaf(lambda scan: Long(scan.rows), description="How many it has, about.")
    wanted: Long = leaf(lambda scan: Long(scan.wanted), description="How many of them are wanted, about.")


@strawberry.type(description="What the database expects of a question. Nothing runs.")
class Examination:
    """SQL, cost, and advice."""

    sql: str
    cost: float = strawberry.field(description="In units of Postgres: about 1 for a page that is read in order.")
    estimate: Long = leaf(lambda examination: Long(examination.estimate), description="How many it would find, about.")
    scans: list[Scan]
    advice: list[str] = leaf(lambda examination: list(examination.advice), description="What would make it cheaper.")


@strawberry.type(description="Whom an expression finds, at the time of asking.")
class Target:
    """A checked expression. Counting and sampling happen only when asked for."""

    text: str = leaf(lambda question: to_text(question.expression), description="The canonical text spelling.")
    json: JSON = leaf(lambda question: to_json(question.expression), description="The JSON spelling.")
    explanation: str = leaf(lambda question: describe(question.checked), description="What it asks, in plain words.")
    reads: list[str] = leaf(lambda question: sorted(question.checked.reads), description="The fields it asks about.")

    @field(Long)
    async def count(root: strawberry.Parent[Any], info: Info) -> Long:
        """Exactly how many profiles, or rows of the entity, match now."""
        context = info.context
        async with context.lease.use() as conn:
            found = await audiences.count(conn, root.checked, at=context.now, zone=root.zone)
        return Long(found)

    @field(Examination)
    async def examination(root: strawberry.Parent[Any], info: Info) -> Any:
        """What the database expects of it; cheap, whatever the question."""
        context = info.context
        async with context.lease.use() as conn:
            return await examine(conn, root.checked, at=context.now, zone=root.zone)

    @field(list[Profile])
    async def sample(root: strawberry.Parent[Any], info: Info, size: int = DEFAULT_SAMPLE) -> Any:
        """Some of the profiles that match, lowest ids first. Of another entity ask for rows."""
        context = info.context
        if root.checked.entity.name != "profile":
            raise Invalid(
                f"the question is about {root.checked.entity.name}, not about profiles", code="NOT_PROFILES", path="sample",
                hint="Ask for rows.",
            )  # fmt: skip
        async with context.lease.use() as conn:
            ids = await audiences.sample(conn, root.checked, size=size, at=context.now, zone=root.zone)
        profiles = await context.loader(load_profiles).load_many(ids)
        return [profile for profile in profiles if profile is not None]

    @field(list[JSON])
    async def rows(root: strawberry.Parent[Any], info: Info, size: int = DEFAULT_SAMPLE) -> Any:
        """Some of the rows that match, of any entity: objects of its fields by their names, lowest numbers first."""
        context = info.context
        async with context.lease.use() as conn:
            return await sample_rows(conn, root.checked, size=size, at=context.now, zone=root.zone)


@strawberry.type(description="Somebody on a list.")
class AudienceMember:
    """An entry of a list."""

    added_at: datetime
    columns: JSON = leaf(lambda member: dict(member.data), description="What the member brings along, by the names of columns.")
    profile: Profile | None = link(load_profiles, lambda member: member.profile_id)


RowOutcome = strawberry.enum(
    records.RowOutcome, name="RowOutcome", description="What became of a row when its file was reconciled."
)


@strawberry.type(description="How many rows there are of an outcome.")
class OutcomeCount:
    """A part of a file."""

    outcome: RowOutcome  # type: ignore[valid-type]
    count: Long


@strawberry.type(description="A row of a file.")
class AudienceRow:
    """Cells of unknown dimension, and whom they are about once that is known."""

    line: Long = leaf(lambda row: Long(row.line))
    outcome: RowOutcome  # type: ignore[valid-type]
    columns: JSON = leaf(lambda row: dict(row.data), description="Its cells, by the names of columns.")
    profile: Profile | None = link(load_profiles, lambda row: row.profile_id)


@strawberry.type(description="The file of an audience, and how far it is.")
class AudienceFile:
    """Of an audience that is a file."""

    loaded_at: datetime | None
    reconciled_at: datetime | None = strawberry.field(description="Since then the audience is of profiles and can be targeted.")

    @field(list[OutcomeCount])
    async def outcomes(root: strawberry.Parent[Any], info: Info) -> Any:
        """How many rows there are of each outcome."""
        async with info.context.lease.use() as conn:
            found = await audience_files.count_rows(conn, root.audience_id)
        return [{"outcome": outcome, "count": Long(count)} for outcome, count in sorted(found.items())]

    @field(Connection[AudienceRow])
    async def rows(
        root: strawberry.Parent[Any], info: Info, outcome: RowOutcome | None = None,  # type: ignore[valid-type]
        first: int | None = None, after: str | None = None,
    ) -> Listing:  # fmt: skip
        """Its rows, or those of one outcome, in the order of the file."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await audience_files.list_rows(conn, info.context.actor, root.audience_id, outcome, page)
        return Listing(rows, info.context.counted(_counting(root.audience_id, outcome)), lambda row: row.line, page.after)


def _counting(audience_id: int, outcome: Any) -> Any:
    async def counting(conn: Any) -> int:
        found = await audience_files.count_rows(conn, audience_id)
        return sum(found.values()) if outcome is None else found.get(outcome, 0)

    return counting


@strawberry.type(description="What an outside system fills with ids, and how many of these are whose.")
class ExternalSegment:
    """Of an audience that is an external segment."""

    source: str
    key: str = strawberry.field(description="The field of profiles whose values the ids are.")
    fresh_hours: int | None = strawberry.field(description="How long it is fresh after a push; null: for ever.")
    received_at: datetime | None = strawberry.field(description="When something was pushed last.")
    snapshot: str | None = strawberry.field(description="That is being pushed.")
    ids: Long = leaf(lambda segment: Long(segment.ids))
    matched: Long = leaf(lambda segment: Long(segment.matched), description="Ids of one profile alone.")
    ambiguous: Long = leaf(lambda segment: Long(segment.ambiguous), description="Ids that several profiles have.")
    unmatched: Long = leaf(lambda segment: Long(segment.unmatched), description="Ids of nobody; looked up again each hour.")

    @field(bool)
    async def fresh(root: strawberry.Parent[Any], info: Info) -> bool:
        """Whether the last push is recent enough."""
        return bool(root.is_fresh(info.context.now))


@strawberry.type(description="A saved question, whose members are found anew at each use, or a list of people.")
class Audience(Node):
    """An audience."""

    is_type_of = record_of(records.Audience)

    id: strawberry.ID = global_id("Audience")
    name: str
    label: str
    kind: AudienceKind  # type: ignore[valid-type]
    expression: str = leaf(lambda audience: audience.expression_text, description="As its author wrote it.")
    expression_json: JSON = leaf(lambda audience: audience.expression, description="The JSON spelling.")
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
    description: str
    expires_at: datetime | None = strawberry.field(description="Past it the audience is removed once nothing names it.")
    counted: Long | None = leaf(
        lambda audience: None if audience.counted is None else Long(audience.counted),
        description="How many the last job that counted it found.",
    )
    counted_at: datetime | None
    columns: list[MemberColumn] = link(load_columns, lambda audience: audience.id)
    file: AudienceFile | None = link(load_files, lambda audience: audience.id, description="Of an audience that is a file.")

    segment: ExternalSegment | None = link(
        load_segments, lambda audience: audience.id, description="Of an audience that an outside system fills."
    )

    @field(bool)
    async def expired(root: strawberry.Parent[Any], info: Info) -> bool:
        """Whether its time is over. It is still there because something names it; no delivery can be prepared for it."""
        return bool(root.is_expired(info.context.now))

    @field(Target)
    async def target(root: strawberry.Parent[Any], info: Info, time_zone: str | None = None) -> Question:
        """Whom it finds now."""
        async with info.context.lease.ask() as conn:
            checked = await audiences.open_audience(conn, root)
        return Question(checked.expression, checked, zone_of(time_zone))

    @field(Connection[AudienceMember])
    async def members(root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Who is on the list, or is a member that is kept, by number; a question whose members are not kept has none here."""
        page = requested_page(info, first, after)
        kept = keeping if root.kind is records.AudienceKind.QUERY else lists
        async with info.context.lease.use() as conn:
            rows = await kept.list_members(conn, root.id, page)
        counted = info.context.counted(lambda conn: kept.count_members(conn, root.id))
        return Listing(rows, counted, lambda member: member.profile_id, page.after)

    membership: AudienceMembership | None = link(
        load_memberships,
        lambda audience: audience.id,
        description="How its members are kept, where they are: see keepAudience.",
    )

    @field(ForwardPage[MembershipChange])
    async def membership_changes(
        root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Who entered and who left, in the order of commits, from the beginning of the log or a cursor on."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await keeping.page_changes(conn, root.id, page)
        return Listing(rows, None, lambda change: change.position, page.after)


@strawberry.type(description="A field that expressions can ask about.")
class TargetField:
    """An entry of the catalogue."""

    name: str
    label: str
    kind: ValueKind  # type: ignore[valid-type]
    nullable: bool
    category: str | None = strawberry.field(description="The heading under which editors of questions show it.")
    values: list[str] = leaf(lambda field: list(field.values), description="The names of an enumeration.")
    operators: list[str] = leaf(lambda field: _operators(field))


@strawberry.type(description="A way from the rows of an entity to those of another.")
class TargetLink:
    """A link of the catalogue."""

    name: str
    label: str
    target: str = strawberry.field(description="The other entity's name.")
    many: bool = strawberry.field(description="Whether one row may have several there: then ask exists, count, sum, …")


@strawberry.type(description="Something that expressions ask about: profiles, what is linked to them, and so on.")
class TargetEntity:
    """An entity of the catalogue."""

    name: str
    label: str
    fields: list[TargetField] = leaf(lambda entity: list(entity.fields.values()))
    links: list[TargetLink] = leaf(lambda entity: list(entity.links.values()))


def _operators(field: CatalogueField) -> list[str]:
    return [operator.value for operator, rule in OPERATORS.items() if field.kind in rule.takes]


@strawberry.input(description="A new audience. The name is its handle: a-z, 0-9, _ and -.")
class CreateAudienceInput:
    """Input of createAudience."""

    name: str
    expression: ExpressionInput
    label: str | None = strawberry.field(default=None, description="Left out: the question in plain words.")
    description: str = ""
    expires_at: datetime | None = None


@strawberry.input(one_of=True, description="Whom: those that an expression finds now, or profiles by their ids.")
class WhomInput:
    """People for a list."""

    expression: strawberry.Maybe[ExpressionInput]
    profile_ids: strawberry.Maybe[list[strawberry.ID]]

    def parsed(self) -> lists.Whom:
        """Raises ExpressionError, Invalid."""
        if self.expression is not None:
            return self.expression.value.parsed()
        assert self.profile_ids is not None
        return [from_global_id("Profile", key, f"profileIds.{n}") for n, key in enumerate(self.profile_ids.value)]


@strawberry.input(description="A new list. The name is its handle: a-z, 0-9, _ and -.")
class CreateListInput:
    """Input of createList."""

    name: str
    label: str
    whom: WhomInput | None = None
    time_zone: str | None = None
    columns: list[MemberColumnInput] | None = strawberry.field(
        default=None, description="What those whom an expression finds bring along."
    )
    description: str = ""
    expires_at: datetime | None = None


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateAudienceInput:
    """Input of updateAudience."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    expression: strawberry.Maybe[ExpressionInput]
    description: strawberry.Maybe[str]
    expires_at: strawberry.Maybe[datetime | None]
