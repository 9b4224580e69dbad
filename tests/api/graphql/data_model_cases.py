"""The cases of the data model; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import Case, case, make

TIER = {"dataset": "profile", "name": "tier", "label": "Tier", "kind": "TEXT"}


async def _drafted(house: House) -> int:
    """A draft with a dataset and a field; returns its version."""
    await make(house, "saveDataset", input={"name": "purchase", "label": "Purchase"})
    await make(house, "saveDataField", input=TIER)
    found = await house.gql.ask("{ dataModelDraft { version } }")
    version: int = found["dataModelDraft"]["version"]
    return version


async def _hidden(house: House) -> None:
    await make(house, "publishDataModel", draftVersion=await _drafted(house))
    await make(house, "removeDataField", dataset="profile", name="tier")
    found = await house.gql.ask("{ dataModelDraft { version } }")
    await make(house, "publishDataModel", draftVersion=found["dataModelDraft"]["version"])


@case
async def save_dataset(house: House) -> Case:
    """A new one."""
    sent = {"name": "purchase", "label": "Purchase"}
    return Case({"input": sent}, ["data_model.edit"], {"input": {**sent, "name": "Bad name"}})


@case
async def remove_dataset(house: House) -> Case:
    """One of the draft."""
    await _drafted(house)
    return Case({"name": "purchase"}, ["data_model.edit"], {"name": "profile"})


@case
async def save_data_field(house: House) -> Case:
    """A new one."""
    sent: dict[str, Any] = TIER
    return Case({"input": sent}, ["data_model.edit"], {"input": {**sent, "name": "email"}})


@case
async def remove_data_field(house: House) -> Case:
    """One of the draft."""
    await _drafted(house)
    sent = {"dataset": "profile", "name": "tier"}
    return Case(sent, ["data_model.edit"], {**sent, "name": "level"})


@case
async def discard_data_model_draft(house: House) -> Case:
    """With changes."""
    version = await _drafted(house)
    return Case({"draftVersion": version}, ["data_model.discard"], {"draftVersion": version - 1})


@case
async def publish_data_model(house: House) -> Case:
    """With changes."""
    version = await _drafted(house)
    return Case({"draftVersion": version}, ["data_model.publish"], {"draftVersion": version - 1})


@case
async def roll_back_data_model(house: House) -> Case:
    """To the very first."""
    await make(house, "publishDataModel", draftVersion=await _drafted(house))
    return Case({"version": 0}, ["data_model.publish"], {"version": 7})


@case
async def drop_hidden_data(house: House) -> Case:
    """A column."""
    await _hidden(house)
    sent = {"dataset": "profile", "field": "tier", "confirm": "profile.tier"}
    return Case(sent, ["data_model.drop"], {**sent, "confirm": "tier"})


@case
async def repair_data_model(house: House) -> Case:
    """Of a model whose column somebody has dropped."""
    await make(house, "publishDataModel", draftVersion=await _drafted(house))
    await house.runtime.pool.execute("ALTER TABLE profile DROP COLUMN x_tier")
    found = await house.gql.ask("{ dataModelRepair { digest } }")
    return Case({"digest": found["dataModelRepair"]["digest"]}, ["data_model.repair"], {"digest": "other"})


LINK = {
    "dataset": "purchase", "name": "customer", "label": "Customer", "target": "profile",
    "reverseName": "purchases", "reverseLabel": "Purchases",
}  # fmt: skip
BY_TIER = {"dataset": "profile", "name": "by_tier", "fields": ["tier"]}


@case
async def save_link(house: House) -> Case:
    """A new one."""
    await _drafted(house)
    return Case({"input": LINK}, ["data_model.edit"], {"input": {**LINK, "target": "nobody"}})


@case
async def remove_link(house: House) -> Case:
    """One of the draft."""
    await _drafted(house)
    await make(house, "saveLink", input=LINK)
    sent = {"dataset": "purchase", "name": "customer"}
    return Case(sent, ["data_model.edit"], {**sent, "name": "client"})


@case
async def save_key(house: House) -> Case:
    """A new one."""
    await _drafted(house)
    return Case({"input": BY_TIER}, ["data_model.edit"], {"input": {**BY_TIER, "fields": ["email"]}})


@case
async def remove_key(house: House) -> Case:
    """One of the draft."""
    await _drafted(house)
    await make(house, "saveKey", input=BY_TIER)
    sent = {"dataset": "profile", "name": "by_tier"}
    return Case(sent, ["data_model.edit"], {**sent, "name": "by_level"})


@case
async def save_index(house: House) -> Case:
    """A new one."""
    await _drafted(house)
    return Case({"input": BY_TIER}, ["data_model.edit"], {"input": {**BY_TIER, "fields": []}})


@case
async def remove_index(house: House) -> Case:
    """One of the draft."""
    await _drafted(house)
    await make(house, "saveIndex", input=BY_TIER)
    sent = {"dataset": "profile", "name": "by_tier"}
    return Case(sent, ["data_model.edit"], {**sent, "name": "by_level"})


@case
async def retry_data_model_build(house: House) -> Case:
    """One that is done, to be looked at again."""
    await _drafted(house)
    await make(house, "saveKey", input=BY_TIER)
    found = await house.gql.ask("{ dataModelDraft { version } }")
    await make(house, "publishDataModel", draftVersion=found["dataModelDraft"]["version"])
    await house.work()
    found = await house.gql.ask("{ dataModelBuilds { nodes { id } } }")
    return Case({"id": found["dataModelBuilds"]["nodes"][0]["id"]}, ["data_model.retry"])
