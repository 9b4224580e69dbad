"""Subscriptions as the target of an import (feature map 2.41, E.34): each row has its own result, and none fails another.

They go through the acts of `core.consent`, so that the history and the ledger hold. A file says when a person said it; what
somebody said last counts, in whatever order it comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from core.access import Actor, Permission
from core.consent.acts import ORIGIN_LENGTH
from core.consent.records import Act, Done, Outcome, Wish
from core.consent.services import find_numbers, get_service
from core.consent.subscriptions import subscribe, unsubscribe
from core.db import Connection
from core.errors import Invalid
from core.profiles.fields import Field, FieldType
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode, ImportTarget
from core.profiles.import_rows import Batch, Reject
from core.profiles.import_target import Destination, Stored, Written
from core.profiles.run_records import ImportRun
from core.profiles.table_target import reject
from core.transfers.dry import undone_if
from core.transfers.people import PeopleFinder, people_fields

_SERVICE = Field(name="service", label="Service", type=FieldType.TEXT, max_length=64)
_OWN = (
    Field(name="happened_at", label="Said at", type=FieldType.INSTANT, aliases=("since", "date")),
    Field(name="expires_at", label="Ends at", type=FieldType.INSTANT),
    Field(name="origin", label="Origin", type=FieldType.TEXT, max_length=ORIGIN_LENGTH),
)
_COUNTED: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.REQUESTED: "inserted", Outcome.SUBSCRIBED: "inserted", Outcome.CONFIRMED: "inserted",
        Outcome.RENEWED: "updated", Outcome.UNCHANGED: "unchanged", Outcome.UNSUBSCRIBED: "deleted", Outcome.LATE: "skipped",
    }
)  # fmt: skip
_SAID: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.SERVICE_NOT_FOUND: "there is no such service",
        Outcome.SERVICE_NOT_OPEN: "the service takes no subscriptions at this time",
        Outcome.EXPIRY_IN_PAST: "the subscription would be over already",
        Outcome.PROFILE_NOT_FOUND: "the profile was deleted meanwhile",
    }
)


class SubscriptionTarget:
    """Subscribes people, or ends their subscriptions."""

    def __init__(self, run: ImportRun, plan: Plan):
        self._plan = plan
        self._target = run.options.target
        self._ends = run.options.mode is ImportMode.DELETE
        self._dry = run.options.dry_run
        self._finder = PeopleFinder(plan)
        self._places = {name: place for place, name in enumerate(plan.staged)}
        self._actor = Actor(name=run.created_by, permissions=frozenset({Permission.EDIT}))
        self._act = Act(origin=self._target.origin or f"import:{run.id}")

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """Each person's last word to a service counts; earlier ones of the chunk are told as repeated."""
        people = await self._finder.find(conn, batch)
        refused, wishes = await self._wishes(conn, batch, people.by_line, now)
        chosen: dict[tuple[int, int], int] = {}
        for line, wish in wishes.items():
            pair = wish.service_id, wish.profile_id
            before = chosen.get(pair)
            if before is None or (wish.happened_at or now) >= (wishes[before].happened_at or now):
                chosen[pair] = line
        lines = sorted(chosen.values())
        async with undone_if(self._dry, conn):
            done = await self._tell(conn, [wishes[line] for line in lines], now)
        written, told, remarks = self._count(batch, lines, done)
        return Stored(
            written=written, refused=[*people.refused, *refused, *told], remarks=[*people.remarks, *remarks],
            repeated=len(wishes) - len(lines),
        )  # fmt: skip

    async def end(self, conn: Connection, now: datetime) -> None:
        """Nothing remains."""

    async def _tell(self, conn: Connection, wishes: list[Wish], now: datetime) -> list[Done]:
        if self._ends:
            return await unsubscribe(conn, self._actor, wishes, self._act, now=now)
        return await subscribe(conn, self._actor, wishes, self._act, now=now, confirmed=self._target.confirmed)

    async def _wishes(
        self, conn: Connection, batch: Batch, people: Mapping[int, int], now: datetime
    ) -> tuple[list[Reject], dict[int, Wish]]:
        """What the rows ask for, by their lines."""
        named = self._column(batch, "service")
        services = await find_numbers(conn, [name for name in dict.fromkeys(named) if name]) if named else {}
        moments, ends, origins = (self._column(batch, name) for name in ("happened_at", "expires_at", "origin"))
        refused, wishes = list[Reject](), dict[int, Wish]()
        for row, line in enumerate(batch.lines):
            if line not in people:
                continue
            service = services.get(named[row]) if named else self._target.service_id
            if service is None:
                refused.append(self._reject(batch, line, "service", "SERVICE_NOT_FOUND", _SAID[Outcome.SERVICE_NOT_FOUND]))
            elif moments and moments[row] is not None and moments[row] > now:
                refused.append(self._reject(batch, line, "happened_at", "BAD_MOMENT", "this time is to come"))
            else:
                wishes[line] = Wish(
                    service_id=service, profile_id=people[line], expires_at=ends[row] if ends else None,
                    origin=origins[row] if origins else None, happened_at=moments[row] if moments else None,
                )  # fmt: skip
        return refused, wishes

    def _count(self, batch: Batch, lines: list[int], done: list[Done]) -> tuple[Written, list[Reject], list[Reject]]:
        counts, refused, remarks = Counter[str](), list[Reject](), list[Reject]()
        for line, one in zip(lines, done, strict=True):
            counted = _COUNTED.get(one.outcome)
            if counted == "unchanged" and self._ends:
                counted = "skipped"  # who is to go is not there
            if counted is None:
                refused.append(self._reject(batch, line, "service", one.outcome.name, _SAID[one.outcome]))
                continue
            counts[counted] += 1
            if one.outcome is Outcome.LATE:
                remarks.append(self._reject(batch, line, "happened_at", "LATE", "it is recorded; what was said later counts"))
        written = Written(
            inserted=counts["inserted"], updated=counts["updated"], unchanged=counts["unchanged"], deleted=counts["deleted"],
            skipped=counts["skipped"],
        )  # fmt: skip
        return written, refused, remarks

    def _column(self, batch: Batch, name: str) -> Any:
        """The values of an own column; nothing where the file does not have it."""
        place = self._places.get(name)
        return [] if place is None else batch.columns[place]

    def _reject(self, batch: Batch, line: int, name: str, code: str, message: str) -> Reject:
        places = {one.name: self._plan.header[index] for index, one in self._plan.fields}
        return reject(batch, line, places.get(name, ""), code, message)


async def find_subscriptions(conn: Connection, target: ImportTarget) -> Destination:
    """Of one service, or of those that a column names. Raises NotFound (SERVICE_NOT_FOUND), Invalid (BAD_ORIGIN)."""
    if len(target.origin) > ORIGIN_LENGTH or not target.origin.isprintable():
        raise Invalid(
            f"an origin is one line of at most {ORIGIN_LENGTH} printable characters", code="BAD_ORIGIN",
            path="options.target.origin",
        )  # fmt: skip
    own: tuple[Field, ...] = _OWN
    needed: tuple[str, ...] = ()
    if target.service_id is None:
        own, needed = (_SERVICE, *_OWN), ("service",)
    else:
        await get_service(conn, target.service_id)
    return Destination(
        fields=replace(await people_fields(conn, "subscription", *own), needed=needed),
        open=lambda runtime, run, plan: SubscriptionTarget(run, plan),
        modes=frozenset({ImportMode.INSERT_OR_UPDATE, ImportMode.DELETE}),
        permission=Permission.EDIT,
    )
