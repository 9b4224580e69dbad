"""SQL on `machine_rule`."""

from __future__ import annotations

from core.db import Connection
from core.tracking.records import MachineRule, RuleKind


async def list_rules(conn: Connection) -> list[MachineRule]:
    """The rules in force, in the order in which they are asked."""
    rows = await conn.fetch("SELECT id, kind, pattern, seconds, least, description FROM machine_rule WHERE enabled ORDER BY id")
    return [MachineRule(**{**dict(row), "kind": RuleKind(row["kind"])}) for row in rows]
