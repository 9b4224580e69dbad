"""People of the target in the place of test profiles: their messages as they were frozen, and no way to act as them."""

from __future__ import annotations

import pytest

from core.channel_registry import ChannelRegistry
from core.db import Connection
from core.delivery.engine import Engine
from core.delivery.programs import Programs
from core.delivery.records import LedgerState, ShownMessage
from core.delivery.showing import MOST_SHOWN, show_messages
from core.errors import Invalid, NotFound
from core.public_urls import PublicUrls
from core.runtime import Runtime
from loadtests.campaign import make_delivery
from tests.core.delivery.people import add_people, add_person, new_delivery, prepared
from tests.core.delivery.test_columns import listed

HTML = (
    "<p>Hello {{ profile.first_name }}, {{ audience.voucher_code }}</p>"
    '<a href="https://shop.example/{{ profile.city }}">Shop</a> <a href="{% unsubscribe_url %}">Leave</a>'
)
SMTP = {"host": "127.0.0.1", "port": 1, "security": "none", "sender_domain": "mail.example"}


async def shown(db: Connection, runtime: Runtime, delivery_id: int, *profile_ids: int) -> list[ShownMessage]:
    programs = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring), sends=False)
    return await show_messages(db, programs, delivery_id, profile_ids)


async def test_messages_are_shown_as_they_were_frozen_and_act_for_nobody(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given two people on a list with codes, of whom one opted out, prepared before the first was renamed
    ann = await add_person(db, "ann@mail.example", first_name="Ann", city="Annecy")
    bob = await add_person(db, "bob@mail.example", first_name="Bob", opt_out=True)
    await listed(db, runtime, columns={"voucher_code": "concat('V-', first_name)"})
    delivery_id = await make_delivery(
        runtime.settings, db, "spring", channel="email", config=SMTP, html=HTML, audience="in_audience('vip')",
        keyring=runtime.keyring,
    )  # fmt: skip
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE profile SET first_name = 'Else'")

    # When their messages are shown
    excluded, sent = await shown(db, runtime, delivery_id, bob, ann, bob)

    # Then that of the one is as it was, with open links, and none by which she could leave
    assert (sent.row.recipient_id, sent.row.address, sent.failure) == (ann, "ann@mail.example", None)
    assert sent.html is not None
    assert "Hello Ann, V-Ann" in sent.html
    assert "https://shop.example/Annecy" in sent.html
    assert "/o/" not in sent.html
    assert '<a href="#">Leave</a>' in sent.html
    assert excluded == ShownMessage(row=excluded.row)
    assert excluded.row.state is LedgerState.EXCLUDED

    # And nobody counts as having been here
    assert await db.fetchval("SELECT count(*) FROM tracking_event") == 0


async def test_what_fails_for_one_is_told_and_others_are_shown(engine: Engine, runtime: Runtime, db: Connection) -> None:
    one, two = await add_person(db, "a@mail.example", city="0"), await add_person(db, "b@mail.example", city="2")
    html = "<p>{{ 6 | divided_by: profile.city }}</p>"
    delivery_id = await new_delivery(runtime, db, html=html)
    await prepared(engine, runtime, db, delivery_id)
    bad, good = await shown(db, runtime, delivery_id, one, two)
    assert (bad.html, good.failure) == (None, None)
    assert bad.failure is not None
    assert "divided by 0" in bad.failure
    assert good.html is not None
    assert "<p>3" in good.html


async def test_who_is_not_in_the_target_and_too_many_are_refused(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 30)
    delivery_id = await new_delivery(runtime, db, audience="id <= 25")
    with pytest.raises(NotFound) as gone:
        await shown(db, runtime, delivery_id, 1)
    assert gone.value.code == "RECIPIENT_NOT_FOUND"
    await prepared(engine, runtime, db, delivery_id)
    with pytest.raises(NotFound):
        await shown(db, runtime, delivery_id, 1, 26)
    with pytest.raises(Invalid) as many:
        await shown(db, runtime, delivery_id, *range(1, MOST_SHOWN + 2))
    assert many.value.code == "TOO_MANY_RECIPIENTS"
    assert len(await shown(db, runtime, delivery_id, *range(1, MOST_SHOWN + 1))) == MOST_SHOWN
    assert await shown(db, runtime, delivery_id) == []
