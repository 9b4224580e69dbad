"""Which agents are machines', by the rules that come with an installation."""

from __future__ import annotations

import pytest

from core.db import Connection
from core.tracking.machines import FreshRules, RuleBook
from core.tracking.records import MachineRule, RuleKind, TrackingKind
from core.tracking.store import rule_rows
from tests.core.tracking.people import hit

MACHINES = [
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 1),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", 1),
    ("SomeLinkBot", 1),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", 1),
    ("facebookexternalhit/1.1", 1),
    ("python-requests/2.32.3", 2),
    ("curl/8.9.1", 2),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/138.0.0.0 Safari/537.36", 2),
    ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", 3),
    ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", 3),
    ("BarracudaCentral/1.0", 4),
    ("", 5),
    ("   ", 5),
    ("Mozilla/5.0", 6),
]
PEOPLE = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG POWER) AppleWebKit/537.36 Chrome/139.0.0.0 Mobile Safari/537.36",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.1.0",
]


@pytest.mark.parametrize(("agent", "rule"), MACHINES)
async def test_machines_by_their_agents(conn: Connection, agent: str, rule: int) -> None:
    book = RuleBook(await rule_rows.list_rules(conn))
    assert book.classify(hit(agent=agent)) == rule
    assert book.classify(hit(agent=agent)) == rule  # from memory


@pytest.mark.parametrize("agent", PEOPLE)
async def test_people_by_their_agents(conn: Connection, agent: str) -> None:
    assert RuleBook(await rule_rows.list_rules(conn)).classify(hit(agent=agent)) == 0


async def test_hidden_links_and_unsubscribing(conn: Connection) -> None:
    book = RuleBook(await rule_rows.list_rules(conn))
    assert book.classify(hit(link=9), frozenset({9})) == 8
    assert book.classify(hit(link=1), frozenset({9})) == 0
    assert book.classify(hit(TrackingKind.OPEN), frozenset({0})) == 0
    assert book.classify(hit(TrackingKind.UNSUBSCRIBE, agent="curl/8.9.1")) == 0


def test_a_rule_that_cannot_be_read_stops_nothing() -> None:
    book = RuleBook([
        MachineRule(id=1, kind=RuleKind.AGENT, pattern="(unfinished"),
        MachineRule(id=2, kind=RuleKind.AGENT, pattern="Robot"),
    ])  # fmt: skip
    assert book.classify(hit(agent="A Robot")) == 2
    assert book.window is None


async def test_changed_rules_come_into_force_within_seconds(conn: Connection) -> None:
    rules = FreshRules(seconds=3)
    robot = hit(agent="My Own Tester/2")
    assert (await rules.get(conn, 100.0)).classify(robot) == 0
    await conn.execute("INSERT INTO machine_rule (id, kind, pattern, description) VALUES (50, 'agent', 'Own Tester', 'Ours')")
    await conn.execute("UPDATE machine_rule SET enabled = false WHERE kind IN ('burst', 'hidden_link')")
    assert (await rules.get(conn, 102.9)).classify(robot) == 0
    later = await rules.get(conn, 103.0)
    assert later.classify(robot) == 50
    assert later.window is None
    assert later is await rules.get(conn, 107.0), "unchanged rules are not compiled again"
