"""Quarantine figures, corrections and suppression lists, as a client asks for them."""

from __future__ import annotations

from tests.api.gql import Gql, fresh
from tests.api.graphql.conftest import House

CREATE = """mutation ($input: CreateSuppressionListInput!) { createSuppressionList(input: $input) {
  suppressionList { id scope entryCount } userErrors { code message path } } }"""
ADD = """mutation ($input: SuppressionEntriesInput!) { addSuppressionEntries(input: $input) {
  results { outcome error { code path } } userErrors { code message path } } }"""


async def new_list(gql: Gql) -> str:
    """An empty list of email addresses; returns its id."""
    made = await gql.do(CREATE, input={"name": fresh("list"), "label": "Partners", "kind": "EMAIL", "scope": "NAMED"})
    list_id: str = made["suppressionList"]["id"]
    return list_id


async def test_a_list_is_filled_named_by_a_delivery_and_told(house: House) -> None:
    gql, list_id = house.gql, await new_list(house.gql)
    entries = [{"value": "Ann@mail.example", "comment": "asked"}, {"value": "nobody"}, {"value": "b@mail.example"}]
    added = await gql.do(ADD, input={"listId": list_id, "entries": entries})
    assert added["results"] == [
        {"outcome": "ADDED", "error": None},
        {"outcome": "REFUSED", "error": {"code": "BAD_EMAIL", "path": "entries.1.value"}},
        {"outcome": "ADDED", "error": None},
    ]
    page = """query ($id: ID!, $after: String) { suppressionList(id: $id) { entryCount
      entries(first: 1, after: $after) { nodes { form value comment } pageInfo { endCursor hasNextPage } } } }"""
    first = (await gql.ask(page, id=list_id))["suppressionList"]
    assert (first["entryCount"], first["entries"]["nodes"]) == (
        2, [{"form": "PLAIN", "value": "ann@mail.example", "comment": "asked"}],
    )  # fmt: skip
    rest = await gql.ask(page, id=list_id, after=first["entries"]["pageInfo"]["endCursor"])
    assert [one["value"] for one in rest["suppressionList"]["entries"]["nodes"]] == ["b@mail.example"]
    assert await gql.code(page, id=list_id, after="xx") == "BAD_CURSOR"

    matches = await gql.ask('{ suppressedBy(addressKind: EMAIL, address: "ANN@mail.example") { list { id } entry { value } } }')
    assert matches["suppressedBy"] == [{"list": {"id": list_id}, "entry": {"value": "ann@mail.example"}}]

    delivery_id = await house.delivery()
    update = """mutation ($input: UpdateDeliveryInput!) { updateDelivery(input: $input) {
      delivery { suppressionLists { id } } userErrors { code message path } } }"""
    named = await gql.do(update, input={"id": delivery_id, "suppressionListIds": [list_id]})
    assert named["delivery"]["suppressionLists"] == [{"id": list_id}]
    (refused,) = await gql.refused(
        "mutation ($id: ID!) { deleteSuppressionList(id: $id) { userErrors { code } } }", id=list_id
    )  # fmt: skip
    assert refused["code"] == "IN_USE"
    emptied = await gql.do(update, input={"id": delivery_id, "suppressionListIds": []})
    assert emptied["delivery"]["suppressionLists"] == []


async def test_the_figures_and_a_correction(house: House) -> None:
    gql = house.gql
    told = await gql.do(
        """mutation { updateQuarantineSettings(input: {softErrors: 3, expectedVersion: 1}) {
             settings { softErrors betweenSoftErrorsSeconds version } userErrors { code message path } } }"""
    )
    assert told["settings"] == {"softErrors": 3, "betweenSoftErrorsSeconds": 86400, "version": 2}
    await gql.do(
        """mutation { quarantineAddresses(input: {addresses: ["a@isp.example", "b@isp.example"], text: "550 down",
             reason: UNREACHABLE}) { userErrors { code message path } } }"""
    )
    count = '{ quarantineCount(filter: {errorText: "DOWN", reasons: [UNREACHABLE]}, correction: DELETE) }'
    assert (await gql.ask(count))["quarantineCount"] == 2
    correct = """mutation ($n: Int) { correctQuarantine(input: {filter: {errorText: "DOWN"}, correction: DELETE,
      expectedCount: $n}) { corrected remaining userErrors { code path } } }"""
    (refused,) = await gql.refused(correct, n=3)
    assert refused == {"code": "COUNT_CHANGED", "path": "expectedCount"}
    done = await gql.do(correct, n=2)
    assert (done["corrected"], done["remaining"]) == (2, 0)


async def test_refusals_name_what_was_sent(gql: Gql) -> None:
    errors = "{ userErrors { code path } }"
    for mutation, given, wanted in (
        ("updateQuarantineSettings(input: {betweenSoftErrorsSeconds: -1})", "BAD_VALUE", "betweenSoftErrorsSeconds"),
        ('recordStop(input: {phones: ["+33612345678", "12"]})', "BAD_PHONE", "phones.1"),
        ("recordStop(input: {phones: []})", "BAD_VALUE", "phones"),
        ('createService(input: {name: "x", label: "X", validityDays: 0})', "BAD_VALIDITY", "validityDays"),
        ('createService(input: {name: "x", label: "X", confirmWithinHours: 0})', "BAD_VALIDITY", "confirmWithinHours"),
    ):
        (error,) = await gql.refused(f"mutation {{ {mutation} {errors} }}")
        assert (error["code"], error["path"]) == (given, wanted)
