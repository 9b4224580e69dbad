"""The cases of test profiles, traps, control groups and holdouts; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, QUESTION, Case, case, make


async def _test_profile(house: House, **more: Any) -> str:
    sent = {"label": "Xanthippe Markerovic", "uses": ["TRAP"], "email": EMAIL, **more}
    found: str = (await make(house, "createTestProfile", input=sent))["testProfile"]["id"]
    return found


async def _holdout(house: House, **more: Any) -> str:
    sent = {"label": "2030", "share": "5", "startsAt": "2030-01-01T00:00:00Z", **more}
    found: str = (await make(house, "createHoldout", input=sent))["holdout"]["id"]
    return found


@case
async def create_test_profile(house: House) -> Case:
    """With everything that is personal."""
    sent = {
        "label": "Xanthippe Markerovic",
        "uses": ["TRAP", "PREVIEW"],
        "eventType": "a",
        "eventPayload": {"to": EMAIL},
        **PERSON,
    }
    return Case({"input": sent}, ["test_profile.create"], {"input": {**sent, "email": "Markerovic"}})


@case
async def update_test_profile(house: House) -> Case:
    """It becomes another."""
    test_profile_id = await _test_profile(house, email="a@shop.example")
    return Case({"input": {"id": test_profile_id, "label": "Markerovic", **PERSON}}, ["test_profile.update"])


@case
async def delete_test_profile(house: House) -> Case:
    """With a name that is somebody's."""
    return Case({"id": await _test_profile(house)}, ["test_profile.delete"])


@case
async def set_delivery_traps(house: House) -> Case:
    """One that is named, and a question that names somebody."""
    sent = {
        "id": await house.delivery(),
        "testProfileIds": [await _test_profile(house)],
        "question": QUESTION,
        "insertion": "END",
    }
    return Case({"input": sent}, ["delivery.set_traps"])


@case
async def set_delivery_control_group(house: House) -> Case:
    """Drawn by chance, and a question that names somebody."""
    group = {"extraction": "RANDOM", "share": "2.5", "size": 100, "question": QUESTION}
    sent = {"id": await house.delivery(), "controlGroup": group}
    bad = {**sent, "controlGroup": {"extraction": "RANDOM"}}
    return Case({"input": sent}, ["delivery.set_control_group"], {"input": bad})


@case
async def set_delivery_sending_log(house: House) -> Case:
    """A code that names somebody."""
    code = {"text": f"if(email = '{EMAIL}', 'VIP')"}
    sent = {"id": await house.delivery(), "segmentCode": code, "fields": ["city", "email"]}
    return Case({"input": sent}, ["delivery.set_sending_log"], {"input": {**sent, "fields": ["Markerovic"]}})


@case
async def set_delivery_send_dates(house: House) -> Case:
    """An expression that names somebody."""
    dates = {"expression": {"text": f"if(email = '{EMAIL}', now)"}, "timeZone": "Europe/Paris", "ofRecipient": True}
    sent = {"id": await house.delivery(), "sendDates": dates}
    bad = {**sent, "sendDates": {"expression": {"text": f"'{EMAIL}'"}}}
    return Case({"input": sent}, ["delivery.set_send_dates"], {"input": bad})


@case
async def create_holdout(house: House) -> Case:
    """From now on."""
    sent = {"label": "2026", "share": "5"}
    return Case({"input": sent}, ["holdout.create"], {"input": {**sent, "share": "51"}})


@case
async def update_holdout(house: House) -> Case:
    """With an end."""
    return Case({"input": {"id": await _holdout(house), "endsAt": "2031-01-01T00:00:00Z"}}, ["holdout.update"])


@case
async def delete_holdout(house: House) -> Case:
    """One that has not begun."""
    return Case({"id": await _holdout(house)}, ["holdout.delete"])
