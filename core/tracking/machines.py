"""Tell machines from people, by rules kept as data. Pure, but for reading the rules.

An agent speaks for one hit. A burst and a hidden link speak for a message: whatever it did within the seconds around them is
a machine's. What came before they were seen is re-marked then, what comes after as it comes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.db import Connection
from core.log import get_logger
from core.tracking.records import Click, Hit, MachineRule, Message, Remark, RuleKind, Sighting, TrackingKind
from core.tracking.store import rule_rows

REFRESH_SECONDS = 3.0
CACHED_AGENTS = 10_000

_log = get_logger(__name__)
_Pattern = tuple[re.Pattern[str], int]
_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLinks:
    """The links of one recipient's message."""

    visible: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()


NOTHING_SHOWN = ShownLinks()


class LinkBook(Protocol):
    """Who knows which links messages have."""

    async def hidden(self, conn: Connection, delivery_id: int) -> frozenset[int]:
        """The links of a delivery that no person sees."""
        ...

    async def always(self, conn: Connection, delivery_id: int) -> Collection[frozenset[int]]:
        """For each language of a delivery the links that its messages show, whatever their conditions say."""
        ...

    async def shown(self, conn: Connection, messages: Sequence[Message]) -> Mapping[Message, ShownLinks]:
        """The links that each message shows to its own recipient; a message that is gone shows nothing."""
        ...


class RuleBook:
    """Some rules, compiled. A rule whose pattern cannot be read is left out and logged."""

    def __init__(self, rules: Iterable[MachineRule]):
        self.rules = tuple(rules)
        self._agents = self._patterns()
        self._bursts = [rule for rule in self.rules if rule.kind is RuleKind.BURST]
        self._hidden = next((rule for rule in self.rules if rule.kind is RuleKind.HIDDEN_LINK), None)
        self._known_agents: dict[str, int] = {}

    def _patterns(self) -> list[_Pattern]:
        found = []
        for rule in self.rules:
            if rule.kind is RuleKind.AGENT and rule.pattern is not None:
                try:
                    found.append((re.compile(rule.pattern), rule.id))
                except re.error as error:
                    _log.error("machine rule cannot be read", rule=rule.id, pattern=rule.pattern, error=str(error))
        return found

    @property
    def window(self) -> timedelta | None:
        """How far back the rules about whole messages look; None without such rules."""
        seconds = [rule.seconds or 0 for rule in (*self._bursts, self._hidden) if rule is not None]
        return timedelta(seconds=max(seconds)) if seconds else None

    @property
    def hidden_rule(self) -> int:
        """The id of the rule on hidden links; 0 without one."""
        return self._hidden.id if self._hidden is not None else 0

    def classify(self, hit: Hit, hidden: frozenset[int] = frozenset()) -> int:
        """The rule that takes this hit for a machine's, or 0. `hidden` are the links of the delivery that no person sees.

        Unsubscribing is never a machine's: mail providers' servers do it for people (RFC 8058).
        """
        if hit.kind is TrackingKind.UNSUBSCRIBE:
            return 0
        if self._hidden is not None and hit.kind is TrackingKind.CLICK and hit.link in hidden:
            return self._hidden.id
        return self._agent(hit.user_agent)

    def _agent(self, text: str) -> int:
        rule = self._known_agents.get(text)
        if rule is None:
            rule = next((rule_id for pattern, rule_id in self._agents if pattern.search(text)), 0)
            if len(self._known_agents) >= CACHED_AGENTS:
                self._known_agents.clear()
            self._known_agents[text] = rule
        return rule

    def is_suspect(self, seen: Sighting, always: Collection[frozenset[int]], hidden: frozenset[int]) -> bool:
        """Whether a look at the message itself is worth it. Most who click two links quickly have not clicked all."""
        links = {click.link for click in seen.clicks}
        return any(one <= links for one in always) or not hidden.isdisjoint(links)

    def judge(self, sightings: Iterable[Sighting], shown: Mapping[Message, ShownLinks]) -> list[Remark]:
        """What was a machine's doing, from the links each message saw clicked lately and those it shows.

        The answer does not depend on when it is asked: what lies in any window of a rule's `seconds` in which the rule holds.
        """
        return [remark for seen in sightings for remark in self._judge_message(seen, shown.get(seen.message, NOTHING_SHOWN))]

    def _judge_message(self, seen: Sighting, shown: ShownLinks) -> Iterator[Remark]:
        for rule in (self._hidden, *self._bursts):
            if rule is not None:
                for since, until in _windows(rule, _FINDS[rule.kind](rule, seen.clicks, shown)):
                    yield Remark(message=seen.message, since=since, until=until, rule=rule.id)


def _windows(rule: MachineRule, spans: Iterable[_Span]) -> list[_Span]:
    """What the windows cover that hold one of these spans, from its first to its last moment; those that touch are joined."""
    seconds = timedelta(seconds=rule.seconds or 0)
    covered: list[_Span] = []
    for first, last in spans:
        since, until = last - seconds, first + seconds
        if since > first:  # too slow
            continue
        if covered and since <= covered[-1][1]:
            covered[-1] = (covered[-1][0], until)
        else:
            covered.append((since, until))
    return covered


def _find_bursts(rule: MachineRule, clicks: Iterable[Click], shown: ShownLinks) -> Iterator[_Span]:
    """The shortest spans with a click on each visible link, in order."""
    if len(shown.visible) < (rule.least or 2):
        return
    last: OrderedDict[int, datetime] = OrderedDict()  # when each link was clicked last, the longest ago first
    for click in clicks:
        if click.link in shown.visible:
            last[click.link] = click.at
            last.move_to_end(click.link)
            if len(last) == len(shown.visible):
                yield next(iter(last.values())), click.at


def _find_hidden(rule: MachineRule, clicks: Iterable[Click], shown: ShownLinks) -> Iterator[_Span]:
    return ((click.at, click.at) for click in clicks if click.link in shown.hidden)


_FINDS: dict[RuleKind, Callable[[MachineRule, Iterable[Click], ShownLinks], Iterator[_Span]]] = {
    RuleKind.BURST: _find_bursts,
    RuleKind.HIDDEN_LINK: _find_hidden,
}


class FreshRules:
    """The rule book of a process, read again every few seconds. `now` is a monotonic time in seconds."""

    def __init__(self, seconds: float = REFRESH_SECONDS):
        self._seconds = seconds
        self._book: RuleBook | None = None
        self._read_at = 0.0

    async def get(self, conn: Connection, now: float) -> RuleBook:
        """The rules in force, at most a few seconds old."""
        if self._book is None or now - self._read_at >= self._seconds:
            rules = await rule_rows.list_rules(conn)
            if self._book is None or self._book.rules != tuple(rules):
                self._book = RuleBook(rules)
            self._read_at = now
        return self._book
