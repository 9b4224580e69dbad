"""graphql-transport-ws on a real port: the protocol, who is let in, and what a client is told when things go wrong."""

from __future__ import annotations

import asyncio
import socket as sockets
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.app import App
from api.auth import Authenticator
from api.graphql import websocket
from core.access import SYSTEM, Permission, Role
from core.db import transaction
from core.files import complete_file
from core.ids import to_global_id
from core.paging import encode_cursor
from core.profiles import imports
from core.profiles.run_records import MatchKey
from core.targeting.membership.jobs import upkeep
from tests.api.conftest import make_token
from tests.api.gql import CREATE_CAMPAIGN, Gql, create_profile, fresh
from tests.api.sockets import talk

VIEWER = "{ viewer { name } }"
AUDIENCE_CHANGES = """subscription ($id: ID!, $after: String) {
  audienceChanges(audienceId: $id, after: $after) { cursor changes { entered profile { firstName } } } }"""
IMPORT_PROGRESS = "subscription ($id: ID!) { importProgress(importId: $id) { id state inserted } }"
EVENTS = "subscription ($after: String) { trackingEvents(after: $after, machines: true) { cursor events { position kind } } }"


async def waiting_import(app: App) -> int:
    """An import that waits for its file."""
    async with transaction(app.runtime.pool) as conn:
        run, _ = await imports.create_import(
            conn, SYSTEM, app.runtime.files, file_name="x.csv", match_key=MatchKey.EMAIL, now=app.runtime.clock()
        )
        await complete_file(conn, run.file_id, 3, app.runtime.clock())
    return run.id


# who is let in


async def test_a_client_says_who_it_is_and_is_acknowledged(served: str, admin_token: str) -> None:
    async with talk(served) as client:
        await client.init(admin_token)

        assert await client.hear() == {"type": "connection_ack"}
        assert client.socket.subprotocol == "graphql-transport-ws"


async def test_the_handshakes_own_header_will_do(served: str, admin_token: str) -> None:
    headers = {"Authorization": f"Bearer {admin_token}"}
    async with talk(served, additional_headers=headers) as client:
        await client.init(None)

        assert await client.hear() == {"type": "connection_ack"}


@pytest.mark.parametrize("token", [None, "nonsense", "clarion_1_" + "x" * 43])
async def test_who_has_no_good_token_is_turned_away(served: str, token: str | None) -> None:
    async with talk(served) as client:
        await client.init(token)

        code, reason = await client.closed()

    assert code == 4403
    assert "token" in reason


async def test_who_does_not_say_who_it_is_is_turned_away(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_SECONDS", 0.1)
    async with talk(served) as client:
        assert (await client.closed())[0] == 4408


async def test_nothing_is_done_before_that(served: str) -> None:
    async with talk(served) as client:
        await client.start("1", VIEWER)

        assert (await client.closed())[0] == 4401


async def test_once_is_enough(served: str, admin_token: str) -> None:
    async with talk(served, admin_token) as client:
        await client.init(admin_token)

        assert (await client.closed())[0] == 4429


async def test_another_protocol_is_not_spoken(served: str) -> None:
    async with talk(served, subprotocols=["graphql-ws"]) as client:
        assert (await client.closed())[0] == 4406


async def test_pages_of_foreign_origins_are_turned_away_before_anything_is_said(served: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talk(served, origin="https://evil.example"):
            pass

    assert refused.value.response.status_code == 403


async def test_pages_of_the_servers_own_origin_are_let_in(served: str, admin_token: str) -> None:
    async with talk(served, admin_token, origin=served) as client:
        await client.say(type="ping")

        assert await client.hear() == {"type": "pong"}


async def test_a_token_that_is_revoked_ends_its_connections(
    served: str, app: App, gql: Gql, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection whose token is looked at often
    monkeypatch.setattr(websocket, "RECHECK_SECONDS", 0.1)
    made = await gql.do(
        'mutation { createApiToken(input: {name: "x", roles: [EXPORT]}) { apiToken { id } secret userErrors { code } } }'
    )
    async with talk(served, made["secret"]) as client:
        # When the token is revoked
        await gql.do("mutation ($id: ID!) { revokeApiToken(id: $id) { userErrors { code } } }", id=made["apiToken"]["id"])

        # Then the connection is ended, and says so
        code, reason = await client.closed()

    assert (code, "revoked" in reason) == (4403, True)


async def test_a_revoked_token_starts_no_operation_on_a_connection_that_is_still_open(
    served: str, gql: Gql, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an open connection that is not looked at by itself
    monkeypatch.setattr(websocket, "RECHECK_SECONDS", 3600)
    monkeypatch.setattr("api.auth.REMEMBER_SECONDS", 0)
    made = await gql.do(
        """mutation { createApiToken(input: {name: "x", roles: [PREPARE_DELIVERIES]}) {
             apiToken { id } secret userErrors { code } } }"""
    )
    async with talk(served, made["secret"]) as client:
        # When its token is revoked, and it goes on
        await gql.do("mutation ($id: ID!) { revokeApiToken(id: $id) { userErrors { code } } }", id=made["apiToken"]["id"])
        name = fresh("campaign")
        await client.start("1", CREATE_CAMPAIGN, input={"name": name, "label": "x"})
        code, reason = await client.closed()

    # Then it is ended, and nothing was done
    assert (code, "revoked" in reason) == (4403, True)
    campaigns = (await gql.ask("{ campaigns(first: 500) { nodes { name } } }"))["campaigns"]["nodes"]
    assert name not in {campaign["name"] for campaign in campaigns}


async def test_an_operation_that_cannot_be_authenticated_now_is_told_and_the_connection_goes_on(
    served: str, admin_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionResetError

    async with talk(served, admin_token) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Authenticator, "actor", away)
            await client.start("1", VIEWER)
            answer = await client.hear()
        assert answer["payload"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"

        await client.start("1", VIEWER)
        assert (await client.hear())["type"] == "next"


# the protocol


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"no": "type"}', '{"type": "surprise"}', '{"type": "subscribe"}', "x" * 250_000]
)
async def test_what_is_no_message_ends_the_connection(served: str, admin_token: str, text: str) -> None:
    async with talk(served, admin_token) as client:
        await client.socket.send(text)

        assert (await client.closed())[0] in (4400, 1009)


async def test_bytes_are_no_message(served: str, admin_token: str) -> None:
    async with talk(served, admin_token) as client:
        await client.socket.send(b'{"type": "ping"}')

        assert (await client.closed())[0] == 4400


async def test_queries_are_answered_and_completed(served: str, admin_token: str) -> None:
    async with talk(served, admin_token) as client:
        await client.start("q", VIEWER)

        answer = await client.hear()
        assert answer["type"] == "next"
        assert answer["id"] == "q"
        assert answer["payload"]["data"]["viewer"]["name"].startswith("token:")
        assert await client.hear() == {"type": "complete", "id": "q"}


async def test_operations_run_side_by_side_but_not_under_one_id(served: str, app: App, admin_token: str) -> None:
    import_id = to_global_id("Import", await waiting_import(app))
    async with talk(served, admin_token) as client:
        await client.start("a", IMPORT_PROGRESS, id=import_id)
        await client.start("b", VIEWER)
        heard = {(message["id"], message["type"]) for message in [await client.hear() for _ in range(3)]}
        assert heard == {("a", "next"), ("b", "next"), ("b", "complete")}

        await client.start("a", VIEWER)

        assert (await client.closed())[0] == 4409


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ nothing }", "BAD_REQUEST"),
        ("{ viewer", "BAD_REQUEST"),
        ("{" + " ".join(f"a{n}: viewer {{ name }}" for n in range(200)) + "}", "TOO_MANY_ALIASES"),
        ('subscription { importProgress(importId: "x") { id } }', "BAD_ID"),
        ('subscription { importProgress(importId: "SW1wb3J0Ojk5OTk5") { id } }', "IMPORT_NOT_FOUND"),
        ('subscription { trackingEvents(after: "x") { cursor } }', "BAD_CURSOR"),
        ('subscription { audienceChanges(audienceId: "QXVkaWVuY2U6OTk5OTk5") { cursor } }', "NOT_KEPT"),
        ("subscription { a: deliveryProgress(deliveryId: 1) { state } trackingEvents { cursor } }", "BAD_REQUEST"),
    ],
)
async def test_what_cannot_be_done_is_told_and_the_connection_goes_on(
    served: str, admin_token: str, query: str, code: str
) -> None:
    async with talk(served, admin_token) as client:
        await client.start("1", query)

        answer = await client.hear()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == code
        await client.say(type="ping")
        assert await client.hear() == {"type": "pong"}


async def test_permissions_hold_here_too(served: str, app: App) -> None:
    reader = await make_token(app, Role.EXPORT, scopes=[Permission.READ])
    async with talk(served, reader) as client:
        await client.start("1", CREATE_CAMPAIGN, input={"name": fresh("campaign"), "label": "x"})

        assert (await client.hear())["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_mutations_obey_the_same_rules_keys_included(served: str, admin_token: str, gql: Gql) -> None:
    # Given a mutation over the WebSocket with a key
    key, variables = fresh("key"), {"input": {"name": fresh("campaign"), "label": "x"}}
    async with talk(served, admin_token) as client:
        await client.start("1", CREATE_CAMPAIGN, extensions={"idempotencyKey": key}, **variables)
        first = (await client.hear())["payload"]
        assert first["data"]["createCampaign"]["userErrors"] == []

    # When it is sent again, over HTTP
    again = await gql.post(CREATE_CAMPAIGN, variables, idempotency_key=key)

    # Then the stored answer comes
    assert again.headers["idempotent-replay"] == "true"
    assert again.json() == first


async def test_a_key_that_is_no_string_is_refused_by_name(served: str, admin_token: str) -> None:
    async with talk(served, admin_token) as client:
        variables = {"input": {"name": fresh("campaign"), "label": "x"}}
        await client.start("1", CREATE_CAMPAIGN, extensions={"idempotencyKey": 5}, **variables)

        answer = await client.hear()

    assert answer["type"] == "error"
    assert answer["payload"][0]["extensions"]["code"] == "BAD_IDEMPOTENCY_KEY"


async def test_a_connection_runs_only_so_many_operations(
    served: str, app: App, admin_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "OPERATIONS_MOST", 2)
    import_id = to_global_id("Import", await waiting_import(app))
    async with talk(served, admin_token) as client:
        for name in "abc":
            await client.start(name, IMPORT_PROGRESS, id=import_id)

        answers = {message["id"]: message for message in [await client.hear() for _ in range(3)]}

    assert answers["c"]["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
    assert answers["a"]["type"] == "next"


# live reads


async def test_the_progress_of_an_import_comes_as_it_moves_and_ends_with_it(served: str, app: App, admin_token: str) -> None:
    # Given somebody who watches an import that waits
    key = await waiting_import(app)
    async with talk(served, admin_token) as client:
        await client.start("p", IMPORT_PROGRESS, id=to_global_id("Import", key))
        assert (await client.hear())["payload"]["data"]["importProgress"]["state"] == "WAITING"

        # When it is started and then cancelled
        async with transaction(app.runtime.pool) as conn:
            await imports.start_import(conn, SYSTEM, key, app.runtime.clock())
        assert (await client.hear())["payload"]["data"]["importProgress"]["state"] == "READY"
        async with transaction(app.runtime.pool) as conn:
            await imports.cancel_import(conn, SYSTEM, key, app.runtime.clock())

        # Then the last state comes, and the end
        assert (await client.hear())["payload"]["data"]["importProgress"]["state"] == "CANCELLED"
        assert await client.hear() == {"type": "complete", "id": "p"}


async def test_a_subscription_that_is_completed_by_the_client_is_silent_and_lets_go(
    served: str, app: App, admin_token: str
) -> None:
    key = await waiting_import(app)
    async with talk(served, admin_token) as client:
        await client.start("p", IMPORT_PROGRESS, id=to_global_id("Import", key))
        await client.hear()

        await client.say(type="complete", id="p")
        async with transaction(app.runtime.pool) as conn:
            await imports.cancel_import(conn, SYSTEM, key, app.runtime.clock())
        await client.start("q", VIEWER)

        assert (await client.hear())["id"] == "q"
        assert app.runtime.resources["api.watches"]._watched == {}


async def test_many_who_watch_one_row_share_its_reading(served: str, app: App, admin_token: str) -> None:
    key = await waiting_import(app)
    async with talk(served, admin_token) as client:
        for number in range(5):
            await client.start(str(number), IMPORT_PROGRESS, id=to_global_id("Import", key))
        assert {(await client.hear())["id"] for _ in range(5)} == set("01234")

        assert len(app.runtime.resources["api.watches"]._watched) == 1


# slow clients


async def test_a_client_that_does_not_read_is_told_and_can_go_on_from_its_cursor(
    served: str, app: App, admin_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one: its receive buffer is small and it does not read while far more is sent than fits anywhere."""
    monkeypatch.setattr(websocket, "SLOW_SECONDS", 0.5)

    # Given a subscription that has very much to say
    async def answers(self: websocket.Socket, payload: dict[str, Any]) -> Any:
        while True:
            yield {"data": {"noise": "x" * 50_000}}
            await asyncio.sleep(0)

    monkeypatch.setattr(websocket.Socket, "_answers", answers)
    host, port = served.removeprefix("http://").split(":")
    small = sockets.socket()
    small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    small.connect((host, int(port)))
    async with talk(served, admin_token, sock=small, max_queue=1, ping_interval=None) as client:
        await client.start("s", "subscription { trackingEvents { cursor } }")

        # When the client does not read for a while
        client.socket.transport.pause_reading()
        await asyncio.sleep(1.5)
        client.socket.transport.resume_reading()

        # Then it finds, after all that was sent, that it was too slow
        heard = []
        with pytest.raises(ConnectionClosed, match="4008"):  # noqa: PT012 - it ends some time while we read
            while True:
                heard.append(await client.hear())

    assert heard[-1]["type"] == "error"
    assert heard[-1]["payload"][0]["extensions"]["code"] == "CLIENT_TOO_SLOW"
    assert {message["type"] for message in heard[:-1]} == {"next"}


async def test_who_enters_an_audience_is_told_from_a_cursor_on(served: str, app: App, gql: Gql, admin_token: str) -> None:
    # Given an audience of two whose members are kept
    name = fresh("Tybalt")
    for number in range(2):
        await create_profile(gql, lastName=name, firstName=f"P{number}")
    sent = {"name": fresh("kept"), "label": "x", "expression": {"text": f"last_name = '{name}'"}}
    made = await gql.do(
        """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
             audience { id } userErrors { code message path } } }""",
        input=sent,
    )
    key = made["audience"]["id"]
    await gql.do("mutation ($id: ID!) { keepAudience(id: $id) { audience { id } userErrors { code } } }", id=key)
    await upkeep(app.runtime)

    # When somebody follows it from the beginning
    async with talk(served, admin_token) as client:
        await client.start("a", AUDIENCE_CHANGES, id=key, after=encode_cursor(0))
        first = (await client.hear())["payload"]["data"]["audienceChanges"]
        assert [one["entered"] for one in first["changes"]] == [True, True]

        # Then whoever enters later is told, too, once
        await create_profile(gql, lastName=name, firstName="P2")
        await upkeep(app.runtime)
        later = (await client.hear())["payload"]["data"]["audienceChanges"]
        assert [one["profile"]["firstName"] for one in later["changes"]] == ["P2"]
    await gql.do("mutation ($id: ID!) { releaseAudience(id: $id) { audience { id } userErrors { code } } }", id=key)
    await upkeep(app.runtime)
