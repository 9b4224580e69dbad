"""GraphQL types of the data model."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from core.datamodel import records

FieldKind = strawberry.enum(records.FieldKind, name="DataFieldKind", description="What a field of a team holds.")
Action = strawberry.enum(records.Action, name="DataModelAction", description="What publishing does to a field or a dataset.")


@strawberry.type(description="An authorised value of a field.")
class DataChoice:
    """A choice."""

    name: str = strawberry.field(description="What is stored.")
    label: str


@strawberry.type(description="A field that a team added.")
class DataField:
    """A field."""

    name: str
    label: str
    description: str
    kind: FieldKind  # type: ignore[valid-type]
    max_length: int | None = strawberry.field(description="Characters, of a text.")
    choices: list[DataChoice] = strawberry.field(description="Its authorised values; none: all are.")
    personal: bool = strawberry.field(description="It goes when the person is erased.")
    sensitive: bool


@strawberry.type(description="A dataset of a team, or what is added to a table of Clarion's.")
class Dataset:
    """A dataset."""

    name: str
    label: str
    description: str
    built_in: bool = strawberry.field(description="A table of Clarion's: it takes fields, and cannot be removed.")
    fields: list[DataField]


@strawberry.type(description="A published data model.")
class DataModel:
    """A version."""

    version: int = strawberry.field(description="0 is an installation to which nothing was added.")
    published_at: datetime | None
    published_by: str | None
    statements: list[str] = strawberry.field(description="What its publication ran.")
    datasets: list[Dataset] = leaf(lambda published: published.model.entities)


@strawberry.type(description="The data model that is being edited.")
class DataModelDraft:
    """The draft."""

    version: int = strawberry.field(description="Grows with every change.")
    changed_at: datetime | None = strawberry.field(description="Null while it is what is published.")
    changed_by: str | None
    datasets: list[Dataset] = leaf(lambda draft: draft.model.entities)


@strawberry.type(description="A difference between the draft and what is published.")
class DataModelChange:
    """A change."""

    action: Action  # type: ignore[valid-type]
    dataset: str = leaf(lambda change: change.entity)
    field: str | None = strawberry.field(description="Null: the dataset itself.")
    details: list[str] = strawberry.field(description="Of a change, what becomes what.")


@strawberry.type(description="A statement of a publication.")
class DataModelStatement:
    """A statement."""

    sql: str
    locks: list[str] = strawberry.field(
        description="Tables that nobody else reads or writes until the publication is through; their rows are not rewritten."
    )


@strawberry.type(description="What publishing the draft would do. No value is lost by it.")
class DataModelPreview:
    """A preview."""

    draft_version: int = strawberry.field(description="To be sent with publishDataModel.")
    base_version: int = strawberry.field(description="What is published now.")
    changes: list[DataModelChange]
    statements: list[DataModelStatement] = leaf(lambda preview: preview.steps)


@strawberry.type(description="A field or a dataset whose values are kept though the published model does not show it.")
class HiddenData:
    """Hidden data."""

    dataset: str = leaf(lambda hidden: hidden.entity)
    field: str | None = strawberry.field(description="Null: the whole dataset.")
    sql_type: str | None


@strawberry.input(description="An authorised value.")
class DataChoiceInput:
    """A choice."""

    name: str
    label: str


@strawberry.input(description="A field as it shall be: it takes the place of the one of its name.")
class SaveDataFieldInput:
    """Input of saveDataField."""

    dataset: str = strawberry.field(description="`profile`, `campaign`, `delivery`, or a dataset of the draft.")
    name: str
    label: str
    kind: FieldKind  # type: ignore[valid-type]
    description: str = ""
    max_length: int | None = strawberry.field(default=None, description="Characters, of a text: 255 if left out.")
    choices: list[DataChoiceInput] = strawberry.field(default_factory=list)
    personal: bool = False
    sensitive: bool = False
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")

    def field(self) -> records.DataField:
        """The field."""
        return records.DataField(
            name=self.name, label=self.label, kind=self.kind, description=self.description, max_length=self.max_length,
            choices=tuple(records.Choice(name=one.name, label=one.label) for one in self.choices),
            personal=self.personal, sensitive=self.sensitive,
        )  # fmt: skip


@strawberry.input(description="A dataset as it shall be called.")
class SaveDatasetInput:
    """Input of saveDataset."""

    name: str
    label: str
    description: str = ""
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")
