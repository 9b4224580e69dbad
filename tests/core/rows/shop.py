"""A shop whose model is published and built: purchases of people, products, invoices and clubs."""

from __future__ import annotations

from core.access import SYSTEM
from core.datamodel.drafts import save_dataset
from core.datamodel.records import Choice, FieldKind, LinkKind, OnDelete
from core.db import Connection
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, save, unique

STATES = tuple(Choice(name=name, label=name.title()) for name in ("paid", "open", "sent_back"))


async def publish_shop(conn: Connection) -> None:
    """Publish it; its keys are built by a job."""
    await dataset(conn, "product", field("sku", max_length=20), field("price", FieldKind.DECIMAL))
    await dataset(
        conn, "purchase", field("code", max_length=30), field("amount", FieldKind.DECIMAL), field("pieces", FieldKind.INTEGER),
        field("bought_at", FieldKind.INSTANT), field("day", FieldKind.DATE), field("paid", FieldKind.BOOLEAN),
        field("state", FieldKind.ENUMERATION, choices=STATES), field("more", FieldKind.JSON), field("place", FieldKind.POINT),
        field("ref", FieldKind.AUTOMATIC_ID),
    )  # fmt: skip
    await dataset(conn, "invoice", field("number", max_length=20))
    await dataset(conn, "club", field("motto"))
    await save(conn, field("card", max_length=20))
    await point(conn, link("customer", reverse_name="purchases"))
    await point(conn, link("product", "product", on_delete=OnDelete.REFUSE, reverse_name="sales"))
    await point(conn, link("owner", source_fields=("code",), target_fields=("external_id",), reverse_name="owned"))
    await point(
        conn, link("purchase", "purchase", LinkKind.ONE_TO_ONE, on_delete=OnDelete.DELETE, reverse_name="invoice"), "invoice"
    )
    await point(conn, link("members", kind=LinkKind.MANY_TO_MANY, reverse_name="clubs"), "club")
    await unique(conn, "by_code", "code")
    await unique(conn, "by_line", "customer", "pieces")
    await unique(conn, "by_sku", "sku", entity="product")
    await unique(conn, "by_card", "card", entity="profile")
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", title="code", now=NOW)
    await publish_draft(conn)


async def person(conn: Connection, **columns: object) -> int:
    """A profile with these columns; its number."""
    names = ", ".join(["email", *columns])
    marks = ", ".join(f"${n}" for n in range(1, len(columns) + 2))
    found: int = await conn.fetchval(
        f"INSERT INTO profile ({names}) VALUES ({marks}) RETURNING id", "x@shop.example", *columns.values()
    )
    return found
