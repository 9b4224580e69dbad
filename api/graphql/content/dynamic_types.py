"""GraphQL types of dynamic content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import strawberry

from core.content import records
from core.errors import Invalid


@strawberry.type(description="What those see for whom its condition is the first that is true.")
class DynamicVariant:
    """A variant of dynamic content."""

    label: str
    condition: str = strawberry.field(description="A condition on profiles, in the targeting language.")
    html: str
    text: str | None = strawberry.field(description="For parts other than HTML; null: made from the HTML.")


@strawberry.type(description='A place where each recipient sees exactly one variant; parts show it by {% dynamic "name" %}.')
class DynamicContent:
    """Dynamic content."""

    name: str
    variants: list[DynamicVariant] = strawberry.field(description="In order of priority.")
    html: str = strawberry.field(description="The default, for those for whom no condition is true.")
    text: str | None


@strawberry.input
class DynamicVariantInput:
    """A variant; the first whose condition is true is shown."""

    label: str
    condition: str
    html: str = ""
    text: str | None = None


@strawberry.input(description="Variants in order of priority, and the default. The name is made of letters, digits and _.")
class DynamicContentInput:
    """Dynamic content."""

    name: str
    variants: list[DynamicVariantInput]
    html: str = ""
    text: str | None = None


@strawberry.input(description="A variant to be shown instead of the profile's own: its number from 1, or 0 for the default.")
class DynamicChoiceInput:
    """A choice for a preview."""

    name: str
    number: int


def dynamic_of(given: Sequence[DynamicContentInput]) -> tuple[records.DynamicContent, ...]:
    """Dynamic content as records."""
    return tuple(
        records.DynamicContent(
            name=one.name,
            variants=tuple(
                records.DynamicVariant(label=each.label, condition=each.condition, html=each.html, text=each.text)
                for each in one.variants
            ),
            html=one.html,
            text=one.text,
        )
        for one in given
    )


def choices_of(given: Sequence[DynamicChoiceInput]) -> dict[str, int]:
    """Numbers by name."""
    return {one.name: one.number for one in given}


def check_choices(given: Sequence[DynamicChoiceInput]) -> Iterator[Invalid]:
    """A problem where one place is to show two variants (VARIANT_TWICE)."""
    if len(choices_of(given)) < len(given):
        yield Invalid(
            "two variants were asked for in one place", code="VARIANT_TWICE", path="input.variants",
            hint="Ask for one variant of each dynamic content.",
        )  # fmt: skip
