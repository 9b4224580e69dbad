"""Saved filters with parameters, and those that come with Clarion."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.mutations import given, mutation
from api.graphql.nodes import Node, aligned, global_id, load_one, record_of
from api.graphql.scalars import JSON
from api.graphql.targeting.inputs import ExpressionInput, ValueKind
from core.content.filter_uses import check_filter_uncalled, renew_contents_calling
from core.delivery.filter_uses import check_no_delivery_calls, renew_deliveries_calling
from core.ids import from_global_id
from core.targeting import filters, records
from core.targeting.filters_called import definition
from core.targeting.shortcuts import SHORTCUTS, Shortcut, definition_of
from core.targeting.text_form import to_text


async def load_filters(context: RequestContext, ids: list[int]) -> list[Any]:
    """Filters by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await filters.find_filters(conn, ids))


@strawberry.type(description="A place in a filter's question that its callers fill.")
class FilterParameter:
    """In the question it stands as parameter('name')."""

    name: str
    label: str
    kind: ValueKind  # type: ignore[valid-type]
    default: str | None = leaf(
        lambda one: None if one.default is None else to_text(one.default),
        description="The value where it is left out, as text; without one it has to be given.",
    )


@strawberry.type(description="A question under a name, with parameters, that other questions call like a function.")
class TargetFilter(Node):
    """A saved filter."""

    is_type_of = record_of(records.Filter)

    id: strawberry.ID = global_id("TargetFilter")
    name: str
    label: str
    entity: str
    parameters: list[FilterParameter]
    expression: str = leaf(lambda one: one.expression_text, description="As its author wrote it.")
    expression_json: JSON = leaf(lambda one: one.expression, description="The JSON spelling.")
    signature: str = leaf(lambda one: definition(one).signature, description="How it is called.")
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="A filter that comes with Clarion.")
class FilterShortcut:
    """Called like those that are saved."""

    name: str
    label: str
    parameters: list[FilterParameter]
    expression: str = leaf(lambda one: one.text, description="What it stands for.")
    signature: str = leaf(lambda one: definition_of(one.name).signature, description="How it is called.")


@strawberry.input(description="A parameter. Those with a default stand behind those without.")
class FilterParameterInput:
    """One parameter."""

    name: str
    label: str
    kind: ValueKind  # type: ignore[valid-type]
    default: ExpressionInput | None = strawberry.field(default=None, description="A value, or a time such as today - 7 days.")

    def record(self) -> records.Parameter:
        """Raises ExpressionError."""
        default = None if self.default is None else self.default.parsed()
        return filters.parameter_of(name=self.name, label=self.label, kind=self.kind, default=default)


@strawberry.input(description="A new filter. Its name is how questions call it: small letters, digits and _.")
class CreateFilterInput:
    """Input of createFilter."""

    name: str
    label: str
    expression: ExpressionInput
    parameters: list[FilterParameterInput] = strawberry.field(default_factory=list)
    entity: str = "profile"


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateFilterInput:
    """Input of updateFilter."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    expression: strawberry.Maybe[ExpressionInput]
    parameters: strawberry.Maybe[list[FilterParameterInput]]


@strawberry.type
class FiltersQuery:
    """Saved filters."""

    @field(TargetFilter | None)
    async def filter(self, info: Info, id: strawberry.ID) -> Any:
        """A saved filter."""
        return await load_one(info.context, "TargetFilter", load_filters, id)

    @field(Connection[TargetFilter])
    async def filters(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Saved filters, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await filters.list_filters(conn, page)
        return Listing(rows, info.context.counted(filters.count_filters), by_id, page.after)

    @field(list[FilterShortcut])
    async def filter_shortcuts(self, info: Info) -> list[Shortcut]:
        """What people ask most, under a name."""
        return list(SHORTCUTS.values())


@strawberry.type
class FiltersMutation:
    """Saved filters."""

    @mutation(filter=TargetFilter)
    async def create_filter(self, info: Info, input: CreateFilterInput) -> Any:
        """Save a question as a filter."""
        draft = records.FilterDraft(
            name=input.name, label=input.label, expression=input.expression.parsed(), entity=input.entity,
            parameters=tuple(one.record() for one in input.parameters),
        )  # fmt: skip
        return await filters.create_filter(info.context.conn, info.context.actor, draft)

    @mutation(filter=TargetFilter)
    async def update_filter(self, info: Info, input: UpdateFilterInput) -> Any:
        """Change a filter. Audiences, contents and deliveries that call it are another version afterwards."""
        changes = given(name=input.name, label=input.label, expression=input.expression, parameters=input.parameters)
        if "expression" in changes:
            changes["expression"] = changes["expression"].parsed()
        if "parameters" in changes:
            changes["parameters"] = tuple(one.record() for one in changes["parameters"])
        key = from_global_id("TargetFilter", input.id, "id")
        conn = info.context.conn
        before = await filters.get_filter(conn, key)
        updated = await filters.update_filter(
            conn, info.context.actor, key, changes, expected_version=input.expected_version
        )  # fmt: skip
        if updated.version != before.version:
            await renew_contents_calling(conn, before.name)
            await renew_deliveries_calling(conn, before.name)
        return updated

    @mutation(deleted_id=strawberry.ID)
    async def delete_filter(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a filter that nothing calls."""
        key = from_global_id("TargetFilter", id, "id")
        conn = info.context.conn
        name = (await filters.get_filter(conn, key)).name
        await filters.delete_filter(conn, info.context.actor, key)
        await check_filter_uncalled(conn, name)
        await check_no_delivery_calls(conn, name)
        return id
