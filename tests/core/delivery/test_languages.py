"""Deliveries in several languages: everybody gets the program of theirs, in one statement, and crashes change nothing."""

from __future__ import annotations

import pytest

from channels.contract import OutgoingMessage
from core.access import SYSTEM
from core.content.readers import choose
from core.content.records import DynamicContent, DynamicVariant
from core.db import Connection
from core.delivery import lifecycle, prepare, reading
from core.delivery.engine import Engine
from core.delivery.programs import Programs, row_of
from core.delivery.records import DeliveryState
from core.delivery.store import programs as store
from core.public_urls import PublicUrls
from core.runtime import Runtime
from tests.core.delivery.people import add_person, check_equation, new_delivery, prepared

HTML = "<p>Hello {{ profile.first_name }}, {{ 1234.5 | number }}</p>"
TRANSLATIONS = {
    "de": {"html": "<p>Hallo {{ profile.last_name }}, {{ 1234.5 | number }}</p>"},
    "pt": {"html": "<p>Olá {{ 1234.5 | number }}</p>"},
    "pt-BR": {"html": "<p>Oi {{ 1234.5 | number }}</p>"},
    "zh-Hant": {"subject": "你好"},
    "nb": {"subject": "Hei"},
    "sr-Cyrl": {"subject": "Здраво"},
}
SPOKEN = [
    None, "en", "de", "de-AT", "pt", "pt-BR", "pt-PT", "zh-Hant-TW", "zh-CN", "zh", "fr", "den", "d%", "pt-BR-x-a",
    "zh-TW", "sr-RS", "sr-RS-x-a", "sr-ME", "sr-Latn", "sr", "no-NO", "nn",
]  # fmt: skip


async def message(engine: Engine, conn: Connection, delivery_id: int, profile_id: int) -> str:
    """What one person gets."""
    row = await reading.find_row(conn, delivery_id, profile_id)
    assert row is not None
    assert row.program_id is not None
    loaded = await engine.programs.get(conn, row.program_id)
    recipient = row_of(loaded, row)
    assert recipient is not None
    (rendered,) = loaded.program.render([recipient])
    assert isinstance(rendered, OutgoingMessage)
    return str(loaded.program.parts(recipient).html)


async def test_everybody_gets_the_message_in_their_language(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given people of many languages, and somebody who gets nothing
    people = {
        spoken: await add_person(db, f"p{n}@mail.example", first_name="A", last_name="B", language=spoken)
        for n, spoken in enumerate(SPOKEN)
    }
    out = await add_person(db, "out@mail.example", opt_out=True, language="de")
    delivery_id = await new_delivery(runtime, db, html=HTML, translations=TRANSLATIONS)

    # When the delivery is prepared
    await prepared(engine, runtime, db, delivery_id)

    # Then there is a program for each language, and each row has that which the rules choose
    variants = await store.list_variants_of(db, delivery_id)
    assert [one.language for one in variants] == ["en", "de", "nb", "pt", "pt-BR", "sr-Cyrl", "zh-Hant"]
    for spoken, profile_id in people.items():
        row = await reading.find_row(db, delivery_id, profile_id)
        assert row is not None
        assert row.program_id == variants[choose([one.language for one in variants], spoken)].id, spoken
        assert row.values == {"first_name": "A", "last_name": "B"}
    excluded = await reading.find_row(db, delivery_id, out)
    assert excluded is not None
    assert (excluded.program_id, excluded.values) == (None, None)
    await check_equation(db, delivery_id)

    # And numbers are written as their readers write them
    expected = {
        None: "<p>Hello A, 1,234.5</p>", "de-AT": "<p>Hallo B, 1.234,5</p>", "pt-PT": "<p>Olá 1.234,5</p>",
        "pt-BR": "<p>Oi 1.234,5</p>", "fr": "<p>Hello A, 1,234.5</p>",
    }  # fmt: skip
    assert {spoken: await message(engine, db, delivery_id, people[spoken]) for spoken in expected} == expected

    # And the log tells how many
    details = await db.fetchval("SELECT details FROM delivery_log WHERE delivery_id = $1 AND code = 'PREPARED'", delivery_id)
    assert details["languages"] == {"en": 8, "de": 2, "nb": 2, "pt": 2, "pt-BR": 2, "sr-Cyrl": 3, "zh-Hant": 3}


async def test_a_preparation_in_several_languages_goes_on_after_a_crash(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "RANGE", 3)
    people = [await add_person(db, f"p{n}@mail.example", language=spoken) for n, spoken in enumerate(SPOKEN)]
    delivery_id = await new_delivery(runtime, db, html=HTML, translations=TRANSLATIONS)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    assert await engine.preparation._write_range(plan, 0, 3)

    await engine.preparation.run(delivery_id)

    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY
    variants = await store.list_variants_of(db, delivery_id)
    assert list(variants) == list(plan.population.programs)
    for spoken, profile_id in zip(SPOKEN, people, strict=True):
        row = await reading.find_row(db, delivery_id, profile_id)
        assert row is not None
        assert row.program_id == variants[choose([one.language for one in variants], spoken)].id


async def test_a_preparation_compiles_nothing_to_know_the_conditions(engine: Engine, runtime: Runtime, db: Connection) -> None:
    hero = DynamicContent(name="hero", variants=(DynamicVariant(label="x", condition="city = 'Bonn'", html="x", text="x"),))
    html = "<p>{% if dynamic.hero == 1 %}Bonn{% endif %}</p>"
    translations = {"de": {"html": html}, "fr": {"subject": "Salut"}}
    someone = await add_person(db, "p@mail.example", language="de", city="Bonn")
    delivery_id = await new_delivery(runtime, db, html=HTML, translations=translations, dynamic=(hero,))
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    variants = await store.list_variants_of(db, delivery_id)
    assert list(variants) == list(plan.population.programs)
    assert [one.dynamic for one in variants] == [{}, {"hero": ("city = 'Bonn'",)}, {}]
    assert plan.population.dynamic == {"hero": ("city = 'Bonn'",)}
    assert not any("program" in vars(one) for one in await engine.programs.list_of(db, delivery_id))
    await engine.preparation.run(delivery_id)
    assert await message(engine, db, delivery_id, someone) == "<p>Bonn</p>"


async def test_only_the_languages_that_are_rendered_are_compiled(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "p@mail.example", language="de")
    delivery_id = await new_delivery(runtime, db, html=HTML, translations=TRANSLATIONS)
    await prepared(engine, runtime, db, delivery_id)
    afresh = Programs(engine.registry, PublicUrls(runtime.settings, runtime.keyring))
    loaded = await afresh.list_of(db, delivery_id)
    await afresh.get(db, loaded[1].stored.id)
    assert ["program" in vars(one) for one in loaded] == [False, True, False, False, False, False, False]


async def test_a_translation_that_cannot_be_sent_fails_the_preparation_and_leaves_nothing(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_person(db, "p@mail.example")
    delivery_id = await new_delivery(runtime, db, html=HTML, translations=TRANSLATIONS)
    broken = {"de": {"html": "<p>{{ profile.nope }}</p>"}}
    await db.execute("UPDATE content SET translations = $1, version = version + 1", broken)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["path"] == "translations.de.parts.html:1:7"
    assert await db.fetchval("SELECT count(*) FROM program") == 0
