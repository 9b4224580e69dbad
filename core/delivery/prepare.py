"""From an audience to ledger rows: the list of steps, run set-based over ranges of profiles.

Each range is one transaction, so that a preparation shows progress and goes on after a crash where it was. What may take long
runs in a `turn`, so that it can be stopped at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from channels.contract import AddressKind
from core.channel_registry import ChannelRegistry
from core.clock import Clock
from core.consent.purposes import get_purpose
from core.consent.records import Service
from core.consent.services import get_service
from core.content import contents
from core.content.libraries import conditions_of, load_library, readable_by, sources_of
from core.content.records import ContentWarning
from core.db import TRY_LATER, Connection, Pool, transaction
from core.db_errors import too_large
from core.delivery import control_group, lifecycle, patience, traps, versions
from core.delivery.computed import check_dates, open_computed
from core.delivery.costs import check_costs
from core.delivery.population import Population
from core.delivery.programs import Programs
from core.delivery.records import LedgerState, LogLevel, ProgramVariant
from core.delivery.state import PREPARING, Move, after
from core.delivery.steps import Step
from core.delivery.steps.address import duplicate_address, missing_address
from core.delivery.steps.agreed import not_agreed, not_subscribed
from core.delivery.steps.consent import opted_out
from core.delivery.steps.erased import erased
from core.delivery.steps.held_back import held_out, in_control_group
from core.delivery.steps.quarantined import quarantined
from core.delivery.steps.suppressed import stopped, suppressed
from core.delivery.store import ledger, population_reads, runs, targets
from core.delivery.store import programs as program_store
from core.delivery.turn import Fenced, open_turn
from core.errors import ClarionError, Conflict, Invalid
from core.outbox import announce
from core.planning import channel_accounts, columns, deliveries, holdouts, seeds
from core.planning.records import Delivery
from core.profiles import erased as erased_addresses
from core.profiles import suppression
from core.profiles.reached_by import KINDS
from core.secrets import Keyring
from core.targeting import audiences
from core.targeting.expiry import check_current
from core.targeting.listed import brought_along
from core.targeting.plans import cheaper, ranks_everybody
from core.targeting.sql import Statement
from core.targeting.store import everyone

# The exclusions, in order: the first that applies names the one reason. Who is held back comes after them (`_held_back`).
PREPARATION: tuple[Step, ...] = (
    missing_address, opted_out, not_subscribed, not_agreed, quarantined, stopped, suppressed, erased, duplicate_address,
)  # fmt: skip

RANGE = 50_000  # profile ids per transaction
GONE = (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError)  # between two ranges
MOST_LOGGED = 20  # warnings about the content that the log keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A preparation that was laid out and only needs its ranges run."""

    population: Population
    prepare_id: int
    at: datetime
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A preparation that was begun, before anybody is asked for."""

    population: Population
    ranked: Statement | None  # finds the audience where that is written down beforehand
    warnings: Sequence[ContentWarning]
    versions: Mapping[str, int]  # of all that was read
    prepare_id: int
    at: datetime


class Preparation:
    """Prepares deliveries. One per process."""

    def __init__(self, pool: Pool, programs: Programs, registry: ChannelRegistry, keyring: Keyring, clock: Clock):
        self._pool = pool
        self._programs = programs
        self._registry = registry
        self._keyring = keyring
        self._clock = clock

    async def run(self, delivery_id: int) -> None:
        """Do what was asked, or go on with what a crash left. Returns at once when there is nothing to do."""
        try:
            plan = await self._lay_out(delivery_id)
            if plan is None:
                return
            for low, high in _ranges(plan.start, plan.end):
                if not await self._write_range(plan, low, high):
                    raise Fenced
            await self._finish(plan)
        except Fenced:
            await self._pass_on(delivery_id)
        except ClarionError as error:
            await self._fail(delivery_id, error)
        except GONE:
            await self._fail(delivery_id, _gone())
        except TRY_LATER:
            raise  # the sweep gives it to somebody again
        except Exception as error:
            limit = too_large(error)
            await self._fail(delivery_id, limit or ClarionError("something went wrong on our side", code="INTERNAL"))
            if limit is None:
                raise

    async def _lay_out(self, delivery_id: int) -> Plan | None:
        """None where there is nothing to do, or another worker does it. Raises Fenced."""
        async with transaction(self._pool) as conn:
            if not await runs.take_turn(conn, delivery_id):
                return None
            run = await runs.lock_run_if_free(conn, delivery_id)
            now = self._clock()
            if run is None or run.state not in PREPARING:
                return None
            prepare_id = await runs.take_over_preparation(conn, delivery_id, now)
            if run.prepare_to is not None and run.prepare_from is not None:
                return await self._go_on(conn, delivery_id, prepare_id, run.prepare_from, run.prepare_to)
            begun = await self._begin(conn, delivery_id, prepare_id, now)
        return await self._find_targets(begun)

    async def _go_on(self, conn: Connection, delivery_id: int, prepare_id: int, start: int, end: int) -> Plan:
        programs = await program_store.list_variants_of(conn, delivery_id)  # stored when prepare_to was set
        loaded = await self._programs.get(conn, programs[0].id)
        population = await self._population(conn, delivery_id, programs, loaded.frozen.date)
        return Plan(population=population, prepare_id=prepare_id, at=loaded.frozen.date, start=start, end=end)

    async def _begin(self, conn: Connection, delivery_id: int, prepare_id: int, now: datetime) -> _Begun:
        """Read all that it depends on, held until the commit. Nothing of this takes long."""
        await ledger.clear(conn, delivery_id)
        await ledger.ensure_partition(conn, delivery_id)
        at = now.replace(microsecond=0)
        read = await versions.current_versions(conn, delivery_id, at)
        delivery = await deliveries.get_delivery(conn, delivery_id)
        content = await contents.get_content(conn, delivery.content_id)
        account = await channel_accounts.get_account(conn, delivery.channel_account_id)
        library = await load_library(conn, sources_of(content), conditions_of(content), hold=True)
        library = replace(library, readable=await columns.bound(conn, library.readable, delivery.audience_id))
        programs = await self._programs.store_new(conn, delivery, content, account, library, now)
        read |= await versions.campaign_version(conn, delivery_id)
        warnings = await contents.warnings_of(self._registry, content, library)
        population = await self._population(conn, delivery_id, programs, at)
        ranked: Statement | None = None
        if population.targets_kept:
            ranked = await cheaper(conn, population.audience, everyone, at=at, zone=population.zone)
        await check_costs(conn, delivery, population, ranked)
        return _Begun(
            population=population, ranked=ranked, warnings=warnings, versions=read, prepare_id=prepare_id, at=at
        )  # fmt: skip

    async def _find_targets(self, begun: _Begun) -> Plan:
        """What is asked of everybody at once. Raises Fenced."""
        population, delivery_id = begun.population, begun.population.delivery_id
        async with open_turn(self._pool, self._clock, delivery_id, begun.prepare_id) as turn:
            if begun.ranked is not None:
                kept = targets.keeping(delivery_id, begun.ranked)
                await turn.carry_out(patience.execute(turn.conn, kept, "audience_id"))
            await turn.carry_out(patience.execute(turn.conn, population.duplicates_statement(), "audience_id"))
            run, now = await turn.close(), self._clock()
            await runs.set_state(turn.conn, delivery_id, after(Move.COUNTED, run.state), now)
            await _log_warnings(turn.conn, delivery_id, begun.warnings, now)
            last = await population_reads.highest_profile_id(turn.conn)
            await runs.plan_preparation(turn.conn, delivery_id, begun.versions, last)
        return Plan(population=population, prepare_id=begun.prepare_id, at=begun.at, start=0, end=last)

    async def _population(
        self, conn: Connection, delivery_id: int, programs: Sequence[ProgramVariant], at: datetime
    ) -> Population:
        delivery = await deliveries.get_delivery(conn, delivery_id)
        audience = await audiences.get_audience(conn, delivery.audience_id)
        check_current(audience, at)
        dynamic: dict[str, Sequence[str]] = {}
        for one in programs:
            dynamic |= one.dynamic
        kind = _known(self._registry.manifest(programs[0].channel).address_kind)
        account = await channel_accounts.get_account(conn, delivery.channel_account_id)
        if delivery.service_id is not None:
            _check_kind(await get_service(conn, delivery.service_id), kind)
        asked = await audiences.open_audience(conn, audience)
        readable = await readable_by(conn, (one for conditions in dynamic.values() for one in conditions))
        brought, read = brought_along(asked), sorted({name for one in programs for name in one.columns})
        return Population(
            delivery_id=delivery_id,
            programs=programs,
            audience=asked,
            targets_kept=ranks_everybody(asked),
            address_kind=kind,
            suppression=await suppression.find_reach(conn, kind, delivery.suppression_list_ids),
            erased=await erased_addresses.find_reach(conn, self._keyring, kind),
            short_code=account.short_code if kind is AddressKind.MOBILE else None,
            dynamic=dynamic,
            steps=(*PREPARATION, *await _held_back(conn, delivery, at)),
            at=at,
            zone=ZoneInfo(delivery.time_zone),
            service_id=delivery.service_id,
            purpose=None if delivery.purpose_id is None else await get_purpose(conn, delivery.purpose_id),
            readable=readable,
            columns=[brought[name] for name in read if name in brought],
            computed=await open_computed(conn, delivery, asked, readable, at),
        )

    async def _write_range(self, plan: Plan, low: int, high: int) -> bool:
        """False when it was stopped or taken over: then nothing of this range stays."""
        delivery_id, statement = plan.population.delivery_id, plan.population.range_statement(low, high)
        try:
            async with open_turn(self._pool, self._clock, delivery_id, plan.prepare_id) as turn:
                await turn.carry_out(patience.execute(turn.conn, statement, "audience_id"))
                await turn.close()
                await runs.advance_preparation(turn.conn, delivery_id, high, self._clock())
        except Fenced:
            return False
        return True

    async def _finish(self, plan: Plan) -> None:
        """Raises Fenced."""
        delivery_id = plan.population.delivery_id
        async with self._pool.acquire() as conn:
            await ledger.analyze(conn, delivery_id)  # by itself: others may be analyzing the same partition
        async with open_turn(self._pool, self._clock, delivery_id, plan.prepare_id) as turn:
            conn = turn.conn
            await turn.carry_out(_complete(conn, plan))
            run = await turn.close()
            now = self._clock()
            await runs.set_state(conn, delivery_id, after(Move.PREPARED, run.state), now)
            await runs.finish_preparation(conn, delivery_id, now)
            await ledger.forget_scratch(conn, delivery_id)
            counts = await ledger.get_counts(conn, delivery_id)
            to_send = sum(row.n for row in counts if row.state is LedgerState.PENDING)
            languages = await self._languages(conn, plan.population)
            with_traps = sum(row.n for row in await ledger.get_trap_counts(conn, delivery_id))
            details = {
                "targeted": sum(row.n for row in counts),
                "to_send": to_send,
                **({"languages": languages} if languages else {}),
                **({"traps": with_traps} if with_traps else {}),
                "excluded": {row.reason.name: row.n for row in counts if row.state is LedgerState.EXCLUDED},
            }
            await runs.add_log(conn, delivery_id, now, LogLevel.INFO, "PREPARED", f"{to_send} messages to send", details)
            if to_send == 0:
                await runs.add_log(
                    conn,
                    delivery_id,
                    now,
                    LogLevel.WARNING,
                    "NOBODY_TO_SEND_TO",
                    "nobody is left to write to",
                    details,
                )
            await announce(conn, "delivery.prepared", delivery_id=delivery_id)

    async def _languages(self, conn: Connection, population: Population) -> dict[str, int]:
        """How many get the message in which language; nothing where there is only one."""
        if len(population.programs) == 1:
            return {}
        numbers = await ledger.count_by_program(conn, population.delivery_id)
        return {one.language: numbers.get(one.id, 0) for one in population.programs}

    async def _pass_on(self, delivery_id: int) -> None:
        """Whoever stopped it may have asked for it anew while it still had its turn: that can begin now."""
        async with transaction(self._pool) as conn:
            run = await runs.find_run(conn, delivery_id)
            if run is not None and run.state in PREPARING:
                await announce(conn, "delivery.prepare_asked", delivery_id=delivery_id)

    async def _fail(self, delivery_id: int, error: ClarionError) -> None:
        async with transaction(self._pool) as conn:
            run = await runs.lock_run(conn, delivery_id)
            if run.state not in PREPARING:
                return
            now = self._clock()
            await runs.set_state(conn, delivery_id, after(Move.FAIL_PREPARATION, run.state), now)
            found = {"code": error.code, "message": error.message, "path": error.path, "hint": error.hint}
            await runs.set_error(conn, delivery_id, found)
            await runs.add_log(conn, delivery_id, now, LogLevel.ERROR, error.code, error.message, found)
            await lifecycle.forget(conn, delivery_id)


async def _log_warnings(conn: Connection, delivery_id: int, found: Sequence[ContentWarning], now: datetime) -> None:
    """Tell what the content's author should look at, once for each preparation."""
    if not found:
        return
    message = f"{len(found)} to look at in the content; the first: {found[0].message}"
    details = {"count": len(found), "warnings": [asdict(one) for one in found[:MOST_LOGGED]]}
    await runs.add_log(conn, delivery_id, now, LogLevel.WARNING, "CONTENT_WARNINGS", message, details)


async def _held_back(conn: Connection, delivery: Delivery, at: datetime) -> list[Step]:
    """Who is held back to be compared with: asked of those only whom nothing else keeps from the message."""
    steps = []
    if not delivery.ignores_holdout and await holdouts.find_current(conn, at) is not None:
        steps.append(held_out)
    group = (await seeds.get_control_groups(conn, [delivery.id])).get(delivery.id)
    if group is not None:
        named = await control_group.open_named(conn, group)
        if named:
            steps.append(in_control_group(*named.values()))
    return steps


async def _complete(conn: Connection, plan: Plan) -> None:
    """What needs all ranges: the control group is taken out of them, then traps join those who are left, if anybody is."""
    delivery = await deliveries.get_delivery(conn, plan.population.delivery_id)
    groups, chosen = await seeds.get_control_groups(conn, [delivery.id]), await seeds.get_traps(conn, [delivery.id])
    await control_group.extract(conn, delivery, groups.get(delivery.id), plan.at)
    if await ledger.has_pending(conn, delivery.id):
        await traps.insert(conn, plan.population, chosen.get(delivery.id), plan.at, plan.end)
    await check_dates(conn, delivery.id, plan.population.computed)


def _gone() -> Conflict:
    """Nobody hides what is in use, but the content may have been changed since it was frozen."""
    message = "a field that the messages or the audience read was dropped from the data model meanwhile"
    return Conflict(message, code="FIELD_GONE", hint="Prepare it again.")


def _known(kind: AddressKind) -> AddressKind:
    """Raises Invalid (ADDRESS_KIND_UNKNOWN) for a kind of address that profiles do not have."""
    if kind not in KINDS:
        raise Invalid(
            f"profiles have no {kind.value} address", code="ADDRESS_KIND_UNKNOWN", path="channelAccountId",
            hint="Send over a channel of another kind.",
        )  # fmt: skip
    return kind


def _check_kind(service: Service, kind: AddressKind) -> None:
    """Raises Invalid (SERVICE_MISMATCH) for a service of another channel."""
    if service.address_kind is not kind:
        raise Invalid(
            f"people subscribed to {service.name!r} by {service.address_kind.value}, and this goes by {kind.value}",
            code="SERVICE_MISMATCH", path="serviceId", hint="Name a service of the channel's kind, or none.",
        )  # fmt: skip


def _ranges(start: int, end: int) -> Sequence[tuple[int, int]]:
    return [(low, min(low + RANGE, end)) for low in range(start, end, RANGE)]
