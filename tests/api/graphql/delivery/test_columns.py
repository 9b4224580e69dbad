"""A file brings vouchers along: from the upload to the message that says them (E.30)."""

from __future__ import annotations

import json

from channels.memory.stores import store
from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

PREVIEW = """query ($input: PreviewInput!) {
  preview(input: $input) { text warnings { code level message hint part line column } } }"""
WARNINGS = "query ($id: ID!) { contentWarnings(id: $id) { code } }"
CREATE = """mutation ($input: CreateDeliveryInput!) {
  createDelivery(input: $input) { delivery { id } userErrors { code message path hint } } }"""
UPDATE = """mutation ($input: UpdateAudienceInput!) {
  updateAudience(input: $input) { audience { id } userErrors { code message path } } }"""


async def test_a_file_brings_vouchers_along_into_previews_and_messages(house: House) -> None:
    gql = house.gql
    # Given people, and a file that knows two of them
    ann, bob = [await create_profile(gql, email=f"{name}@mail.example", firstName=name) for name in ("ann", "bob")]
    sent = {"name": fresh("vouchers"), "label": "Vouchers", "fileName": "vouchers.csv"}
    made = await make(house, "createFileAudience", input=sent)
    file = b"E-mail,Voucher Code\nann@mail.example,SPRING-1\nbob@mail.example,\nelse@mail.example,SPRING-3\n"
    assert (await gql.http.put(made["uploadUrl"], content=file)).status_code == 201
    keys = [{"field": "email", "column": "e_mail"}]
    await make(house, "loadAudienceFile", id=made["audience"]["id"], reconcileBy=keys)
    await house.work()

    # When content reads a column, a preview without an audience says that nobody knows whether it is there
    text = "{{ profile.first_name | default: '' }}: {{ audience.voucher_code | default: 'none' }}"
    parts = [{"name": "text", "source": text}]
    content = (await make(house, "createContent", input={
        "name": fresh("content"), "label": "x", "channel": "memory", "parts": parts,
    }))["content"]["id"]  # fmt: skip
    assert "AUDIENCE_NOT_KNOWN" in [one["code"] for one in (await gql.ask(WARNINGS, id=content))["contentWarnings"]]
    found = (await gql.ask(PREVIEW, input={"contentId": content, "profileId": ann}))["preview"]
    assert found["text"] == "ann: none"

    # And one with the audience shows what each brings along, and what one lacks
    audience = made["audience"]["id"]
    found = (await gql.ask(PREVIEW, input={"contentId": content, "profileId": ann, "audienceId": audience}))["preview"]
    assert (found["text"], [one["code"] for one in found["warnings"] if one["part"] == "text"]) == ("ann: SPRING-1", [])
    found = (await gql.ask(PREVIEW, input={"contentId": content, "profileId": bob, "audienceId": audience}))["preview"]
    assert found["text"] == "bob: none"
    assert [(one["message"], one["line"], one["column"]) for one in found["warnings"] if one["code"] == "MISSING_VALUE"] == [
        ("audience.voucher_code is empty for this profile", 1, 44)
    ]
    wrong = [{"name": "text", "source": "{{ audience.voucher }}"}]
    unsaved = {"channel": "memory", "parts": wrong, "profileId": ann, "audienceId": audience}
    assert await gql.code(PREVIEW, input=unsaved) == "UNKNOWN_VARIABLE"

    # A delivery to others is refused, and says why
    account = (await make(house, "createChannelAccount", input={
        "name": fresh("account"), "label": "x", "channel": "memory", "config": {"store": "vouchers"},
    }))["channelAccount"]["id"]  # fmt: skip
    others = (await make(house, "createAudience", input={
        "name": fresh("all"), "label": "x", "expression": {"text": "id > 0"},
    }))["audience"]["id"]  # fmt: skip
    delivery = {"name": fresh("d"), "label": "Spring", "channelAccountId": account, "contentId": content}
    refused = (await gql.ask(CREATE, input={**delivery, "audienceId": others}))["createDelivery"]["userErrors"]
    assert [(one["code"], one["path"]) for one in refused] == [("UNKNOWN_COLUMN", "contentId")]

    # One to the file, or to some on it, is sent as it was previewed
    name = (await gql.ask("query ($id: ID!) { audience(id: $id) { name } }", id=audience))["audience"]["name"]
    some = (await make(house, "createAudience", input={
        "name": fresh("some"), "label": "x", "expression": {"text": f"in_audience('{name}') and first_name != 'x'"},
    }))["audience"]["id"]  # fmt: skip
    delivery_id = (await make(house, "createDelivery", input={**delivery, "audienceId": some}))["delivery"]["id"]
    assert (await gql.ask(WARNINGS, id=content))["contentWarnings"] == []
    refused = (await gql.ask(UPDATE, input={"id": some, "expression": {"text": "id > 0"}}))["updateAudience"]["userErrors"]
    assert [one["code"] for one in refused] == ["IN_USE"]
    await make(house, "prepareDelivery", id=delivery_id)
    await house.work()
    await make(house, "confirmDelivery", id=delivery_id)
    await house.work()
    bodies = [json.loads(one.body)["text"] for one in store("vouchers").messages]
    assert sorted(bodies) == ["ann: SPRING-1", "bob: none"]
