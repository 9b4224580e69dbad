"""GraphQL types of fragments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, record_of
from api.graphql.scalars import JSON
from core.content import records
from core.errors import Invalid


@strawberry.type(description='What content says to a fragment: {% render "footer", name: value %}.')
class FragmentParameter:
    """A parameter of a fragment."""

    name: str
    description: str
    default: JSON | None = strawberry.field(description="A text, a number, true or false.")
    optional: bool = strawberry.field(description="Whether it may be left out although it has no default.")


@strawberry.type(description='A piece of content that contents, and other fragments, use by {% render "name" %}.')
class Fragment(Node):
    """A fragment."""

    is_type_of = record_of(records.Fragment)

    id: strawberry.ID = global_id("Fragment")
    name: str
    label: str
    html: str = strawberry.field(description="Its Liquid source in HTML parts.")
    text: str | None = strawberry.field(description="Its Liquid source in other parts; null: made from the HTML.")
    parameters: list[FragmentParameter] = leaf(lambda fragment: list(fragment.parameters))
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.input
class FragmentParameterInput:
    """A parameter; without a default it must be given, unless it is optional."""

    name: str
    description: str = ""
    default: JSON | None = None
    optional: bool = False


@strawberry.input(description="A new fragment. The name is its handle: a-z, 0-9, _ and -.")
class CreateFragmentInput:
    """Input of createFragment."""

    name: str
    label: str
    html: str = ""
    text: str | None = None
    parameters: list[FragmentParameterInput] = strawberry.field(default_factory=list)


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateFragmentInput:
    """Input of updateFragment."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    html: strawberry.Maybe[str]
    text: strawberry.Maybe[str | None]
    parameters: strawberry.Maybe[list[FragmentParameterInput]]


def parameters_of(given: Sequence[FragmentParameterInput]) -> tuple[records.FragmentParameter, ...]:
    """Parameters as records. Raises Invalid (BAD_PARAMETER)."""
    found = []
    for index, one in enumerate(given):
        if one.default is not None and not isinstance(one.default, (str, int, float, bool)):
            raise Invalid(
                "a default is a text, a number, true or false", code="BAD_PARAMETER", path=f"parameters.{index}.default",
                hint="Give lists and objects as data of the content.",
            )  # fmt: skip
        parameter = records.FragmentParameter(
            name=one.name, description=one.description, default=one.default, optional=one.optional
        )
        found.append(parameter)
    return tuple(found)
