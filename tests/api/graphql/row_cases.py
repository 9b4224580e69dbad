"""The cases of rows of datasets; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from core.datamodel.builder import build_all
from core.db import transaction
from core.ids import to_global_id
from tests.api.gql import create_profile
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, Case, case, make
from tests.core.rows.shop import publish_shop

VALUES: dict[str, Any] = {"code": PERSON["externalId"], "more": {"email": EMAIL}}
KEY = {"key": {"code": PERSON["externalId"]}}
OTHER = {"key": {"code": "none"}}
BAD = {"code": "x" * 31}


async def _shop(house: House, *, rows: bool = True) -> None:
    async with transaction(house.runtime.pool) as conn:
        await publish_shop(conn)
    await build_all(house.runtime)
    if rows:
        await make(house, "createDatasetRow", input={"dataset": "purchase", "values": VALUES})


@case
async def create_dataset_row(house: House) -> Case:
    """With everything that is personal."""
    await _shop(house, rows=False)
    sent = {"dataset": "purchase", "values": VALUES}
    return Case({"input": sent}, ["dataset_row.create"], {"input": {**sent, "values": BAD}})


@case
async def update_dataset_row(house: House) -> Case:
    """By a unique key."""
    await _shop(house)
    sent = {"dataset": "purchase", "row": KEY, "values": {"more": {"name": PERSON["lastName"]}}}
    return Case({"input": sent}, ["dataset_row.update"], {"input": {**sent, "row": OTHER}})


@case
async def upsert_dataset_row(house: House) -> Case:
    """One that is there."""
    await _shop(house)
    sent = {"dataset": "purchase", "key": "by_code", "values": {**VALUES, "amount": 1}}
    return Case({"input": sent}, ["dataset_row.update"], {"input": {**sent, "key": "none"}})


@case
async def delete_dataset_row(house: House) -> Case:
    """By a unique key."""
    await _shop(house)
    return Case({"dataset": "purchase", "row": KEY}, ["dataset_row.delete"], {"dataset": "purchase", "row": OTHER})


@case
async def save_dataset_rows(house: House) -> Case:
    """One that changes and one that is new."""
    await _shop(house)
    rows = [{"values": {**VALUES, "amount": 1}}, {"values": {"code": "second marker", "more": EMAIL}}]
    sent = {"dataset": "purchase", "mode": "UPSERT", "key": "by_code", "rows": rows}
    return Case({"input": sent}, ["dataset_row.create", "dataset_row.update"], {"input": {**sent, "key": "none"}})


@case
async def delete_dataset_rows(house: House) -> Case:
    """One that is there, and one that is not."""
    await _shop(house)
    sent = {"dataset": "purchase", "rows": [KEY, OTHER]}
    return Case(sent, ["dataset_row.delete"], {**sent, "dataset": "nothing"})


@case
async def change_dataset_links(house: House) -> Case:
    """A member of a club, by all that is personal."""
    await _shop(house, rows=False)
    await create_profile(house.gql, **PERSON)
    club = await make(house, "createDatasetRow", input={"dataset": "club", "values": {"motto": "Tea"}})
    pair = {"row": {"id": club["row"]["id"]}, "target": {"external_id": PERSON["externalId"]}}
    sent = {"dataset": "club", "link": "members", "add": [pair], "remove": [{**pair, "target": to_global_id("Profile", 0)}]}
    return Case({"input": sent}, ["dataset_row.link"], {"input": {**sent, "link": "none"}})
