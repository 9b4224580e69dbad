"""Runs a prepared operation: graphql-core's executor, with compiled plans for what is merely read off records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphql import GraphQLError, get_named_type, is_non_null_type, is_object_type
from graphql.execution import ExecutionResult
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.pyutils import Path
from graphql.type import GraphQLList, GraphQLObjectType, GraphQLResolveInfo
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.context import RequestContext
from api.graphql.plans import Plan, compile_plan
from api.graphql.prepare import Prepared

MAX_PLANS = 200  # kept per document; conditions can multiply them
SETTLE_SECONDS = 5.0  # for what goes on after an answer; then it is cancelled
_MISSING = object()


class LeafExecutor(StrawberryGraphQLCoreExecutionContext):
    """Answers objects by their plan where they have one, and the usual way where a plan gives up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By identity of the field lists, which live as long as this executor.
        self._plans_here: dict[tuple[str, int], Plan | None] = {}
        self._kept_alive: list[Any] = []

    def build_per_event_executor(self, payload: Any) -> LeafExecutor:
        """An event of a subscription has its own moment and its own loaders."""
        executor = super().build_per_event_executor(payload)
        assert isinstance(executor, LeafExecutor)
        executor.context_value = self.context_value.fresh()
        executor.background_futures = set()
        return executor

    def plan_for(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Plan | None:
        """The plan of what a field selects on an object type."""
        return self._plan(kind, self.collect_subfields(kind, details).grouped_field_set)

    def _plan(self, kind: GraphQLObjectType, fields: GroupedFieldSet) -> Plan | None:
        here = (kind.name, id(fields))
        plan = self._plans_here.get(here, _MISSING)
        if plan is _MISSING:
            plan = self._plans_here[here] = self._shared_plan(kind, fields)
            self._kept_alive.append(fields)
        return plan  # type: ignore[return-value]

    def _shared_plan(self, kind: GraphQLObjectType, fields: GroupedFieldSet) -> Plan | None:
        """Plans are kept with the document: its nodes, and what @skip and @include say this time, name a selection."""
        context: RequestContext = self.context_value
        nodes = tuple(id(detail.node) for details in fields.values() for detail in details)
        key = (kind.name, nodes, context.conditions)
        plan: Any = context.plans.get(key, _MISSING)
        if plan is _MISSING:
            plan = compile_plan(self, kind, fields)
            if len(context.plans) < MAX_PLANS:
                context.plans[key] = plan
        return plan  # type: ignore[no-any-return]

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        """The plan's fields at once, the rest one by one."""
        plan = self._plan(parent_type, grouped_field_set) if path is not None else None
        if plan is not None:
            try:
                done = plan.build(source_value)
            except Exception:  # the usual way says what is wrong, and where
                plan = None
        if plan is None:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        if not plan.rest:
            return done
        rest = {name: grouped_field_set[name] for name in plan.rest}
        slow = super().execute_fields(parent_type, source_value, path, rest, position_context)
        if self.is_awaitable(slow):
            return _join(done, slow)
        return done | slow

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """A list of objects that are all plan, without a step per item."""
        item = return_type.of_type
        kind = item.of_type if is_non_null_type(item) else item
        if is_object_type(kind) and isinstance(result, list | tuple):
            plan = self.plan_for(kind, field_details_list)
            if plan is not None and not plan.rest:
                try:
                    return list(map(plan.build, result))
                except Exception:  # the usual way says which item, and why
                    pass
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)


async def _join(done: dict[str, Any], slow: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    done.update(await slow)
    return done


def build_executor(
    prepared: Prepared, context: RequestContext, variables: dict[str, Any]
) -> LeafExecutor | Sequence[GraphQLError]:
    """An executor for one request, or what is wrong with its variables."""
    context.plans = prepared.plans
    executor = LeafExecutor.build(
        prepared.schema,
        prepared.document,
        context_value=context,
        raw_variable_values=variables,
        operation_name=prepared.name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
    )
    if isinstance(executor, LeafExecutor):
        # The coerced values, defaults included, are what @skip and @include see.
        coerced = executor.variable_values.coerced
        context.conditions = tuple(coerced.get(name) for name in prepared.analysis.condition_variables)
        return executor
    assert isinstance(executor, list)
    return executor


def event_plan(executor: LeafExecutor) -> Callable[[Any], dict[str, Any]] | None:
    """How to answer the events of a subscription that selects nothing but leaf fields; None for others.

    The function raises for an event that it cannot answer.
    """
    root = executor.schema.subscription_type
    assert root is not None
    fields = collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root, executor.operation
    ).grouped_field_set
    ((name, details),) = fields.items()
    definition = root.fields.get(details[0].node.name.value)
    kind = get_named_type(definition.type) if definition is not None else None
    if definition is None or not is_object_type(kind) or str(definition.type) != f"{kind.name}!":
        return None
    plan = executor.plan_for(kind, details)
    if plan is None or plan.rest:
        return None
    build = plan.build
    return lambda event: {name: build(event)}


async def run(executor: LeafExecutor, *, serially: bool | None = None) -> ExecutionResult:
    """Execute an operation to its end, and end the lease of its connection; mutations run serially unless told otherwise."""
    context: RequestContext = executor.context_value
    try:
        result: Any = executor.execute_operation(serially)
        if executor.is_awaitable(result):
            result = await result
    finally:
        context.lease.end()
        try:
            await _settle(executor)
        finally:
            await context.lease.give_back()
    assert isinstance(result, ExecutionResult)
    return result


async def _settle(executor: LeafExecutor) -> None:
    """Wait for what still runs: graphql-core answers without the siblings of a field that failed, but lets them go on.

    Without a connection they soon end by themselves. Cancelled at once, they would leave coroutines that never began.
    """
    while left := executor.background_futures:
        _, slow = await asyncio.wait(list(left), timeout=SETTLE_SECONDS)
        for future in slow:
            future.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
