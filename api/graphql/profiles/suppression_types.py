"""GraphQL types of suppression lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import ForwardPage, Listing, decode_pair, encode_pair, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.mutations import UserError, user_error
from api.graphql.nodes import Node, aligned, global_id, link, record_of
from core.errors import Invalid
from core.paging import Page
from core.profiles import suppression, suppression_entries, suppression_records
from core.profiles.suppression_forms import written

SuppressionKind = strawberry.enum(
    suppression_records.SuppressionKind,
    name="SuppressionKind",
    description="What the entries of a suppression list are: addresses of a kind, or domains of email addresses.",
)
SuppressionScope = strawberry.enum(
    suppression_records.SuppressionScope,
    name="SuppressionScope",
    description="Which deliveries a suppression list applies to: ALL, or those that name it.",
)
SuppressionForm = strawberry.enum(
    suppression_records.EntryForm,
    name="SuppressionForm",
    description="How an entry says what is suppressed. Hashes are hexadecimal, of the normalised address; SUBDOMAINS is a "
    "domain and all below it.",
)
EntryOutcome = strawberry.enum(
    suppression_records.EntryOutcome,
    name="SuppressionOutcome",
    description="What became of a row. REPEATED: a later row says something of the same entry, and won.",
)


async def load_suppression_lists(context: RequestContext, ids: list[int]) -> list[Any]:
    """Suppression lists by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await suppression.find_lists(conn, ids))


async def load_entry_counts(context: RequestContext, ids: list[int]) -> list[Any]:
    """How many entries lists have, by id."""
    async with context.lease.use() as conn:
        found = await suppression.count_entries(conn, ids)
    return [found.get(one, 0) for one in ids]


@strawberry.type(description="An entry of a suppression list.")
class SuppressionEntry:
    """An entry."""

    form: SuppressionForm  # type: ignore[valid-type]
    value: str = leaf(lambda entry: written(entry.form, entry.value), description="Normalised, as an export writes it.")
    comment: str
    origin: str
    expires_at: datetime | None = strawberry.field(description="From then on it does not count.")
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="Entries of a suppression list.")
class SuppressionEntryConnection(ForwardPage[SuppressionEntry]):
    """A page of entries."""


@strawberry.type(description="Addresses or domains that are not written to, whoever owns them.")
class SuppressionList(Node):
    """A suppression list."""

    is_type_of = record_of(suppression_records.SuppressionList)

    id: strawberry.ID = global_id("SuppressionList")
    name: str
    label: str
    kind: SuppressionKind  # type: ignore[valid-type]
    scope: SuppressionScope  # type: ignore[valid-type]
    entry_count: int = link(load_entry_counts, lambda found: found.id, description="Counted when asked.")
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str

    @field(SuppressionEntryConnection)
    async def entries(root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Its entries, in the order of their forms and values."""
        found: suppression_records.SuppressionList = root
        size = requested_page(info, first, None).first
        started = None if after is None else _place(after)
        async with info.context.lease.use() as conn:
            rows = await suppression_entries.list_entries(conn, found.id, started, size + 1)
        page = Page(rows=rows[:size], has_next=len(rows) > size)
        return Listing(page, None, lambda entry: encode_pair(entry.form.name, entry.value), started)


def _place(after: str) -> tuple[suppression_records.EntryForm, str]:
    form, value = decode_pair(after)
    if form not in suppression_records.EntryForm.__members__:
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.")
    return suppression_records.EntryForm[form], value


@strawberry.type(description="An entry that suppresses an address, with its list.")
class SuppressionMatch:
    """A match."""

    list: SuppressionList | None = link(load_suppression_lists, lambda entry: entry.list_id)
    entry: SuppressionEntry = leaf(lambda entry: entry)


@strawberry.type(description="What became of one row, in the order of the rows.")
class SuppressionResult:
    """A row's result."""

    outcome: EntryOutcome  # type: ignore[valid-type]
    error: UserError | None = leaf(
        lambda result: None if result.error is None else user_error(result.error), description="Of refused rows."
    )


@strawberry.input(description="A new suppression list. The name is its handle: a-z, 0-9, _ and -.")
class CreateSuppressionListInput:
    """Input of createSuppressionList."""

    name: str
    label: str
    kind: SuppressionKind  # type: ignore[valid-type]
    scope: SuppressionScope = suppression_records.SuppressionScope.ALL  # type: ignore[valid-type]


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateSuppressionListInput:
    """Input of updateSuppressionList."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    scope: strawberry.Maybe[SuppressionScope]  # type: ignore[valid-type]


@strawberry.input(description="An entry: an address or domain in any spelling, or a hash.")
class SuppressionEntryInput:
    """One row."""

    value: str = strawberry.field(
        description="`*.example.com` is a domain and all below it; of email addresses and phones a hash is found out."
    )
    form: SuppressionForm | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="Found out when left out."
    )
    comment: str = ""
    origin: str = strawberry.field(default="", description="Where it comes from, such as a partner or a case number.")
    expires_at: datetime | None = None

    def record(self) -> suppression_records.SuppressionDraft:
        """As the operations take it."""
        return suppression_records.SuppressionDraft(
            value=self.value, form=self.form, comment=self.comment, origin=self.origin, expires_at=self.expires_at
        )


@strawberry.input(description="Up to 1,000 entries of a list; import more of them as a file.")
class SuppressionEntriesInput:
    """Input of addSuppressionEntries and removeSuppressionEntries."""

    list_id: strawberry.ID
    entries: list[SuppressionEntryInput]
