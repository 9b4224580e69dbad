"""The cases of what authors write: audiences, content, campaigns, machine rules; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from tests.api.gql import create_campaign, create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, QUESTION, Case, case, make

PERSONAL_CONTENT = {"parts": [{"name": "text", "source": f"Write to {EMAIL}"}], "data": {"seller": "Markerovic"}}


async def _authored(house: House, kind: str, **more: Any) -> str:
    made = await make(house, f"create{kind.capitalize()}", input={"name": fresh(kind), "label": "One", **more})
    made_id: str = made[kind]["id"]
    return made_id


@case
async def create_audience(house: House) -> Case:
    """A question about somebody."""
    sent = {"name": fresh("audience"), "label": "One", "expression": QUESTION}
    return Case({"input": sent}, ["audience.create"], {"input": {**sent, "expression": {"text": "emial is null"}}})


@case
async def update_audience(house: House) -> Case:
    """Another question about somebody."""
    audience_id = await _authored(house, "audience", expression={"text": "id > 0"})
    return Case({"input": {"id": audience_id, "label": "Two", "expression": QUESTION}}, ["audience.update"])


@case
async def delete_audience(house: House) -> Case:
    """Of somebody."""
    return Case({"id": await _authored(house, "audience", expression=QUESTION)}, ["audience.delete"])


@case
async def create_list(house: House) -> Case:
    """A list of whom an expression finds."""
    sent = {"name": fresh("list"), "label": "One", "whom": {"expression": QUESTION}}
    refused = {"input": {**sent, "whom": {"expression": {"text": "emial is null"}}}}
    return Case({"input": sent}, ["audience.create"], refused)


@case
async def freeze_audience(house: House) -> Case:
    """A list of whom an audience finds."""
    audience_id = await _authored(house, "audience", expression=QUESTION)
    return Case({"id": audience_id, "name": fresh("list"), "label": "Frozen"}, ["audience.create"])


@case
async def keep_audience(house: House) -> Case:
    """An audience of somebody."""
    audience_id = await _authored(house, "audience", expression=QUESTION)
    return Case({"id": audience_id}, ["audience.keep"], {"id": audience_id, "timeZone": "Mars/Olympus"})


@case
async def release_audience(house: House) -> Case:
    """One that is kept."""
    audience_id = await _authored(house, "audience", expression=QUESTION)
    await make(house, "keepAudience", id=audience_id)
    return Case({"id": audience_id}, ["audience.release"])


@case
async def create_segment_lists(house: House) -> Case:
    """Two halves of somebody."""
    sent = {"population": QUESTION, "into": {"segments": [{"code": "a", "share": "50"}], "complement": "b"}}
    refused = {**sent, "prefix": "Bad name"}
    return Case({**sent, "prefix": fresh("half")}, ["audience.create", "audience.create"], refused)


@case
async def create_segmented_list(house: House) -> Case:
    """Two halves of somebody."""
    sent = {
        "population": QUESTION, "into": {"segments": [{"code": "a", "share": "50"}], "complement": "b"}, "label": "Halves",
    }  # fmt: skip
    return Case({**sent, "name": fresh("halves")}, ["audience.create"], {**sent, "name": "Bad name"})


@case
async def add_to_list(house: House) -> Case:
    """Somebody on a list."""
    return await _on_list(house, "audience.add", put_on=False)


@case
async def remove_from_list(house: House) -> Case:
    """Somebody off it."""
    return await _on_list(house, "audience.remove", put_on=True)


async def _on_list(house: House, action: str, *, put_on: bool) -> Case:
    profile_id = await create_profile(house.gql)
    sent = {"name": fresh("list"), "label": "One", "whom": {"profileIds": [profile_id] if put_on else []}}
    made = await house.gql.do(
        "mutation ($input: CreateListInput!) { createList(input: $input) { audience { id } userErrors { code } } }", input=sent
    )
    return Case({"id": made["audience"]["id"], "whom": {"profileIds": [profile_id]}}, [action])


@case
async def create_content(house: House) -> Case:
    """A text that names somebody, with data that does."""
    sent = {"name": fresh("content"), "label": "One", "channel": "memory", **PERSONAL_CONTENT}
    return Case({"input": sent}, ["content.create"], {"input": {**sent, "name": "Bad name"}})


@case
async def update_content(house: House) -> Case:
    """A text that names somebody from now on."""
    content_id = await _authored(house, "content", channel="memory", parts=[{"name": "text", "source": "Hello"}])
    return Case({"input": {"id": content_id, **PERSONAL_CONTENT}}, ["content.update"])


@case
async def create_attachment_upload(house: House) -> Case:
    """A file that is called after somebody."""
    return Case({"fileName": "Markerovic.pdf"}, ["attachment.create_upload"], {"fileName": "Marker/ovic.pdf"})


@case
async def delete_content(house: House) -> Case:
    """A text that named somebody."""
    return Case({"id": await _authored(house, "content", channel="memory", **PERSONAL_CONTENT)}, ["content.delete"])


FRAGMENT = {"html": f"Write to {EMAIL}", "parameters": [{"name": "seller", "default": "Markerovic"}]}


@case
async def create_fragment(house: House) -> Case:
    """A text that names somebody, with a parameter that does."""
    sent = {"name": fresh("fragment"), "label": "One", **FRAGMENT}
    return Case({"input": sent}, ["fragment.create"], {"input": {**sent, "name": "Bad name"}})


@case
async def update_fragment(house: House) -> Case:
    """A text that names somebody from now on."""
    return Case({"input": {"id": await _authored(house, "fragment", html="Hello"), **FRAGMENT}}, ["fragment.update"])


@case
async def delete_fragment(house: House) -> Case:
    """A text that named somebody."""
    return Case({"id": await _authored(house, "fragment", **FRAGMENT)}, ["fragment.delete"])


@case
async def create_campaign_(house: House) -> Case:
    """A campaign."""
    sent = {"name": fresh("campaign"), "label": "One", "startsOn": "2030-03-01"}
    return Case({"input": sent}, ["campaign.create"], {"input": {**sent, "name": "Bad name"}})


@case
async def update_campaign(house: House) -> Case:
    """Its label."""
    return Case({"input": {"id": await create_campaign(house.gql), "label": "Two"}}, ["campaign.update"])


@case
async def delete_campaign(house: House) -> Case:
    """One without deliveries."""
    return Case({"id": await create_campaign(house.gql)}, ["campaign.delete"])


@case
async def create_machine_rule(house: House) -> Case:
    """A rule."""
    sent = {"kind": "AGENT", "description": "A scanner", "pattern": "SomeScanner/.*"}
    return Case({"input": sent}, ["machine_rule.create"], {"input": {**sent, "description": ""}})


async def _rule(house: House) -> int:
    made = await make(house, "createMachineRule", input={"kind": "BURST", "description": "Fast", "seconds": 2, "least": 3})
    rule_id: int = made["machineRule"]["id"]
    return rule_id


@case
async def update_machine_rule(house: House) -> Case:
    """Its time."""
    return Case({"input": {"id": await _rule(house), "seconds": 3}}, ["machine_rule.update"])


@case
async def delete_machine_rule(house: House) -> Case:
    """One of the house's own."""
    return Case({"id": await _rule(house)}, ["machine_rule.delete"])
