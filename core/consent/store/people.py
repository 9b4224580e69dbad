"""SQL on the people themselves: holding them while what they agreed to changes, and their opt-out flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.consent.records import Act
from core.db import Connection
from core.profiles.records import Channel

OPT_OUT_COLUMNS: dict[Channel, str] = {
    Channel.ALL: "opt_out",
    Channel.EMAIL: "opt_out_email",
    Channel.MOBILE: "opt_out_mobile",
    Channel.PHONE: "opt_out_phone",
    Channel.FAX: "opt_out_fax",
    Channel.POSTAL: "opt_out_postal",
    Channel.PUSH: "opt_out_push",
}


async def lock_profiles(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those that exist, held until the end of the transaction; in the order of ids, against deadlocks."""
    rows = await conn.fetch("SELECT id FROM profile WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE", list(ids))
    return [row["id"] for row in rows]


async def hold_people(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """By each id that exists the profile that stands for that person, all held until the end of the transaction.

    Nobody else merges anybody into these people or says anything for them meanwhile.
    """
    survivors: dict[int, int] = {}
    wanted = set(ids)
    while wanted:  # once more only if a merge was under way
        rows = await conn.fetch(
            """
            WITH meant AS (SELECT id, merged_into FROM profile WHERE id = ANY($1::bigint[]))
            SELECT p.id, coalesce(p.merged_into, p.id) AS survivor FROM profile p
             WHERE p.id = ANY(array(SELECT id FROM meant UNION SELECT merged_into FROM meant)) ORDER BY p.id
               FOR NO KEY UPDATE
            """,
            sorted(wanted),
        )
        survivors |= {row["id"]: row["survivor"] for row in rows}
        wanted = set(survivors.values()).difference(survivors)
    return survivors


async def survivor_of(conn: Connection, profile_id: int) -> int | None:
    """The profile that stands for a person: itself, or the one into which it is merged; None: there is nobody."""
    found: int | None = await conn.fetchval("SELECT coalesce(merged_into, id) FROM profile WHERE id = $1", profile_id)
    return found


async def whole_person(conn: Connection, profile_id: int) -> list[int]:
    """All profiles that are one person by a merge, the survivor first; of one that is gone, the id alone."""
    rows = await conn.fetch(
        """
        WITH survivor AS (SELECT coalesce(merged_into, id) AS id FROM profile WHERE id = $1)
        SELECT id FROM survivor
        UNION ALL
        SELECT p.id FROM survivor s JOIN profile p ON p.merged_into = s.id
        """,
        profile_id,
    )
    return [row["id"] for row in rows] or [profile_id]


async def opt_out(conn: Connection, column: str, ids: Sequence[int], now: datetime) -> list[tuple[int, int | None]]:
    """Set a flag on these people, and on all that are one with them by a merge: those that did not have it, and whom they
    are merged into. Merges that stand remember it, so that undoing one does not lift it. In the order of ids, against
    deadlocks."""
    rows = await conn.fetch(
        f"""
        WITH whole AS (
            SELECT DISTINCT coalesce(merged_into, id) AS id FROM profile WHERE id = ANY($1::bigint[])
        ), family AS (
            SELECT id FROM whole UNION SELECT a.id FROM profile a JOIN whole w ON a.merged_into = w.id
        ), chosen AS (
            SELECT p.id FROM profile p
             WHERE p.id = ANY(array(SELECT id FROM family)) AND NOT p.{column} ORDER BY p.id FOR NO KEY UPDATE
        ), remembered AS (
            UPDATE profile_merge m SET refused = array_append(refused, $3::text) FROM family f
             WHERE m.survivor_id = f.id AND m.undone_at IS NULL AND NOT $3 = ANY(m.refused)
        )
        UPDATE profile p SET {column} = true, updated_at = $2 FROM chosen c WHERE p.id = c.id RETURNING p.id, p.merged_into
        """,
        list(ids), now, column,
    )  # fmt: skip
    return sorted((row["id"], row["merged_into"]) for row in rows)


async def get_flags(conn: Connection, profile_id: int) -> dict[Channel, bool] | None:
    """A person's flags; None: there is nobody."""
    row = await conn.fetchrow(f"SELECT {', '.join(OPT_OUT_COLUMNS.values())} FROM profile WHERE id = $1", profile_id)
    return None if row is None else {channel: row[column] for channel, column in OPT_OUT_COLUMNS.items()}


async def set_flags(conn: Connection, profile_id: int, flags: Mapping[Channel, bool], now: datetime) -> None:
    """Write these; the database adds to the ledger (`log_opt_outs`)."""
    changes = ", ".join(f"{OPT_OUT_COLUMNS[channel]} = ${n}" for n, channel in enumerate(flags, start=3))
    await conn.execute(f"UPDATE profile SET updated_at = $2, {changes} WHERE id = $1", profile_id, now, *flags.values())


async def newest_by_channel(conn: Connection, profile_id: int) -> dict[Channel, datetime]:
    """When the newest entry of the ledger about each of a person's channels happened."""
    rows = await conn.fetch(
        """
        SELECT channel, max(happened_at) AS newest FROM consent_entry
         WHERE profile_id = $1 AND channel IS NOT NULL GROUP BY channel
        """,
        profile_id,
    )
    return {Channel(row["channel"]): row["newest"] for row in rows}


async def add_late_flags(
    conn: Connection, profile_id: int, flags: Mapping[Channel, bool], act: Act, at: datetime, actor: str, now: datetime
) -> None:
    """Entries of the ledger that change nothing, because something newer counts. Those that are there are not added again."""
    await conn.execute(
        """
        INSERT INTO consent_entry
               (profile_id, channel, decision, wording_id, origin, proof, actor, happened_at, recorded_at, by_person)
        SELECT $1, f.channel, f.decision, $4, $5, $6::jsonb, $7, $8, $9, $10
          FROM unnest($2::text[], $3::text[]) AS f (channel, decision)
         WHERE NOT EXISTS (SELECT FROM consent_entry e
                            WHERE e.profile_id = $1 AND e.channel = f.channel AND e.decision = f.decision
                              AND e.happened_at = $8 AND e.wording_id IS NOT DISTINCT FROM $4
                              AND (e.by_person OR NOT $10::boolean))
        """,
        profile_id, [one.value for one in flags], ["withdrawn" if is_set else "granted" for is_set in flags.values()],
        act.wording_id, act.origin, act.proof, actor, at, now, act.by_person,
    )  # fmt: skip


async def add_repeated_refusals(
    conn: Connection, channel: Channel, ids: Sequence[int], act: Act, at: datetime, actor: str, now: datetime
) -> None:
    """Who refuses again has said so later: nothing older may count against it. Only of those whose flag is set."""
    await conn.execute(
        f"""
        INSERT INTO consent_entry
               (profile_id, channel, decision, wording_id, origin, proof, actor, happened_at, recorded_at, by_person)
        SELECT p.id, $1, 'withdrawn', $3, $4, $5::jsonb, $6, $7, $8, $9
          FROM profile p
         WHERE p.id = ANY($2::bigint[]) AND p.{OPT_OUT_COLUMNS[channel]}
           AND NOT EXISTS (SELECT FROM consent_entry e
                            WHERE e.profile_id = p.id AND e.channel = $1 AND e.happened_at >= $7)
         ORDER BY p.id
        """,
        channel.value, list(ids), act.wording_id, act.origin, act.proof, actor, at, now, act.by_person,
    )  # fmt: skip
