"""Writes of tracking: parse, call one operation, return its record."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import given, mutation
from api.graphql.tracking.types import CreateMachineRuleInput, MachineRule, UpdateMachineRuleInput
from core.tracking import rules
from core.tracking.records import RuleDraft


@strawberry.type
class TrackingMutation:
    """Rules that tell machines from people."""

    @mutation(machine_rule=MachineRule)
    async def create_machine_rule(self, info: Info, input: CreateMachineRuleInput) -> Any:
        """Add a rule by which opens and clicks are taken for a machine's, from a few seconds later on."""
        draft = RuleDraft(
            kind=input.kind, description=input.description, pattern=input.pattern, seconds=input.seconds, least=input.least,
            enabled=input.enabled,
        )  # fmt: skip
        return await rules.create_rule(info.context.conn, info.context.actor, draft)

    @mutation(machine_rule=MachineRule)
    async def update_machine_rule(self, info: Info, input: UpdateMachineRuleInput) -> Any:
        """Change a rule, or switch it on or off. What it has marked stays marked."""
        changes = given(
            description=input.description,
            pattern=input.pattern,
            seconds=input.seconds,
            least=input.least,
            enabled=input.enabled,
        )
        return await rules.update_rule(info.context.conn, info.context.actor, input.id, changes)

    @mutation(deleted_id=int)
    async def delete_machine_rule(self, info: Info, id: int) -> Any:
        """Delete a rule. Events that it has marked keep its number, which no other rule gets."""
        await rules.delete_rule(info.context.conn, info.context.actor, id)
        return id
