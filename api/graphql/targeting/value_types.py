"""GraphQL types of expressions that compute, before they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from api.context import Info
from api.graphql.leaf import field, leaf
from api.graphql.nodes import link
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import Profile
from api.graphql.scalars import JSON
from api.graphql.targeting.inputs import ExpressionInput, ValueKind
from api.graphql.targeting.types import DEFAULT_SAMPLE, Examination, zone_of
from core.targeting import audiences
from core.targeting.checked import CheckedValue
from core.targeting.describe import describe_value
from core.targeting.examine import examine_value
from core.targeting.json_form import to_json
from core.targeting.language import Expression
from core.targeting.records import RowValue
from core.targeting.samples import sample_values
from core.targeting.text_form import to_text


@dataclass(frozen=True, slots=True)
class ValueQuestion:
    """An expression that computes, checked, and the zone its days are counted in."""

    expression: Expression
    checked: CheckedValue
    zone: ZoneInfo


async def ask_value(info: Info, expression: Expression, zone: str | None, entity: str) -> ValueQuestion:
    """Raises ExpressionError, Invalid (UNKNOWN_TIME_ZONE, UNKNOWN_ENTITY)."""
    async with info.context.lease.ask() as conn:
        checked = await audiences.open_value(conn, expression, entity)
    return ValueQuestion(expression, checked, zone_of(zone))


@dataclass(frozen=True, slots=True)
class Shown:
    """A value, and of whom it is."""

    found: RowValue
    of_profile: bool


@strawberry.type(description="What an expression comes to on a row.")
class TargetRowValue:
    """A part of a sample."""

    value: JSON | None = leaf(
        lambda shown: shown.found.value, description="Null: there is none. Times in ISO 8601, decimals as texts."
    )
    row: JSON = leaf(lambda shown: dict(shown.found.row), description="The row: its fields by their names.")
    profile: Profile | None = link(
        load_profiles,
        lambda shown: shown.found.key if shown.of_profile else None,
        description="Whose value it is; of profiles.",
    )


@strawberry.type(description="What an expression comes to on some rows.")
class TargetValueSample:
    """Lowest numbers first."""

    rows: list[TargetRowValue] = leaf(lambda rows: rows)
    empty: int = leaf(
        lambda rows: sum(1 for one in rows if one.found.value is None), description="How many of them have no value."
    )


@strawberry.type(description="An expression that computes a value for each row, or none.")
class TargetValue:
    """A checked expression. Nothing is computed unless a sample is asked for."""

    kind: ValueKind = leaf(lambda question: question.checked.kind)  # type: ignore[valid-type]
    text: str = leaf(lambda question: to_text(question.expression), description="The canonical text spelling.")
    json: JSON = leaf(lambda question: to_json(question.expression), description="The JSON spelling.")
    explanation: str = leaf(
        lambda question: describe_value(question.checked), description="What it computes, in plain words, with its functions."
    )
    reads: list[str] = leaf(lambda question: sorted(question.checked.reads), description="The fields it is made of.")

    @field(Examination)
    async def examination(root: strawberry.Parent[Any], info: Info) -> Any:
        """What the database expects of computing it for every row; cheap, whatever the expression."""
        context = info.context
        async with context.lease.use() as conn:
            return await examine_value(conn, root.checked, at=context.now, zone=root.zone)

    @field(TargetValueSample)
    async def sample(
        root: strawberry.Parent[Any], info: Info, size: int = DEFAULT_SAMPLE, where: ExpressionInput | None = None
    ) -> Sequence[Shown]:
        """What it comes to on some rows, or on some of those for which a condition holds."""
        context, entity = info.context, root.checked.entity.name
        asked = None if where is None else where.parsed()
        async with context.lease.use() as conn:
            chosen = None if asked is None else await audiences.open_question(conn, asked, entity)
            found = await sample_values(conn, root.checked, chosen, size=size, at=context.now, zone=root.zone)
        return [Shown(one, entity == "profile") for one in found]
