"""Which jobs follow from which fact, and what runs on a schedule. The whole flow of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from core import housekeeping
from core.consent import jobs as consent
from core.datamodel import jobs as datamodel
from core.delivery import jobs as delivery
from core.events import jobs as events
from core.jobs import Job
from core.planning import expiry
from core.privacy import jobs as privacy
from core.profiles import jobs as profiles
from core.runtime import Runtime
from core.targeting import jobs as targeting
from core.targeting.membership import jobs as membership
from core.tracking import jobs as tracking
from core.transfers import jobs as transfers

WIRING: dict[str, tuple[Job, ...]] = {
    "audience.ids_unresolved": (targeting.look_up_ids,),
    "audience.kept": (membership.upkeep,),
    "audience.released": (membership.upkeep,),
    "audience.upkeep_due": (membership.upkeep,),
    "data_model.published": (datamodel.build,),
    "data_model.build_due": (datamodel.build,),
    "delivery.prepare_asked": (delivery.prepare,),
    "delivery.prepared": (),
    "delivery.unprepared": (delivery.clear,),
    "delivery.confirmed": (delivery.start,),
    "delivery.started": (delivery.send,),
    "delivery.resumed": (delivery.send,),
    "delivery.due": (delivery.send,),
    "delivery.stopped": (delivery.end,),
    "delivery.ending": (delivery.end,),
    "delivery.finished": (),
    "profile.deleted": (events.forget,),
    "profiles.deleted": (events.forget_all,),
    "import.ready": (transfers.run_import,),
    "export.ready": (transfers.run_export,),
    "suppression_import.ready": (profiles.run_suppression_import,),
    "suppression_export.ready": (profiles.run_suppression_export,),
    "audience_run.ready": (targeting.run,),
    "privacy_request.ready": (privacy.carry_out,),
}

# Jobs that every worker process should take a share of: one message per process.
SHARED: frozenset[str] = frozenset({"delivery.send"})

# What sweeps say of all that moves, every time: its wake-ups need not be carried far, for the next ones are near.
REPEATED: frozenset[str] = frozenset({"delivery.due", "data_model.build_due", "audience.upkeep_due", "privacy_request.ready"})

Sweep = Callable[[Runtime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A sweep and how often it runs. Sweeps run in the relay: short, set-based, harmless when run twice."""

    name: str
    sweep: Sweep
    every: timedelta | None  # None: as often as the settings reconcile


SCHEDULE: tuple[Scheduled, ...] = (
    Scheduled("delivery", delivery.sweep, None),
    Scheduled("profiles", profiles.sweep, None),
    Scheduled("visitors", profiles.sweep_visitors, timedelta(hours=1)),
    Scheduled("targeting", targeting.sweep, None),
    Scheduled("targeting_ids", targeting.sweep_ids, timedelta(hours=1)),
    Scheduled("datamodel", datamodel.sweep, None),
    Scheduled("membership", membership.sweep, None),
    Scheduled("consent", consent.sweep, timedelta(minutes=1)),
    Scheduled("expiry", expiry.sweep, timedelta(minutes=1)),
    Scheduled("events", events.sweep, timedelta(minutes=5)),
    Scheduled("transfers", transfers.sweep, timedelta(minutes=5)),
    Scheduled("privacy", privacy.sweep, timedelta(seconds=5)),
    Scheduled("housekeeping", housekeeping.sweep, timedelta(hours=1)),
    Scheduled("tracking", tracking.sweep, timedelta(seconds=30)),
)
