"""Tell machines from people, by rules kept as data. Pure, but for reading the rules.

An agent or a method speaks for one hit. A burst and a hidden link speak for a message: once they are seen, what the message
did in the seconds before is re-marked, and what it does in the seconds after is re-marked as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from core.db import Connection
from core.log import get_logger
from core.tracking.records import Hit, MachineRule, Message, Remark, RuleKind, Sighting, TrackingKind
from core.tracking.store import rule_rows

REFRESH_SECONDS = 3.0
CACHED_AGENTS = 10_000

_log = get_logger(__name__)
_Pattern = tuple[re.Pattern[str], int]


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

    async def always(self, conn: Connection, delivery_id: int) -> frozenset[int]:
        """The links that each message of a delivery shows, whatever its conditions say."""
        ...

    async def shown(self, conn: Connection, messages: Sequence[Message]) -> Mapping[Message, ShownLinks]:
        """The links that each message shows to its own recipient; a message that is gone shows nothing."""
        ...


class RuleBook:
    """Some rules, compiled. A rule whose pattern cannot be read is left out and logged."""

    def __init__(self, rules: Iterable[MachineRule]):
        self.rules = tuple(rules)
        self._agents = self._patterns(RuleKind.AGENT)
        self._methods = self._patterns(RuleKind.METHOD)
        self._bursts = [rule for rule in self.rules if rule.kind is RuleKind.BURST]
        self._hidden = next((rule for rule in self.rules if rule.kind is RuleKind.HIDDEN_LINK), None)
        self._known_agents: dict[str, int] = {}

    def _patterns(self, kind: RuleKind) -> list[_Pattern]:
        found = []
        for rule in self.rules:
            if rule.kind is kind and rule.pattern is not None:
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
        return self._agent(hit.user_agent) or self._method(hit.method)

    def _agent(self, text: str) -> int:
        rule = self._known_agents.get(text)
        if rule is None:
            rule = next((rule_id for pattern, rule_id in self._agents if pattern.search(text)), 0)
            if len(self._known_agents) >= CACHED_AGENTS:
                self._known_agents.clear()
            self._known_agents[text] = rule
        return rule

    def _method(self, verb: str) -> int:
        if verb == "GET":
            return 0
        return next((rule_id for pattern, rule_id in self._methods if pattern.search(verb)), 0)

    def is_suspect(self, seen: Sighting, always: frozenset[int], hidden: frozenset[int]) -> bool:
        """Whether a look at the message itself is worth it. Most who click two links quickly have not clicked all."""
        return always <= seen.links.keys() or not hidden.isdisjoint(seen.links)

    def judge(self, sightings: Iterable[Sighting], shown: Mapping[Message, ShownLinks]) -> list[Remark]:
        """Which messages were a machine's doing, from the links each saw clicked lately and those it shows."""
        remarks = (self._judge_message(seen, shown.get(seen.message, NOTHING_SHOWN)) for seen in sightings)
        return [remark for remark in remarks if remark is not None]

    def _judge_message(self, seen: Sighting, shown: ShownLinks) -> Remark | None:
        for rule in (self._hidden, *self._bursts):
            if rule is not None:
                since = seen.newest - timedelta(seconds=rule.seconds or 0)
                links = frozenset(link for link, at in seen.links.items() if at >= since)
                if _HOLDS[rule.kind](rule, links, shown):
                    return Remark(message=seen.message, since=since, rule=rule.id)
        return None


def _is_burst(rule: MachineRule, links: frozenset[int], shown: ShownLinks) -> bool:
    return len(shown.visible) >= (rule.least or 2) and shown.visible <= links


def _is_hidden(rule: MachineRule, links: frozenset[int], shown: ShownLinks) -> bool:
    return bool(links & shown.hidden)


_HOLDS: dict[RuleKind, Callable[[MachineRule, frozenset[int], ShownLinks], bool]] = {
    RuleKind.BURST: _is_burst,
    RuleKind.HIDDEN_LINK: _is_hidden,
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
