"""The recipients: some open, some click, a few unsubscribe, and a security gateway follows every link at once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.cli.demo.http_crowd import Reply, Visit, visit_all
from api.cli.demo.mails import Mail

ROBOT = "Barracuda Sentinel (security gateway)"


@dataclass(slots=True)
class Behaviour:
    """What the crowd did: what the report must show, exactly."""

    opens: int = 0
    unique_opens: int = 0
    clicks: int = 0
    unique_clicks: int = 0
    unsubscribed: int = 0
    machine_hits: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    leavers: list[str] = field(default_factory=list)


async def react(
    mails: Sequence[Mail], seed: int, shares: tuple[float, float, float] = (0.35, 0.12, 0.01)
) -> Behaviour:
    """Play the crowd over the mails of one delivery."""
    chance = random.Random(seed)
    did = Behaviour()
    visits: list[Visit] = []
    for mail in mails:
        visits.extend(_person(mail, chance, shares, did))
    robots = chance.sample(list(mails), min(len(mails), max(1, len(mails) // 1000)))
    for mail in robots:
        visits.extend(Visit("GET", link, agent=ROBOT) for link in mail.links)
        did.machine_hits += len(mail.links)
    for visit, reply in zip(visits, await visit_all(visits), strict=True):
        _judge(visit, reply, did)
    return did


def _person(
    mail: Mail, chance: random.Random, shares: tuple[float, float, float], did: Behaviour
) -> Iterator[Visit]:
    opening, clicking, leaving = shares
    opened = chance.random() < opening
    clicked = chance.random() < clicking
    if opened:
        times = chance.choice((1, 1, 1, 2, 3))
        did.opens += times
        for _ in range(times):
            yield Visit("GET", mail.pixel)
    if clicked:
        link = chance.choice(mail.links)
        times = chance.choice((1, 1, 1, 2))
        did.clicks += times
        did.unique_clicks += 1
        for _ in range(times):
            yield Visit("GET", link)
    left = chance.random() < leaving
    if left:
        did.unsubscribed += 1
        did.leavers.append(mail.recipient)
        yield Visit("POST", mail.unsubscribe, b"List-Unsubscribe=One-Click")
    did.unique_opens += opened or clicked or left


def _judge(visit: Visit, reply: Reply, did: Behaviour) -> None:
    expected = {"GET": (200, 302), "POST": (200,)}[visit.method]
    if reply.status not in expected:
        did.refused.append((reply.status, visit.url))
