"""The main job, from a file of people to a report that adds up, seen by a user of the API, the recipients and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx

from tests.flows.client import Client
from tests.flows.conftest import Place
from tests.flows.journey import (
    IMPORT_PROGRESS,
    Watcher,
    ask_for,
    create_account,
    create_audience,
    create_content,
    create_delivery,
    explain,
    find_profile,
    import_ended,
    make_csv,
    prepare,
    reach,
    report_of,
    start_import,
    upload,
    visit_all,
)
from tests.flows.people import COLUMNS, address, fresh_domain, make_people
from tests.flows.post import Letter, read_letters

PEOPLE = 240


def make_file(domain: str) -> bytes:
    """People; one of them twice, one who wants no mail, one without an address, and lines that are no people at all."""
    people = make_people(domain, PEOPLE)
    people[7]["opt_out_email"] = "true"
    people.append({**people[3], "email": people[3]["email"].upper()})
    rows = make_csv(people, COLUMNS).decode().splitlines()
    rows.insert(5, f"nobody-at-{domain},No,Body,,FR,")
    rows.insert(9, f"x@{domain},too,many,cells,FR,,,,")
    return "\n".join(rows).encode()


async def test_from_a_file_of_people_to_a_report_that_adds_up(place: Place) -> None:
    client = place.client
    domain = fresh_domain()

    # Given people from a file, watched as they come in
    import_id = await upload(client, make_file(domain))
    watching = asyncio.create_task(_watch_import(client, import_id))
    await start_import(client, import_id)
    run = await import_ended(client, import_id)
    assert (run["state"], run["inserted"], run["rejected"], run["repeated"]) == ("FINISHED", PEOPLE, 2, 1)
    assert (await asyncio.wait_for(watching, 10))[-1]["state"] == "FINISHED"

    # When an audience of them is prepared
    audience = await create_audience(client, f"email_domain = '{domain}' and country in ('FR', 'DE', 'JP')")
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
    ready = await prepare(client, delivery)
    wanted = [n for n in range(PEOPLE) if n % 4 != 3 and n != 7]
    targeted = PEOPLE * 3 // 4
    assert ready["counts"] == {**_nothing(), "targeted": targeted, "pending": targeted}
    assert not _letters(place, domain), "nothing is sent before it is confirmed"

    # And confirmed, and sent
    await ask_for(client, "confirm", delivery)
    done = await reach(client, delivery, "FINISHED")
    assert done["counts"] == {**_nothing(), "targeted": targeted, "accepted": targeted}

    # Then everybody got a mail of their own, once
    letters = {letter.recipient: letter for letter in _letters(place, domain)}
    assert sorted(letters) == sorted(address(domain, n) for n in wanted)
    assert len(_letters(place, domain)) == len(wanted) == len({letter.message_id for letter in letters.values()})
    for person in make_people(domain, PEOPLE):
        if person["email"] in letters:
            _check_letter(letters[person["email"]], person)

    # And what they do is seen live, and counted
    did = await _react(place, [letters[address(domain, n)] for n in wanted], delivery)
    report = await report_of(client, delivery)
    metrics = report["metrics"]
    assert {name: metrics[name] for name in did} == did
    assert sum(link["total"] for link in report["links"]) == did["clicks"]
    assert sum(metrics[name] for name in ("accepted", "excluded", "withdrawn")) == targeted

    # And any process tells what all of them counted
    counts = await _counts(place)
    assert counts['clarion_messages_total{channel="email",outcome="accepted"}'] >= targeted
    assert counts['clarion_channel_connections_total{channel="email",outcome="connected"}'] >= 1
    assert counts['clarion_jobs_total{job="delivery.send",outcome="done"}'] >= 1
    assert counts['clarion_announcements_total{topic="delivery.confirmed"}'] >= 1
    assert counts['clarion_sweeps_total{outcome="done",sweep="delivery"}'] >= 1
    assert "clarion_outbox_waiting" in counts

    # And each may ask why
    got = await explain(client, delivery, (await find_profile(client, address(domain, 0)))["id"])
    assert (got["targeted"], got["row"]["state"]) == (True, "ACCEPTED")
    missed = await explain(client, delivery, (await find_profile(client, address(domain, 3)))["id"])
    assert (missed["targeted"], missed["row"]) == (False, None)


async def _counts(place: Place) -> dict[str, float]:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{place.house.settings.base_url}/metrics")).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def _nothing() -> dict[str, int]:
    names = "targeted excluded pending accepted failed unknown withdrawn expired cancelled"
    return dict.fromkeys(names.split(), 0)


def _letters(place: Place, domain: str) -> list[Letter]:
    return [letter for letter in read_letters(place.mail) if letter.recipient.endswith(f"@{domain}")]


async def _watch_import(client: Client, import_id: str) -> list[dict[str, Any]]:
    """Everything the subscription tells, until the import ends and it with it."""
    async with client.subscribe(IMPORT_PROGRESS, id=import_id) as progress:
        return [step async for step in progress]


def _check_letter(letter: Letter, person: dict[str, str]) -> None:
    name = person["first_name"]
    assert letter.subject == f"{name}, three things for you"
    assert f"Hello {name.replace(chr(39), '&#39;')}!" in letter.html
    assert ("Livraison offerte à Paris." in letter.html) == (person["country"] == "FR")
    assert f"Hello {name}!" in letter.text
    assert len(letter.links) == 3
    assert letter.message["From"].addresses[0].display_name == "Château & Söhne"


async def _react(place: Place, letters: list[Letter], delivery: str) -> dict[str, int]:
    """Some open, some click, some leave; a subscriber who loses the connection on the way sees every event once.

    Returns what the report must say.
    """
    client = place.client
    clickers, openers, leavers = letters[:40], letters[20:60], letters[60:65]
    did = [("GET", letter.links[n % 3], 302) for n, letter in enumerate(clickers)]
    did += [("GET", clickers[0].links[0], 302)]  # twice: in the totals, not in the uniques
    did += [("GET", letter.pixel, 200) for letter in openers]
    did += [("GET", letter.unsubscribe, 200) for letter in leavers]  # shows a page, changes nothing
    did += [("POST", letter.unsubscribe, 200) for letter in leavers]
    first, rest = did[:30], did[30:]

    watcher = Watcher(client, delivery)
    async with watcher.listening() as events:
        await visit_all(client, first)
        await watcher.until(events, len(first))
    await visit_all(client, rest[:20])  # while nobody listens
    async with watcher.listening() as events:
        await visit_all(client, rest[20:])
        await watcher.until(events, len(did) - len(leavers))

    seen = watcher.seen
    assert len({event["position"] for event in seen}) == len(seen)
    assert [event["position"] for event in seen] == sorted(event["position"] for event in seen)
    assert Counter(event["kind"] for event in seen) == {"CLICK": 41, "OPEN": 40, "UNSUBSCRIBE": 5}
    assert not any(event["machine"] for event in seen)
    people = {letter.recipient for letter in (*clickers, *openers, *leavers)}
    assert len({event["profileId"] for event in seen}) == len(people)
    return {
        "clicks": 41,
        "unique_clicks": 40,
        "unique_opens": len(people),
        "opens": 40 + len(people) - 40,  # and one for each who did something without an open
        "unsubscribes": 5,
        "unique_unsubscribes": 5,
    }
