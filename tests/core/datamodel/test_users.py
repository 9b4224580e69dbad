"""Whatever names a part of the model keeps it from being hidden, and is named itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.graphql.datamodel.uses import UNUSED, find_users
from core.access import SYSTEM
from core.datamodel import jobs
from core.datamodel.drafts import discard_draft, get_draft, remove_dataset, remove_field, save_field
from core.datamodel.keys import remove_key
from core.datamodel.links import remove_link
from core.datamodel.publication import preview, publish
from core.datamodel.records import Choice, FieldKind
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.records import DeliveryState
from core.errors import Conflict
from core.planning.computed_records import SendDates, SendingLog
from core.planning.deliveries import create_delivery
from core.planning.records import DeliveryDraft
from core.planning.seed_records import ControlGroup, Extraction, Traps
from core.privacy.namespaces import create_namespace
from core.privacy.records import NamespaceDraft
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.import_template_records import ImportTemplateDraft
from core.profiles.import_templates import create_template
from core.profiles.run_records import ImportOptions
from core.runtime import Runtime
from core.targeting.filters import create_filter
from core.targeting.parse import parse_text
from core.targeting.records import FilterDraft
from core.transfers.destinations import find_destination
from tests.core.authors import a_content, an_account, an_audience
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields, save, unique


async def used_by(conn: Connection) -> list[tuple[str, str, tuple[str, ...]]]:
    """Who keeps the draft from being published, which is then thrown away."""
    found = await find_users(conn, (await preview(conn)).changes)
    version = (await get_draft(conn)).version
    with pytest.raises(Conflict) as caught:
        await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)
    assert caught.value.code == "FIELD_IN_USE"
    assert all(f"the {one.kind} {one.name!r}" in caught.value.message for one in found)
    await discard_draft(conn, SYSTEM, expected_version=version)
    return [(one.kind, one.name, one.reads) for one in found]


async def hide(conn: Connection, name: str, entity: str = "profile") -> None:
    await remove_field(conn, SYSTEM, entity, name, now=NOW)


async def a_delivery(conn: Connection) -> int:
    draft = DeliveryDraft(
        name="spring", label="Spring", channel_account_id=(await an_account(conn, SYSTEM)).id,
        audience_id=(await an_audience(conn, SYSTEM)).id, content_id=(await a_content(conn, SYSTEM)).id,
    )  # fmt: skip
    return (await create_delivery(conn, SYSTEM, draft)).id


async def test_traps_and_control_groups_until_their_delivery_has_ended(conn: Connection) -> None:
    levels = (Choice(name="gold", label="Gold"), Choice(name="iron", label="Iron"))
    await publish_fields(
        conn, field("tier", FieldKind.ENUMERATION, choices=levels), field("points", FieldKind.INTEGER), field("size"),
    )  # fmt: skip
    delivery = await a_delivery(conn)
    await lifecycle.set_traps(conn, SYSTEM, delivery, Traps(question=parse_text("tier = 'gold'")), NOW)
    group = ControlGroup(extraction=Extraction.FIRST, size=3, by=parse_text("points + 1"), question=parse_text("size = 'XL'"))
    await lifecycle.set_control_group(conn, SYSTEM, delivery, group, NOW)
    kept = SendingLog(segment_code=parse_text("if(points > 3, 'many')"), fields=("tier", "city"))
    await lifecycle.set_sending_log(conn, SYSTEM, delivery, kept, NOW)
    await lifecycle.set_send_dates(conn, SYSTEM, delivery, SendDates(expression=parse_text("add_days(now, points)")), NOW)

    for name in ("tier", "points", "size"):
        await hide(conn, name)
    assert await used_by(conn) == [
        ("control group of the delivery", "spring", ("points", "size")),
        ("send dates of the delivery", "spring", ("points",)),
        ("sending log of the delivery", "spring", ("points", "tier")), ("traps of the delivery", "spring", ("tier",)),
    ]  # fmt: skip
    await save_field(conn, SYSTEM, "profile", field("tier", FieldKind.ENUMERATION, choices=levels[1:]), now=NOW)
    assert [name for name, _, _ in await used_by(conn)] == ["sending log of the delivery", "traps of the delivery"]

    await lifecycle.set_sending_log(conn, SYSTEM, delivery, None, NOW)
    await lifecycle.set_traps(conn, SYSTEM, delivery, Traps(question=parse_text("size = 'L'")), NOW)
    await hide(conn, "tier")
    await publish_draft(conn)
    await conn.execute("UPDATE delivery_run SET state = $2 WHERE delivery_id = $1", delivery, DeliveryState.FINISHED.value)
    await hide(conn, "size")
    await hide(conn, "points")
    await publish_draft(conn)


async def test_filters_are_told_as_such(conn: Connection) -> None:
    await dataset(conn, "store", field("code"))
    await publish_fields(conn, field("tier"))
    for name, entity, text in (("best", "profile", "tier = 'gold'"), ("big", "store", "code = 'L'")):
        await create_filter(conn, SYSTEM, FilterDraft(name=name, label=name, entity=entity, expression=parse_text(text)))
    await hide(conn, "tier")
    assert await used_by(conn) == [("filter", "best", ("tier",))]
    await hide(conn, "code", "store")
    assert await used_by(conn) == [("filter", "big", ("store.code",))]
    await remove_dataset(conn, SYSTEM, "store", now=NOW)
    assert await used_by(conn) == [("filter", "big", ("store.*",))]


async def test_import_templates_name_fields_links_keys_and_datasets(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "store", field("code", max_length=20), field("town"))
    await unique(db, "by_code", "code", entity="store")
    await point(db, link("favourite", "store"), "profile")
    await save(db, field("card", max_length=20))
    await unique(db, "by_card", "card", entity="profile")
    await publish_draft(db)
    await jobs.build(runtime)

    async def template(name: str, match_key: str, **options: Any) -> None:
        draft = ImportTemplateDraft(name=name, label=name, match_key=match_key, options=ImportOptions(**options))
        await create_template(db, SYSTEM, draft, NOW, find=find_destination)

    stores = ImportTarget(kind=TargetKind.DATASET, dataset="store")
    await template("mapped", "email", mapping={"Shop": "favourite.code"})
    await template("expected", "external_id", expected_columns=("external_id", "favourite"))
    await template("keyed", "by_card")
    await template("stores", "by_code", target=stores)

    await remove_link(db, SYSTEM, "profile", "favourite", now=NOW)
    assert await used_by(db) == [
        ("import template", "mapped", ("favourite.code",)), ("import template", "expected", ("favourite",)),
    ]  # fmt: skip
    await remove_key(db, SYSTEM, "store", "by_code", now=NOW)
    await hide(db, "code", "store")
    assert await used_by(db) == [
        ("import template", "mapped", ("favourite.code",)), ("import template", "stores", ("by_code",)),
    ]  # fmt: skip
    await remove_key(db, SYSTEM, "profile", "by_card", now=NOW)
    assert await used_by(db) == [("import template", "keyed", ("by_card",))]
    await remove_link(db, SYSTEM, "profile", "favourite", now=NOW)
    await remove_dataset(db, SYSTEM, "store", now=NOW)
    assert ("import template", "stores", ("store",)) in await used_by(db)
    await hide(db, "town", "store")
    await publish_draft(db)


async def test_namespaces_of_privacy_requests(conn: Connection) -> None:
    await save(conn, field("card"))
    await dataset(conn, "purchase", field("code"), field("note"))
    await point(conn, link("buyer"))
    await point(conn, link("payer"))
    await publish_draft(conn)
    for entity, name in (("profile", "card"), ("purchase", "code")):
        await create_namespace(conn, SYSTEM, NamespaceDraft(name=f"by_{name}", label=name, entity=entity, field=name))

    await hide(conn, "card")
    assert await used_by(conn) == [("privacy namespace", "by_card", ("card",))]
    await hide(conn, "code", "purchase")
    assert await used_by(conn) == [("privacy namespace", "by_code", ("code",))]
    await remove_link(conn, SYSTEM, "purchase", "buyer", now=NOW)
    await remove_link(conn, SYSTEM, "purchase", "payer", now=NOW)
    assert await used_by(conn) == [("privacy namespace", "by_code", ("buyer", "payer"))]
    await remove_dataset(conn, SYSTEM, "purchase", now=NOW)
    assert ("privacy namespace", "by_code", ("purchase",)) in await used_by(conn)
    await remove_link(conn, SYSTEM, "purchase", "buyer", now=NOW)
    await hide(conn, "note", "purchase")
    await publish_draft(conn)


async def test_audiences_of_files_that_are_being_reconciled(conn: Connection) -> None:
    await publish_fields(conn, field("card"))
    await an_audience(conn, SYSTEM, "fair")
    await conn.execute(
        """
        INSERT INTO audience_run (task, state, audience_id, request, seconds, created_by, created_at)
        SELECT 'reconcile', 'ready', id, $1, 60, 'x', $2 FROM audience
        """,
        {"keys": [{"field": "card", "column": "Card"}, {"field": "email", "column": "Mail"}]}, NOW,
    )  # fmt: skip
    await hide(conn, "card")
    assert await used_by(conn) == [("file audience", "fair", ("card",))]
    await conn.execute("UPDATE audience_run SET finished_at = $1", NOW + timedelta(hours=1))
    await hide(conn, "card")
    await publish_draft(conn)


async def test_segments_of_outside_systems_whose_ids_are_values_of_a_field(conn: Connection) -> None:
    await publish_fields(conn, field("card"), field("other"))
    await an_audience(conn, SYSTEM, "crm")
    await conn.execute("INSERT INTO external_segment (audience_id, source, key) SELECT id, 'CRM', 'card' FROM audience")
    await hide(conn, "card")
    assert await used_by(conn) == [("external segment", "crm", ("card",))]
    await hide(conn, "other")
    await publish_draft(conn)
