"""The hot path: claim a batch under a lease, render it in one call, hand it to the channel through the gate, let go.

A process runs a few lanes per delivery, so that one batch is claimed and rendered while another is on the wire.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.contract import FailureReason, OutgoingMessage, RenderFailure
from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.db import transaction
from core.delivery import ending, lease_ends
from core.delivery.gate import BatchGate, storable
from core.delivery.lease_keeper import LeaseKeeper
from core.delivery.ledger_writer import LedgerWriter
from core.delivery.programs import Programs
from core.delivery.records import ClaimedRow, LedgerState
from core.delivery.retries import AccountVerdict, RetryRule, Verdict
from core.delivery.senders import OpenAccount, Senders
from core.delivery.state import SENDING
from core.delivery.store import leases, programs, runs
from core.delivery.store.leases import Claim
from core.delivery.store.moves import Settlement
from core.errors import ClarionError
from core.log import get_logger
from core.metrics import MESSAGES
from core.planning import channel_accounts, deliveries
from core.planning.records import ChannelAccount, Delivery, UnknownPolicy
from core.profiles import quarantine
from core.profiles.erased import hash_keys
from core.runtime import Runtime
from render_ext.attachments import encoded_size

log = get_logger(__name__)

LANES = 2  # batches of one delivery at once in a process
SLICE = timedelta(minutes=10)  # then the job ends and is woken again, so that a broker never takes it for dead
SPARE_CONNECTIONS = 2  # to the database, for signs of life, claims and other jobs
SPARE_THREADS = 2  # for jobs that a person waits for
RENDER_AT_ONCE = 50  # rows rendered before others on the loop get a turn
BATCH_BYTES = 32 * 1024 * 1024  # of files in the messages of a batch, which are all held at once


@dataclass(slots=True, kw_only=True)
class Course:
    """One delivery being sent by this process."""

    delivery: Delivery
    account: ChannelAccount
    address_kind: str
    opened: OpenAccount
    writer: LedgerWriter
    rule: RetryRule
    batch_size: int
    until: datetime
    cursor: tuple[datetime, int, int, int] | None = None
    halted: bool = False


class Sending:
    """Sends deliveries. One per process."""

    def __init__(self, runtime: Runtime, registry: ChannelRegistry, programs: Programs, keeper: LeaseKeeper):
        self._runtime = runtime
        self._registry = registry
        self._programs = programs
        self._keeper = keeper
        self._senders = Senders(runtime, registry)
        self._running: set[int] = set()
        settings = runtime.settings
        self._most = max(1, min(settings.database_pool_size - SPARE_CONNECTIONS, settings.worker_threads - SPARE_THREADS))
        self._hash_keys = hash_keys(runtime.keyring)
        self._slot = sum(runtime.worker_id.encode()) % 32

    def is_sending(self, delivery_id: int) -> bool:
        """Whether this process is at it."""
        return delivery_id in self._running

    async def run(self, delivery_id: int) -> None:
        """Send what is due, until nothing is, or the process stops. Does nothing where this process sends it already.

        Nor where it sends so many others that no connection to the database or no thread would be left over: each running
        delivery keeps one to itself. The sweep asks again. What a person must mend pauses the delivery.
        """
        if delivery_id in self._running or self._runtime.stopping.is_set() or len(self._running) >= self._most:
            return
        self._running.add(delivery_id)
        try:
            course = await self._open(delivery_id)
            if course is not None:
                await self._send_all(course)
                await ending.end_if_done(self._runtime.pool, delivery_id, self._runtime.clock())
        except ClarionError as error:
            await ending.pause_for(self._runtime.pool, delivery_id, error, self._runtime.clock())
        finally:
            self._running.discard(delivery_id)

    async def close(self) -> None:
        """Close the senders."""
        await self._senders.close()

    async def _open(self, delivery_id: int) -> Course | None:
        now = self._runtime.clock()
        settings = self._runtime.settings
        async with self._runtime.pool.acquire() as conn:
            run = await runs.find_run(conn, delivery_id)
            if run is None or run.state not in SENDING or run.deadline is None or run.deadline <= now:
                return None
            delivery = await deliveries.get_delivery(conn, delivery_id)
            account = await channel_accounts.find_open_account(conn, delivery.channel_account_id, now)
            if account is None:
                return None
            opened = await self._senders.get(account)
            heaviest = encoded_size(await programs.largest_files(conn, delivery_id))
        manifest = self._registry.manifest(account.channel)
        rule = RetryRule(
            first=timedelta(seconds=settings.retry_first_seconds),
            longest=timedelta(seconds=settings.retry_longest_seconds),
            deadline=run.deadline,
            resend_unknown=delivery.unknown_policy is UnknownPolicy.RESEND,
        )
        writer = LedgerWriter(self._runtime.pool, delivery_id, manifest.address_kind.value, self._slot, self._runtime.clock)
        return Course(
            delivery=delivery,
            account=account,
            address_kind=manifest.address_kind.value,
            opened=opened,
            writer=writer,
            rule=rule,
            batch_size=min(
                settings.send_batch_size,
                max(manifest.capabilities.batch_size, 1),
                max(BATCH_BYTES // heaviest, 1),
            ),
            until=now + SLICE,
        )

    async def _send_all(self, course: Course) -> None:
        course.writer.start()
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(self._lane(course))
        finally:
            await course.writer.close()

    async def _lane(self, course: Course) -> None:
        while not course.halted and not self._runtime.stopping.is_set() and self._runtime.clock() < course.until:
            claim = await self._claim(course)
            if claim is None:
                return
            self._keeper.hold(claim.lease_id)
            if claim.rows:
                await self._send_batch(course, claim)
            else:
                self._keeper.drop(claim.lease_id)
                await self._let_go(course, claim, None)

    async def _claim(self, course: Course) -> Claim | None:
        now = self._runtime.clock()
        worker = self._runtime.worker_id
        async with transaction(self._runtime.pool) as conn:
            held = await leases.lock_account(conn, course.account.id, worker, now)
            account = await channel_accounts.find_open_account(conn, course.account.id, now)
            if account is None or account.version != course.account.version:
                course.halted = True  # paused, at rest or changed meanwhile; the sweep begins anew when it is open
                return None
            if held + course.opened.connections > course.opened.all_connections:
                return None
            for cursor in (course.cursor, None) if course.cursor is not None else (None,):
                claim = await leases.claim(
                    conn,
                    delivery_id=course.delivery.id,
                    account_id=course.account.id,
                    address_kind=course.address_kind,
                    worker=worker,
                    connections=course.opened.connections,
                    limit=course.batch_size,
                    slot=self._slot,
                    cursor=cursor,
                    now=now,
                    expires_at=self._keeper.expiry(now),
                    hash_keys=self._hash_keys,
                )
                if claim is not None:
                    course.cursor = claim.cursor
                    return claim
            return None

    async def _send_batch(self, course: Course, claim: Claim) -> None:
        gate: BatchGate | None = None
        try:
            rows, messages = await self._render(course, claim)
            gate = self._gate(course, claim, rows, messages)
            await self._watch(course, gate, asyncio.create_task(course.opened.sender.send(messages, gate)))
        except ClarionError as error:  # of ours: what was prepared cannot be rendered any more
            course.halted = True
            await ending.pause_for(self._runtime.pool, course.delivery.id, error, self._runtime.clock())
        except Exception:
            # A plugin that raises has failed as a whole; the rows go back, or become unknown, with the lease.
            told = course.opened.io.redacted(traceback.format_exc())
            log.error("channel failed", delivery_id=course.delivery.id, account_id=course.account.id, error=told)
            course.halted = True
            await self._blame(course, AccountVerdict.DOWN, "the channel plugin failed")
        finally:
            try:
                await course.writer.flush()
            finally:  # were this cancelled, the lease has to run out: the journal has what was done under it
                self._keeper.drop(claim.lease_id)
            await self._let_go(course, claim, gate)

    def _gate(self, course: Course, claim: Claim, rows: Sequence[ClaimedRow], messages: Sequence[OutgoingMessage]) -> BatchGate:
        pace = course.opened.pace
        return BatchGate(
            course.writer,
            rows,
            claim.lease_id,
            course.rule,
            self._runtime.clock,
            redacted=course.opened.io.redacted,
            pace=pace,
            units=[course.opened.limits.units(message.body) for message in messages] if pace is not None else (),
        )

    async def _watch(self, course: Course, gate: BatchGate, sending: asyncio.Task[None]) -> None:
        """Wait for a batch; take it back when the process stops, or the gate was closed under it."""
        stopping = asyncio.create_task(self._runtime.stopping.wait())
        lost = asyncio.create_task(gate.lost.wait())
        try:
            await asyncio.wait({sending, stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                gate.close_for_new()
                course.halted = True
                sending.cancel()
            await sending
        except asyncio.CancelledError:
            if not sending.done():  # we are cancelled ourselves
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                raise
        finally:
            stopping.cancel()
            lost.cancel()

    async def _render(self, course: Course, claim: Claim) -> tuple[list[ClaimedRow], list[OutgoingMessage]]:
        """Render the batch; a row that cannot be rendered fails alone, with its reason."""
        rows: list[ClaimedRow] = []
        messages: list[OutgoingMessage] = []
        by_program: dict[int, list[ClaimedRow]] = {}
        for row in claim.rows:
            by_program.setdefault(row.program_id, []).append(row)
        for program_id, group in by_program.items():
            async with self._runtime.pool.acquire() as conn:
                loaded = await self._programs.get(conn, program_id)
            for start in range(0, len(group), RENDER_AT_ONCE):
                part = group[start : start + RENDER_AT_ONCE]
                made = loaded.program.render(
                    [loaded.row(one.recipient_kind, one.recipient_id, one.occurrence, one.address, one.values) for one in part]
                )
                self._sort(course, claim.lease_id, part, made, rows, messages)
                await asyncio.sleep(0)
        return rows, messages

    def _sort(
        self,
        course: Course,
        lease_id: int,
        part: Sequence[ClaimedRow],
        made: Sequence[OutgoingMessage | RenderFailure],
        rows: list[ClaimedRow],
        messages: list[OutgoingMessage],
    ) -> None:
        for row, result in zip(part, made, strict=True):
            if isinstance(result, RenderFailure):
                reason, text = FailureReason.RENDERING_FAILED, storable(result.message)
            elif len(result.body) > course.opened.limits.max_bytes:
                reason, text = (
                    FailureReason.TEXT_TOO_LONG,
                    f"{len(result.body)} bytes; channel or account take {course.opened.limits.max_bytes}",
                )
            else:
                rows.append(row)
                messages.append(result)
                continue
            verdict = Verdict(state=LedgerState.FAILED, reason=reason)
            key = (row.recipient_kind, row.recipient_id, row.occurrence)
            course.writer.settle(Settlement(key, lease_id, verdict, False, None, text, row.address_key))

    async def _let_go(self, course: Course, claim: Claim, gate: BatchGate | None) -> None:
        now = self._runtime.clock()
        async with transaction(self._runtime.pool) as conn:
            await lease_ends.end(
                conn,
                claim.lease_id,
                settled=gate.settled if gate else 0,
                invalid=gate.invalid if gate else 0,
                refused=gate.refused if gate else 0,
                now=now,
            )
        if gate is None:
            return
        for kind, number in gate.outcomes.items():
            MESSAGES.labels(course.account.channel, kind.value).inc(number)
        if gate.account is not AccountVerdict.NOTHING:
            course.halted = True
            await self._blame(course, gate.account, gate.account_text)
        if gate.accepted:
            async with transaction(self._runtime.pool) as conn:
                await channel_accounts.note_success(conn, course.account.id, asked_at=claim.at)
                await quarantine.record_good(conn, course.address_kind, gate.accepted)
        if gate.invalid or gate.refused:
            halted = await ending.pause_if_refused(self._runtime.pool, self._runtime.settings, course.delivery.id, now)
            course.halted = course.halted or halted

    async def _blame(self, course: Course, verdict: AccountVerdict, text: str) -> None:
        """What a batch says about the account: a person must mend it, or it rests for a while."""
        now = self._runtime.clock()
        async with transaction(self._runtime.pool) as conn:
            if verdict is AccountVerdict.BROKEN:
                await channel_accounts.pause_account(conn, SYSTEM, course.account.id, text, now=now)
            else:
                await channel_accounts.note_failure(conn, course.account.id, now=now)
