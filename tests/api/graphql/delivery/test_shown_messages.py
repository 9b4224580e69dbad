"""Messages of people of the target, over GraphQL."""

from __future__ import annotations

from tests.api.gql import create_profile
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

SHOWN = """query ($id: ID!, $ids: [ID!]!) { delivery(id: $id) { messages(profileIds: $ids) {
    language subject html text failure row { address state profile { firstName } } } } }"""


async def test_people_of_the_target_take_the_place_of_test_profiles(house: House) -> None:
    ann = await create_profile(house.gql, email="ann@mail.example", firstName="Ann")
    stranger = await create_profile(house.gql, email="bob@mail.example", firstName="Bob")
    delivery_id = await house.delivery()
    await house.gql.do("mutation ($id: ID!) { deleteProfile(id: $id) { userErrors { code message path } } }", id=stranger)
    await make(house, "prepareDelivery", id=delivery_id)
    await house.work()

    (found,) = (await house.gql.ask(SHOWN, id=delivery_id, ids=[ann]))["delivery"]["messages"]
    assert "Hello Ann" in found["text"]
    assert (found["failure"], found["row"]) == (
        None, {"address": "ann@mail.example", "state": "PENDING", "profile": {"firstName": "Ann"}},
    )  # fmt: skip

    assert await house.gql.code(SHOWN, id=delivery_id, ids=[stranger]) == "RECIPIENT_NOT_FOUND"
