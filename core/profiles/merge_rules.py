"""Which value of each field a merge keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from core.errors import Invalid
from core.profiles.fields import Field, columns_of
from core.profiles.merge_records import FieldRule, MergedField, MergePlan, MergeRule
from core.profiles.team_rows import as_told

# An address is one thing: lines of one person under the city of another would be nobody's. One whose columns have a rule of
# their own follows that.
ADDRESS = (
    "address_line1", "address_line2", "address_line3", "address_line4", "zip_code", "city", "state", "country",
    "address_defined", "latitude", "longitude",
)  # fmt: skip
_MAKES_AN_ADDRESS = ("address_line1", "address_line2", "zip_code", "city")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a profile has in the columns of the fields."""

    id: int
    updated_at: datetime
    columns: Mapping[str, Any]

    def has(self, field: Field) -> bool:
        """Whether it says anything in a field."""
        value = self.columns[field.column]
        return value is not None and not (field.required and value == field.default)


def check_rules(plan: MergePlan, fields: Mapping[str, Field]) -> None:
    """Raises Invalid: UNKNOWN_FIELD, DUPLICATE_RULE, RULE_NOT_ALLOWED, NO_OTHER, NO_VALUE."""
    if plan.default is MergeRule.VALUE:
        raise _refused("default_rule", "one value cannot be that of every field", "Give values field by field.")
    if plan.default is MergeRule.OTHER and len(plan.other_ids) > 1:
        raise _refused("default_rule", "there are several others", "Say of each field whose value stays.")
    seen: set[str] = set()
    for n, rule in enumerate(plan.rules):
        path = f"rules.{n}"
        field = fields.get(rule.field)
        if field is None:
            raise Invalid(f"a profile has no field {rule.field[:80]!r} that can be set", code="UNKNOWN_FIELD", path=path)
        if rule.field in seen:
            raise Invalid(f"{field.label} has two rules", code="DUPLICATE_RULE", path=path, hint="Leave one.")
        if field.leads_to is not None and rule.rule is MergeRule.VALUE:
            raise _refused(path, "a link takes no value here", "Merge, then set it.")
        if rule.rule is MergeRule.VALUE and rule.value is msgspec.UNSET:
            raise Invalid("which value is to stay?", code="NO_VALUE", path=path, hint="Give it; null clears the field.")
        if field.opt_out:
            raise _refused(path, "a refusal of any of them stays", "Merge, then lift it if the person asks for that.")
        if rule.rule is MergeRule.OTHER and rule.profile_id is None and len(plan.other_ids) > 1:
            raise Invalid("whose value is to stay?", code="NO_OTHER", path=path, hint="Name the profile.")
        if rule.profile_id is not None and rule.profile_id not in plan.other_ids:
            raise Invalid("this profile is not merged here", code="NO_OTHER", path=path, hint="Name one of those merged.")
        seen.add(rule.field)


def decide(
    plan: MergePlan, fields: Mapping[str, Field], people: Sequence[Person], given: Mapping[str, Any]
) -> tuple[list[MergedField], dict[str, Any]]:
    """What each field becomes, and the survivor's columns that change. People: the survivor, then the others in the order of
    the plan. `given` are the columns of values that the rules name."""
    survivor = people[0]
    rules = {rule.field: rule for rule in plan.rules}
    at_home = _whose_address(plan, fields, people, rules)
    merged: list[MergedField] = []
    changes: dict[str, Any] = {}
    for name, field in fields.items():
        values = {one.id: as_told(field, one.columns[field.column]) for one in people if one.has(field)}
        rule = rules.get(name, FieldRule(field=name, rule=plan.default))
        columns = columns_of(field)
        source: Person | None = None
        if field.opt_out:
            after: dict[str, Any] = {field.column: bool(values)}
        elif rule.rule is MergeRule.VALUE:
            after = {column: given[column] for column in columns}
        else:
            settled = at_home if name in ADDRESS and name not in rules else None
            source = settled or _source(rule, plan, field, people)
            after = {column: source.columns[column] for column in columns}
        changed = {column: value for column, value in after.items() if value != survivor.columns[column]}
        changes |= changed
        if values or changed:
            value = as_told(field, after[field.column])
            whose = source.id if source is not None and source.has(field) else None
            merged.append(MergedField(field=name, value=value, profile_id=whose, changed=bool(changed), values=values))
    return merged, changes


def _source(rule: FieldRule, plan: MergePlan, field: Field, people: Sequence[Person]) -> Person:
    """Whose value stays."""
    survivor, *others = people
    if rule.rule is MergeRule.OTHER:
        wanted = rule.profile_id if rule.profile_id is not None else plan.other_ids[0]
        return next(one for one in others if one.id == wanted)
    having = [one for one in people if one.has(field)]
    if rule.rule is MergeRule.SURVIVOR or not having:
        return survivor
    return max(having, key=lambda one: one.updated_at) if rule.rule is MergeRule.NEWEST else having[0]


def _whose_address(
    plan: MergePlan, fields: Mapping[str, Field], people: Sequence[Person], rules: Mapping[str, FieldRule]
) -> Person | None:
    """Whose address stays as a whole; None: each of its fields for itself."""
    if plan.default not in (MergeRule.FIRST, MergeRule.NEWEST) or not rules.keys().isdisjoint(ADDRESS):
        return None
    having = [one for one in people if any(one.has(fields[name]) for name in _MAKES_AN_ADDRESS)]
    if not having:
        return None
    return max(having, key=lambda one: one.updated_at) if plan.default is MergeRule.NEWEST else having[0]


def _refused(path: str, message: str, hint: str) -> Invalid:
    return Invalid(message, code="RULE_NOT_ALLOWED", path=path, hint=hint)
