"""The crowd does what it says it did."""

from __future__ import annotations

import pytest

from api.cli.demo.crowd import ROBOT, Tally, leave, react
from api.cli.demo.http_crowd import Visit
from api.cli.demo.mails import Mail

MAIL = Mail(
    number=0, recipient="a@mail.example", to="a@mail.example", message_id="<1@x>", subject="", greeting="",
    links=("http://x/c/1", "http://x/c/2", "http://x/c/3", "http://x/c/4", "http://x/c/5"), hidden="http://x/c/hidden",
    pixel="http://x/o/1", mirror="http://x/m/1", unsubscribe="http://x/u/1",
)  # fmt: skip


@pytest.fixture(scope="module")
def played() -> tuple[Tally, list[list[Visit]]]:
    """A few thousand people with the same mail."""
    tally = Tally()
    return tally, [react(MAIL, number, f"id-{number}", tally, may_leave=True) for number in range(3_000)]


def count(visits: list[list[Visit]], letter: str, method: str = "GET", agent: str | None = None) -> int:
    """Requests of one kind; robots only with their name."""
    return sum(
        f"/{letter}/" in visit.url and visit.method == method and (visit.agent == ROBOT) == (agent == ROBOT)
        for one in visits
        for visit in one
    )


def test_the_tally_is_the_sum_of_the_visits(played: tuple[Tally, list[list[Visit]]]) -> None:
    """People's and machines'; a machine in disguise looks like people who click every link."""
    tally, visits = played
    disguised = [one for number, one in enumerate(visits) if number % 500 == 3]
    assert all([visit.url for visit in one] == list(MAIL.links) for one in disguised)
    assert count(visits, "o") == tally.open_events
    assert count(visits, "m") == tally.mirrored
    assert count(visits, "u", "POST") == tally.unsubscribed == len(tally.leavers)
    assert count(visits, "c") == tally.clicks + 5 * len(disguised)
    assert count(visits, "c", agent=ROBOT) + count(visits, "o", agent=ROBOT) == 7 * 6
    assert tally.machine_events == 7 * 6 + 5 * len(disguised)
    assert tally.events == sum(map(len, visits)) - count(visits, "u")  # looking at the page is no event
    assert sum(tally.link_clicks.values()) == tally.clicks
    assert sum(tally.link_people.values()) == tally.people_clicking


def test_who_clicks_has_opened(played: tuple[Tally, list[list[Visit]]]) -> None:
    """Opens count one for everybody who did something without loading the picture."""
    tally, _ = played
    assert tally.people_opening < tally.people_acting
    assert tally.opens == tally.open_events + tally.people_acting - tally.people_opening


def test_nobody_clicks_all_the_links_of_a_message(played: tuple[Tally, list[list[Visit]]]) -> None:
    """Who does is taken for a machine."""
    _, visits = played
    for number, one in enumerate(visits):
        if number % 500 not in (2, 3):
            assert len({visit.url for visit in one if "/c/" in visit.url}) <= 1


def test_even_the_smallest_crowd_does_something() -> None:
    """The first person looks, the second leaves where leaving is allowed."""
    tally = Tally()
    react(MAIL, 0, "first", tally, may_leave=True)
    assert tally.people_opening == tally.people_clicking == 1
    react(MAIL, 1, "second", tally, may_leave=False)
    assert tally.leavers == []
    react(MAIL, 1, "second", tally, may_leave=True)
    leave(MAIL, "third", tally)
    assert tally.leavers == ["second", "third"]
