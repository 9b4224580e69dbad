"""Writes of the data model."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.datamodel.builds import DataModelBuild
from api.graphql.datamodel.types import (
    DataModel,
    DataModelDraft,
    DataModelRepair,
    HiddenData,
    SaveDataFieldInput,
    SaveDatasetInput,
    SaveKeyInput,
    SaveLinkInput,
)
from api.graphql.datamodel.uses import UNUSED
from api.graphql.mutations import mutation, paths_as
from core.datamodel import builds, drafts, hidden, keys, links, publication, repair
from core.datamodel.records import Index, Key
from core.ids import from_global_id


@strawberry.type
class DataModelMutation:
    """The draft, and publishing it."""

    @mutation(draft=DataModelDraft)
    async def save_dataset(self, info: Info, input: SaveDatasetInput) -> Any:
        """Add a dataset to the draft, or change what it is called."""
        context = info.context
        return await drafts.save_dataset(
            context.conn, context.actor, name=input.name, label=input.label, description=input.description,
            title=input.title, now=context.now, expected_version=input.expected_version,
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
    async def save_link(self, info: Info, input: SaveLinkInput) -> Any:
        """Add a link to the draft, or change it. Of a published one the labels and what becomes of its rows may change."""
        context = info.context
        return await links.save_link(
            context.conn, context.actor, input.dataset, input.link(),
            now=context.now, expected_version=input.expected_version,
        )  # fmt: skip

    @mutation(draft=DataModelDraft)
    async def remove_link(self, info: Info, dataset: str, name: str, expected_version: int | None = None) -> Any:
        """Take a link out of the draft. Published, it is hidden; its keys stay until they are dropped."""
        context = info.context
        return await links.remove_link(
            context.conn, context.actor, dataset, name, now=context.now, expected_version=expected_version
        )

    @mutation(draft=DataModelDraft)
    async def save_key(self, info: Info, input: SaveKeyInput) -> Any:
        """Add a unique key to the draft, or change it. Published, it is built by a job."""
        context = info.context
        return await keys.save_key(
            context.conn, context.actor, input.dataset, Key(name=input.name, fields=tuple(input.fields)),
            now=context.now, expected_version=input.expected_version,
        )  # fmt: skip

    @mutation(draft=DataModelDraft)
    async def remove_key(self, info: Info, dataset: str, name: str, expected_version: int | None = None) -> Any:
        """Take a unique key out of the draft. Published, it is dropped by a job; no value is lost."""
        context = info.context
        return await keys.remove_key(
            context.conn, context.actor, dataset, name, now=context.now, expected_version=expected_version
        )

    @mutation(draft=DataModelDraft)
    async def save_index(self, info: Info, input: SaveKeyInput) -> Any:
        """Add an index to the draft, or change it. Published, it is built by a job."""
        context = info.context
        return await keys.save_index(
            context.conn, context.actor, input.dataset, Index(name=input.name, fields=tuple(input.fields)),
            now=context.now, expected_version=input.expected_version,
        )  # fmt: skip

    @mutation(draft=DataModelDraft)
    async def remove_index(self, info: Info, dataset: str, name: str, expected_version: int | None = None) -> Any:
        """Take an index out of the draft. Published, it is dropped by a job; no value is lost."""
        context = info.context
        return await keys.remove_index(
            context.conn, context.actor, dataset, name, now=context.now, expected_version=expected_version
        )

    @mutation(build=DataModelBuild)
    async def retry_data_model_build(self, info: Info, id: strawberry.ID) -> Any:
        """Build again what has failed, once what was wrong is mended."""
        context = info.context
        return await builds.retry(context.conn, context.actor, from_global_id("DataModelBuild", id, "id"), context.now)

    @mutation(draft=DataModelDraft)
    async def discard_data_model_draft(self, info: Info, draft_version: int) -> Any:
        """Make the draft what is published."""
        with paths_as(expected_version="draft_version"):
            return await drafts.discard_draft(info.context.conn, info.context.actor, expected_version=draft_version)

    @mutation(data_model=DataModel)
    async def publish_data_model(self, info: Info, draft_version: int) -> Any:
        """Make the draft the model that counts, as previewed: all of it or nothing. No value is lost by it."""
        context = info.context
        context.published()
        with paths_as(expected_version="draft_version"):
            return await publication.publish(
                context.conn, context.actor, expected_version=draft_version, now=context.now, guard=UNUSED
            )

    @mutation(data_model=DataModel)
    async def roll_back_data_model(self, info: Info, version: int) -> Any:
        """Publish once more what was published as a version: what came later is hidden, what was hidden since is shown."""
        context = info.context
        context.published()
        return await publication.roll_back(context.conn, context.actor, version, now=context.now, guard=UNUSED)

    @mutation(repair=DataModelRepair)
    async def repair_data_model(self, info: Info, digest: str) -> Any:
        """Make again what is missing in the database of the published model, as previewed by dataModelRepair: all of it or
        nothing. What is made again is empty; what is of another type is left alone."""
        context = info.context
        return await repair.repair_data_model(context.conn, context.actor, digest=digest, now=context.now)

    @mutation(dropped=HiddenData)
    async def drop_hidden_data(
        self, info: Info, dataset: str, confirm: str, field: str | None = None, link: str | None = None
    ) -> Any:
        """Drop hidden values for good. `confirm` repeats their name: `dataset.field`, `dataset.link`, or the dataset's."""
        context = info.context
        return await hidden.drop_hidden(context.conn, context.actor, dataset, field, link=link, confirm=confirm)
