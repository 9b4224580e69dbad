"""Profiles as the target of an import whose file may say to which rows of the team they are linked: a favourite store."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from core.datamodel.present import present_model
from core.db import Connection
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportTarget
from core.profiles.import_target import Destination, Target
from core.profiles.profile_target import ProfileTarget, find_profiles
from core.profiles.run_records import ImportRun
from core.runtime import Runtime
from core.transfers.datasets import find_ways, lookups
from core.transfers.linking import LinkedTarget, Linker


async def find_linked_profiles(conn: Connection, target: ImportTarget) -> Destination:
    """Profiles, with the columns by which the rows that they are linked to are known."""
    plain, model = await find_profiles(conn, target), await present_model(conn)
    entity = model.find("profile")
    ways = await find_ways(conn, model, entity) if entity is not None else {}
    if not ways:
        return plain
    looked_up = lookups(ways.values())
    fields = replace(
        plain.fields, all=MappingProxyType({**plain.fields.all, **looked_up}),
        settable=MappingProxyType({**plain.fields.settable, **looked_up}),
    )  # fmt: skip

    def open_(runtime: Runtime, run: ImportRun, plan: Plan) -> Target:
        linker = Linker(plan, ways, [fields.keys[key.name] for key in plan.keys])
        return LinkedTarget(linker, ProfileTarget(run, linker.plan))

    return replace(plain, fields=fields, open=open_)
