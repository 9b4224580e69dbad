"""The cases of services, purposes, and of what people say to them; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, Case, case, make

SOURCE = {"origin": "Markerovic's form", "proof": {"ip": "192.0.2.7", "email": EMAIL}}
BAD_SOURCE = {"source": {"proof": ["no object"]}}


async def a_service(house: House, **more: Any) -> str:
    """Its id."""
    made = await make(house, "createService", input={"name": fresh("service"), "label": "Weekly", **more})
    service_id: str = made["service"]["id"]
    return service_id


async def a_purpose(house: House) -> str:
    """Its id."""
    made = await make(house, "createPurpose", input={"name": fresh("purpose"), "label": "Profiling"})
    purpose_id: str = made["purpose"]["id"]
    return purpose_id


@case
async def create_service(house: House) -> Case:
    """A service."""
    sent = {"name": fresh("service"), "label": "Weekly", "validityDays": 30, "startsAt": "2026-01-01T00:00:00Z"}
    return Case({"input": sent}, ["service.create"], {"input": {**sent, "name": "Bad name"}})


@case
async def update_service(house: House) -> Case:
    """How long subscriptions last."""
    return Case({"input": {"id": await a_service(house), "validityDays": 10, "teamFields": {}}}, ["service.update"])


@case
async def delete_service(house: House) -> Case:
    """One without subscribers."""
    return Case({"id": await a_service(house)}, ["service.delete"])


@case
async def create_purpose(house: House) -> Case:
    """A purpose."""
    sent = {"name": fresh("purpose"), "label": "Profiling"}
    return Case({"input": sent}, ["purpose.create"], {"input": {**sent, "label": ""}})


@case
async def update_purpose(house: House) -> Case:
    """Whether it needs consent."""
    return Case({"input": {"id": await a_purpose(house), "needsConsent": False}}, ["purpose.update"])


@case
async def delete_purpose(house: House) -> Case:
    """One that nobody decided on."""
    return Case({"id": await a_purpose(house)}, ["purpose.delete"])


@case
async def add_consent_wording(house: House) -> Case:
    """A text."""
    sent = {"name": fresh("wording"), "text": "Markerovic may write to me."}
    return Case({"input": sent}, ["consent_wording.add"], {"input": {**sent, "text": " "}})


@case
async def subscribe_profiles(house: House) -> Case:
    """Two people, with a proof."""
    people = [await create_profile(house.gql, **PERSON), await create_profile(house.gql, firstName="Bob")]
    sent = {"serviceId": await a_service(house), "profileIds": people, "source": SOURCE}
    return Case({"input": sent}, ["service.subscribe"], {"input": {**sent, **BAD_SOURCE}})


@case
async def unsubscribe_profiles(house: House) -> Case:
    """One who was subscribed."""
    sent = {"serviceId": await a_service(house), "profileIds": [await create_profile(house.gql, **PERSON)], "source": SOURCE}
    await make(house, "subscribeProfiles", input=sent)
    return Case({"input": sent}, ["service.unsubscribe"], {"input": {**sent, **BAD_SOURCE}})


@case
async def decide_purpose(house: House) -> Case:
    """One who agrees."""
    person = await create_profile(house.gql, **PERSON)
    sent = {"purposeId": await a_purpose(house), "profileIds": [person], "granted": True, "source": SOURCE}
    return Case({"input": sent}, ["purpose.decide"], {"input": {**sent, **BAD_SOURCE}})


@case
async def set_preferences(house: House) -> Case:
    """A bit of everything."""
    sent = {
        "person": {"profileId": await create_profile(house.gql, **PERSON)},
        "channels": [{"channel": "EMAIL", "optedOut": True}],
        "purposes": [{"purposeId": await a_purpose(house), "granted": True}],
        "services": [{"serviceId": await a_service(house), "subscribed": True}],
        "source": SOURCE,
    }
    return Case({"input": sent}, ["profile.set_preferences"], {"input": {**sent, **BAD_SOURCE}})


@case
async def confirm_subscription(house: House) -> Case:
    """The second step."""
    service, person = await a_service(house, doubleOptIn=True), await create_profile(house.gql, **PERSON)
    await make(house, "subscribeProfiles", input={"serviceId": service, "profileIds": [person]})
    sent = {"person": {"profileId": person}, "serviceId": service, "source": SOURCE}
    return Case({"input": sent}, ["profile.confirm_subscription"], {"input": {**sent, **BAD_SOURCE}})
