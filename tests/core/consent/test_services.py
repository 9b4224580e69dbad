"""Services, purposes and wordings as authored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.access import SYSTEM, Actor
from core.consent import purposes, services, wordings
from core.consent.records import Choice, Confirmation, ServiceDraft
from core.db import Connection
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from tests.core.consent.made import NOW, a_person, a_purpose, a_service, join


async def test_a_service_has_versions_and_an_end(conn: Connection) -> None:
    service = await a_service(conn)
    changed = await services.update_service(conn, SYSTEM, service, {"validity": timedelta(days=3)}, expected_version=1)
    assert (changed.version, changed.validity) == (2, timedelta(days=3))
    assert await services.update_service(conn, SYSTEM, service, {"label": "Weekly"}) == changed
    with pytest.raises(Stale):
        await services.update_service(conn, SYSTEM, service, {"label": "x"}, expected_version=1)
    with pytest.raises(Conflict) as told:
        await services.create_service(conn, SYSTEM, ServiceDraft(name="weekly", label="x"))
    assert told.value.code == "NAME_TAKEN"
    other = await a_service(conn, "other")
    with pytest.raises(Conflict):
        await services.update_service(conn, SYSTEM, other, {"name": "weekly"})
    await services.delete_service(conn, SYSTEM, other)
    with pytest.raises(NotFound):
        await services.get_service(conn, other)
    await join(conn, service, await a_person(conn))
    with pytest.raises(Conflict) as told:
        await services.delete_service(conn, SYSTEM, service)
    assert told.value.code == "IN_USE"
    assert [one.id for one in (await services.list_services(conn, PageRequest(first=9))).rows] == [service]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "Bad name"}, "BAD_NAME"),
        ({"label": " "}, "BAD_LABEL"),
        ({"public_label": "a\nb"}, "BAD_LABEL"),
        ({"starts_at": NOW, "ends_at": NOW}, "BAD_PERIOD"),
        ({"ends_at": NOW.replace(tzinfo=None)}, "BAD_PERIOD"),
        ({"validity": timedelta(0)}, "BAD_VALIDITY"),
        ({"confirm_within": timedelta(days=99_999)}, "BAD_VALIDITY"),
        ({"subscribe_confirmation": Confirmation.CUSTOM}, "BAD_CONFIRMATION"),
        ({"unsubscribe_event": "bye"}, "BAD_CONFIRMATION"),
    ],
)
async def test_a_service_that_cannot_be_is_told_why(conn: Connection, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as told:
        await services.create_service(conn, SYSTEM, ServiceDraft(**{"name": "weekly", "label": "Weekly", **wrong}))
    assert told.value.code == code


async def test_a_purpose_that_people_decided_on_stays(conn: Connection) -> None:
    purpose, unused, ann = await a_purpose(conn), await a_purpose(conn, "unused"), await a_person(conn)
    await purposes.decide(conn, SYSTEM, [Choice(purpose_id=purpose, profile_id=ann, granted=False)], now=NOW)
    with pytest.raises(Conflict) as told:
        await purposes.delete_purpose(conn, SYSTEM, purpose)
    assert told.value.code == "IN_USE"
    await purposes.delete_purpose(conn, SYSTEM, unused)
    assert [one.id for one in await purposes.find_purposes(conn, [purpose, unused])] == [purpose]


async def test_a_changed_wording_is_another_version(conn: Connection) -> None:
    texts = ["I agree.", "I agree.", "I agree to all.", "I agree."]
    made = [await wordings.add_wording(conn, SYSTEM, "footer", text, now=NOW) for text in texts]
    assert [one.version for one in made] == [1, 1, 2, 3]
    with pytest.raises(Invalid):
        await wordings.add_wording(conn, SYSTEM, "footer", "\0", now=NOW)
    with pytest.raises(Forbidden):
        await wordings.add_wording(conn, Actor(name="x", permissions=frozenset()), "footer", "x", now=NOW)
