"""What can be asked about in this installation at this moment."""

from __future__ import annotations

from core.datamodel.present import hold_model, present_model
from core.db import Connection
from core.targeting.catalogue import Catalogue
from core.targeting.datasets import extended


async def hold_catalogue(conn: Connection) -> Catalogue:
    """The same, kept as it is until this transaction ends."""
    return extended(await hold_model(conn))


async def present_catalogue(conn: Connection) -> Catalogue:
    """Our fields, and those that the team has published."""
    return extended(await present_model(conn))
