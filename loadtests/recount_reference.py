"""What brings members up to date by a full recount, written by hand: the reference of `membership`.

For each audience one statement finds all who are members now, compares them with those who were, and writes who enters and who
leaves, with their log. It has tables of its own that hold nothing but that: whose members a person is, or when somebody is due,
is not asked of them, so they have the one index that each needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.targeting import audiences
from core.targeting.checked import CheckedExpression
from core.targeting.membership.evaluation import everybody
from core.targeting.plans import cheaper

_TABLES = """
CREATE TABLE recount_member (
    audience_id bigint NOT NULL, profile_id bigint NOT NULL, entered_at timestamptz NOT NULL,
    PRIMARY KEY (audience_id, profile_id)
);
CREATE TABLE recount_log (
    audience_id bigint NOT NULL, position bigint GENERATED ALWAYS AS IDENTITY, profile_id bigint NOT NULL,
    entered boolean NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (audience_id, position)
);
"""

# Those who differ are found by one join of all who are and all who were. What is written is a small part of them.
_RECOUNT = """
WITH differing AS MATERIALIZED (
    SELECT coalesce(f.profile_id, m.profile_id) AS profile_id, f.profile_id IS NOT NULL AS entered
      FROM ({population}) AS f (profile_id)
      FULL JOIN (SELECT profile_id FROM recount_member WHERE audience_id = {audience_id}) AS m USING (profile_id)
     WHERE f.profile_id IS NULL OR m.profile_id IS NULL
), came AS (
    INSERT INTO recount_member (audience_id, profile_id, entered_at)
    SELECT {audience_id}, profile_id, '{at}' FROM differing WHERE entered
), gone AS (
    DELETE FROM recount_member WHERE audience_id = {audience_id}
       AND profile_id = ANY(ARRAY(SELECT profile_id FROM differing WHERE NOT entered))
)
INSERT INTO recount_log (audience_id, profile_id, entered, at)
SELECT {audience_id}, profile_id, entered, '{at}' FROM differing
"""

_DIFFERENT = """
SELECT count(*)
  FROM (SELECT k.audience_id, m.profile_id FROM kept_member m JOIN kept_audience k ON k.id = m.kept_id
         WHERE m.entered_at IS NOT NULL) AS ours
  FULL JOIN recount_member AS theirs USING (audience_id, profile_id)
 WHERE ours.profile_id IS NULL OR theirs.profile_id IS NULL
"""


async def make_tables(conn: Connection) -> None:
    """Where the recounts write."""
    await conn.execute(_TABLES)


async def open_all(conn: Connection, keys: Sequence[int]) -> dict[int, CheckedExpression]:
    """The questions of these audiences, to be asked again and again."""
    return {one.id: await audiences.open_audience(conn, one) for one in await audiences.find_audiences(conn, list(keys))}


async def recount_all(conn: Connection, opened: dict[int, CheckedExpression], *, at: datetime, zone: ZoneInfo) -> None:
    """Each by its statement, in a transaction of its own; of two ways to ask, by that which Postgres says is cheaper."""
    for audience_id, checked in opened.items():
        asked = await cheaper(conn, checked, everybody, at=at, zone=zone)
        await conn.execute(_RECOUNT.format(population=asked.text, audience_id=audience_id, at=at), *asked.args)


async def count_different(conn: Connection) -> int:
    """How many are members by one of the two and not by the other."""
    return int(await conn.fetchval(_DIFFERENT))
