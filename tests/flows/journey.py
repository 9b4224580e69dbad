"""What a user of the API does, in the order in which campaigns happen: by GraphQL and the addresses it hands out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from tests.flows.client import Client, Subscription
from tests.flows.house import PATIENCE, deadline_of

_numbers = itertools.count(1)


def fresh_name(kind: str) -> str:
    """A handle that nothing else in the house has."""
    return f"{kind}-{next(_numbers)}"


# people

IMPORT_FIELDS = "id state inserted updated unchanged rejected repeated ambiguous error { code message path hint }"


def make_csv(people: Iterable[Mapping[str, str]], columns: Iterable[str]) -> bytes:
    """A file of people, quoted where it must be."""
    names = list(columns)
    lines = [",".join(names)]
    for person in people:
        cells = [person.get(name, "") for name in names]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell for cell in cells))
    return "\n".join(lines).encode()


async def upload(client: Client, body: bytes, key: str = "EMAIL", **options: Any) -> str:
    """Create an import and upload its file; returns its id. It is not started."""
    made = await client.do(
        """
        mutation ($input: CreateImportInput!) {
          createImport(input: $input) { import { id } uploadUrl userErrors { code message path } }
        }
        """,
        input={"fileName": "people.csv", "matchKey": key, **options},
    )
    response = await client.put(made["uploadUrl"], body)
    assert response.status_code == 201, response.text
    import_id: str = made["import"]["id"]
    return import_id


async def start_import(client: Client, import_id: str) -> None:
    """Let an uploaded file be read."""
    await client.do(
        "mutation ($id: ID!) { startImport(id: $id) { import { state } userErrors { code message path } } }", id=import_id
    )


async def import_ended(client: Client, import_id: str, seconds: float = 30) -> dict[str, Any]:
    """Wait for an import to end, however it does."""
    deadline = deadline_of(seconds)
    while True:
        run = (await client.ask(f"query ($id: ID!) {{ import(id: $id) {{ {IMPORT_FIELDS} }} }}", id=import_id))["import"]
        if run["state"] in ("FINISHED", "FAILED", "CANCELLED"):
            found: dict[str, Any] = run
            return found
        assert time.monotonic() < deadline, f"the import is not done: {run}"
        await asyncio.sleep(0.1)


async def import_people(client: Client, body: bytes, key: str = "EMAIL", **options: Any) -> dict[str, Any]:
    """Import a file and wait until it is in."""
    import_id = await upload(client, body, key, **options)
    await start_import(client, import_id)
    run = await import_ended(client, import_id)
    assert run["state"] == "FINISHED", run
    return run


async def find_profile(client: Client, text: str) -> dict[str, Any]:
    """The only profile that a search finds."""
    data = await client.ask(
        "query ($text: String!) { searchProfiles(text: $text) { nodes { id email firstName optOutEmail updatedAt } } }",
        text=text,
    )
    (found,) = data["searchProfiles"]["nodes"]
    profile: dict[str, Any] = found
    return profile


# what a delivery is made of


async def create_audience(client: Client, expression: str) -> str:
    """A query audience; returns its id."""
    name = fresh_name("audience")
    made = await client.do(
        """
        mutation ($input: CreateAudienceInput!) {
          createAudience(input: $input) { audience { id } userErrors { code message path } }
        }
        """,
        input={"name": name, "label": name, "expression": {"text": expression}},
    )
    audience_id: str = made["audience"]["id"]
    return audience_id


async def create_account(client: Client, port: int, **config: Any) -> str:
    """An email account at a server of this machine; returns its id."""
    name = fresh_name("account")
    made = await client.do(
        """
        mutation ($input: CreateChannelAccountInput!) {
          createChannelAccount(input: $input) { channelAccount { id } userErrors { code message path } }
        }
        """,
        input={
            "name": name,
            "label": name,
            "channel": "email",
            "config": {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "sender_domain": "bounces.shop.example",
                **config,
            },
        },
    )
    account_id: str = made["channelAccount"]["id"]
    return account_id


PARTS = {
    "subject": "{{ profile.first_name | default: 'Friend' }}, three things for you",
    "html": """<!doctype html><html><body>
<h1>Hello {{ profile.first_name | default: 'friend' }}!</h1>
{% if profile.country == 'FR' %}<p>Livraison offerte à {{ profile.city }}.</p>{% else %}<p>Free shipping.</p>{% endif %}
{% for product in products %}
<p><a href="https://shop.example/p/{{ product.sku }}?c={{ profile.country }}">{{ product.name }}</a></p>
{% endfor %}
<p><a href="https://shop.example/all">Everything</a> <a href="{% mirror_url %}">In the browser</a></p>
<p><a href="{% unsubscribe_url %}">Unsubscribe</a></p>
</body></html>""",
    "from_name": "Château & Söhne",
    "from_address": "news@shop.example",
}
DATA = {"products": [{"sku": "boot", "name": "Boots"}, {"sku": "lamp", "name": "Lampe d'été"}]}


async def create_content(client: Client, parts: Mapping[str, str] = PARTS, **more: Any) -> str:
    """An email; returns its id."""
    name = fresh_name("content")
    made = await client.do(
        """
        mutation ($input: CreateContentInput!) {
          createContent(input: $input) { content { id } userErrors { code message path } }
        }
        """,
        input={
            "name": name,
            "label": name,
            "parts": [{"name": part, "source": source} for part, source in parts.items()],
            "data": DATA,
            **more,
        },
    )
    content_id: str = made["content"]["id"]
    return content_id


async def create_fragment(client: Client, html: str, **more: Any) -> tuple[str, str]:
    """A fragment; returns its id and its name."""
    name = fresh_name("fragment")
    made = await client.do(
        """
        mutation ($input: CreateFragmentInput!) {
          createFragment(input: $input) { fragment { id } userErrors { code message path } }
        }
        """,
        input={"name": name, "label": name, "html": html, **more},
    )
    fragment_id: str = made["fragment"]["id"]
    return fragment_id, name


async def create_delivery(
    client: Client, *, audience: str, account: str, content: str, contact_at: datetime | None = None, **more: Any
) -> str:
    """A delivery; returns its id."""
    name = fresh_name("delivery")
    made = await client.do(
        """
        mutation ($input: CreateDeliveryInput!) {
          createDelivery(input: $input) { delivery { id } userErrors { code message path } }
        }
        """,
        input={
            "name": name,
            "label": name,
            "audienceId": audience,
            "channelAccountId": account,
            "contentId": content,
            "contactAt": contact_at and contact_at.isoformat(),
            **more,
        },
    )
    delivery_id: str = made["delivery"]["id"]
    return delivery_id


# its life


async def ask_for(client: Client, move: str, delivery_id: str) -> None:
    """Ask a delivery to do something: `prepare`, `confirm`, `pause`, `resume`, `stop`. Raises Refused."""
    document = f"mutation ($id: ID!) {{ {move}Delivery(id: $id) {{ delivery {{ id }} userErrors {{ code message path }} }} }}"
    await client.do(document, id=delivery_id)


COUNTS = "targeted excluded pending accepted failed unknown withdrawn expired cancelled"
STATUS = f"state pauseReason counts {{ {COUNTS} }}"


async def status_of(client: Client, delivery_id: str) -> dict[str, Any]:
    """State, pause reason and the equation's columns; that they add up is checked here, at every look."""
    data = await client.ask(f"query ($id: ID!) {{ delivery(id: $id) {{ {STATUS} }} }}", id=delivery_id)
    found: dict[str, Any] = data["delivery"]
    check_equation(found["counts"])
    return found


def check_equation(counts: Mapping[str, int]) -> None:
    """targeted = Σ of all other columns."""
    assert counts["targeted"] == sum(counts[name] for name in COUNTS.split()[1:]), counts


async def reach(client: Client, delivery_id: str, *states: str, seconds: float = 30) -> dict[str, Any]:
    """Wait until the delivery is in one of the states; returns its status."""
    deadline = deadline_of(seconds)
    while True:
        status = await status_of(client, delivery_id)
        if status["state"] in states:
            return status
        assert time.monotonic() < deadline, f"not {states} within {seconds} s: {status}"
        await asyncio.sleep(0.1)


async def prepare(client: Client, delivery_id: str) -> dict[str, Any]:
    """Prepare and wait until it is ready."""
    await ask_for(client, "prepare", delivery_id)
    return await reach(client, delivery_id, "READY", "PREPARATION_ERROR")


async def send(client: Client, delivery_id: str) -> dict[str, Any]:
    """Prepare, confirm and wait for the end."""
    await prepare(client, delivery_id)
    await ask_for(client, "confirm", delivery_id)
    return await reach(client, delivery_id, "FINISHED")


async def report_of(client: Client, delivery_id: str, *, machines: bool = False) -> dict[str, Any]:
    """The delivery report, with what machines did where asked for; its metrics by name."""
    data = await client.ask(
        f"""
        query ($id: ID!, $machines: Boolean!) {{
          delivery(id: $id) {{
            report(includeMachines: $machines) {{
              counts {{ {COUNTS} }}
              excluded {{ reason count }} failed {{ reason count }} withdrawn {{ reason count }}
              links {{ number url label category mode total unique }}
              metrics {{ name value }}
            }}
          }}
        }}
        """,
        id=delivery_id, machines=machines,
    )  # fmt: skip
    report: dict[str, Any] = data["delivery"]["report"]
    check_equation(report["counts"])
    report["metrics"] = {metric["name"]: metric["value"] for metric in report["metrics"]}
    return report


async def explain(client: Client, delivery_id: str, profile_id: str) -> dict[str, Any]:
    """Why somebody did, or did not, get a delivery."""
    data = await client.ask(
        """
        query ($delivery: ID!, $profile: ID!) {
          delivery(id: $delivery) { explain(profileId: $profile) { targeted summary row { state reason answer } } }
        }
        """,
        delivery=delivery_id, profile=profile_id,
    )  # fmt: skip
    explanation: dict[str, Any] = data["delivery"]["explain"]
    return explanation


TRACKING = """
subscription ($delivery: ID, $after: String) {
  trackingEvents(deliveryId: $delivery, after: $after) {
    cursor
    events { position kind url machine corrects profileId }
  }
}
"""
IMPORT_PROGRESS = f"subscription ($id: ID!) {{ importProgress(importId: $id) {{ {IMPORT_FIELDS} }} }}"


class Watcher:
    """A subscriber to tracking events that remembers where it is."""

    def __init__(self, client: Client, delivery_id: str):
        self._client = client
        self._delivery = delivery_id
        self.cursor: str | None = None
        self.seen: list[dict[str, Any]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Subscription]:
        """A connection, from where the last one stopped; the first, from the beginning."""
        if self.cursor is None:
            self.cursor = (await self._client.ask("{ trackingEvents(first: 1) { cursor } }"))["trackingEvents"]["cursor"]
        async with self._client.subscribe(TRACKING, delivery=self._delivery, after=self.cursor) as batches:
            yield batches

    async def until(self, batches: Subscription, count: int, seconds: float = 15) -> None:
        """Take batches until so many events were seen over all connections."""
        async with asyncio.timeout(seconds * PATIENCE):
            while len(self.seen) < count:
                batch = await anext(batches)
                self.seen += batch["events"]
                self.cursor = batch["cursor"]


async def visit_all(client: Client, visits: Iterable[tuple[str, str, int]], at_once: int = 8) -> None:
    """What recipients do: (method, address, status expected), a few at a time."""
    todo = list(visits)[::-1]

    async def walk() -> None:
        while todo:
            method, url, status = todo.pop()
            body = b"List-Unsubscribe=One-Click" if method == "POST" else None
            response = await client.http.request(method, url, content=body)
            assert response.status_code == status, (method, url, response.status_code, response.text)

    await asyncio.gather(*(walk() for _ in range(at_once)))
