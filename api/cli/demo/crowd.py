"""The recipients: some open, some click, a few leave; security gateways follow every link at once.

Who does what follows from the person alone, so the same size makes the same crowd.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from api.cli.demo.http_crowd import Visit
from api.cli.demo.mails import Mail
from api.cli.demo.newsletter import BIRTHDAY, DATA, PRODUCT, WHOLE_LIST

OPENING, CLICKING, LEAVING, MIRRORING = 0.3, 0.1, 0.01, 0.005
ROBOT_EVERY = 500  # people behind a security gateway: it names itself, or comes as a browser
ROBOT = "Barracuda Sentinel (security gateway)"
ONE_CLICK = b"List-Unsubscribe=One-Click"


@dataclass(slots=True)
class Tally:
    """What people did, machines left out: what the report must show, exactly."""

    open_events: int = 0
    people_opening: int = 0  # at least one pixel
    people_acting: int = 0  # did anything at all
    clicks: int = 0
    people_clicking: int = 0
    unsubscribed: int = 0
    mirrored: int = 0
    machine_events: int = 0
    link_clicks: Counter[str] = field(default_factory=Counter)  # by what the links have in common
    link_people: Counter[str] = field(default_factory=Counter)
    leavers: list[str] = field(default_factory=list)  # external ids

    @property
    def opens(self) -> int:
        """Opens seen, and one for each person whose open was not seen but who did something."""
        return self.open_events + self.people_acting - self.people_opening

    @property
    def human_events(self) -> int:
        """Every event of a person."""
        return self.open_events + self.clicks + self.unsubscribed + self.mirrored

    @property
    def events(self) -> int:
        """Every event there must be."""
        return self.human_events + self.machine_events


def react(mail: Mail, number: int, external_id: str, tally: Tally, *, may_leave: bool) -> list[Visit]:
    """What the person with this number does about a mail; the first person always looks, the second always leaves."""
    if number % ROBOT_EVERY in (2, 3):
        return _gateway(mail, tally, disguised=number % ROBOT_EVERY == 3)
    chance = random.Random(number)
    opened, clicked = chance.random() < OPENING or number == 0, chance.random() < CLICKING or number == 0
    left = may_leave and (chance.random() < LEAVING or number == 1)
    mirrored = chance.random() < MIRRORING
    visits: list[Visit] = []
    if opened:
        visits += [Visit("GET", mail.pixel)] * chance.choice((1, 1, 1, 2, 3))
        tally.open_events += len(visits)
    if clicked:
        visits += _click(mail, chance, tally)
    if mirrored:
        visits.append(Visit("GET", mail.mirror))
    if left:
        visits += _leave(mail, one_click=chance.random() < 0.5)
        tally.leavers.append(external_id)
    tally.people_opening += opened
    tally.people_clicking += clicked
    tally.mirrored += mirrored
    tally.unsubscribed += left
    tally.people_acting += bool(visits)
    return visits


def leave(mail: Mail, external_id: str, tally: Tally) -> list[Visit]:
    """Somebody who did nothing so far leaves later."""
    tally.unsubscribed += 1
    tally.people_acting += 1
    tally.leavers.append(external_id)
    return _leave(mail, one_click=True)


def _click(mail: Mail, chance: random.Random, tally: Tally) -> list[Visit]:
    """One link, mostly once: who follows every link at once is taken for a machine."""
    position = chance.randrange(len(mail.links))
    times = chance.choice((1, 1, 1, 2))
    target = (*[PRODUCT] * len(DATA["products"]), WHOLE_LIST, BIRTHDAY)[position]
    tally.clicks += times
    tally.link_clicks[target] += times
    tally.link_people[target] += 1
    return [Visit("GET", mail.links[position])] * times


def _leave(mail: Mail, *, one_click: bool) -> list[Visit]:
    """The button of the mail program, or the page that GET shows and its button."""
    if one_click:
        return [Visit("POST", mail.unsubscribe, ONE_CLICK)]
    return [Visit("GET", mail.unsubscribe), Visit("POST", mail.unsubscribe, b"confirm=1")]


def _gateway(mail: Mail, tally: Tally, *, disguised: bool) -> list[Visit]:
    links = mail.links if disguised else (*mail.links, mail.hidden, mail.pixel)
    tally.machine_events += len(links)
    return [Visit("GET", link) if disguised else Visit("GET", link, agent=ROBOT) for link in links]
