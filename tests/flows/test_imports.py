"""Files of people: the same one twice, the same one twice at once, and files that are none."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.journey import find_profile, import_ended, import_people, make_csv, start_import, upload
from tests.flows.people import COLUMNS, fresh_domain, make_people


async def count(client: Client, domain: str) -> int:
    """How many people are at a domain."""
    data = await client.ask(
        "query ($text: String!) { target(expression: { text: $text }) { count } }", text=f"email_domain = '{domain}'"
    )
    found: int = data["target"]["count"]
    return found


async def test_the_same_file_again_changes_nothing(place: Place) -> None:
    client = place.client
    domain = fresh_domain()
    file = make_csv(make_people(domain, 300), COLUMNS)
    first = await import_people(client, file)
    assert (first["inserted"], first["updated"], first["unchanged"]) == (300, 0, 0)
    before = await find_profile(client, f"person.7@{domain}")

    second = await import_people(client, file)

    assert (second["inserted"], second["updated"], second["unchanged"], second["rejected"]) == (0, 0, 300, 0)
    assert await find_profile(client, f"person.7@{domain}") == before
    assert await count(client, domain) == 300


@pytest.mark.parametrize("key", ["EMAIL", "EXTERNAL_ID"])
async def test_the_same_file_twice_at_once_makes_nobody_twice(place: Place, key: str) -> None:
    client = place.client
    domain = fresh_domain()
    people = [{**person, "external_id": person["email"]} for person in make_people(domain, 400)]
    file = make_csv(people, (*COLUMNS, "external_id"))
    imports = [await upload(client, file, key) for _ in range(3)]

    await asyncio.gather(*(start_import(client, one) for one in imports))
    runs = await asyncio.gather(*(import_ended(client, one) for one in imports))

    assert [run["state"] for run in runs] == ["FINISHED"] * 3, runs
    assert sum(run["inserted"] for run in runs) == 400
    assert sum(run["unchanged"] for run in runs) == 800
    assert await count(client, domain) == 400


BROKEN = {
    "empty": (b"", "EMPTY_FILE"),
    "no people": (b"\n\n\n", None),
    "one column twice": (b"email,email\na@x.example,b@x.example\n", None),
    "unknown column": (b"email,shoe_size\na@x.example,43\n", None),
    "no key": (b"first_name\nAna\n", None),
    "no text": (b"\x00\x01\x02\xff\xfe" * 400, None),
    "another encoding": ("email,first_name\nana@x.example,José\n".encode("latin-1") * 3, None),
    "an endless field": (b'email,first_name\nana@x.example,"' + b"x" * 10_000_000 + b'"\n', None),
    "a quote that never ends": (b'email,first_name\nana@x.example,"Ana\nbob@x.example,Bob\n', None),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_file_that_is_none_says_why_and_leaves_nothing(place: Place, name: str) -> None:
    client = place.client
    body, _ = BROKEN[name]
    before = await count_all(client)
    import_id = await upload(client, body)
    try:
        await start_import(client, import_id)
    except Refused as refused:
        assert refused.errors[0]["message"]
        return
    run = await import_ended(client, import_id)
    refused_rows = run["state"] == "FINISHED" and run["rejected"] > 0
    assert refused_rows or (run["state"] == "FAILED" and run["error"]["code"] and run["error"]["message"]), run
    assert await count_all(client) == before + run["inserted"]


async def count_all(client: Client) -> int:
    """How many people there are."""
    found: int = (await client.ask("{ profiles(first: 1) { totalCount } }"))["profiles"]["totalCount"]
    return found
