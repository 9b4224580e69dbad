"""Campaigns, channels and channel accounts through GraphQL."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.api.gql import CREATE_CAMPAIGN, Gql, create_campaign, fresh
from tests.api.graphql.conftest import House

UPDATE = """
mutation ($input: UpdateCampaignInput!) {
  updateCampaign(input: $input) { campaign { name label startsOn endsOn version } userErrors { code path } }
}"""
CREATE_ACCOUNT = """
mutation ($input: CreateChannelAccountInput!) {
  createChannelAccount(input: $input) { channelAccount { id config secretNames } userErrors { code path message hint } }
}"""
UPDATE_ACCOUNT = """
mutation ($input: UpdateChannelAccountInput!) {
  updateChannelAccount(input: $input) { channelAccount { config secretNames version } userErrors { code path } }
}"""
SMTP = {"host": "smtp.shop.example", "sender_domain": "mail.shop.example", "username": "u", "password": "hunter2"}


async def test_a_campaign_is_changed_field_by_field(gql: Gql) -> None:
    # Given a campaign with dates
    campaign_id = await create_campaign(gql)
    dated = await gql.do(UPDATE, input={"id": campaign_id, "startsOn": "2026-03-01", "endsOn": "2026-04-01"})
    assert dated["campaign"]["version"] == 2

    # When the end is taken out and nothing else is said
    changed = await gql.do(UPDATE, input={"id": campaign_id, "endsOn": None})

    # Then everything else stays
    assert (changed["campaign"]["startsOn"], changed["campaign"]["endsOn"]) == ("2026-03-01", None)
    assert changed["campaign"]["label"] == "A campaign"


async def test_problems_of_a_campaign_are_told_with_their_place(gql: Gql) -> None:
    (bad_name,) = await gql.refused(CREATE_CAMPAIGN, input={"name": "Not a handle!", "label": "x"})
    (bad_dates,) = await gql.refused(
        UPDATE, input={"id": await create_campaign(gql), "startsOn": "2026-04-01", "endsOn": "2026-03-01"}
    )

    assert (bad_name["code"], bad_name["path"]) == ("BAD_NAME", "name")
    assert bad_dates["code"] == "BAD_DATES"


async def test_campaigns_deliveries_and_services_have_fields_of_the_team(house: House) -> None:
    gql = house.gql
    for dataset in ("campaign", "delivery", "service"):
        saved = await gql.do(
            """mutation ($i: SaveDataFieldInput!) { saveDataField(input: $i) {
                 draft { version } userErrors { code message path } } }""",
            i={"dataset": dataset, "name": "budget", "label": "Budget", "kind": "DECIMAL"},
        )
    publish = "mutation ($v: Int!) { publishDataModel(draftVersion: $v) { dataModel { version } userErrors { code message } } }"
    await gql.do(publish, v=saved["draft"]["version"])
    delivery = await house.delivery()
    assert (await gql.ask("query ($id: ID!) { delivery(id: $id) { teamFields } }", id=delivery))["delivery"] == {
        "teamFields": {"budget": None}
    }
    service = await gql.do(
        """mutation { createService(input: {name: "weekly", label: "x", teamFields: {budget: 1}}) {
             service { id teamFields version } userErrors { code } } }"""
    )
    assert service["service"]["teamFields"] == {"budget": "1"}
    for kind, key in (
        ("Campaign", await create_campaign(gql)), ("Delivery", delivery), ("Service", service["service"]["id"]),
    ):  # fmt: skip
        update = f"""mutation ($input: Update{kind}Input!) {{ update{kind}(input: $input) {{
          {kind.lower()} {{ teamFields version }} userErrors {{ code path message hint }} }} }}"""
        changed = await gql.do(update, input={"id": key, "teamFields": {"budget": "10.50"}})
        assert changed[kind.lower()] == {"teamFields": {"budget": "10.50"}, "version": 2}
        same = await gql.do(update, input={"id": key, "teamFields": {"budget": 10.5}})
        assert same[kind.lower()]["version"] == 2
        (error,) = await gql.refused(update, input={"id": key, "teamFields": {"bugdet": 1}})
        assert (error["code"], error["path"], error["hint"]) == ("UNKNOWN_FIELD", "teamFields.bugdet", "Did you mean 'budget'?")
        cleared = await gql.do(update, input={"id": key, "teamFields": {"budget": None}})
        assert cleared[kind.lower()] == {"teamFields": {"budget": None}, "version": 3}


async def test_channels_describe_themselves(gql: Gql) -> None:
    channels = (
        await gql.ask(
            """{ channels { name label addressKind tracking receipts inbound largestMessage
                 config { name type required secret default choices minimum maximum description }
                 content { name required template } } }"""
        )
    )["channels"]

    email = next(one for one in channels if one["name"] == "email")
    assert email["addressKind"] == "EMAIL"
    assert email["tracking"] is True
    assert [one["name"] for one in email["config"] if one["secret"]] == ["password", "dkim_private_key", "dkim_private_key_2"]
    assert "subject" in [one["name"] for one in email["content"]]


async def test_an_accounts_secrets_go_in_and_never_come_out(gql: Gql) -> None:
    # Given an account with a password
    response = await gql.post(
        CREATE_ACCOUNT, {"input": {"name": fresh("smtp"), "label": "x", "channel": "email", "config": SMTP}}
    )
    made = response.json()["data"]["createChannelAccount"]
    assert made["userErrors"] == []
    account = made["channelAccount"]
    assert account["secretNames"] == ["password"]
    assert "hunter2" not in response.text
    assert account["config"]["port"] == 587  # a default

    # When one setting is changed
    changed = await gql.do(UPDATE_ACCOUNT, input={"id": account["id"], "config": {"port": 25}})

    # Then the others stay, the password included
    assert changed["channelAccount"]["config"]["host"] == "smtp.shop.example"
    assert changed["channelAccount"]["config"]["port"] == 25
    assert changed["channelAccount"]["secretNames"] == ["password"]


async def test_every_wrong_setting_is_told_with_its_name(gql: Gql) -> None:
    errors = await gql.refused(
        CREATE_ACCOUNT,
        input={"name": fresh("smtp"), "label": "x", "channel": "email", "config": {"port": "x", "security": "ssl3", "hots": 1}},
    )

    assert {"config.port", "config.security", "config.hots", "config.host"} <= {error["path"] for error in errors}


async def test_a_dkim_key_that_cannot_sign_is_refused_before_it_is_saved(gql: Gql) -> None:
    # Given an account with a key
    good = _pem(ed25519.Ed25519PrivateKey.generate())
    base = {"name": fresh("dkim"), "label": "x", "channel": "email"}
    signing = {**SMTP, "dkim_selector": "s1", "dkim_private_key": good}
    made = await gql.do(CREATE_ACCOUNT, input={**base, "config": signing})
    account = made["channelAccount"]
    assert account["secretNames"] == ["dkim_private_key", "password"]

    # When another is made with one that is none, is too small or too large, or has no selector
    small = _pem(rsa.generate_private_key(65537, 1024))
    for config, field, told in (
        ({"dkim_private_key": "hunter3"}, "dkim_private_key", "not a private key in PEM"),
        ({"dkim_private_key": small}, "dkim_private_key", "2048 bits or more, not 1024"),
        ({"dkim_private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter3"}, "dkim_private_key", "ssh-keygen"),
        ({"dkim_selector": ""}, "dkim_selector", "is missing"),
        ({"dkim_domain": "no domain"}, "dkim_domain", "not a domain that can sign"),
    ):
        response = await gql.post(CREATE_ACCOUNT, {"input": {**base, "name": fresh("dkim"), "config": {**signing, **config}}})
        (error,) = response.json()["data"]["createChannelAccount"]["userErrors"]

        # Then it is refused with the setting, what is wrong with it and what to do, and without the key
        assert (error["code"], error["path"]) == ("CONFIG_REFUSED", f"config.{field}")
        assert told in error["message"]
        assert error["hint"].startswith("Check the DKIM settings")
        assert "hunter" not in response.text

    # And a change of the first is checked together with the key that is stored
    (error,) = await gql.refused(UPDATE_ACCOUNT, input={"id": account["id"], "config": {"dkim_selector": "a b"}})
    assert (error["code"], error["path"]) == ("CONFIG_REFUSED", "config.dkim_selector")
    (error,) = await gql.refused(UPDATE_ACCOUNT, input={"id": account["id"], "config": {"dkim_private_key": "hunter3"}})
    assert error["path"] == "config.dkim_private_key"
    changed = await gql.do(UPDATE_ACCOUNT, input={"id": account["id"], "config": {"dkim_selector": "s2"}})
    assert (changed["channelAccount"]["config"]["dkim_selector"], changed["channelAccount"]["version"]) == ("s2", 2)


def _pem(private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, form, plain).decode()


async def test_settings_that_are_no_object_and_channels_that_are_not_there_are_refused(gql: Gql) -> None:
    base = {"name": fresh("x"), "label": "x", "channel": "email"}

    assert (await gql.refused(CREATE_ACCOUNT, input={**base, "config": []}))[0]["code"] == "NOT_AN_OBJECT"
    assert (await gql.refused(CREATE_ACCOUNT, input={**base, "config": "x"}))[0]["code"] == "NOT_AN_OBJECT"
    assert (await gql.refused(CREATE_ACCOUNT, input={**base, "channel": "pigeon", "config": {}}))[0][
        "code"
    ] == "CHANNEL_NOT_FOUND"


async def test_an_account_is_paused_resumed_and_deleted(gql: Gql) -> None:
    made = await gql.do(CREATE_ACCOUNT, input={"name": fresh("mem"), "label": "x", "channel": "memory", "config": {}})
    account_id = made["channelAccount"]["id"]
    fields = "channelAccount { pausedAt pauseReason } userErrors { code }"

    paused = await gql.do(
        f'mutation ($id: ID!) {{ pauseChannelAccount(input: {{id: $id, reason: "An outage"}}) {{ {fields} }} }}', id=account_id
    )
    assert paused["channelAccount"]["pauseReason"] == "An outage"
    assert paused["channelAccount"]["pausedAt"]
    resumed = await gql.do(f"mutation ($id: ID!) {{ resumeChannelAccount(id: $id) {{ {fields} }} }}", id=account_id)
    assert resumed["channelAccount"] == {"pausedAt": None, "pauseReason": None}
    await gql.do("mutation ($id: ID!) { deleteChannelAccount(id: $id) { deletedId userErrors { code } } }", id=account_id)
    assert (await gql.ask("query ($id: ID!) { channelAccount(id: $id) { id } }", id=account_id))["channelAccount"] is None
