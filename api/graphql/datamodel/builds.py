"""GraphQL types of keys, indexes and what builds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.datamodel.loaders import load_builds
from api.graphql.leaf import description_of, leaf
from api.graphql.nodes import global_id
from core.datamodel import records, wanted

LinkKind = strawberry.enum(records.LinkKind, name="DataLinkKind", description="How many rows there may be on either side.")
OnDelete = strawberry.enum(
    records.OnDelete, name="DataLinkOnDelete", description="What becomes of a row when the one that it is linked to goes."
)
BuildKind = strawberry.enum(records.BuildKind, name="DataModelBuildKind", description="What a job builds or checks.")
BuildState = strawberry.enum(records.BuildState, name="DataModelBuildState", description="How far a build is.")


@strawberry.type(description="Why something could not be built.")
class DataModelBuildError:
    """An error."""

    code: str
    message: str = strawberry.field(description="Rows are named by their ids, never by what they hold.")
    hint: str | None


@strawberry.type(description="An index or a check that follows from a publication, and how far it is.")
class DataModelBuild:
    """A build."""

    id: strawberry.ID = global_id("DataModelBuild")
    kind: BuildKind  # type: ignore[valid-type]
    dataset: str = leaf(lambda build: build.entity)
    name: str = strawberry.field(description="Of the key, the index or the link; of the search `search_words`.")
    statement: str = strawberry.field(description="What builds or checks it.")
    dropping: bool = strawberry.field(description="The model has it no longer, and it goes.")
    state: BuildState  # type: ignore[valid-type]
    phase: str | None = strawberry.field(description="What the database is at, while it builds.")
    percent: float | None = strawberry.field(description="Of that phase.")
    error: DataModelBuildError | None
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A key or an index with the name by which what was built for it is known."""

    one: records.Key | records.Index
    object: str


def shown_keys(entity: records.Entity) -> list[Shown]:
    """The keys of an entity."""
    return [Shown(one, wanted.key_object(entity, one)) for one in entity.keys]


def shown_indexes(entity: records.Entity) -> list[Shown]:
    """The indexes of an entity."""
    return [Shown(one, wanted.index_object(entity, one)) for one in entity.indexes]


async def _build(root: Any, info: Info) -> Any:
    """How far it is; null before it is published."""
    return await info.context.loader(load_builds).load(root.object)


@strawberry.type(description="No two rows have the same in all of these fields; rows that lack one of them are not compared.")
class DataKey:
    """A unique key."""

    name: str = leaf(lambda shown: shown.one.name)
    fields: list[str] = leaf(lambda shown: shown.one.fields)
    build: DataModelBuild | None = strawberry.field(resolver=_build, description=description_of(_build))


@strawberry.type(description="What is often asked about, so that it is found without reading all rows.")
class DataIndex:
    """An index."""

    name: str = leaf(lambda shown: shown.one.name)
    fields: list[str] = leaf(lambda shown: shown.one.fields)
    build: DataModelBuild | None = strawberry.field(resolver=_build, description=description_of(_build))
