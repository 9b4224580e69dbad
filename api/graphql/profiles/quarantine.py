"""The quarantine's settings, its filter, corrections of many entries, and what people refuse."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import strawberry

from api.context import Info
from api.graphql.leaf import field, leaf
from api.graphql.mutations import given, mutation, paths_as
from api.graphql.profiles.types import AddressKind, FailureReason, QuarantineStatus
from channels.contract import AddressKind as AddressKindEnum
from core.profiles import quarantine, quarantine_correction, quarantine_records, quarantine_settings, refusals

LENGTHS = ("between_soft_errors", "forget_soft_after", "release_full_after")  # of time, which inputs have in seconds

QuarantineCorrection = strawberry.enum(
    quarantine_records.Correction,
    name="QuarantineCorrection",
    description="What a correction makes of entries: SET_VALID forgets what is known against them, DELETE takes them out.",
)


@strawberry.input(description="Which entries are meant. What is given must hold together; what is left out does not matter.")
class QuarantineFilterInput:
    """A filter."""

    address_kind: AddressKind | None = None  # type: ignore[valid-type]
    address: str | None = strawberry.field(default=None, description="In any spelling.")
    address_prefix: str | None = strawberry.field(default=None, description="How the address begins, in any spelling.")
    statuses: list[QuarantineStatus] | None = None  # type: ignore[valid-type]
    reasons: list[FailureReason] | None = None  # type: ignore[valid-type]
    error_text: str | None = strawberry.field(
        default=None, description="Words that stand in what the provider said, capitals or not."
    )
    changed_from: datetime | None = strawberry.field(default=None, description="Last changed at this time or later.")
    changed_before: datetime | None = strawberry.field(default=None, description="Last changed before this time.")

    def record(self) -> quarantine_records.QuarantineFilter:
        """As the operations take it."""
        return quarantine_records.QuarantineFilter(
            kind=self.address_kind,
            address=self.address,
            prefix=self.address_prefix,
            statuses=self.statuses,
            reasons=self.reasons,
            text=self.error_text,
            changed_from=self.changed_from,
            changed_before=self.changed_before,
        )


def filter_of(sent: QuarantineFilterInput | None) -> quarantine_records.QuarantineFilter:
    """The filter that a client sent, or that of everything."""
    return sent.record() if sent is not None else quarantine_records.QuarantineFilter()


@strawberry.type(description="When errors put an address into quarantine, and when time lets it out.")
class QuarantineSettings:
    """The settings."""

    soft_errors: int = strawberry.field(description="So many significant soft errors quarantine.")
    between_soft_errors_seconds: int = leaf(
        lambda one: int(one.between_soft_errors.total_seconds()),
        description="A soft error is significant when the last significant one is at least so long ago.",
    )
    forget_soft_after_seconds: int = leaf(
        lambda one: int(one.forget_soft_after.total_seconds()),
        description="After so long without a significant soft error an address is forgotten.",
    )
    release_full_after_seconds: int = leaf(
        lambda one: int(one.release_full_after.total_seconds()),
        description="The same where the last error was a full mailbox.",
    )
    version: int
    changed_by: str | None
    changed_at: datetime | None


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateQuarantineSettingsInput:
    """Input of updateQuarantineSettings."""

    expected_version: int | None = None
    soft_errors: strawberry.Maybe[int]
    between_soft_errors_seconds: strawberry.Maybe[int]
    forget_soft_after_seconds: strawberry.Maybe[int]
    release_full_after_seconds: strawberry.Maybe[int]

    def changes(self) -> dict[str, Any]:
        """As the operation takes them."""
        lengths = given(**{name: getattr(self, f"{name}_seconds") for name in LENGTHS})
        return given(soft_errors=self.soft_errors) | {
            name: timedelta(seconds=value) if value is not None else None for name, value in lengths.items()
        }


@strawberry.input(description="Entries to put right. Where the filter names no status, those of errors are meant.")
class CorrectQuarantineInput:
    """Input of correctQuarantine."""

    filter: QuarantineFilterInput
    correction: QuarantineCorrection  # type: ignore[valid-type]
    expected_count: int | None = strawberry.field(
        default=None, description="How many were counted; with another number nothing is changed."
    )


@strawberry.input(description="Addresses whose owners reported a message as spam.")
class ComplaintInput:
    """Input of recordComplaint."""

    address_kind: AddressKind = AddressKindEnum.EMAIL  # type: ignore[valid-type]
    addresses: list[str]
    text: str = strawberry.field(default="", description="What the provider said.")


@strawberry.input(description="Mobile phones whose owners answered STOP.")
class StopInput:
    """Input of recordStop."""

    phones: list[str]
    short_code: str | None = strawberry.field(
        default=None, description="Nothing more from this short code; from none of ours when left out."
    )
    text: str = strawberry.field(default="", description="What the person wrote.")


@strawberry.input(description="Mobile phones whose owners want messages from a short code again.")
class LiftStopInput:
    """Input of liftStop."""

    phones: list[str]
    short_code: str


@strawberry.type
class QuarantineQuery:
    """Settings, counts, refusals."""

    @field(QuarantineSettings)
    async def quarantine_settings(self, info: Info) -> Any:
        """The figures of the quarantine, as they are now."""
        async with info.context.lease.use() as conn:
            return await quarantine_settings.get_settings(conn)

    @field(int)
    async def quarantine_count(
        self,
        info: Info,
        filter: QuarantineFilterInput | None = None,
        correction: QuarantineCorrection | None = None,  # type: ignore[valid-type]
    ) -> Any:
        """How many entries a filter finds; with a correction, how many it would change."""
        region, meant = _region(info), filter_of(filter)
        wanted: quarantine_records.Correction | None = correction
        async with info.context.lease.use() as conn:
            if wanted is None:
                return await quarantine.count_entries(conn, meant, region=region)
            return await quarantine_correction.count_matching(conn, info.context.actor, meant, wanted, region=region)

    @field(list[str])
    async def short_code_stops(self, info: Info, phone: str) -> Any:
        """The short codes from which a phone wants nothing more."""
        async with info.context.lease.use() as conn:
            return await refusals.list_stops(conn, phone, region=_region(info))


@strawberry.type
class QuarantineMutation:
    """Settings, corrections, refusals."""

    @mutation(settings=QuarantineSettings)
    async def update_quarantine_settings(self, info: Info, input: UpdateQuarantineSettingsInput) -> Any:
        """Change the figures of the quarantine. They hold at once, for what happens from now on."""
        context = info.context
        with paths_as(**{name: f"{name}_seconds" for name in LENGTHS}):
            return await quarantine_settings.update_settings(
                context.conn, context.actor, input.changes(), expected_version=input.expected_version, now=context.now
            )

    @mutation(corrected=int, remaining=int)
    async def correct_quarantine(self, info: Info, input: CorrectQuarantineInput) -> Any:
        """Set many entries to valid, or delete them: up to 5,000 with each call. Call it again while some remain."""
        context = info.context
        done = await quarantine_correction.correct(
            context.conn, context.actor, context.runtime.keyring, input.filter.record(), input.correction,
            expected=input.expected_count, now=context.now, region=_region(info),
        )  # fmt: skip
        return {"corrected": done.corrected, "remaining": done.remaining}

    @mutation(denylisted=int)
    async def record_complaint(self, info: Info, input: ComplaintInput) -> Any:
        """Denylist addresses for what their owners said to a provider; tells how many were not before."""
        context = info.context
        return await refusals.record_complaint(
            context.conn, context.actor, context.runtime.keyring, input.address_kind, input.addresses,
            text=input.text, now=context.now, region=_region(info),
        )  # fmt: skip

    @mutation(stopped=int)
    async def record_stop(self, info: Info, input: StopInput) -> Any:
        """Write no more to phones, from one short code or from all; tells how many had not refused before."""
        context = info.context
        return await refusals.record_stop(
            context.conn, context.actor, context.runtime.keyring, input.phones,
            short_code=input.short_code, text=input.text, now=context.now, region=_region(info),
        )  # fmt: skip

    @mutation(lifted=int)
    async def lift_stop(self, info: Info, input: LiftStopInput) -> Any:
        """Let a short code write to phones again; tells how many had refused it."""
        context = info.context
        return await refusals.lift_stop(
            context.conn, context.actor, context.runtime.keyring, input.phones,
            short_code=input.short_code, region=_region(info),
        )  # fmt: skip


def _region(info: Info) -> str:
    country: str = info.context.runtime.settings.default_country
    return country
