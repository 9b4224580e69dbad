"""GraphQL types of the data model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.datamodel.builds import DataIndex, DataKey, LinkKind, OnDelete, shown_indexes, shown_keys
from api.graphql.datamodel.uses import find_users
from api.graphql.leaf import field, leaf
from core.datamodel import records
from core.datamodel.hidden import count_values

FieldKind = strawberry.enum(records.FieldKind, name="DataFieldKind", description="What a field of a team holds.")
DamageKind = strawberry.enum(
    records.DamageKind, name="DataModelDamageKind",
    description="What is not as a publication left it. FILLING: what the database writes into new rows by itself.",
)  # fmt: skip
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
    category: str | None = strawberry.field(description="The heading under which editors of questions show it.")
    kind: FieldKind  # type: ignore[valid-type]
    max_length: int | None = strawberry.field(description="Characters, of a text.")
    choices: list[DataChoice] = strawberry.field(description="Its authorised values; none: all are.")
    personal: bool = strawberry.field(description="It goes when the person is erased.")
    sensitive: bool
    searchable: bool = strawberry.field(description="People are found by its words, once the index of them is built.")


@strawberry.type(description="From the rows of a dataset to those of another.")
class DataLink:
    """A link."""

    name: str = strawberry.field(description="It stays: a link is not renamed.")
    label: str
    target: str = strawberry.field(description="The other dataset.")
    kind: LinkKind  # type: ignore[valid-type]
    reverse_name: str = strawberry.field(description="Of the way back.")
    reverse_label: str
    on_delete: OnDelete  # type: ignore[valid-type]
    source_fields: list[str] = strawberry.field(description="None: a column of its own holds the id of the other row.")
    target_fields: list[str] = strawberry.field(description="What they are equal to, one by one.")


@strawberry.type(description="A dataset of a team, or what is added to a table of Clarion's.")
class Dataset:
    """A dataset."""

    name: str
    label: str
    description: str
    title: str | None = strawberry.field(description="The field by which people know a row; null: its id.")
    built_in: bool = strawberry.field(description="A table of Clarion's: it takes fields, and cannot be removed.")
    fields: list[DataField]
    links: list[DataLink]
    keys: list[DataKey] = leaf(shown_keys)
    indexes: list[DataIndex] = leaf(shown_indexes)


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
    field: str | None
    link: str | None
    key: str | None
    index: str | None = strawberry.field(description="With all four null it is about the dataset itself.")
    details: list[str] = strawberry.field(description="Of a change, what becomes what.")


@strawberry.type(description="A statement of a publication.")
class DataModelStatement:
    """A statement."""

    sql: str
    locks: list[str] = strawberry.field(
        description="Tables that nobody else writes, and most of them nobody reads, until the publication is through; "
        "their rows are not rewritten."
    )


@strawberry.type(description="Something that names what publishing the draft would hide, or values that it would take away.")
class DataModelUser:
    """A user."""

    kind: str = strawberry.field(description="In words: audience, filter, content, import template, …")
    name: str
    reads: list[str] = strawberry.field(description="What of that which would go.")


@strawberry.type(description="What may be published, and should be looked at before.")
class DataModelWarning:
    """A warning."""

    code: str = strawberry.field(description="NOT_ERASED: privacy requests do not reach these fields.")
    dataset: str = leaf(lambda warning: warning.entity)
    fields: list[str]
    message: str
    hint: str


@strawberry.type(description="What publishing the draft would do. No value is lost by it.")
class DataModelPreview:
    """A preview."""

    draft_version: int = strawberry.field(description="To be sent with publishDataModel.")
    base_version: int = strawberry.field(description="What is published now.")
    changes: list[DataModelChange]
    statements: list[DataModelStatement] = leaf(lambda preview: preview.steps)
    afterwards: list[str] = strawberry.field(
        description="What a job runs then, one after the other, while others read and write: see dataModelBuilds."
    )

    warnings: list[DataModelWarning]

    @field(list[DataModelUser])
    async def users(root: strawberry.Parent[Any], info: Info) -> Any:
        """Who keeps it from being published: some of each kind, where there are many."""
        async with info.context.lease.use() as conn:
            return await find_users(conn, root.changes)


@strawberry.type(description="Something of the published model that is missing in the database, or different there.")
class DataModelDamage:
    """A damage."""

    kind: DamageKind  # type: ignore[valid-type]
    dataset: str = leaf(lambda damage: damage.entity)
    table: str
    column: str | None
    name: str | None = strawberry.field(description="Of the field, link, key or index, where it is one's.")
    message: str
    hint: str | None
    is_mended: bool = strawberry.field(description="Whether a repair mends it. Otherwise a person has to.")


@strawberry.type(description="What brings the database back to the published model. No value that is there is changed.")
class DataModelRepair:
    """A repair."""

    version: int = strawberry.field(description="Of the published model.")
    digest: str = strawberry.field(description="To be sent with repairDataModel.")
    damages: list[DataModelDamage] = leaf(lambda repair: list(repair.damages), description="None: nothing is to be repaired.")
    statements: list[DataModelStatement] = leaf(lambda repair: list(repair.steps))
    afterwards: list[str] = leaf(
        lambda repair: list(repair.afterwards), description="What a job runs then: see dataModelBuilds."
    )


_resolved = field  # HiddenData has a field of that name


@strawberry.type(description="A field or a dataset whose values are kept though the published model does not show it.")
class HiddenData:
    """Hidden data."""

    dataset: str = leaf(lambda hidden: hidden.entity)
    field: str | None
    link: str | None = strawberry.field(description="Both null: the whole dataset.")
    sql_type: str | None
    statements: list[DataModelStatement] = leaf(
        lambda hidden: hidden.steps, description="What dropHiddenData runs, and the tables that it locks."
    )

    @_resolved(int | None)
    async def values(root: strawberry.Parent[Any], info: Info) -> Any:
        """How many would go: values of a field or a link, pairs, or rows of a dataset. Null once they are dropped."""
        async with info.context.lease.use() as conn:
            return await count_values(conn, root)


@strawberry.input(description="An authorised value.")
class DataChoiceInput:
    """A choice."""

    name: str
    label: str


@strawberry.input(description="A field as it shall be: it takes the place of the one of its name.")
class SaveDataFieldInput:
    """Input of saveDataField."""

    dataset: str = strawberry.field(
        description="`profile`, `campaign`, `delivery`, `service`, `app_subscription`, or a dataset of the draft."
    )
    name: str
    label: str
    kind: FieldKind  # type: ignore[valid-type]
    description: str = ""
    category: str | None = strawberry.field(default=None, description="The heading under which editors of questions show it.")
    max_length: int | None = strawberry.field(default=None, description="Characters, of a text: 255 if left out.")
    choices: list[DataChoiceInput] = strawberry.field(default_factory=list)
    personal: bool = False
    sensitive: bool = False
    searchable: bool = strawberry.field(
        default=False, description="searchProfiles finds people by its words: a text or an integer of `profile`."
    )
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")

    def field(self) -> records.DataField:
        """The field."""
        return records.DataField(
            name=self.name, label=self.label, kind=self.kind, description=self.description, max_length=self.max_length,
            choices=tuple(records.Choice(name=one.name, label=one.label) for one in self.choices),
            personal=self.personal, sensitive=self.sensitive, searchable=self.searchable, category=self.category,
        )  # fmt: skip


@strawberry.input(description="A link as it shall be: it takes the place of the one of its name.")
class SaveLinkInput:
    """Input of saveLink."""

    dataset: str = strawberry.field(description="Whose rows point.")
    name: str
    label: str
    target: str = strawberry.field(description="`profile`, `campaign`, `delivery`, `service`, or a dataset of the draft.")
    kind: LinkKind = records.LinkKind.MANY_TO_ONE  # type: ignore[valid-type]
    reverse_name: str = strawberry.field(description="Of the way back, among the names of the target.")
    reverse_label: str
    on_delete: OnDelete = records.OnDelete.CLEAR  # type: ignore[valid-type]
    source_fields: list[str] = strawberry.field(
        default_factory=list, description="Fields of the dataset; none: the link gets a column of its own."
    )
    target_fields: list[str] = strawberry.field(
        default_factory=list, description="Fields of the target, as many; also `id`, and of profiles `external_id` and `email`."
    )
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")

    def link(self) -> records.Link:
        """The link."""
        return records.Link(
            name=self.name, label=self.label, target=self.target, kind=self.kind, reverse_name=self.reverse_name,
            reverse_label=self.reverse_label, on_delete=self.on_delete, source_fields=tuple(self.source_fields),
            target_fields=tuple(self.target_fields),
        )  # fmt: skip


@strawberry.input(description="A unique key or an index as it shall be: it takes the place of the one of its name.")
class SaveKeyInput:
    """Input of saveKey and saveIndex."""

    dataset: str
    name: str
    fields: list[str] = strawberry.field(
        description="One or more fields, links that have a column, or columns of Clarion's such as `email` and `created_at`."
    )
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")


@strawberry.input(description="A dataset as it shall be called.")
class SaveDatasetInput:
    """Input of saveDataset."""

    name: str
    label: str
    description: str = ""
    title: str | None = strawberry.field(
        default=None, description="The field by which people know a row, once it is in the draft; left out: its id."
    )
    expected_version: int | None = strawberry.field(default=None, description="Of the draft, as it was read.")
