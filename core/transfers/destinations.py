"""What there is to import into: a list one can read."""

from __future__ import annotations

from collections.abc import Mapping

from core.db import Connection
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.import_target import Destination, FindDestination
from core.transfers.dataset_target import find_dataset
from core.transfers.linked_profiles import find_linked_profiles
from core.transfers.lists import find_list
from core.transfers.quarantine import find_quarantine
from core.transfers.subscriptions import find_subscriptions

DESTINATIONS: Mapping[TargetKind, FindDestination] = {
    TargetKind.PROFILES: find_linked_profiles,
    TargetKind.DATASET: find_dataset,
    TargetKind.SUBSCRIPTIONS: find_subscriptions,
    TargetKind.QUARANTINE: find_quarantine,
    TargetKind.LIST: find_list,
}


async def find_destination(conn: Connection, target: ImportTarget) -> Destination:
    """The destination of a target. Raises NotFound, Invalid for one that is not there."""
    return await DESTINATIONS[target.kind](conn, target)
