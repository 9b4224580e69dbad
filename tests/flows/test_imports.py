"""Files of people: the same one twice, the same one twice at once, and files that are none."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.client import Client
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


BROKEN: dict[str, tuple[bytes, str | int]] = {  # the file, and the error it fails with or the rows that are refused
    "empty": (b"", "EMPTY_FILE"),
    "nothing but line ends": (b"\n\n\n", "NO_KEY_COLUMN"),
    "one column twice": (b"email,email\na@x.example,b@x.example\n", "DUPLICATE_COLUMN"),
    "an unknown column": (b"email,shoe_size\na@x.example,43\n", "UNKNOWN_COLUMN"),
    "no key": (b"first_name\nAna\n", "NO_KEY_COLUMN"),
    "no text": (b"\x00\x01\x02\xff\xfe" * 400, "NOT_UTF8"),
    "another encoding": ("email,first_name\nana@x.example,José\n".encode("latin-1"), 1),
    "a NUL in a name": (b"email,first_name\nana@x.example,A\x00na\n", 1),
    "an endless field": (b'email,first_name\nana@x.example,"' + b"x" * 10_000_000 + b'"\n', 1),
    "a quote that never ends": (b'email,first_name\nana@x.example,"Ana', 1),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_file_says_why_and_leaves_nothing(place: Place, name: str) -> None:
    client = place.client
    body, wrong = BROKEN[name]
    before = await count_all(client)
    import_id = await upload(client, body)
    await start_import(client, import_id)
    run = await import_ended(client, import_id)
    if isinstance(wrong, str):
        assert (run["state"], run["error"]["code"]) == ("FAILED", wrong)
        assert run["error"]["message"]
    else:
        assert (run["state"], run["rejected"], run["inserted"]) == ("FINISHED", wrong, 0)
        reasons = (await rejects(client, import_id)).splitlines()
        assert len(reasons) == 1 + wrong
    assert await count_all(client) == before


async def rejects(client: Client, import_id: str) -> str:
    """The file of refused rows."""
    made = await client.do(
        """
        mutation ($id: ID!) { createRejectsDownload(importId: $id) { downloadUrl userErrors { code message path } } }
        """,
        id=import_id,
    )
    response = await client.http.get(made["downloadUrl"])
    assert response.status_code == 200
    return response.text


async def count_all(client: Client) -> int:
    """How many people there are."""
    found: int = (await client.ask("{ profiles(first: 1) { totalCount } }"))["profiles"]["totalCount"]
    return found
