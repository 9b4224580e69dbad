"""People with clocks of their own, what they were sent, did and told, what they bring along from a list, and who of them is
merged into whom; and a slow evaluator of questions about all that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from core.db import Connection
from core.events.physical import create_statements
from core.events.records import EventType, EventTypes
from core.targeting.catalogue import CATALOGUE as OURS
from core.targeting.catalogue import Catalogue, CatalogueLink, Kind
from core.targeting.catalogue import Entity as CatalogueEntity
from core.targeting.checked import Listed
from core.targeting.datasets import with_events
from core.targeting.language import Condition, Member, Operand
from core.targeting.member_columns import column_named
from tests.core.events.told import FIELDS
from tests.core.targeting.shop import Data, Row, Slow

MADE = datetime(2025, 1, 1, tzinfo=UTC)
ORDER = EventType(
    name="order",
    label="Order",
    fields=FIELDS,
    id=1,
    version=1,
    created_by="x",
    created_at=MADE,
    changed_by="x",
    changed_at=MADE,
)
APART: Catalogue = with_events(OURS, EventTypes({"order": ORDER}))
MERGED: Catalogue = replace(APART, merged=True)
NEVER = datetime.max.replace(tzinfo=UTC)
FAIR = 50  # the number of the list
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {"score": Kind.INTEGER, "share": Kind.DECIMAL, "note": Kind.TEXT, "vip": Kind.BOOLEAN, "since": Kind.DATE,
     "seen": Kind.INSTANT}
)  # fmt: skip
LIST = Listed(id=FAIR, columns=COLUMNS)
DELIVERIES = ({"id": 1, "name": "spring", "label": "Spring"}, {"id": 2, "name": "autumn", "label": "Autumn"})
LINKS = {(1, 1): ("Sale", "shoes"), (1, 2): (None, None)}  # the labels and categories of links, by delivery and number

WORLD = f"""
INSERT INTO channel_account (id, name, label, channel, config, created_by) OVERRIDING SYSTEM VALUE
VALUES (1, 'a', 'a', 'memory', '{{}}', 'x');
INSERT INTO content (id, name, label, channel, parts, created_by) OVERRIDING SYSTEM VALUE
VALUES (1, 'c', 'c', 'memory', '[]', 'x');
INSERT INTO audience (id, name, label, kind, expression, expression_text, created_by) OVERRIDING SYSTEM VALUE
VALUES ({FAIR}, 'fair', 'f', 'list', 'true', 'true', 'x');
INSERT INTO delivery (id, name, label, channel_account_id, audience_id, content_id, created_by) OVERRIDING SYSTEM VALUE
VALUES (1, 'spring', 'Spring', 1, {FAIR}, 1, 'x'), (2, 'autumn', 'Autumn', 1, {FAIR}, 1, 'x');
INSERT INTO program (id, delivery_id, channel, config, content, fields, token_key_id, base_url, engine_version)
OVERRIDING SYSTEM VALUE VALUES (1, 1, 'memory', '{{}}', '{{}}', '{{}}', 1, 'https://clarion.example', 1);
INSERT INTO tracked_link (program_id, link, url, label, category)
VALUES (1, 1, 'https://x.example', 'Sale', 'shoes'), (1, 2, 'https://y.example', NULL, NULL);
INSERT INTO service (id, name, label, address_kind, created_by) OVERRIDING SYSTEM VALUE
VALUES (1, 'news', 'news', 'email', 'x'), (2, 'offers', 'offers', 'email', 'x');
INSERT INTO consent_purpose (id, name, label, created_by) OVERRIDING SYSTEM VALUE
VALUES (1, 'profiling', 'profiling', 'x'), (2, 'sharing', 'sharing', 'x');
CREATE TABLE ledger_all PARTITION OF ledger FOR VALUES FROM (1) TO (1000000);
"""
TOLD = (
    "profile", "profile_merge", "profile_alias", "ledger", "tracking_event", "e_order", "audience_member", "subscription",
    "purpose_consent",
)  # fmt: skip
SERVICES = tuple({"id": number, "name": name, "label": name} for number, name in ((1, "news"), (2, "offers")))
PURPOSES = tuple({"id": number, "name": name, "label": name} for number, name in ((1, "profiling"), (2, "sharing")))
# What each of them speaks about, what was said, and by which word somebody agrees, and others refuse.
SAID: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = MappingProxyType(
    {
        "subscription": ("service_id", "state", "active", ("unsubscribed",)),
        "consent": ("purpose_id", "decision", "granted", ("refused", "withdrawn")),
    }
)


@dataclass(frozen=True, kw_only=True)
class Facts(Data):
    """As they lie in the tables; what questions read of messages and hits is derived in the plainest way."""

    @classmethod
    def of(cls, told: Mapping[str, Sequence[Row]]) -> Facts:
        merged = any(row["merged_into"] for row in told["profile"])
        messages = [
            {"delivery_id": row["delivery_id"], "profile_id": row["recipient_id"], "state": row["state"],
             "reason": row["reason"], "at": row["settled_at"]}
            for row in told["ledger"] if row["recipient_kind"] == 1
        ]  # fmt: skip
        corrected = {row["corrects"] for row in told["tracking_event"]}
        reactions = [
            _reaction(row) for row in told["tracking_event"]
            if row["recipient_kind"] == 1 and not row["machine_rule"] and row["corrects"] is None
            and row["position"] not in corrected
        ]  # fmt: skip
        derived: dict[str, Sequence[Row]] = {
            "message": messages, "reaction": reactions, "delivery": DELIVERIES, "campaign": (), "service": SERVICES,
            "consent_purpose": PURPOSES,
        }  # fmt: skip
        return cls(tables={**told, **derived}, catalogue=MERGED if merged else APART)

    async def store(self, conn: Connection) -> None:
        """Into the tables of a world that is furnished."""
        for table in TOLD:
            for row in sorted(self.tables[table], key=lambda one: bool(one.get("merged_into"))):
                marks = ", ".join(f"${index + 1}" for index in range(len(row)))
                await conn.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) OVERRIDING SYSTEM VALUE VALUES ({marks})", *row.values()
                )

    def linked(self, entity: CatalogueEntity, row: Row, link: CatalogueLink) -> list[Row]:
        """What is linked to a profile that is merged is its survivor's, and a link to it leads to the survivor."""
        if entity.name == "profile" and link.target in SAID:
            return self.what_counts(row["id"], link)
        if entity.name == "profile" and link.on[0][0] == "id":
            found = [one for key in self.who_is(row["id"]) for one in Data.linked(self, entity, {**row, "id": key}, link)]
            return sorted(found, key=lambda one: int(one[self.catalogue.entities[link.target].key]))
        ends = super().linked(entity, row, link)
        if link.target == "profile":
            return [self.person(end["merged_into"] or end["id"]) for end in ends]
        return ends

    def what_counts(self, key: int, link: CatalogueLink) -> list[Row]:
        """Of all that a person said of one thing: a refusal that was not taken back, else of what is agreed that which ends
        last, else what was said last; and their own word before that of a profile that is merged."""
        about, word, agreed, refused = SAID[link.target]
        every = [
            one for one in self.tables[self.catalogue.entities[link.target].table] if one["profile_id"] in self.who_is(key)
        ]
        found = []
        for thing in sorted({one[about] for one in every}):
            said = [one for one in every if one[about] == thing]
            own = next((one for one in said if one["profile_id"] == key), None)
            if own is not None and own[word] == agreed:
                said = [one for one in said if not (one[word] in refused and self.is_taken_back(one, own))]
            refusals = [one for one in said if one[word] in refused]
            agreements = [one for one in said if one[word] == agreed]
            last = max((one.get("expires_at") or NEVER for one in agreements), default=None)
            counting = refusals or [one for one in agreements if (one.get("expires_at") or NEVER) == last] or said
            found.append(max(counting, key=lambda one: (one["since"], one["profile_id"] == key, -one["profile_id"])))
        return found

    def is_taken_back(self, refusal: Row, own: Row) -> bool:
        """Whether what the survivor says is later than a refusal and than the merge."""
        merges = {one["merge_id"] for one in self.tables["profile_alias"] if one["profile_id"] == refusal["profile_id"]}
        at = max(
            (one["merged_at"] for one in self.tables["profile_merge"] if one["id"] in merges and not one["undone_at"]),
            default=NEVER,
        )
        return bool(own["since"] > max(refusal["since"], at))

    def who_is(self, key: int) -> list[int]:
        """All numbers of a person."""
        return [one["id"] for one in self.tables["profile"] if key in (one["id"], one["merged_into"])]

    def person(self, key: int) -> Row:
        return next(one for one in self.tables["profile"] if one["id"] == key)

    def brought(self, key: int, name: str) -> Any:
        """Of several who are one, who was put on the list first."""
        rows = [one for one in self.tables["audience_member"] if one["profile_id"] in self.who_is(key)]
        first = min(rows, key=lambda one: one["added_at"], default=None)
        value = None if first is None else (first["data"] or {}).get(name)
        readers: dict[Kind, Any] = {
            Kind.DECIMAL: lambda one: Decimal(str(one)), Kind.DATE: date.fromisoformat, Kind.INSTANT: datetime.fromisoformat,
        }  # fmt: skip
        return value if value is None else readers.get(COLUMNS[name], lambda one: one)(value)


async def furnish(conn: Connection) -> None:
    """What the facts are about, once."""
    if await conn.fetchval("SELECT to_regclass('e_order')") is None:
        await conn.execute(WORLD)
        for statement in create_statements("order", FIELDS):
            await conn.execute(statement)


def _reaction(row: Row) -> Row:
    label, category = LINKS.get((row["delivery_id"], row["link"]), (None, None))
    return {
        "position": row["position"], "at": row["at"], "delivery_id": row["delivery_id"], "profile_id": row["recipient_id"],
        "kind": row["kind"], "link": row["link"] or None, "url": row["url"], "label": label, "category": category,
    }  # fmt: skip


class SlowOfFacts(Slow):
    """Answers about one person and these facts."""

    data: Facts

    def holds(self, node: Condition) -> bool:
        match node:
            case Member(audience="fair"):
                ids = self.data.who_is(self.row["id"])
                return any(one["profile_id"] in ids for one in self.data.tables["audience_member"])
        return super().holds(node)

    def value(self, node: Operand) -> Any:
        if (column := column_named(node)) is not None:
            return self.data.brought(self.row["id"], column.column)
        return super().value(node)
