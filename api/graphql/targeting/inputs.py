"""What most of targeting is asked with."""

from __future__ import annotations

import strawberry

from api.graphql.scalars import JSON
from core.targeting.catalogue import Kind
from core.targeting.expansion import given
from core.targeting.json_parse import parse_json
from core.targeting.language import Expression
from core.targeting.parse import parse_text

ValueKind = strawberry.enum(Kind, name="ValueKind", description="What a field holds.")


@strawberry.input(one_of=True, description="An expression in one of its two spellings.")
class ExpressionInput:
    """Text as people type it, or the JSON tree as programs build it."""

    text: strawberry.Maybe[str]
    json: strawberry.Maybe[JSON]

    def parsed(self) -> Expression:
        """Raises ExpressionError."""
        if self.text is not None:
            return parse_text(self.text.value)
        assert self.json is not None
        return parse_json(self.json.value)


@strawberry.input(description="A value for parameter('name') of a question.")
class ParameterValueInput:
    """A value that is written down: in the JSON spelling it is never read as text of a question."""

    name: str
    value: ExpressionInput


def with_values(expression: ExpressionInput, parameters: list[ParameterValueInput] | None) -> Expression:
    """The question with its parameters' values in it. Raises ExpressionError."""
    asked = expression.parsed()
    return asked if parameters is None else given(asked, {one.name: one.value.parsed().root for one in parameters})


def parsed(expression: ExpressionInput | None) -> Expression | None:
    """What was given, if anything. Raises ExpressionError."""
    return None if expression is None else expression.parsed()
