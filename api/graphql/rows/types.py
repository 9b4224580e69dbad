"""GraphQL types of rows of datasets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.graphql.connections import Connection
from api.graphql.leaf import leaf
from api.graphql.mutations import UserError, user_error
from api.graphql.nodes import Node, record_of
from api.graphql.rows.linked import LinkedConnection, linked_field
from api.graphql.scalars import JSON, json_object, plain_value
from core.rows import records
from core.rows.identities import linked_id, row_id

RowStatus = strawberry.enum(records.RowStatus, name="DatasetRowStatus", description="What became of a row that was sent.")
RowMode = strawberry.enum(
    records.Mode,
    name="DatasetRowMode",
    description="What becomes of a set of rows. Upsert: a row that is there by a unique key changes, another one is new.",
)
Direction = strawberry.enum(
    records.Direction,
    name="SortDirection",
    description="Of an order. Rows without a value come last in the ascending one, and first in the descending one.",
)

VALUES = (
    "An object: fields by name, and links as the id of the other row or an object with what it is known by, such as "
    '{"external_id": "c-17"} or the fields of a unique key. What is left out stays, null clears.'
)


def _errors() -> Any:
    return leaf(
        lambda outcome: [user_error(one) for one in outcome.problems], description="All that is wrong, of a rejected one."
    )


@strawberry.type(description="A row of a dataset that the team published.")
class DatasetRow(Node):
    """A row."""

    is_type_of = record_of(records.Row)

    id: strawberry.ID = leaf(lambda row: row_id(row.dataset, row.id))
    dataset: str
    title: str = strawberry.field(description="By what people know it.")
    values: JSON = leaf(
        lambda row: {name: plain_value(value) for name, value in row.values.items()},
        description="By the names of its fields. Decimals are texts, as exact as they were written.",
    )
    links: JSON = leaf(
        lambda row: {
            name: None if key is None else linked_id(row.ends[name], key) for name, key in row.links.items()
        },
        description="The id to which each link leads that holds one, by its name.",
    )  # fmt: skip
    created_at: datetime
    updated_at: datetime
    linked: LinkedConnection = linked_field()


@strawberry.type(description="What became of one row of a set.")
class DatasetRowOutcome:
    """An outcome."""

    index: int = strawberry.field(description="Its place in the call, from 0.")
    status: RowStatus  # type: ignore[valid-type]
    row: DatasetRow | None = strawberry.field(description="As it is now; of one that was deleted, as it was.")
    errors: list[UserError] = _errors()


@strawberry.type(description="What became of one pair of a set.")
class DatasetPairOutcome:
    """An outcome."""

    index: int = strawberry.field(description="Its place among those that were added, or removed, from 0.")
    changed: bool = strawberry.field(description="Whether it was not so already.")
    errors: list[UserError] = _errors()


@strawberry.input(one_of=True, description="Which row.")
class RowKeyInput:
    """Its id, or what it is known by."""

    id: strawberry.Maybe[strawberry.ID]
    key: strawberry.Maybe[JSON] = strawberry.field(description='All fields of a unique key: {"order_no": "A1"}.')

    def reference(self) -> records.Reference:
        """As the operations take it."""
        if self.id is not None:
            return str(self.id.value)
        assert self.key is not None
        return self.key.value


@strawberry.input(description="By a field, then by the order of creation.")
class RowOrderInput:
    """An order."""

    field: str
    direction: Direction = records.Direction.ASCENDING  # type: ignore[valid-type]

    def order(self) -> records.Order:
        """The order."""
        return records.Order(field=self.field, direction=self.direction)


@strawberry.input(description="A row as it shall be.")
class SentRowInput:
    """A row of a set."""

    row: RowKeyInput | None = strawberry.field(default=None, description="The row that changes, of an update.")
    values: JSON = strawberry.field(description=VALUES)
    expected_updated_at: datetime | None = strawberry.field(
        default=None, description="Refuse it if somebody else has changed the row since."
    )

    def sent(self, path: str = "values") -> records.SentRow:
        """Raises Invalid (NOT_AN_OBJECT)."""
        row = None if self.row is None else self.row.reference()
        values = json_object(self.values, path)
        return records.SentRow(values=values, row=row, expected_updated_at=self.expected_updated_at)


@strawberry.input
class CreateDatasetRowInput:
    """A new row."""

    dataset: str
    values: JSON = strawberry.field(description=VALUES)


@strawberry.input
class UpdateDatasetRowInput(SentRowInput):
    """What of a row is to change."""

    dataset: str


@strawberry.input
class UpsertDatasetRowInput:
    """A row that changes if it is there by a unique key, and is new otherwise."""

    dataset: str
    key: str | None = strawberry.field(default=None, description="The name of the key, where the dataset has several.")
    values: JSON = strawberry.field(description=VALUES)
    expected_updated_at: datetime | None = None


@strawberry.input
class SaveDatasetRowsInput:
    """A set of rows."""

    dataset: str
    mode: RowMode  # type: ignore[valid-type]
    key: str | None = strawberry.field(
        default=None, description="Of an upsert, the name of the key, where the dataset has several."
    )
    rows: list[SentRowInput] = strawberry.field(description="Up to 1,000.")


@strawberry.input(description="A row of a link between many and many, and a row at its other end.")
class RowPairInput:
    """A pair."""

    row: RowKeyInput
    target: JSON = strawberry.field(description="Its id, or an object with what it is known by.")

    def pair(self) -> records.SentPair:
        """As the operations take it."""
        return records.SentPair(row=self.row.reference(), target=self.target)


@strawberry.input
class ChangeDatasetLinksInput:
    """Pairs that shall be linked, or no longer: up to 1,000 together."""

    dataset: str = strawberry.field(description="Whose link it is; profile, campaign, delivery and service too.")
    link: str = strawberry.field(description="The name of the link, or of the way back.")
    add: list[RowPairInput] = strawberry.field(default_factory=list)
    remove: list[RowPairInput] = strawberry.field(default_factory=list)


@strawberry.type(description="Rows of a dataset.")
class DatasetRowConnection(Connection[DatasetRow]):
    """A page of them."""


def saved(outcome: records.RowOutcome) -> dict[str, Any]:
    """The payload of a mutation of one row."""
    return {"row": outcome.row, "status": outcome.status}
