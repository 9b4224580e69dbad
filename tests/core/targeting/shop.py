"""A shop: purchases of people, products, visits and clubs, as a team would model them, and a slow evaluator of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.datamodel.records import Choice, Entity, FieldKind, Link, LinkKind, Model
from core.db import Connection
from core.targeting.catalogue import Catalogue, CatalogueField, CatalogueLink, Kind, Writing
from core.targeting.catalogue import Entity as CatalogueEntity
from core.targeting.datasets import extended
from core.targeting.language import (
    Aggregate,
    Condition,
    Exists,
    Field,
    Following,
    Literal,
    Measure,
    Member,
    Operand,
    Rank,
    Selection,
    Stage,
    Top,
    Unit,
)
from tests.core.datamodel.model import field
from tests.core.targeting.test_sql import Evaluator

STATES = tuple(Choice(name=name, label=name.title()) for name in ("paid", "open", "sent_back"))
MODEL = Model(
    entities=(
        Entity(name="profile", label="Profile", built_in=True),
        Entity(
            name="purchase", label="Purchase",
            fields=(
                field("shop"), field("amount", FieldKind.DECIMAL), field("pieces", FieldKind.INTEGER),
                field("bought_at", FieldKind.INSTANT), field("state", FieldKind.ENUMERATION, choices=STATES),
                field("ref", FieldKind.AUTOMATIC_ID),
            ),
            links=(
                Link(name="profile", label="Buyer", target="profile", kind=LinkKind.MANY_TO_ONE, reverse_name="purchases",
                     reverse_label="Purchases"),
                Link(name="product", label="Product", target="product", kind=LinkKind.MANY_TO_ONE, reverse_name="purchases",
                     reverse_label="Purchases"),
            ),
        ),
        Entity(name="product", label="Product", fields=(field("code"), field("price", FieldKind.DECIMAL))),
        Entity(
            name="visit", label="Visit", fields=(field("day", FieldKind.DATE), field("who"), field("page")),
            links=(
                Link(name="visitor", label="Visitor", target="profile", kind=LinkKind.MANY_TO_ONE, reverse_name="visits",
                     reverse_label="Visits", source_fields=("who",), target_fields=("external_id",)),
            ),
        ),
        Entity(
            name="club", label="Club", fields=(field("title"),),
            links=(
                Link(name="members", label="Members", target="profile", kind=LinkKind.MANY_TO_MANY, reverse_name="clubs",
                     reverse_label="Clubs"),
            ),
        ),
    )
)  # fmt: skip
CATALOGUE: Catalogue = extended(MODEL)

TABLES = """
CREATE TABLE x_product (id bigint PRIMARY KEY, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    x_code varchar(255), x_price numeric);
CREATE TABLE x_purchase (id bigint PRIMARY KEY, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    x_shop varchar(255), x_amount numeric, x_pieces bigint, x_bought_at timestamptz, x_state varchar(30), x_ref uuid,
    x_profile_id bigint REFERENCES profile, x_product_id bigint REFERENCES x_product);
CREATE TABLE x_visit (id bigint PRIMARY KEY, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    x_day date, x_who varchar(255), x_page varchar(255));
CREATE TABLE x_club (id bigint PRIMARY KEY, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    x_title varchar(255));
CREATE TABLE x__club__members (source_id bigint, target_id bigint, PRIMARY KEY (source_id, target_id));
"""

# What there are rows of, each after those that it points to.
TOLD = (
    "profile", "x_product", "x_purchase", "x_visit", "x_club", "x__club__members", "service", "subscription",
    "consent_purpose", "purpose_consent",
)  # fmt: skip

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Data:
    """The rows of every table, by table; columns that are not given are NULL."""

    tables: Mapping[str, Sequence[Row]]
    catalogue: Catalogue = field_of(default=CATALOGUE, repr=False)

    async def store(self, conn: Connection) -> None:
        """Into tables that are made for it."""
        await conn.execute(TABLES)
        for table in TOLD:
            for row in self.tables.get(table, ()):
                names = ", ".join(row)
                marks = ", ".join(f"${index + 1}" for index in range(len(row)))
                await conn.execute(f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({marks})", *row.values())

    def linked(self, entity: CatalogueEntity, row: Row, link: CatalogueLink) -> list[Row]:
        """The rows at the end of a link, in the order of their keys."""
        target = self.catalogue.entities[link.target]
        rows = self.tables.get(target.table, ())
        if link.pairs is not None:
            pairs = self.tables.get(link.pairs.table, ())
            ends = {pair[link.pairs.far] for pair in pairs if pair[link.pairs.near] == row[entity.key]}
            found = [other for other in rows if other[target.key] in ends]
        else:
            found = [
                other
                for other in rows
                if all(row.get(near) is not None and row.get(near) == other.get(far) for near, far in link.on)
                and all(other.get(name) == value for name, value in link.only)
            ]
        return sorted(found, key=lambda other: int(other[target.key]))


class Slow(Evaluator):
    """Answers questions about one row and all that it is linked to, in the plainest way."""

    def __init__(
        self, data: Data, entity: str, row: Row, at: datetime, zone: ZoneInfo, *, parent: Slow | None = None,
        via: CatalogueLink | None = None, members: Mapping[str, Condition] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(row, at, zone)
        self.data, self.entity, self.parent, self.via = data, data.catalogue.entities[entity], parent, via
        self.members = members or {}

    def beside(self, row: Row, link: CatalogueLink) -> Slow:
        return type(self)(
            self.data, link.target, row, self.at, self.zone, parent=self, via=link, members=self.members
        )  # fmt: skip

    def ends(self, path: Sequence[str]) -> list[Slow]:
        """The rows at the end of a path."""
        here: list[Slow] = [self]
        for name in path:
            here = [end for one in here for end in one.follow(name)]
        return here

    def follow(self, name: str) -> list[Slow]:
        link = self.entity.links[name]
        if self.parent is not None and self.via is not None and self.via.back == name and not link.many:
            return [self.parent]
        return [self.beside(row, link) for row in self.data.linked(self.entity, self.row, link)]

    def rows(self, selection: Selection) -> list[Slow]:
        return [one for one in self.ends(selection.path) if selection.where is None or one.holds(selection.where)]

    def holds(self, node: Condition) -> bool:
        match node:
            case Exists(selection=selection):
                return bool(self.rows(selection))
            case Following(stages=stages):
                return self.follows(stages, None)
            case Top():
                return self.is_top(node)
            case Member(audience=audience):
                return self.holds(self.members[audience])
        return super().holds(node)

    def follows(self, stages: Sequence[Stage], before: Any) -> bool:
        if not stages:
            return True
        stage, *rest = stages
        for one in self.rows(stage.selection):
            now = one.value(stage.by or Field((str(one.entity.time),)))
            if now is not None and self.after(before, now, stage.within) and self.follows(rest, now):
                return True
        return False

    def after(self, before: Any, now: Any, within: tuple[Unit, int] | None) -> bool:
        if before is None:
            return True
        days = not (isinstance(before, datetime) and isinstance(now, datetime))
        early, late = (self.day(before), self.day(now)) if days else (before, now)
        if late < early or (not days and late == early):
            return False
        return within is None or late - early <= timedelta(**{within[0].value: within[1]})

    def is_top(self, node: Top) -> bool:
        found = []
        for one in self.everybody():
            if node.where is not None and not one.holds(node.where):
                continue
            if isinstance(node.by, Aggregate) and not one.rows(node.by.selection):
                continue
            value = one.value(node.by)
            if value is not None:
                found.append((value if node.lowest else -value, one.row[self.entity.key]))
        return self.row[self.entity.key] in [key for _, key in sorted(found)[: node.size]]

    def value(self, node: Operand) -> Any:
        match node:
            case Field(path=path):
                ends = self.ends(path[:-1])
                return ends[0].stored(path[-1]) if ends else None
            case Aggregate():
                return self.aggregate(node)
            case Rank():
                return self.rank(node)
        return super().value(node)

    def rank(self, node: Rank) -> int | None:
        """How many rows of the same group come before, and one."""
        places = [(one.row[self.entity.key], one.places(node)) for one in self.everybody()]
        mine = dict(places)[self.row[self.entity.key]]
        if mine is None:
            return None
        group, order = mine
        return 1 + sum(1 for _, other in places if other is not None and other[0] == group and other[1] < order)

    def places(self, node: Rank) -> tuple[list[Any], list[Any]] | None:
        """The group that a row is in, and what comes before what there; None of a row that has no place."""
        if node.where is not None and not self.holds(node.where):
            return None
        first = node.by[0].value
        if isinstance(first, Aggregate) and not self.rows(first.selection):
            return None
        values = [self.value(one.value) for one in node.by]
        groups = [self.group(one) for one in node.per]
        if values[0] is None or None in groups:
            return None
        orders = [(value is None, _upwards(value, one.descending)) for value, one in zip(values, node.by, strict=True)]
        return groups, [*orders, self.row[self.entity.key]]

    def group(self, node: Operand) -> Any:
        """A value, or the number of the row at the end of a link."""
        if isinstance(node, Field) and node.path[-1] in self.entity.links and node.path[-1] not in self.entity.fields:
            ends = self.ends(node.path)
            return ends[0].row[ends[0].entity.key] if ends else None
        return self.value(node)

    def everybody(self) -> list[Slow]:
        """All rows of the entity, each looked at by itself; of people those who are not merged into others."""
        rows = [row for row in self.data.tables.get(self.entity.table, ()) if row.get("merged_into") is None]
        return [type(self)(self.data, self.entity.name, row, self.at, self.zone, members=self.members) for row in rows]

    def aggregate(self, node: Aggregate) -> Any:
        rows = self.rows(node.selection)
        if node.measure in (Measure.FIRST, Measure.LAST):
            assert node.value is not None
            timed = [(one.value(node.by or Field((str(one.entity.time),))), one.row[one.entity.key], one) for one in rows]
            timed = sorted(((at, key, one) for at, key, one in timed if at is not None), key=lambda each: each[:2])
            return timed[0 if node.measure is Measure.FIRST else -1][2].value(node.value) if timed else None
        if node.measure is Measure.JOIN:
            return self.joined(node, rows)
        if node.value is None:
            return len(rows)
        values = [value for value in (one.value(node.value) for one in rows) if value is not None]
        match node.measure:
            case Measure.COUNT:
                return len(set(values)) if node.distinct else len(values)
            case Measure.SUM:
                return sum(values, Decimal(0))
            case Measure.AVG:
                return Decimal(sum(values)) / len(values) if values else None
            case Measure.MIN:
                return min(values, default=None)
            case _:
                return max(values, default=None)

    def joined(self, node: Aggregate, rows: Sequence[Slow]) -> str | None:
        assert node.value is not None
        timed = [(one.value(node.by or Field((str(one.entity.time),))), one.row[one.entity.key], one) for one in rows]
        ordered = sorted(((at, key, one) for at, key, one in timed if at is not None), key=lambda each: each[:2])
        texts = [text for text in (one.value(node.value) for _, _, one in ordered) if text is not None]
        return (", " if node.separator is None else node.separator).join(texts) if texts else None

    def field(self, node: Operand) -> CatalogueField | None:
        """The field that a node is, or takes its values from."""
        match node:
            case Field(path=path):
                entity = self.entity
                for name in path[:-1]:
                    entity = self.data.catalogue.entities[entity.links[name].target]
                return entity.fields[path[-1]]
            case Aggregate(measure=Measure.MIN | Measure.MAX | Measure.FIRST | Measure.LAST, value=Field(path=path)):
                entity = self.entity
                for name in (*node.selection.path, *path[:-1]):
                    entity = self.data.catalogue.entities[entity.links[name].target]
                return entity.fields[path[-1]]
        return None

    def written(self, one: Operand, other: Operand, text: str) -> str:
        for side, opposite in ((one, other), (other, one)):
            found = self.field(side)
            if found is not None and isinstance(opposite, Literal):
                if found.kind is Kind.ENUMERATION or found.writing is Writing.EXACT:
                    return text
                if found.writing is Writing.UPPER:
                    return text.upper()
        return text.lower()

    def stored(self, name: str) -> Any:
        found = self.entity.fields[name]
        stored = self.row.get(found.column)
        if found.kind is Kind.ENUMERATION:
            return next((value for value, code in found.values.items() if code == stored), None)
        return str(stored) if found.kind is Kind.UUID and stored is not None else stored


def _upwards(value: Any, descending: bool) -> Any:
    """A number or a time as a number, the first one the least."""
    number = value.timestamp() if isinstance(value, datetime) else value.toordinal() if isinstance(value, date) else value
    return None if number is None else -number if descending else number


def paid(amount: str | None, day: int, buyer: int | None, number: int, **more: Any) -> dict[str, Any]:
    """A purchase of June 2025."""
    return {
        "id": number,
        "x_amount": None if amount is None else Decimal(amount),
        "x_bought_at": datetime(2025, 6, day, 12, tzinfo=UTC),
        "x_profile_id": buyer,
        "x_state": "paid",
        "x_shop": "Paris",
    } | more


def visit(number: int, day: int, who: str | None, page: str = "home") -> dict[str, Any]:
    """A visit of June 2025."""
    return {"id": number, "x_day": date(2025, 6, day), "x_who": who, "x_page": page}
