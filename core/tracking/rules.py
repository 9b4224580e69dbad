"""Change the rules that tell machines from people. Every process asks the changed ones within seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, not_found
from core.db import Connection
from core.errors import Invalid
from core.tracking.patterns import check_pattern
from core.tracking.records import MachineRule, RuleDraft, RuleKind
from core.tracking.store import rule_rows

MOST_SECONDS = 300
MOST_LINKS = 1_000

# What a rule of a kind consists of; the rest must be left out.
_FIELDS: Mapping[RuleKind, tuple[str, ...]] = {
    RuleKind.AGENT: ("pattern",),
    RuleKind.BURST: ("seconds", "least"),
    RuleKind.HIDDEN_LINK: ("seconds",),
}


async def list_rules(conn: Connection) -> list[MachineRule]:
    """All rules in the order in which they are asked, also those that are switched off."""
    return await rule_rows.list_all_rules(conn)


async def create_rule(conn: Connection, actor: Actor, draft: RuleDraft) -> MachineRule:
    """Raises Invalid (BAD_PATTERN, PATTERN_TOO_SLOW, BAD_NUMBER, REQUIRED, NOT_FOR_KIND, BAD_LABEL)."""
    require(actor, Permission.ADMINISTER)
    _check(draft)
    rule = await rule_rows.insert_rule(conn, draft)
    await record(conn, actor, "machine_rule.create", "machine_rule", rule.id, difference({}, asdict(draft)))
    return rule


async def update_rule(conn: Connection, actor: Actor, rule_id: int, changes: Mapping[str, Any]) -> MachineRule:
    """Change the fields given, all but the kind. What is marked already stays marked. Raises as `create_rule`, NotFound."""
    require(actor, Permission.ADMINISTER)
    before = _draft(await _lock_rule(conn, rule_id))
    draft = changed(before, changes)
    if draft.kind is not before.kind:
        raise Invalid("the kind of a rule cannot be changed", code="KIND_FIXED", path="kind", hint="Create another rule.")
    _check(draft)
    rule = await rule_rows.update_rule(conn, rule_id, draft)
    if draft != before:
        told = difference(asdict(before), asdict(draft))
        await record(conn, actor, "machine_rule.update", "machine_rule", rule_id, told)
    return rule


async def delete_rule(conn: Connection, actor: Actor, rule_id: int) -> None:
    """What it marked keeps its number. Raises NotFound."""
    require(actor, Permission.ADMINISTER)
    rule = await _lock_rule(conn, rule_id)
    await rule_rows.delete_rule(conn, rule_id)
    gone = {name: {"from": value} for name, value in asdict(_draft(rule)).items()}
    await record(conn, actor, "machine_rule.delete", "machine_rule", rule_id, gone)


async def _lock_rule(conn: Connection, rule_id: int) -> MachineRule:
    rule = await rule_rows.lock_rule(conn, rule_id)
    if rule is None:
        raise not_found("machine rule", rule_id, "id")
    return rule


def _draft(rule: MachineRule) -> RuleDraft:
    return RuleDraft(
        kind=rule.kind, description=rule.description, pattern=rule.pattern, seconds=rule.seconds, least=rule.least,
        enabled=rule.enabled,
    )  # fmt: skip


def _check(draft: RuleDraft) -> None:
    check_label(draft.description, "description")
    for name in ("pattern", "seconds", "least"):
        given = getattr(draft, name) is not None
        if given and name not in _FIELDS[draft.kind]:
            raise Invalid(f"a rule of this kind has no {name}", code="NOT_FOR_KIND", path=name, hint="Leave it out.")
        if not given and name in _FIELDS[draft.kind]:
            raise Invalid(f"a rule of this kind needs {name}", code="REQUIRED", path=name)
    if draft.pattern is not None:
        check_pattern(draft.pattern)
    _check_number(draft.seconds, 1, MOST_SECONDS, "seconds")
    _check_number(draft.least, 2, MOST_LINKS, "least")


def _check_number(number: int | None, lowest: int, highest: int, name: str) -> None:
    if number is not None and not lowest <= number <= highest:
        raise Invalid(f"{name} is a number from {lowest} to {highest}", code="BAD_NUMBER", path=name)
