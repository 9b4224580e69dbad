"""POST /graphql as a client sees it: who is let in, what is refused as a whole, mutations whole or not at all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.app import App
from core import idempotency
from core.access import Permission, Role
from tests.api.conftest import make_token
from tests.api.gql import CREATE_CAMPAIGN, Gql, fresh

VIEWER = "{ viewer { name permissions } }"
TWO_CAMPAIGNS = """
mutation ($one: CreateCampaignInput!, $two: CreateCampaignInput!) {
  one: createCampaign(input: $one) { campaign { id name } userErrors { code } }
  two: createCampaign(input: $two) { campaign { id name } userErrors { code } }
}"""
NESTED_JSON = b'{"query": "{ viewer { name } }", "variables": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001
SUBSCRIPTION = b'{"query": "subscription { deliveryProgress(deliveryId: \\"x\\") { state } }"}'
BY_NAME = "{ campaigns(first: 500) { nodes { name } } }"


async def names(gql: Gql) -> set[str]:
    """Every campaign there is."""
    return {row["name"] for row in (await gql.ask(BY_NAME))["campaigns"]["nodes"]}


async def test_a_token_opens_the_door(gql: Gql) -> None:
    viewer = (await gql.ask(VIEWER))["viewer"]

    assert viewer["name"].startswith("token:")
    assert "ADMINISTER" in viewer["permissions"]


@pytest.mark.parametrize("token", [None, "", "nonsense", "clarion_1_" + "x" * 43, "clarion_999999_" + "é" * 43])
async def test_no_or_a_wrong_token_is_refused_with_401(http: httpx.AsyncClient, token: str | None) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}".encode()}

    response = await http.post("/graphql", json={"query": VIEWER}, headers=headers)  # type: ignore[arg-type]

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["errors"][0]["extensions"]["code"] in ("UNAUTHENTICATED", "BAD_TOKEN")


async def test_a_revoked_token_is_refused_at_once_where_it_was_revoked(app: App, gql: Gql) -> None:
    # Given somebody who is at work
    made = await gql.do(
        """mutation { createApiToken(input: {name: "A temp", roles: [PREPARE_DELIVERIES]}) {
             apiToken { id permissions } secret userErrors { code } } }"""
    )
    temp = Gql(gql.http, made["secret"])
    assert made["apiToken"]["permissions"] == ["EDIT", "PREFERENCES", "PREPARE", "READ"]
    await temp.ask(VIEWER)

    # When the token is revoked
    await gql.do("mutation ($id: ID!) { revokeApiToken(id: $id) { userErrors { code } } }", id=made["apiToken"]["id"])

    # Then the next request is refused
    assert (await temp.post(VIEWER)).status_code == 401
    assert await temp.code(VIEWER) == "TOKEN_REVOKED"


async def test_what_a_token_may_not_do_is_refused_before_anything_runs(app: App, http: httpx.AsyncClient) -> None:
    reader = Gql(http, await make_token(app, Role.EXPORT, scopes=[Permission.READ]))
    name = fresh("campaign")

    response = await reader.post(CREATE_CAMPAIGN, {"input": {"name": name, "label": "x"}})

    assert response.status_code == 403
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["extensions"]["path"] == "Mutation.createCampaign"
    assert "'edit'" in error["message"]
    assert name not in await names(reader)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "BAD_JSON"),
        (b"", "application/json", 400, "BAD_JSON"),
        (b'{"query": 3}', "application/json", 400, "BAD_JSON"),
        (b'{"query": "{a}", "variables": []}', "application/json", 400, "BAD_JSON"),
        (b'{"query": "\xff"}', "application/json", 400, "BAD_JSON"),
        (NESTED_JSON, "application/json", 400, "BAD_JSON"),
        (b'[{"query": "{a}"}]', "application/json", 400, "BATCH_REFUSED"),
        (b"{ viewer { name } }", "application/graphql", 400, "BAD_CONTENT_TYPE"),
        (b'{"query": "{ viewer { name } }"}', "text/plain", 400, "BAD_CONTENT_TYPE"),
        (b'{"query": ""}', "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "{ viewer { nam } }"}', "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "query A { viewer { name } } query B { viewer { name } }"}', "application/json", 400, "UNKNOWN_OPERATION"),
        (b'{"query": "query A { viewer { name } }", "operationName": "C"}', "application/json", 400, "UNKNOWN_OPERATION"),
        (SUBSCRIPTION, "application/json", 400, "USE_WEBSOCKET"),
        (b"x" * 300_000, "application/json", 413, "BODY_TOO_LARGE"),
    ],
)  # fmt: skip
async def test_a_bad_request_is_refused_by_name(gql: Gql, body: bytes, kind: str, status: int, code: str) -> None:
    headers = {"content-type": kind, "authorization": f"Bearer {gql.token}"}

    response = await gql.http.post("/graphql", content=body, headers=headers)

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_body_without_a_length_is_measured_too(gql: Gql) -> None:
    async def endless() -> object:
        for _ in range(1000):
            yield b"x" * 10_000

    headers = {"content-type": "application/json", "authorization": f"Bearer {gql.token}"}

    response = await gql.http.post("/graphql", content=endless(), headers=headers)  # type: ignore[arg-type]

    assert response.status_code == 413


async def test_a_bad_variable_is_refused_with_its_place(gql: Gql) -> None:
    response = await gql.post("query ($n: Int) { campaigns(first: $n) { nodes { id } } }", {"n": "many"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["locations"] == [{"line": 1, "column": 8}]


async def test_graphql_clients_get_their_own_content_type(gql: Gql) -> None:
    response = await gql.post(VIEWER, accept="application/graphql-response+json")

    assert response.headers["content-type"] == "application/graphql-response+json"


async def test_an_error_of_a_query_has_code_path_and_hint(gql: Gql) -> None:
    response = await gql.post("{ campaigns(first: 0) { nodes { id } } viewer { name } }")

    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert error["path"] == ["campaigns"]
    assert error["extensions"]["code"] == "BAD_PAGE_SIZE"
    assert error["extensions"]["path"] == "first"
    assert error["extensions"]["hint"]


async def test_what_goes_wrong_on_our_side_is_masked(gql: Gql, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an operation with a fault that names something secret
    async def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("core.planning.campaigns.list_campaigns", broken)

    # When it is asked for
    response = await gql.post(BY_NAME, x_request_id="trace-me")

    # Then the client learns the request id and nothing else
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "trace-me"}
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text


async def test_mutations_beside_each_other_stand_or_fall_alone(gql: Gql) -> None:
    # Given a name that is taken
    taken, free = fresh("campaign"), fresh("campaign")
    await gql.do(CREATE_CAMPAIGN, input={"name": taken, "label": "x"})

    # When a request creates it again, and another beside it
    answer = await gql.ask(TWO_CAMPAIGNS, one={"name": taken, "label": "x"}, two={"name": free, "label": "x"})

    # Then one is refused by name and the other is there
    assert answer["one"] == {"campaign": None, "userErrors": [{"code": "NAME_TAKEN"}]}
    assert answer["two"]["campaign"]["name"] == free
    assert free in await names(gql)


async def test_an_error_takes_everything_in_the_request_back(gql: Gql, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given that the second of two mutations will fail on our side
    from core.planning import campaigns

    first, second = fresh("campaign"), fresh("campaign")
    create = campaigns.create_campaign

    async def sometimes(conn: object, actor: object, draft: object) -> object:
        if draft.name == second:  # type: ignore[attr-defined]
            raise RuntimeError("a fault")
        return await create(conn, actor, draft)  # type: ignore[arg-type]

    monkeypatch.setattr(campaigns, "create_campaign", sometimes)

    # When both are asked for in one request
    response = await gql.post(TWO_CAMPAIGNS, {"one": {"name": first, "label": "x"}, "two": {"name": second, "label": "x"}})

    # Then there is no data, and nothing was done
    assert response.json()["data"] is None
    assert not {first, second} & await names(gql)


async def test_the_same_key_and_request_gets_the_stored_answer(gql: Gql) -> None:
    key, name = fresh("key"), fresh("campaign")
    variables = {"input": {"name": name, "label": "x"}}

    first = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)
    again = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)

    assert first.json()["data"]["createCampaign"]["campaign"]["name"] == name
    assert again.content == first.content
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"


async def test_the_order_of_variables_does_not_matter_to_a_key(gql: Gql) -> None:
    key, name = fresh("key"), fresh("campaign")

    first = await gql.post(CREATE_CAMPAIGN, {"input": {"name": name, "label": "x"}}, idempotency_key=key)
    again = await gql.post(CREATE_CAMPAIGN, {"input": {"label": "x", "name": name}}, idempotency_key=key)

    assert again.content == first.content


async def test_the_same_key_with_another_request_is_an_error(gql: Gql) -> None:
    key, name = fresh("key"), fresh("campaign")
    await gql.post(CREATE_CAMPAIGN, {"input": {"name": name, "label": "x"}}, idempotency_key=key)

    response = await gql.post(CREATE_CAMPAIGN, {"input": {"name": fresh("other"), "label": "x"}}, idempotency_key=key)

    assert response.status_code == 409
    assert response.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_refusal_is_stored_under_its_key_too(gql: Gql) -> None:
    # Given a request that was refused because its name was taken
    key, name = fresh("key"), fresh("campaign")
    made = await gql.do(CREATE_CAMPAIGN, input={"name": name, "label": "x"})
    variables = {"input": {"name": name, "label": "x"}}
    refused = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)
    assert refused.json()["data"]["createCampaign"]["userErrors"][0]["code"] == "NAME_TAKEN"

    # When the name has become free and the request is sent again
    await gql.do("mutation ($id: ID!) { deleteCampaign(id: $id) { userErrors { code } } }", id=made["campaign"]["id"])
    again = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)

    # Then the answer is still the first one
    assert again.content == refused.content
    assert name not in await names(gql)


async def test_a_request_that_failed_may_be_sent_again_under_its_key(gql: Gql, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.planning import campaigns

    key, name = fresh("key"), fresh("campaign")
    variables = {"input": {"name": name, "label": "x"}}

    async def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(campaigns, "create_campaign", broken)
        assert (await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)).json()["data"] is None

    answer = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)

    assert answer.json()["data"]["createCampaign"]["campaign"]["name"] == name


async def test_many_at_once_with_one_key_do_it_once(gql: Gql) -> None:
    key, name = fresh("key"), fresh("campaign")
    variables = {"input": {"name": name, "label": "x"}}

    answers = await asyncio.gather(*(gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key) for _ in range(8)))

    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replay") for answer in answers].count(None) == 1
    assert answers[0].json()["data"]["createCampaign"]["campaign"]["name"] == name


async def test_who_waits_too_long_for_a_key_is_told(gql: Gql, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a transaction that has taken a key and does not end
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
    key = fresh("key")
    actor = (await gql.ask("{ viewer { name } }"))["viewer"]["name"]
    async with app.runtime.pool.acquire() as conn, conn.transaction():
        await idempotency.claim(conn, app.runtime.keyring, actor, key, b"another request")

        # When a request comes with the same key
        response = await gql.post(CREATE_CAMPAIGN, {"input": {"name": fresh("c"), "label": "x"}}, idempotency_key=key)

    # Then it is told that the other is still running
    assert response.status_code == 409
    assert response.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_BUSY"


async def test_two_tokens_may_use_the_same_key(gql: Gql, app: App) -> None:
    key = fresh("key")
    other = Gql(gql.http, await make_token(app))
    await gql.post(CREATE_CAMPAIGN, {"input": {"name": fresh("campaign"), "label": "x"}}, idempotency_key=key)

    answer = await other.post(CREATE_CAMPAIGN, {"input": {"name": fresh("campaign"), "label": "x"}}, idempotency_key=key)

    assert answer.json()["data"]["createCampaign"]["userErrors"] == []


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\tin it"])
async def test_a_bad_key_is_refused(gql: Gql, key: str) -> None:
    response = await gql.post(CREATE_CAMPAIGN, {"input": {"name": fresh("c"), "label": "x"}}, idempotency_key=key)

    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_IDEMPOTENCY_KEY"


async def test_a_stored_answer_shows_no_secret_to_who_reads_the_table(gql: Gql, app: App) -> None:
    key = fresh("key")
    answer = await gql.post(
        'mutation { createApiToken(input: {name: "T", roles: [EXPORT]}) { secret userErrors { code } } }',
        idempotency_key=key,
    )
    secret = answer.json()["data"]["createApiToken"]["secret"]

    async with app.runtime.pool.acquire() as conn:
        stored = await conn.fetchval("SELECT response FROM idempotency_key WHERE key = $1", key)

    assert stored
    assert secret.encode() not in stored
    assert b"secret" not in stored


async def test_half_a_character_is_no_json(gql: Gql) -> None:
    body = b'{"query": "query ($t: String!) { searchProfiles(text: $t) { nodes { id } } }", "variables": {"t": "\\ud800"}}'
    headers = {"content-type": "application/json", "authorization": f"Bearer {gql.token}"}

    response = await gql.http.post("/graphql", content=body, headers=headers)

    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_JSON"


async def test_nothing_is_sent_for_an_update_that_changes_a_field_to_null_wrongly(gql: Gql) -> None:
    made = await gql.do(CREATE_CAMPAIGN, input={"name": fresh("campaign"), "label": "x"})

    (error,) = await gql.errors(
        "mutation ($input: UpdateCampaignInput!) { updateCampaign(input: $input) { userErrors { code } } }",
        input={"id": made["campaign"]["id"], "label": None},
    )

    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "Maybe" not in error["message"]
