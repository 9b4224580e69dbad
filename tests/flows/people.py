"""People for a story: believable, and told apart by the domain of their addresses."""

from __future__ import annotations

import itertools

from tests.flows.client import Client
from tests.flows.journey import create_audience, import_people, make_csv

NAMES = ("Ana", "José", "Zoë", "Łukasz", "محمد", "O'Neil", "李", "Renée 🌸")
PLACES = (("FR", "Paris"), ("DE", "München"), ("JP", "大阪"), ("SA", "الرياض"))
COLUMNS = ("email", "first_name", "last_name", "city", "country", "opt_out_email")

_domains = itertools.count(1)


def fresh_domain() -> str:
    """A mail domain that no other story uses."""
    return f"story{next(_domains)}.example"


def make_people(domain: str, count: int) -> list[dict[str, str]]:
    """So many people at one domain."""
    return [
        {
            "email": f"Person.{number}@{domain}",
            "first_name": NAMES[number % len(NAMES)],
            "last_name": f"Family, {number}",
            "country": PLACES[number % len(PLACES)][0],
            "city": PLACES[number % len(PLACES)][1],
        }
        for number in range(count)
    ]


def address(domain: str, number: int) -> str:
    """The address of one of them, as it is written to."""
    return f"Person.{number}@{domain}"


async def settle_in(client: Client, count: int) -> tuple[str, str]:
    """Import so many new people; returns their domain and an audience of them."""
    domain = fresh_domain()
    run = await import_people(client, make_csv(make_people(domain, count), COLUMNS))
    assert run["inserted"] == count, run
    return domain, await create_audience(client, f"email_domain = '{domain}'")
