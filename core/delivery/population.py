"""The statements of a preparation, assembled from the steps: one for shared addresses, one per range of profiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    SmallInteger,
    and_,
    case,
    cast,
    column,
    false,
    func,
    insert,
    literal,
    not_,
    null,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as upsert

from channels.contract import AddressKind, FailureReason
from core.clock import UTC_ZONE
from core.consent.records import Purpose
from core.content.readable import OURS, Readable
from core.content.readers import Preference, Reach, preferences
from core.delivery.computed import NOTHING, Computed, due_at, logged, segment_code
from core.delivery.recipient_values import DRAWN, profile_table, row_expression
from core.delivery.records import LedgerState, ProgramVariant, RecipientKind
from core.delivery.steps import Step, StepContext, of_addresses
from core.delivery.store.ledger import TRAP_SLOT
from core.delivery.trap_rows import trap_rows
from core.profiles.erased import HashKey
from core.profiles.reached_by import POSTAL, address_of
from core.profiles.suppression import SuppressionReach
from core.targeting.check import CheckedExpression
from core.targeting.listed import Brought
from core.targeting.objects import object_of
from core.targeting.sql import Statement, compile_statement, predicate, present

Computing: TypeAlias = Callable[[FromClause], ColumnElement[Any]]  # what it is of a profile

_LEDGER = table(
    "ledger",
    *(
        column(name)
        for name in (
            "delivery_id", "recipient_kind", "recipient_id", "occurrence", "program_id", "due_at", "settled_at",
            "state", "reason", "address", "address_key", "values", "segment_code", "logged",
        )
    ),
)  # fmt: skip
_COUNT = table(
    "ledger_count",
    *(column(name) for name in ("delivery_id", "slot", "state", "reason", "after_hand_over", "n")),
)
_DUPLICATE = table("prepare_duplicate", column("delivery_id"), column("address_key"), column("keeper"))
_TARGET = table("prepare_target", column("delivery_id"), column("profile_id"))
_QUARANTINE = table("quarantine", column("address_kind"), column("address_key"), column("status"))
_SUBSCRIPTION = table("subscription", *(column(name) for name in ("service_id", "profile_id", "state", "expires_at")))
_PERSON_SUBSCRIPTION = table(
    "person_subscription", *(column(name) for name in ("service_id", "profile_id", "state", "expires_at"))
)
_PERSON_CONSENT = table("person_consent", column("purpose_id"), column("profile_id"), column("decision"))
_PURPOSE_CONSENT = table("purpose_consent", column("purpose_id"), column("profile_id"), column("decision"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What one preparation targets, and how."""

    delivery_id: int
    programs: Sequence[ProgramVariant]  # one for each language, the default first
    audience: CheckedExpression
    address_kind: AddressKind
    dynamic: Mapping[str, Sequence[str]]  # conditions of the variants, by dynamic content
    steps: Sequence[Step]
    at: datetime
    zone: ZoneInfo = UTC_ZONE  # of the delivery's questions
    targets_kept: bool = False  # whom the audience finds was written down before: see `store.targets`
    suppression: SuppressionReach = SuppressionReach({})  # noqa: RUF009 - frozen
    erased: Sequence[HashKey] = ()  # under which addresses of erased people are kept
    short_code: str | None = None  # of phones
    service_id: int | None = None  # whose subscribers it is for
    purpose: Purpose | None = None  # what people's data is used for in it
    readable: Readable = OURS  # by which fields of programs are found
    columns: Sequence[Brought] = ()  # what recipients bring along that programs read
    computed: Computed = NOTHING  # what the ledger keeps of them besides, and when they get it

    def duplicates_statement(self) -> Statement:
        """Remember each address that several otherwise eligible people share, with the oldest of them as its keeper.

        Who is held back keeps the address all the same: the message would reach them by the other.
        """
        profile = self._profile()
        context, source = self._joined(profile)
        before = takewhile(lambda step: step.reason is not FailureReason.DUPLICATE, self.steps)
        earlier = [step.predicate(context) for step in before]
        shared = (
            select(
                cast(literal(self.delivery_id), BigInteger),
                context.address_key,
                func.min(context.profile.c.id),
            )
            .select_from(source)
            .where(self._targeted(context.profile), *(not_(func.coalesce(one, false())) for one in earlier))
            .group_by(context.address_key)
            .having(func.count() > 1)
        )
        return compile_statement(insert(_DUPLICATE).from_select(["delivery_id", "address_key", "keeper"], shared))

    def range_statement(self, low: int, high: int) -> Statement:
        """Write the ledger rows of the targeted profiles with low < id ≤ high, and count them."""
        profile = self._profile()
        rows = self._rows(profile, RecipientKind.PROFILE, self.steps)
        return self._writing(rows.where(profile.c.id > low, profile.c.id <= high, self._targeted(profile)))

    def computing_statement(self, *computed: Computing) -> Statement:
        """Compute something of everybody whom the audience finds, written down beforehand or not."""
        profile = self._profile()
        columns = (one(profile) for one in computed)
        return compile_statement(select(profile.c.id, *columns).select_from(profile).where(self._in_audience(profile)))

    def traps_statement(
        self, traps: Sequence[int], kept: Collection[str], last_id: int, columns: Sequence[Brought] = ()
    ) -> Statement:
        """Write the ledger rows of test profiles, and count them: see `trap_rows`. Call it once all others are written.
        `columns` are those that they have from a member."""
        own = {*kept, *POSTAL} if self.address_kind is AddressKind.POSTAL else kept  # a letter must not reach a member
        source = trap_rows(self._profile(), self.delivery_id, traps, own, last_id)
        shared = replace(self, columns=columns, computed=self.computed.of_traps())
        return self._writing(shared._rows(source, RecipientKind.TRAP, of_addresses(self.steps)), slot=TRAP_SLOT)

    def _writing(self, rows: Select[Any], slot: int = 0) -> Statement:
        written = insert(_LEDGER).from_select(
            [
                "delivery_id", "recipient_kind", "recipient_id", "occurrence", "program_id", "due_at", "settled_at",
                "state", "reason", "address", "address_key", "values", "segment_code", "logged",
            ],
            rows,
        ).returning(_LEDGER.c.state, _LEDGER.c.reason).cte("written")  # fmt: skip
        counted = select(
            cast(literal(self.delivery_id), BigInteger),
            cast(literal(slot), SmallInteger),
            written.c.state,
            written.c.reason,
            false(),
            func.count(),
        ).group_by(written.c.state, written.c.reason)
        counting = upsert(_COUNT).from_select(["delivery_id", "slot", "state", "reason", "after_hand_over", "n"], counted)
        return compile_statement(
            counting.on_conflict_do_update(
                index_elements=["delivery_id", "slot", "state", "reason", "after_hand_over"],
                set_={"n": _COUNT.c.n + counting.excluded.n},
            )
        )

    def _rows(self, profile: FromClause, kind: RecipientKind, steps: Sequence[Step]) -> Select[Any]:
        context, source = self._joined(profile)
        reason = _reason(context, steps)
        kept = reason == 0
        at = cast(literal(self.at), TIMESTAMP(timezone=True))
        return select(
            cast(literal(self.delivery_id), BigInteger),
            cast(literal(int(kind)), SmallInteger),
            context.profile.c.id,
            literal(0),
            case((kept, self._program(context.profile)), else_=null()),
            case((kept, due_at(self.computed, context.profile, self.at)), else_=at),
            case((kept, null()), else_=at),
            cast(case((kept, int(LedgerState.PENDING)), else_=int(LedgerState.EXCLUDED)), SmallInteger),
            reason,
            context.address,
            context.address_key,
            case((kept, self._values(context.profile)), else_=null()),
            segment_code(self.computed, context.profile, self.at, merged=self.audience.catalogue.merged),
            logged(self.computed, context.profile),
        ).select_from(source)

    def _values(self, profile: FromClause) -> ColumnElement[Any]:
        built = row_expression(self._fields(), self.dynamic, profile, self.at, self.readable, self.columns, zone=self.zone)
        return built.op("||")(object_of([(DRAWN, profile.c[DRAWN])])) if DRAWN in profile.c else built

    def _program(self, profile: FromClause) -> ColumnElement[Any]:
        """The program for the profile's language, as `core.content.readers.choose` chooses."""
        ids = [cast(literal(one.id), BigInteger) for one in self.programs]
        language = profile.c.language
        cases = []
        for wanted in preferences([one.language for one in self.programs]) if len(ids) > 1 else ():
            cases.append((_is_for(wanted, language), ids[wanted.index]))
        return case(*cases, else_=ids[0]) if cases else ids[0]

    def _fields(self) -> list[str]:
        """What the programs read, of all together: translations say the same, so hardly any reads what others do not."""
        return sorted({name for one in self.programs for name in one.fields})

    def _targeted(self, profile: FromClause) -> ColumnElement[bool]:
        if self.targets_kept:
            kept = select(_TARGET.c.profile_id).where(_TARGET.c.delivery_id == self.delivery_id)
            return and_(profile.c.id.in_(kept), present(self.audience.entity, profile))
        return self._in_audience(profile)

    def _in_audience(self, profile: FromClause) -> ColumnElement[bool]:
        asked = predicate(self.audience, at=self.at, zone=self.zone, source=profile)
        return and_(asked, present(self.audience.entity, profile))

    def _profile(self) -> FromClause:
        return profile_table(self.audience.entity, self.readable).alias("p")

    def _joined(self, profile: FromClause) -> tuple[StepContext, FromClause]:
        quarantine = _QUARANTINE.alias("q")
        duplicate = _DUPLICATE.alias("d")
        address, key = address_of(self.address_kind, profile)
        merged = self.audience.catalogue.merged  # then what counts is what all say that are one person
        subscription: FromClause | None = None
        purpose_consent: FromClause | None = None
        if self.service_id is not None:
            subscription = self._person_subscription(profile) if merged else _SUBSCRIPTION.alias("s")
        if self.purpose is not None:
            purpose_consent = _person_consent(self.purpose.id, profile) if merged else _PURPOSE_CONSENT.alias("c")
        context = StepContext(
            profile=profile,
            quarantine=quarantine,
            duplicate=duplicate,
            address_kind=self.address_kind.value,
            address=address,
            address_key=key,
            suppression=self.suppression,
            erased=self.erased,
            short_code=self.short_code,
            at=self.at,
            zone=self.zone,
            subscription=subscription,
            purpose_consent=purpose_consent,
            needs_consent=self.purpose is not None and self.purpose.needs_consent,
        )
        in_quarantine = and_(
            quarantine.c.address_kind == self.address_kind.value,
            quarantine.c.address_key == key,
            or_(quarantine.c.status == "quarantine", quarantine.c.status == "denylisted"),
        )
        shared = and_(duplicate.c.delivery_id == self.delivery_id, duplicate.c.address_key == key)
        source = profile.outerjoin(quarantine, in_quarantine).outerjoin(duplicate, shared)
        if subscription is not None:
            source = source.outerjoin(subscription, true() if merged else self._subscribed(subscription, profile))
        if purpose_consent is not None and merged:
            source = source.outerjoin(purpose_consent, true())
        elif purpose_consent is not None and self.purpose is not None:
            said = and_(purpose_consent.c.purpose_id == self.purpose.id, purpose_consent.c.profile_id == profile.c.id)
            source = source.outerjoin(purpose_consent, said)
        return context, source

    def _subscribed(self, subscription: FromClause, profile: FromClause) -> ColumnElement[bool]:
        at = cast(literal(self.at), TIMESTAMP(timezone=True))
        return and_(
            subscription.c.service_id == self.service_id,
            subscription.c.profile_id == profile.c.id,
            subscription.c.state == "active",
            or_(subscription.c.expires_at.is_(None), subscription.c.expires_at > at),
        )

    def _person_subscription(self, profile: FromClause) -> FromClause:
        """A row where one of those who are one person is subscribed and none has left."""
        one = _PERSON_SUBSCRIPTION.alias("s")
        at = cast(literal(self.at), TIMESTAMP(timezone=True))
        counts = and_(one.c.state == "active", or_(one.c.expires_at.is_(None), one.c.expires_at > at))
        found = (
            select(func.min(one.c.profile_id).label("profile_id"))
            .where(one.c.service_id == self.service_id, one.c.profile_id == profile.c.id)
            .having(and_(func.bool_or(counts), not_(func.bool_or(one.c.state == "unsubscribed"))))
        )
        return found.correlate(profile).lateral("said_of_service")


def _person_consent(purpose_id: int, profile: FromClause) -> FromClause:
    """A row where one of those who are one person has said something: refused where one of them refuses."""
    one = _PERSON_CONSENT.alias("c")
    decision = case((func.bool_or(one.c.decision != "granted"), "refused"), else_="granted")
    found = (
        select(decision.label("decision"))
        .where(one.c.purpose_id == purpose_id, one.c.profile_id == profile.c.id)
        .having(func.count() > 0)
    )
    return found.correlate(profile).lateral("said_of_purpose")


def _reason(context: StepContext, steps: Sequence[Step]) -> ColumnElement[int]:
    """The first step that excludes names the one reason."""
    cases = [(step.predicate(context), int(step.reason)) for step in steps]
    return cast(case(*cases, else_=0), SmallInteger)


def _is_for(wanted: Preference, language: ColumnElement[Any]) -> ColumnElement[bool]:
    """`Preference.is_for` of a profile's language."""
    if wanted.reach is Reach.EXACT:
        return language == wanted.tag
    if wanted.reach is Reach.NARROWER:
        return or_(language == wanted.tag, language.startswith(f"{wanted.tag}-", autoescape=True))
    region = f"{wanted.tag}-__"  # a tag has no signs of patterns itself
    return or_(language.like(region), language.like(f"{region}-%"))
