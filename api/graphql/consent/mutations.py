"""Writes of consent: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import strawberry

from api.context import Info
from api.graphql.consent.inputs import (
    IN_SOURCE,
    AddConsentWordingInput,
    ConfirmSubscriptionInput,
    CreatePurposeInput,
    CreateServiceInput,
    DecidePurposeInput,
    SetPreferencesInput,
    SubscribeProfilesInput,
    UnsubscribeProfilesInput,
    UpdatePurposeInput,
    UpdateServiceInput,
    act_of,
    days,
)
from api.graphql.consent.queries import person_of
from api.graphql.consent.types import (
    ConsentWording,
    DecisionResult,
    PreferenceResult,
    Preferences,
    Purpose,
    Service,
    SubscriptionResult,
)
from api.graphql.mutations import given, mutation, once, paths_as
from api.graphql.team_fields import team_values_of
from core.consent import preferences, purposes, services, subscriptions, wordings
from core.consent.records import Choice, PurposeDraft, ServiceDraft, Wish
from core.errors import Invalid
from core.ids import from_global_id
from core.profiles.team_rows import Extended

HOUR = timedelta(hours=1)
LENGTHS = {"validity": "validity_days", "confirm_within": "confirm_within_hours"}  # of time, as inputs call them


@strawberry.type
class ConsentMutation:
    """Services, purposes, wordings, and what people say."""

    @mutation(service=Service)
    async def create_service(self, info: Info, input: CreateServiceInput) -> Any:
        """Create a service."""
        draft = ServiceDraft(
            name=input.name,
            label=input.label,
            public_label=input.public_label,
            address_kind=input.address_kind,
            mode=input.mode,
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            validity=days(input.validity_days, "validity_days"),
            double_opt_in=input.double_opt_in,
            confirm_within=days(input.confirm_within_hours, "confirm_within_hours", HOUR) or timedelta(0),
            subscribe_confirmation=input.subscribe_confirmation,
            subscribe_event=input.subscribe_event,
            unsubscribe_confirmation=input.unsubscribe_confirmation,
            unsubscribe_event=input.unsubscribe_event,
        )
        with paths_as(**LENGTHS):
            return await services.create_service(
                info.context.conn, info.context.actor, draft, await team_values_of(info, Extended.SERVICE, input)
            )

    @mutation(service=Service)
    async def update_service(self, info: Info, input: UpdateServiceInput) -> Any:
        """Change a service; subscriptions keep the end they have."""
        key = from_global_id("Service", input.id, "id")
        with paths_as(**LENGTHS):
            return await services.update_service(
                info.context.conn,
                info.context.actor,
                key,
                _changes(input),
                await team_values_of(info, Extended.SERVICE, input),
                expected_version=input.expected_version,
            )

    @mutation(deleted_id=strawberry.ID)
    async def delete_service(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a service that nobody has ever subscribed to and no delivery names."""
        await services.delete_service(info.context.conn, info.context.actor, from_global_id("Service", id, "id"))
        return id

    @mutation(purpose=Purpose)
    async def create_purpose(self, info: Info, input: CreatePurposeInput) -> Any:
        """Create a purpose."""
        draft = PurposeDraft(name=input.name, label=input.label, needs_consent=input.needs_consent)
        return await purposes.create_purpose(info.context.conn, info.context.actor, draft)

    @mutation(purpose=Purpose)
    async def update_purpose(self, info: Info, input: UpdatePurposeInput) -> Any:
        """Change a purpose; what people said to it stays."""
        changes = given(name=input.name, label=input.label, needs_consent=input.needs_consent)
        key = from_global_id("Purpose", input.id, "id")
        return await purposes.update_purpose(
            info.context.conn, info.context.actor, key, changes, expected_version=input.expected_version
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_purpose(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a purpose that nobody has decided on and no delivery names."""
        await purposes.delete_purpose(info.context.conn, info.context.actor, from_global_id("Purpose", id, "id"))
        return id

    @mutation(wording=ConsentWording)
    async def add_consent_wording(self, info: Info, input: AddConsentWordingInput) -> Any:
        """The version of a wording that says this: the newest if it does, else a new one."""
        context = info.context
        return await wordings.add_wording(context.conn, context.actor, input.name, input.text, now=context.now)

    @mutation(results=list[SubscriptionResult])
    async def subscribe_profiles(self, info: Info, input: SubscribeProfilesInput) -> Any:
        """Subscribe many people to a service, each with a result of its own: one bad row never fails the others."""
        context = info.context
        wishes = await _wishes(info, input.service_id, input.profile_ids, input.expires_at)
        with paths_as(**IN_SOURCE):
            done = await subscriptions.subscribe(
                context.conn, context.actor, wishes, act_of(input.source), now=context.now, confirmed=input.confirmed
            )
        return _results(input.profile_ids, done)

    @mutation(results=list[SubscriptionResult])
    async def unsubscribe_profiles(self, info: Info, input: UnsubscribeProfilesInput) -> Any:
        """End many people's subscriptions to a service; as subscribeProfiles."""
        context = info.context
        wishes = await _wishes(info, input.service_id, input.profile_ids)
        with paths_as(**IN_SOURCE):
            done = await subscriptions.unsubscribe(context.conn, context.actor, wishes, act_of(input.source), now=context.now)
        return _results(input.profile_ids, done)

    @mutation(results=list[DecisionResult])
    async def decide_purpose(self, info: Info, input: DecidePurposeInput) -> Any:
        """Record what many people said to a purpose, each with a result of its own."""
        context = info.context
        purpose = await purposes.get_purpose(context.conn, from_global_id("Purpose", input.purpose_id, "purpose_id"))
        choices = [
            Choice(purpose_id=purpose.id, profile_id=one, granted=input.granted) for one in _profile_keys(input.profile_ids)
        ]
        with paths_as(**IN_SOURCE):
            done = await purposes.decide(context.conn, context.actor, choices, act_of(input.source), now=context.now)
        return [DecisionResult(profile_id=key, outcome=one.outcome) for key, one in zip(input.profile_ids, done, strict=True)]

    @mutation(results=list[PreferenceResult], preferences=Preferences)
    async def set_preferences(self, info: Info, input: SetPreferencesInput) -> Any:
        """Set what a person agrees to and refuses, many things at once, each with a result of its own.

        By the person's own link a token needs no more than PREFERENCES. With `dryRun` nothing is stored.
        """
        context = info.context
        person = await person_of(context, context.conn, input.person)
        changes = preferences.PreferenceChanges(
            opted_out=once([(one.channel, one.opted_out) for one in input.channels], "channels"),
            purposes=once(
                [(from_global_id("Purpose", one.purpose_id, "purposes"), one.granted) for one in input.purposes], "purposes"
            ),
            services=once(
                [(from_global_id("Service", one.service_id, "services"), one.subscribed) for one in input.services], "services"
            ),
        )
        act = act_of(input.source)
        with paths_as(**IN_SOURCE):
            if input.dry_run:
                tried = await preferences.try_preferences(
                    context.conn, context.actor, person, changes, act, now=context.now
                )  # fmt: skip
                return dict(zip(("results", "preferences"), tried, strict=True))
            results = await preferences.set_preferences(context.conn, context.actor, person, changes, act, now=context.now)
        after = await preferences.get_preferences(context.conn, context.actor, person, now=context.now)
        return {"results": results, "preferences": after}

    @mutation(result=PreferenceResult)
    async def confirm_subscription(self, info: Info, input: ConfirmSubscriptionInput) -> Any:
        """The second step of a double opt-in. By the person's own link a token needs no more than PREFERENCES."""
        context = info.context
        person = await person_of(context, context.conn, input.person)
        key = from_global_id("Service", input.service_id, "service_id")
        with paths_as(**IN_SOURCE):
            done = await preferences.confirm_subscription(
                context.conn, context.actor, person, key, act_of(input.source), now=context.now
            )
        return preferences.PreferenceResult(service_id=key, outcome=done.outcome)


def _changes(input: UpdateServiceInput) -> dict[str, Any]:
    changes = given(
        name=input.name,
        label=input.label,
        public_label=input.public_label,
        address_kind=input.address_kind,
        mode=input.mode,
        starts_at=input.starts_at,
        ends_at=input.ends_at,
        double_opt_in=input.double_opt_in,
        subscribe_confirmation=input.subscribe_confirmation,
        subscribe_event=input.subscribe_event,
        unsubscribe_confirmation=input.unsubscribe_confirmation,
        unsubscribe_event=input.unsubscribe_event,
    )
    if input.validity_days is not None:
        changes["validity"] = days(input.validity_days.value, "validity_days")
    if input.confirm_within_hours is not None:
        changes["confirm_within"] = days(input.confirm_within_hours.value, "confirm_within_hours", HOUR)
    return changes


def _profile_keys(ids: Sequence[str]) -> list[int]:
    """What is no id of a profile becomes the id of nobody, one for each, so that it fails alone."""
    keys = []
    for n, text in enumerate(ids, 1):
        try:
            keys.append(from_global_id("Profile", text))
        except Invalid:
            keys.append(-n)
    return keys


async def _wishes(info: Info, service_id: str, profile_ids: Sequence[str], expires_at: Any = None) -> list[Wish]:
    service = await services.get_service(info.context.conn, from_global_id("Service", service_id, "service_id"))
    return [Wish(service_id=service.id, profile_id=one, expires_at=expires_at) for one in _profile_keys(profile_ids)]


def _results(ids: Sequence[str], done: Sequence[Any]) -> list[SubscriptionResult]:
    return [
        SubscriptionResult(
            profile_id=strawberry.ID(key), outcome=one.outcome, first_time=one.first_time, confirmation=one.confirmation
        )
        for key, one in zip(ids, done, strict=True)
    ]
