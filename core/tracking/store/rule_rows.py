"""SQL on `machine_rule`."""

from __future__ import annotations

from typing import Any

from core.db import Connection
from core.tracking.records import MachineRule, RuleDraft, RuleKind

_COLUMNS = "id, kind, pattern, seconds, least, description, enabled"


def _rule(row: Any) -> MachineRule:
    return MachineRule(**{**dict(row), "kind": RuleKind(row["kind"])})


async def list_rules(conn: Connection) -> list[MachineRule]:
    """The rules in force, in the order in which they are asked."""
    return [_rule(row) for row in await conn.fetch(f"SELECT {_COLUMNS} FROM machine_rule WHERE enabled ORDER BY id")]


async def list_all_rules(conn: Connection) -> list[MachineRule]:
    """The rules, also those that are switched off."""
    return [_rule(row) for row in await conn.fetch(f"SELECT {_COLUMNS} FROM machine_rule ORDER BY id")]


async def lock_rule(conn: Connection, rule_id: int) -> MachineRule | None:
    """A rule, locked."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM machine_rule WHERE id = $1::bigint FOR UPDATE", rule_id)
    return _rule(row) if row else None


async def insert_rule(conn: Connection, draft: RuleDraft) -> MachineRule:
    """The new rule."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO machine_rule (kind, pattern, seconds, least, description, enabled)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING {_COLUMNS}
        """,
        draft.kind, draft.pattern, draft.seconds, draft.least, draft.description, draft.enabled,
    )  # fmt: skip
    return _rule(row)


async def update_rule(conn: Connection, rule_id: int, draft: RuleDraft) -> MachineRule:
    """The rule as changed. Its kind stays."""
    row = await conn.fetchrow(
        f"""
        UPDATE machine_rule SET pattern = $2, seconds = $3, least = $4, description = $5, enabled = $6 WHERE id = $1
        RETURNING {_COLUMNS}
        """,
        rule_id, draft.pattern, draft.seconds, draft.least, draft.description, draft.enabled,
    )  # fmt: skip
    return _rule(row)


async def delete_rule(conn: Connection, rule_id: int) -> None:
    """Delete a rule; events keep its number."""
    await conn.execute("DELETE FROM machine_rule WHERE id = $1", rule_id)
