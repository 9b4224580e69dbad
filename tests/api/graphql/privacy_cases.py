"""The cases of privacy requests; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from core.ids import from_global_id
from core.privacy.work import work
from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, Case, case, make


def sent(**more: Any) -> dict[str, Any]:
    """What a client asks for."""
    return {
        "name": fresh("request"), "label": "Markerovic asks", "namespaceName": "email", "reconciliationValue": EMAIL,
        "type": "ACCESS", "regulation": "GDPR", **more,
    }  # fmt: skip


async def asked(house: House, **more: Any) -> str:
    """A request that a worker has carried out as far as it goes; its id."""
    made = await make(house, "createPrivacyRequest", input=sent(**more))
    await work(house.runtime)
    request_id: str = made["privacyRequest"]["id"]
    return request_id


async def a_field(house: House) -> str:
    """A published field of profiles; its name."""
    name = fresh("field").replace("-", "_")
    sent = {"dataset": "profile", "name": name, "label": "Card", "kind": "TEXT", "maxLength": 40}
    await make(house, "saveDataField", input=sent)
    draft = (await house.gql.ask("{ dataModelDraft { version } }"))["dataModelDraft"]
    await make(house, "publishDataModel", draftVersion=draft["version"])
    return name


@case
async def create_privacy_namespace(house: House) -> Case:
    """A field that the team has published."""
    made = {"name": fresh("space"), "label": "Card", "reconciliationField": await a_field(house)}
    return Case({"input": made}, ["privacy_namespace.create"], {"input": {**made, "dataset": "nothing"}})


@case
async def delete_privacy_namespace(house: House) -> Case:
    """One that no request names."""
    space = {"name": fresh("space"), "label": "Card", "reconciliationField": await a_field(house)}
    made = await make(house, "createPrivacyNamespace", input=space)
    return Case({"id": made["privacyNamespace"]["id"]}, ["privacy_namespace.delete"])


@case
async def create_privacy_request(house: House) -> Case:
    """By somebody's address, which stands in no log."""
    made = sent(type="DELETE", reconciliationValue=f"{fresh('nobody')}@shop.example")
    return Case({"input": made}, ["privacy_request.create"], {"input": {**made, "reconciliationValue": "Markerovic"}})


@case
async def confirm_privacy_request(house: House) -> Case:
    """One that waits for it."""
    request_id = await asked(house, type="DELETE", reconciliationValue=f"{fresh('nobody')}@shop.example")
    number = from_global_id("PrivacyRequest", request_id)
    await house.runtime.pool.execute(
        "UPDATE privacy_request SET state = 'delete_pending', finished_at = NULL, error = NULL WHERE id = $1", number
    )
    return Case({"id": request_id}, ["privacy_request.confirm"])


@case
async def retry_privacy_request(house: House) -> Case:
    """One that found nobody."""
    request_id = await asked(house, type="DELETE", reconciliationValue=f"{fresh('nobody')}@shop.example")
    return Case({"id": request_id}, ["privacy_request.retry"])


@case
async def create_privacy_download(house: House) -> Case:
    """What was gathered of a person."""
    await create_profile(house.gql, **PERSON)
    return Case({"id": await asked(house)}, ["privacy_request.download"])
