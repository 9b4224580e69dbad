"""`audiences`: ten questions about a shop's people, from their text to the number, against SQL of the same meaning by hand.

Ours is all that the API does for a question that was asked lately: what is published is looked up, and what the question names;
`opening` are the milliseconds of that, which do not grow with the data.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from calendar import isleap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.datamodel.store.model import find_published, insert_published
from core.db import Connection
from core.targeting import audiences
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from loadtests.campaign import connect
from loadtests.figures import print_figure
from loadtests.shop import MODEL, fill_shop
from loadtests.stage import Stage, stage

PROFILES = int(os.environ.get("PROFILES", "1000000"))
PURCHASES = int(os.environ.get("PURCHASES", "5000000"))
EVENTS = int(os.environ.get("EVENTS", "20000000"))
RUNS = int(os.environ.get("RUNS", "5"))
ONLY = os.environ.get("ONLY", "")
ZONE = ZoneInfo("UTC")
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Question:
    """In the language, and as somebody writes it who knows the tables, with what they bind."""

    text: str
    by_hand: str
    bound: tuple[object, ...] = ()


# What nobody did or a machine did is no opening: the views leave it out, and so does who knows the tables.
_OPENS = "e.delivery_id = 1 AND e.kind = 2 AND e.machine_rule = 0 AND e.corrects IS NULL AND e.recipient_kind = 1"
_CORRECTED = "SELECT FROM tracking_event c WHERE c.corrects = e.position"

QUESTIONS: Mapping[str, Question] = {
    "three fields": Question(
        "country = 'FR' and birth_date >= 1980-01-01 and not opt_out_email",
        "SELECT count(*) FROM profile WHERE country = 'FR' AND birth_date >= '1980-01-01' AND NOT opt_out_email",
    ),
    "aggregate": Question(
        "sum(purchases.amount where bought_at >= now - 365 days) > 400",
        "SELECT count(*) FROM (SELECT x_profile_id FROM x_purchase WHERE x_bought_at >= $1"
        " AND x_profile_id IS NOT NULL GROUP BY x_profile_id HAVING sum(x_amount) > 400) AS g",
        (AT - timedelta(days=365),),
    ),
    "not exists": Question(
        "not exists(purchases where bought_at >= now - 180 days)",
        "SELECT count(*) FROM profile p WHERE NOT EXISTS (SELECT FROM x_purchase u WHERE u.x_profile_id = p.id"
        " AND u.x_bought_at >= $1)",
        (AT - timedelta(days=180),),
    ),
    "sequence": Question(
        "sequence(opens where delivery.name = 'd1' then purchases where shop = 'Shop 7' within 3 days)",
        "SELECT count(DISTINCT e.recipient_id) FROM tracking_event e JOIN x_purchase u ON u.x_profile_id = e.recipient_id"
        " AND u.x_bought_at > e.at AND u.x_bought_at <= e.at + interval '3 days' AND fold_text(u.x_shop) = 'shop 7'"
        f" WHERE {_OPENS} AND NOT EXISTS ({_CORRECTED})",
    ),
    "received, not opened": Question(
        "exists(received where delivery.name = 'd1') and not exists(opens where delivery.name = 'd1')",
        "SELECT count(*) FROM ledger l JOIN profile p ON p.id = l.recipient_id"
        " WHERE l.delivery_id = 1 AND l.recipient_kind = 1 AND l.state = 4 AND NOT EXISTS"
        f" (SELECT FROM tracking_event e WHERE e.recipient_id = l.recipient_id AND {_OPENS} AND NOT EXISTS ({_CORRECTED}))",
    ),
    "nested audience": Question(
        "in_audience('buyers') and not in_audience('germans')",
        "SELECT count(*) FROM profile p WHERE EXISTS (SELECT FROM x_purchase u WHERE u.x_profile_id = p.id AND"
        " u.x_bought_at >= $1) AND p.country IS DISTINCT FROM 'DE'",
        (AT - timedelta(days=90),),
    ),
    "radius": Question(
        "within_km(point(longitude, latitude), point(10.0, 45.0), 100)",
        "SELECT count(*) FROM profile WHERE latitude BETWEEN 44.1 AND 45.9 AND longitude BETWEEN 8.72 AND 11.28"
        " AND 12742.0176 * asin(sqrt(pow(sin(radians(latitude - 45) / 2), 2)"
        " + cos(radians(latitude)) * cos(radians(45)) * pow(sin(radians(longitude - 10) / 2), 2))) <= 100",
    ),
    "anniversary": Question(
        "has_birthday()",
        "SELECT count(*) FROM profile WHERE floor(extract(month FROM birth_date)) = $1"
        " AND floor(extract(day FROM birth_date)) = $2"
        " OR $3 AND floor(extract(month FROM birth_date)) = 2 AND floor(extract(day FROM birth_date)) = 29",
        (AT.month, AT.day, (AT.month, AT.day) == (3, 1) and not isleap(AT.year)),
    ),
    "top by spend": Question(
        "top(1000 by sum(purchases.amount))",
        "SELECT count(*) FROM (SELECT x_profile_id FROM x_purchase WHERE x_profile_id IS NOT NULL GROUP BY x_profile_id"
        " ORDER BY sum(x_amount) DESC, x_profile_id LIMIT 1000) AS g",
    ),
    "changed, with consent": Question(
        "updated_at >= now - 1 day and exists(consents where purpose.name = 'profiling' and decision = 'granted')",
        "SELECT count(*) FROM profile p JOIN purpose_consent c ON c.profile_id = p.id WHERE p.updated_at >= $1"
        " AND c.purpose_id = (SELECT id FROM consent_purpose WHERE name = 'profiling') AND c.decision = 'granted'",
        (AT - timedelta(days=1),),
    ),
}
# What who writes by hand would build besides what the model asks for; ours finds them there like any other.
OWN_INDEXES = (
    "CREATE INDEX ON profile (country, birth_date) WHERE NOT opt_out_email",
    "CREATE INDEX ON x_purchase (x_bought_at, x_profile_id, x_amount)",
    "CREATE INDEX ON x_purchase (fold_text(x_shop), x_profile_id, x_bought_at)",
    "CREATE INDEX ON purpose_consent (purpose_id, decision, profile_id)",
)
NAMED = {"buyers": "exists(purchases where bought_at >= now - 90 days)", "germans": "country = 'DE'"}


async def ours(conn: Connection, text: str) -> tuple[float, float, int]:
    """Milliseconds from the text to the number, those of them until the question is open, and the number."""
    started = time.perf_counter()
    question = await audiences.open_question(conn, parse_text(text))
    opened = time.perf_counter()
    found = await audiences.count(conn, question, at=AT, zone=ZONE)
    return (time.perf_counter() - started) * 1000, (opened - started) * 1000, found


async def by_hand(conn: Connection, question: Question) -> tuple[float, int]:
    """Milliseconds of the statement, and the number."""
    started = time.perf_counter()
    (row,) = await conn.fetch(question.by_hand, *question.bound)  # fetchval asks for one row, which no two workers share
    return (time.perf_counter() - started) * 1000, row[0]


async def bench(on: Stage) -> None:
    """Alternate the two, question by question."""
    conn = await connect(on.settings)
    await fill_shop(conn, people=PROFILES, purchases=PURCHASES, events=EVENTS, at=AT)
    for statement in (*OWN_INDEXES, "VACUUM ANALYZE"):
        await conn.execute(statement)
    await insert_published(conn, (await find_published(conn)).version + 1, MODEL, [], "bench", AT)
    for name, text in NAMED.items():
        await audiences.create_audience(conn, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(text)))
    for name, question in QUESTIONS.items():
        if ONLY and ONLY not in name:
            continue
        mine, opening, other = [], [], []
        for run in range(RUNS + 1):
            if run % 2:  # whoever comes second finds in memory what the first has read
                taken, until, found = await ours(conn, question.text)
            theirs, expected = await by_hand(conn, question)
            if not run % 2:
                taken, until, found = await ours(conn, question.text)
            if found != expected:
                raise SystemExit(f"{question.text!r} finds {found}, the statement {expected}")
            if run:  # the first one warms both up
                mine.append(taken)
                opening.append(until)
                other.append(theirs)
        print_figure(
            "audiences", mine, other, unit="ms", against="hand-written SQL", question=name, people=PROFILES,
            opening=round(statistics.median(opening), 4),
        )  # fmt: skip
    await conn.close()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
