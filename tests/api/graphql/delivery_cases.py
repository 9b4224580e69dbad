"""The cases of deliveries and of the accounts that they go through; see `mutation_cases`."""

from __future__ import annotations

from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PASSWORD, PERSON, Case, case, make

SMTP = {"host": "127.0.0.1", "sender_domain": "bounces.shop.example", "username": "shop", "password": PASSWORD}


async def _account(house: House) -> str:
    sent = {"name": fresh("account"), "label": "One", "channel": "email", "config": SMTP}
    account_id: str = (await make(house, "createChannelAccount", input=sent))["channelAccount"]["id"]
    return account_id


@case
async def create_channel_account(house: House) -> Case:
    """With a password."""
    sent = {"name": fresh("account"), "label": "One", "channel": "email", "config": SMTP}
    return Case({"input": sent}, ["channel_account.create"], {"input": {**sent, "config": {**SMTP, "port": PASSWORD}}})


@case
async def update_channel_account(house: House) -> Case:
    """With another password."""
    sent = {"id": await _account(house), "config": {"password": f"{PASSWORD}-2", "port": 465}}
    return Case({"input": sent}, ["channel_account.update"])


@case
async def delete_channel_account(house: House) -> Case:
    """With a password."""
    return Case({"id": await _account(house)}, ["channel_account.delete"])


@case
async def pause_channel_account(house: House) -> Case:
    """A working one, for a reason that names somebody."""
    reason = f"550 5.7.1 <{EMAIL}>: relay access denied"
    return Case({"input": {"id": await _account(house), "reason": reason}}, ["channel_account.pause"])


@case
async def resume_channel_account(house: House) -> Case:
    """A paused one."""
    account_id = await _account(house)
    await make(house, "pauseChannelAccount", input={"id": account_id, "reason": "The provider asked"})
    return Case({"id": account_id}, ["channel_account.resume"])


async def _planned(house: House, *moves: str, outcomes: str = "accepted") -> str:
    """A delivery to one person after these moves; the workers have done their part of each but the last."""
    await create_profile(house.gql, **PERSON)
    delivery_id = await house.delivery(text=f"Write to {EMAIL}", outcomes=outcomes)
    for number, move in enumerate(moves):
        if number:
            await house.work()
        await make(house, move, id=delivery_id)
    return delivery_id


async def _prepared(house: House) -> str:
    delivery_id = await _planned(house, "prepareDelivery")
    await house.work()
    return delivery_id


@case
async def create_delivery(house: House) -> Case:
    """Of the parts of another one."""
    read = "query ($id: ID!) { delivery(id: $id) { channelAccount { id } audience { id } content { id } } }"
    parts = (await house.gql.ask(read, id=await house.delivery()))["delivery"]
    references = {f"{kind}Id": one["id"] for kind, one in parts.items()}
    sent = {"name": fresh("delivery"), "label": "One", **references}
    return Case({"input": sent}, ["delivery.create"], {"input": {**sent, "durationSeconds": -1}})


@case
async def update_delivery(house: House) -> Case:
    """A prepared one, which then is not prepared any more."""
    sent = {"id": await _prepared(house), "label": "Two"}
    return Case({"input": sent}, ["delivery.update", "delivery.invalidate"])


@case
async def delete_delivery(house: House) -> Case:
    """A prepared one."""
    return Case({"id": await _prepared(house)}, ["delivery.delete"])


@case
async def prepare_delivery(house: House) -> Case:
    """A planned one."""
    return Case({"id": await _planned(house)}, ["delivery.prepare"])


@case
async def stop_preparation(house: House) -> Case:
    """One that waits to be prepared."""
    return Case({"id": await _planned(house, "prepareDelivery")}, ["delivery.stop_preparation"])


@case
async def confirm_delivery(house: House) -> Case:
    """A prepared one."""
    return Case({"id": await _prepared(house)}, ["delivery.confirm"])


@case
async def pause_delivery(house: House) -> Case:
    """A confirmed one, for a reason that names somebody."""
    delivery_id = await _planned(house, "prepareDelivery", "confirmDelivery")
    return Case({"id": delivery_id, "reason": f"Complaint of {EMAIL}"}, ["delivery.pause"])


@case
async def resume_delivery(house: House) -> Case:
    """A paused one."""
    delivery_id = await _planned(house, "prepareDelivery", "confirmDelivery")
    await make(house, "pauseDelivery", id=delivery_id, reason=None)
    return Case({"id": delivery_id}, ["delivery.resume"])


@case
async def stop_delivery(house: House) -> Case:
    """A confirmed one."""
    return Case({"id": await _planned(house, "prepareDelivery", "confirmDelivery")}, ["delivery.stop"])


@case
async def settle_doubtful(house: House) -> Case:
    """One message, whose answer was lost."""
    delivery_id = await _planned(house, "prepareDelivery", "confirmDelivery", outcomes="unknown")
    await house.work()
    return Case({"id": delivery_id, "decision": "ACCEPTED"}, ["delivery.settle_doubtful"])
