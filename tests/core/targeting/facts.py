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
CREATE TABLE ledger_all PARTITION OF ledger FOR VALUES FROM (1) TO (1000000);
"""
TOLD = ("profile", "ledger", "tracking_event", "e_order", "audience_member")


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
        derived: dict[str, Sequence[Row]] = {"message": messages, "reaction": reactions, "delivery": DELIVERIES, "campaign": ()}
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
        if entity.name == "profile" and link.on[0][0] == "id":
            found = [one for key in self.who_is(row["id"]) for one in Data.linked(self, entity, {**row, "id": key}, link)]
            return sorted(found, key=lambda one: int(one[self.catalogue.entities[link.target].key]))
        ends = super().linked(entity, row, link)
        if link.target == "profile":
            return [self.person(end["merged_into"] or end["id"]) for end in ends]
        return ends

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
