"""Counts and lists as jobs, and the end of an audience's time, at the door."""

from __future__ import annotations

from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

RUN = """query ($id: ID!) { node(id: $id) { ... on AudienceRun {
  state task count error { code message hint } audiences { id } } } }"""
COUNT = """mutation ($of: PopulationInput!, $minutes: Int) { startCount(of: $of, minutes: $minutes) {
  run { id state } userErrors { code message path hint } } }"""
AUDIENCE = "query ($id: ID!) { audience(id: $id) { counted countedAt expired expiresAt target { count } } }"


async def _audience(house: House, **more: str) -> str:
    sent = {"name": fresh("a"), "expression": {"text": "not email is_null"}, **more}
    audience_id: str = (await make(house, "createAudience", input=sent))["audience"]["id"]
    return audience_id


async def test_an_audience_is_counted_and_frozen_as_jobs(house: House) -> None:
    ask = house.gql.ask
    for name in ("ann", "bob"):
        await create_profile(house.gql, email=f"{name}@mail.example", firstName=name)
    audience = await _audience(house)
    assert (await ask(AUDIENCE, id=audience))["audience"]["counted"] is None

    # When it is counted, the run says how many, and the audience keeps it
    run = (await house.gql.do(COUNT, of={"audienceId": audience}))["run"]
    assert run["state"] == "READY"
    await house.work()
    done = (await ask(RUN, id=run["id"]))["node"]
    assert (done["state"], done["count"]) == ("FINISHED", 2)
    kept = (await ask(AUDIENCE, id=audience))["audience"]
    assert (kept["counted"], kept["target"]["count"], kept["expired"]) == (2, 2, False)
    assert kept["countedAt"]

    # When it is frozen with a column, there is a list of them that says what each had
    column = {"name": "voucher", "label": "Voucher", "expression": {"text": "concat('V-', first_name)"}}
    sent = {"name": fresh("list"), "label": "List", "of": {"audienceId": audience}, "columns": [column]}
    run = (await make(house, "startFreeze", input=sent))["run"]
    await house.work()
    found = (await ask(RUN, id=run["id"]))["node"]
    assert (found["state"], found["error"]) == ("FINISHED", None)
    read = "query ($id: ID!) { audience(id: $id) { kind members(first: 9) { nodes { columns } } } }"
    listed = (await ask(read, id=found["audiences"][0]["id"]))["audience"]
    assert listed["kind"] == "LIST"
    assert [one["columns"] for one in listed["members"]["nodes"]] == [{"voucher": "V-ann"}, {"voucher": "V-bob"}]


async def test_a_run_is_cancelled_and_what_is_wrong_has_a_name(house: House) -> None:
    audience = await _audience(house)
    run = (await house.gql.do(COUNT, of={"audienceId": audience}))["run"]
    await make(house, "cancelAudienceRun", id=run["id"])
    await house.work()
    assert (await house.gql.ask(RUN, id=run["id"]))["node"]["state"] == "CANCELLED"
    assert (await house.gql.ask(AUDIENCE, id=audience))["audience"]["counted"] is None

    for of, minutes, code in (
        ({"expression": {"text": "nothing = 1"}}, 5, "UNKNOWN_FIELD"),
        ({"expression": {"text": "id > 0"}}, 361, "BAD_MINUTES"),
        ({"expression": {"text": "in_audience('nobody')"}}, 5, "UNKNOWN_AUDIENCE"),
    ):
        (error,) = (await house.gql.ask(COUNT, of=of, minutes=minutes))["startCount"]["userErrors"]
        assert error["code"] == code


async def test_an_audience_says_that_its_time_is_over(house: House) -> None:
    audience = await _audience(house, expiresAt="2020-01-01T00:00:00Z")
    found = (await house.gql.ask(AUDIENCE, id=audience))["audience"]
    assert (found["expired"], found["expiresAt"][:10]) == (True, "2020-01-01")
    delivery_id = await house.delivery()
    update = """mutation ($input: UpdateDeliveryInput!) { updateDelivery(input: $input) {
      userErrors { code path } } }"""
    planned = {"id": delivery_id, "audienceId": audience, "contactAt": "2030-01-01T09:00:00Z"}
    errors = (await house.gql.ask(update, input=planned))["updateDelivery"]["userErrors"]
    assert errors == [{"code": "AUDIENCE_EXPIRES", "path": "audienceId"}]
