"""Writes of the data model."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.datamodel.types import DataModel, DataModelDraft, HiddenData, SaveDataFieldInput, SaveDatasetInput
from api.graphql.mutations import mutation
from core.datamodel import drafts, publication
from core.targeting.uses import check_hidden_unused


@strawberry.type
class DataModelMutation:
    """The draft, and publishing it."""

    @mutation(draft=DataModelDraft)
    async def save_dataset(self, info: Info, input: SaveDatasetInput) -> Any:
        """Add a dataset to the draft, or change what it is called."""
        context = info.context
        return await drafts.save_dataset(
            context.conn, context.actor, name=input.name, label=input.label, description=input.description,
            now=context.now, expected_version=input.expected_version,
        )  # fmt: skip

    @mutation(draft=DataModelDraft)
    async def remove_dataset(self, info: Info, name: str, expected_version: int | None = None) -> Any:
        """Take a dataset out of the draft. Published, it is hidden; its rows stay until they are dropped."""
        context = info.context
        return await drafts.remove_dataset(
            context.conn, context.actor, name, now=context.now, expected_version=expected_version
        )

    @mutation(draft=DataModelDraft)
    async def save_data_field(self, info: Info, input: SaveDataFieldInput) -> Any:
        """Add a field to the draft, or change it. What is published keeps its kind; a text may become longer."""
        context = info.context
        return await drafts.save_field(
            context.conn, context.actor, input.dataset, input.field(),
            now=context.now, expected_version=input.expected_version,
        )  # fmt: skip

    @mutation(draft=DataModelDraft)
    async def remove_data_field(self, info: Info, dataset: str, name: str, expected_version: int | None = None) -> Any:
        """Take a field out of the draft. Published, it is hidden; its values stay until they are dropped."""
        context = info.context
        return await drafts.remove_field(
            context.conn, context.actor, dataset, name, now=context.now, expected_version=expected_version
        )

    @mutation(draft=DataModelDraft)
    async def discard_data_model_draft(self, info: Info, draft_version: int) -> Any:
        """Make the draft what is published."""
        return await drafts.discard_draft(info.context.conn, info.context.actor, expected_version=draft_version)

    @mutation(data_model=DataModel)
    async def publish_data_model(self, info: Info, draft_version: int) -> Any:
        """Make the draft the model that counts, as previewed: all of it or nothing. No value is lost by it."""
        context = info.context
        return await publication.publish(
            context.conn, context.actor, expected_version=draft_version, now=context.now, guard=check_hidden_unused
        )

    @mutation(data_model=DataModel)
    async def roll_back_data_model(self, info: Info, version: int) -> Any:
        """Publish once more what was published as a version: what came later is hidden, what was hidden since is shown."""
        context = info.context
        return await publication.roll_back(context.conn, context.actor, version, now=context.now, guard=check_hidden_unused)

    @mutation(dropped=HiddenData)
    async def drop_hidden_data(self, info: Info, dataset: str, confirm: str, field: str | None = None) -> Any:
        """Drop hidden values for good. `confirm` repeats their name: `dataset.field`, or the dataset's."""
        return await publication.drop_hidden(info.context.conn, info.context.actor, dataset, field, confirm=confirm)
