"""How many SQL statements an operation takes, whatever the number of rows: speed is counted before it is timed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from api.app import App
from api.context import SCHEMA
from api.graphql.present import PresentSchema
from core.db import set_up_connection
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import load_keyring
from tests.api.conftest import make_token, settings_for
from tests.api.gql import Gql, create_campaign, create_profile, fresh
from tests.conftest import clone, drop
from tests.core.rows.shop import publish_shop

STATEMENTS: list[str] = []
COUNTED: list[PresentSchema] = []  # of the application that counts
HOUSEKEEPING = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SELECT pg_advisory_unlock", "LISTEN", "UNLISTEN")


class Counting(asyncpg.Connection):  # type: ignore[misc]
    """Notes the statements that go through it."""

    async def execute(self, query: str, *args: Any, **more: Any) -> Any:
        """Note and pass on."""
        STATEMENTS.append(query)
        return await super().execute(query, *args, **more)

    async def fetch(self, query: str, *args: Any, **more: Any) -> Any:
        """Note and pass on."""
        STATEMENTS.append(query)
        return await super().fetch(query, *args, **more)

    async def fetchval(self, query: str, *args: Any, **more: Any) -> Any:
        """Note and pass on."""
        STATEMENTS.append(query)
        return await super().fetchval(query, *args, **more)

    async def fetchrow(self, query: str, *args: Any, **more: Any) -> Any:
        """Note and pass on."""
        STATEMENTS.append(query)
        return await super().fetchrow(query, *args, **more)


@pytest_asyncio.fixture(scope="module")
async def database(server_url: str, template: str) -> AsyncIterator[str]:
    """One of its own: what other tests leave has no part in the counts."""
    url = await clone(server_url, template)
    yield url
    await drop(server_url, url)


@pytest_asyncio.fixture(scope="module")
async def counted(database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gql]:
    """An administrator of an API whose connections count, with 30 deliveries and as many profiles."""
    settings = settings_for(database, tmp_path_factory.mktemp("counted") / "var")
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    pool = await asyncpg.create_pool(
        database, min_size=1, max_size=5, connection_class=Counting, init=set_up_connection,
        server_settings={"timezone": "UTC"},
    )  # fmt: skip
    runtime = Runtime(
        settings=settings,
        pool=pool,
        keyring=load_keyring(settings),
        files=Files(settings.var_dir / "files"),
        io=GuardedIO.from_settings(settings),
    )
    app = App(runtime)
    await app.start()
    await runtime.resources[SCHEMA].stop()  # what looks now and then is no part of an operation
    COUNTED[:] = [runtime.resources[SCHEMA]]
    transport = httpx.ASGITransport(app=app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.auth.REMEMBER_SECONDS", 3600.0)  # however slow the machine: who asks is looked up once
        async with httpx.AsyncClient(transport=transport, base_url="http://clarion.test") as http:
            gql = Gql(http, await make_token(app))
            await fill(gql)
            yield gql
    await app.stop()
    pool.terminate()


async def fill(gql: Gql) -> None:
    """30 deliveries in 30 campaigns, and 30 profiles."""
    account = await gql.do(
        """mutation ($input: CreateChannelAccountInput!) { createChannelAccount(input: $input) {
             channelAccount { id } userErrors { code message path } } }""",
        input={"name": fresh("account"), "label": "x", "channel": "memory", "config": {}},
    )
    audience = await gql.do(
        """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
             audience { id } userErrors { code message path } } }""",
        input={"name": fresh("audience"), "label": "x", "expression": {"text": "email is not null"}},
    )
    content = await gql.do(
        """mutation ($input: CreateContentInput!) { createContent(input: $input) {
             content { id } userErrors { code message path } } }""",
        input={"name": fresh("content"), "label": "x", "channel": "memory", "parts": [{"name": "text", "source": "Hi"}]},
    )
    for _ in range(5):
        await gql.do(
            """mutation ($input: CreatePrivacyRequestInput!) { createPrivacyRequest(input: $input) {
                 privacyRequest { id } userErrors { code message path } } }""",
            input={"name": fresh("request"), "label": "x", "namespaceName": "email", "type": "ACCESS", "regulation": "GDPR",
                   "reconciliationValue": f"{fresh('nobody')}@shop.example"},
        )  # fmt: skip
    for _ in range(2):
        await create_profile(gql, email="twins@shop.example")
    for _ in range(30):
        await create_profile(gql, email=f"{fresh('p')}@shop.example")
        made = {
            "name": fresh("delivery"),
            "label": "x",
            "campaignId": await create_campaign(gql),
            "channelAccountId": account["channelAccount"]["id"],
            "audienceId": audience["audience"]["id"],
            "contentId": content["content"]["id"],
        }
        await gql.do(
            """mutation ($input: CreateDeliveryInput!) { createDelivery(input: $input) {
                 delivery { id } userErrors { code message path } } }""",
            input=made,
        )


@pytest_asyncio.fixture(scope="module")
async def shop(counted: Gql, database: str) -> None:
    """20 purchases of as many people."""
    conn = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
    await set_up_connection(conn)
    await publish_shop(conn)
    await conn.close()
    await COUNTED[0].refresh()
    save = """mutation ($dataset: String!, $rows: [SentRowInput!]!) {
      saveDatasetRows(input: {dataset: $dataset, mode: CREATE, rows: $rows}) { created userErrors { code message path } } }"""
    people = await counted.ask("{ profiles(first: 20) { nodes { id } } }")
    rows = [{"values": {"code": f"s{n}", "customer": one["id"]}} for n, one in enumerate(people["profiles"]["nodes"])]
    await counted.do(save, dataset="purchase", rows=rows)


@pytest.fixture
def statements(counted: Gql) -> Callable[[], list[str]]:
    """The statements since the test began, without transactions and the pool's own."""
    STATEMENTS.clear()

    def since() -> list[str]:
        return [" ".join(one.split()) for one in STATEMENTS if not one.strip().startswith(HOUSEKEEPING)]

    return since


OPERATIONS: dict[str, tuple[str, int]] = {
    "who am I": ("{ viewer { name permissions } }", 0),
    "a page": ("{ profiles(first: 30) { nodes { id email firstName } pageInfo { endCursor } } }", 1),
    "a page with old ids and quarantine": ("{ profiles(first: 30) { nodes { id mergedIds quarantine { status } } } }", 3),
    "a page with devices": ("{ profiles(first: 30) { nodes { id appSubscriptions { app optedOut } } } }", 2),
    "a page with figures": ("{ profiles(first: 30) { nodes { id figures { sent opens businessEvents } } } }", 4),
    "a page with memberships": ("{ profiles(first: 30) { nodes { id memberships(first: 5) { nodes { addedAt } } } } }", 2),
    "devices": ("{ appSubscriptions(first: 30) { nodes { app registrationToken } } }", 1),
    "a page with visitors": ("{ profiles(first: 30) { nodes { id visitors { externalId origin } } } }", 2),
    "visitors": ("{ visitors(first: 30, unidentified: true) { nodes { externalId email } } }", 1),
    "active profiles": ("{ activeProfiles { month profiles anonymous total } }", 1),
    "a search that fills a page": ('{ searchProfiles(text: "p", first: 20) { nodes { id email } } }', 3),
    "a search for nobody": ('{ searchProfiles(text: "qqqqq", first: 20) { nodes { id email } } }', 5),
    "groups of duplicates with their people": (
        '{ duplicateProfiles(rules: [["email"]], first: 30) { nodes { size profiles { id email } } } }',
        3,  # the first: which data model counts
    ),
    "audiences with their memberships": ("{ audiences(first: 30) { nodes { id membership { state count cursor } } } }", 2),
    "a page by a question in an order": (
        """{ profiles(where: {text: "not opt_out"}, orderBy: {field: "updated_at"}, first: 30) { nodes { id email } } }""",
        3,
    ),
    "a page, counted": ("{ profiles(first: 30) { totalCount nodes { id email } } }", 2),
    "two pages": ("{ profiles(first: 30) { nodes { id } } campaigns(first: 30) { nodes { id name } } }", 2),
    "deliveries": ("{ deliveries(first: 30) { nodes { id name state allowedMoves } } }", 2),
    "deliveries with all they refer to": (
        """{ deliveries(first: 30) { nodes { id state campaign { name } channelAccount { label } audience { name }
             content { name } counts { targeted pending } } } }""",
        7,
    ),
    "deliveries with who is held back and what else gets them": (
        """{ deliveries(first: 30) { nodes { id traps { testProfiles { label } } controlGroup { share audience { name } }
             trapCounts { accepted } sendingLog { fields } sendDates { timeZone } } } }""",
        7,
    ),
    "privacy requests with their namespaces": (
        """{ privacyRequests(first: 30) { totalCount nodes { id name status counts { table rows } namespace { name dataset }
             error { code } proof } } }""",
        3,
    ),
    "what privacy requests name people by": ("{ privacyNamespaces { id name label dataset reconciliationField } }", 1),
    "test profiles": ("{ testProfiles(first: 30) { nodes { id label email } } }", 1),
    "tracking events": ("{ trackingEvents(first: 100) { cursor events { kind profileId } } }", 3),
    "the audit log": ("{ auditLog(first: 100) { nodes { action actor changes } } }", 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_takes_this_many_statements(counted: Gql, statements: Callable[[], list[str]], name: str) -> None:
    text, expected = OPERATIONS[name]
    await counted.ask("{ viewer { name } }")  # so that the token is known
    STATEMENTS.clear()

    await counted.ask(text)

    assert len(statements()) == expected, "\n".join(statements())


async def test_many_services_and_their_subscribers_are_read_at_once(counted: Gql, statements: Callable[[], list[str]]) -> None:
    for _ in range(4):
        await counted.do(
            """mutation ($input: CreateServiceInput!) { createService(input: $input) {
                 service { id } userErrors { code message path } } }""",
            input={"name": fresh("service"), "label": "x"},
        )
    page = await counted.ask("{ services(first: 4) { nodes { id } } profiles(first: 20) { nodes { id } } }")
    for one in page["services"]["nodes"]:
        people = [row["id"] for row in page["profiles"]["nodes"]]
        STATEMENTS.clear()
        await counted.do(
            """mutation ($input: SubscribeProfilesInput!) { subscribeProfiles(input: $input) {
                 results { outcome } userErrors { code message path } } }""",
            input={"serviceId": one["id"], "profileIds": people},
        )
        assert len(statements()) <= 6, "\n".join(statements())  # however many people
    STATEMENTS.clear()

    first = page["services"]["nodes"][0]["id"]
    await counted.ask(
        """query ($id: ID!) { services(first: 4) { nodes { name subscriberCount } }
             service(id: $id) { subscribers(first: 20) { nodes { profile { email } service { name } } } } }""",
        id=first,
    )

    assert len(statements()) <= 5, "\n".join(statements())


async def test_many_ids_are_read_at_once(counted: Gql, statements: Callable[[], list[str]]) -> None:
    page = await counted.ask("{ profiles(first: 30) { nodes { id } } deliveries(first: 30) { nodes { id } } }")
    ids = [row["id"] for rows in page.values() for row in rows["nodes"]]
    STATEMENTS.clear()

    found = await counted.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Profile { email } } }", ids=ids)

    assert [row["id"] for row in found["nodes"]] == ids
    assert len(statements()) == 3, "\n".join(statements())


async def test_a_sample_is_read_at_once(counted: Gql, statements: Callable[[], list[str]]) -> None:
    text = '{ target(expression: {text: "email is not null"}) { count sample(size: 20) { id email } } }'
    await counted.ask("{ viewer { name } }")
    STATEMENTS.clear()

    found = await counted.ask(text)

    assert len(found["target"]["sample"]) == 20
    assert len(statements()) == 4, "\n".join(statements())  # the first: which data model, events and merges count


async def test_a_token_is_looked_up_once_for_many_requests(counted: Gql, statements: Callable[[], list[str]]) -> None:
    for _ in range(5):
        await counted.ask("{ viewer { name } }")

    assert len(statements()) <= 1


async def test_a_mutation_takes_no_more_than_it_must(counted: Gql, statements: Callable[[], list[str]]) -> None:
    await counted.ask("{ viewer { name } }")
    STATEMENTS.clear()

    await create_campaign(counted)

    assert len(statements()) == 2, "\n".join(statements())  # the campaign and its audit entry


async def test_where_nobody_published_a_field_no_values_are_read(counted: Gql, statements: Callable[[], list[str]]) -> None:
    STATEMENTS.clear()

    found = await counted.ask("{ profiles(first: 30) { nodes { id teamFields } } }")

    assert len(found["profiles"]["nodes"]) == 30
    assert len(statements()) == 2, "\n".join(statements())  # they, and the model's stamp


@pytest.mark.parametrize(("of", "number"), [("profiles", 3), ("campaigns", 3), ("deliveries", 4)])
async def test_fields_of_the_team_are_read_for_all_at_once(
    counted: Gql, statements: Callable[[], list[str]], of: str, number: int
) -> None:
    dataset = {"profiles": "profile", "campaigns": "campaign", "deliveries": "delivery"}[of]
    saved = await counted.do(
        """mutation ($i: SaveDataFieldInput!) { saveDataField(input: $i) {
             draft { version } userErrors { code message path } } }""",
        i={"dataset": dataset, "name": "theme", "label": "Theme", "kind": "TEXT"},
    )
    publish = "mutation ($v: Int!) { publishDataModel(draftVersion: $v) { dataModel { version } userErrors { code message } } }"
    await counted.do(publish, v=saved["draft"]["version"])
    await counted.ask("{ targetFields { name } }")  # the model is known to the process
    STATEMENTS.clear()

    found = await counted.ask(f"{{ {of}(first: 30) {{ nodes {{ id teamFields }} }} }}")

    assert {tuple(one["teamFields"]) for one in found[of]["nodes"]} == {("theme",)}
    assert len(statements()) == number, "\n".join(statements())  # they, deliveries' runs, the model's stamp, the values


async def test_what_is_built_for_keys_is_read_at_once(counted: Gql, statements: Callable[[], list[str]]) -> None:
    errors = "userErrors { code message path }"
    await counted.do(
        f"""mutation {{ saveDataField(input: {{dataset: "profile", name: "tier", label: "Tier", kind: INTEGER}}) {{
             draft {{ version }} {errors} }} }}"""
    )
    for act in ("saveKey", "saveIndex"):
        for beside in ("email", "country", "city"):
            made = await counted.do(
                f"""mutation ($i: SaveKeyInput!) {{ {act}(input: $i) {{ draft {{ version }} {errors} }} }}""",
                i={"dataset": "profile", "name": f"{act.lower()}_{beside}", "fields": ["tier", beside]},
            )
    publish = f"mutation ($v: Int!) {{ publishDataModel(draftVersion: $v) {{ dataModel {{ version }} {errors} }} }}"
    await counted.do(publish, v=made["draft"]["version"])
    STATEMENTS.clear()

    found = await counted.ask(
        "{ dataModel { datasets { keys { name build { state } } indexes { name build { state error { code } } } } } }"
    )

    assert sum(len(one["keys"]) + len(one["indexes"]) for one in found["dataModel"]["datasets"]) == 6
    assert len(statements()) == 2, "\n".join(statements())


async def test_events_are_read_for_all_profiles_at_once(counted: Gql, statements: Callable[[], list[str]]) -> None:
    text = "{ profiles(first: 30) { nodes { id events(first: 5) { nodes { type payload } } } } }"
    await counted.do(
        """mutation { saveEventType(input: {name: "visit", label: "Visit", fields: []}) {
             eventType { name } userErrors { code } } }"""
    )
    await counted.ask(text)
    STATEMENTS.clear()

    found = await counted.ask(text)

    assert len(found["profiles"]["nodes"]) == 30
    assert len(statements()) == 3, "\n".join(statements())  # the profiles, which types count, the events


async def test_typed_rows_and_their_links_are_read_for_all_at_once(
    counted: Gql, shop: None, statements: Callable[[], list[str]]
) -> None:
    text = """{ purchaseRows(first: 20) { nodes { code customer { email card purchases(first: 2) { nodes { code } } }
                  product { sku } invoice { number } } } }"""
    await counted.ask(text)
    STATEMENTS.clear()

    found = await counted.ask(text)

    assert len(found["purchaseRows"]["nodes"]) == 20
    # The page, people, their fields, purchases and these rows, and invoices: each once, each after which model counts.
    assert len(statements()) == 11, "\n".join(statements())
