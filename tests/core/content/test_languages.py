"""Languages of content: tags, variants, and who gets which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import Actor
from core.content.contents import check_sendable, create_content, get_content, update_content
from core.content.errors import ContentInvalid
from core.content.languages import MAX_LANGUAGES, check_language, for_reader, languages_of, with_checked_languages
from core.content.readers import choose
from core.content.records import ContentDraft
from core.db import Connection
from core.errors import Invalid
from tests.core.authors import PARTS, REGISTRY


def draft(translations: dict[str, dict[str, str]] | None = None, language: str = "en") -> ContentDraft:
    return ContentDraft(
        name="sale", label="Sale", channel="email", parts=PARTS, language=language, translations=translations or {}
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [("de", "de"), ("PT_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("de-de-1996", "de-DE-1996")],
)
def test_tags_have_one_form(written: str, kept: str) -> None:
    assert check_language(written) == kept


@pytest.mark.parametrize(
    "tag", ["", "d", "xx", "tlh", "german", "de--AT", "de-", "de_AT.utf8", "en@euro", "de\n", "x-a", "d" * 36]
)
def test_what_is_no_language_is_refused(tag: str) -> None:
    with pytest.raises(Invalid) as refused:
        with_checked_languages(draft({tag: {}}))
    assert refused.value.code == "BAD_LANGUAGE"


def test_each_language_is_given_once_and_there_are_not_too_many() -> None:
    twice: list[dict[str, dict[str, str]]] = [{"EN": {}}, {"pt_BR": {}, "pt-br": {}}]
    for translations in twice:
        with pytest.raises(Invalid) as refused:
            with_checked_languages(draft(translations))
        assert refused.value.code == "LANGUAGE_TWICE"
    tags = [f"de-{first}{second}" for first in "ABCDEFG" for second in "ABCDEFG"]
    assert len(languages_of(with_checked_languages(draft({tag: {} for tag in tags[: MAX_LANGUAGES - 1]})))) == MAX_LANGUAGES
    with pytest.raises(Invalid) as refused:
        with_checked_languages(draft({tag: {} for tag in tags[:MAX_LANGUAGES]}))
    assert refused.value.code == "TOO_MANY_LANGUAGES"


@pytest.mark.parametrize(
    ("languages", "wanted", "given_to"),
    [
        (["en", "de", "pt"], None, "en"),
        (["en", "de", "pt"], "fr", "en"),
        (["en", "de", "pt"], "de", "de"),
        (["en", "de", "pt"], "pt-BR", "pt"),
        (["en", "pt", "pt-BR"], "pt-BR", "pt-BR"),
        (["en", "pt", "pt-BR"], "pt-PT", "pt"),
        (["pt-BR", "pt"], "pt-BR", "pt-BR"),
        (["en", "pt-BR"], "pt", "pt-BR"),
        (["en", "pt-BR"], "pt-PT", "en"),
        (["en", "pt-AO", "pt-BR", "pt-PT"], "pt", "pt-BR"),
        (["en", "pt-AO", "pt-PT"], "pt", "pt-AO"),
        (["en-GB", "en-US"], "en", "en-GB"),
        (["en", "zh-Hans", "zh-Hant"], "zh-Hant-TW", "zh-Hant"),
        (["en", "zh-Hans", "zh-Hant"], "zh", "zh-Hans"),
        (["en", "de"], "den", "en"),
        (["en", "zh-Hans", "zh-Hant"], "zh-TW", "zh-Hant"),
        (["en", "zh-Hans", "zh-Hant"], "zh-HK", "zh-Hant"),
        (["en", "zh-Hans", "zh-Hant"], "zh-CN", "zh-Hans"),
        (["en", "zh-Hans", "zh-Hant"], "zh-SG-x-a", "zh-Hans"),
        (["en", "zh-Hans", "zh-Hant"], "zh-Latn", "en"),
        (["en", "zh-Hans"], "zh-TW", "en"),
        (["en", "zh-Hans"], "zh-Hant", "en"),
        (["en", "zh", "zh-Hans"], "zh-TW", "zh"),
        (["en", "zh", "zh-Hant"], "zh-TW", "zh-Hant"),
        (["en", "zh", "zh-Hant"], "zh-CN", "zh"),
        (["en", "zh-TW", "zh-CN"], "zh-Hant-TW", "zh-TW"),
        (["en", "zh-TW", "zh-CN"], "zh-Hant", "zh-TW"),
        (["en", "zh-TW", "zh-CN"], "zh", "zh-CN"),
        (["en", "zh-Hant-TW", "zh-Hant"], "zh-TW", "zh-Hant-TW"),
        (["en", "zh-Hant-HK"], "zh-TW", "en"),
        (["en", "sr-Latn", "sr-Cyrl"], "sr-RS", "sr-Cyrl"),
        (["en", "sr-Latn", "sr-Cyrl"], "sr-ME", "sr-Latn"),
        (["en", "sr-Latn", "sr-Cyrl"], "sr", "sr-Cyrl"),
        (["en", "sr-Latn"], "sr", "sr-Latn"),
        (["en", "sr-Latn"], "sr-RS", "en"),
        (["en", "bs-Latn", "bs-Cyrl"], "bs-BA", "bs-Latn"),
        (["en", "nb"], "no", "nb"),
        (["en", "nb"], "no-NO", "nb"),
        (["en", "nb-NO"], "no", "nb-NO"),
        (["en", "no"], "nb-NO", "no"),
        (["en", "nb", "nn"], "no", "nb"),
        (["en", "nb", "nn"], "nn-NO", "nn"),
        (["en", "nb", "no"], "nn", "no"),
        (["en", "nb"], "nn", "nb"),
        (["en", "nn"], "nb", "en"),
        (["en", "nn"], "no", "nn"),
    ],
)
def test_who_gets_which(languages: list[str], wanted: str | None, given_to: str) -> None:
    assert languages[choose(languages, wanted)] == given_to


TAGS = ["en", "en-GB", "de", "de-AT", "de-AT-1996", "pt-BR", "pt-PT", "zh", "zh-TW", "zh-CN", "zh-Hans", "zh-Hant-TW"]
SCRIPTS = {"zh-TW": "zh-Hant-TW", "zh-CN": "zh-Hans-CN", "zh-SG": "zh-Hans-SG"}
WANTED = [*TAGS, "pt", "de-CH", "zh-Hant", "zh-SG", "fr"]


@given(st.lists(st.sampled_from(TAGS), min_size=1, unique=True), st.sampled_from(WANTED))
def test_the_most_precise_variant_is_found(languages: list[str], wanted: str) -> None:
    parts = SCRIPTS.get(wanted, wanted).split("-")
    meant = {SCRIPTS.get(tag, tag): tag for tag in sorted(languages, key=len, reverse=True)}
    found = languages[choose(languages, wanted)]
    if wanted in languages:
        assert found == wanted
        return
    for length in range(len(parts), 0, -1):
        shorter = "-".join(parts[:length])
        if shorter in meant:
            assert found == meant[shorter]
            return
        if wanted in ("pt", "en", "de", "zh", "zh-Hant", "zh-Hans") and any(tag.startswith(f"{wanted}-") for tag in meant):
            assert SCRIPTS.get(found, found).startswith(f"{wanted}-")
            return
    assert found == languages[0]


def test_parts_that_are_not_translated_are_the_defaults() -> None:
    german = for_reader(draft({"de": {"subject": "Hallo"}}), "de-CH")
    assert (german.language, german.parts) == ("de", {**PARTS, "subject": "Hallo"})


async def test_translations_are_changed_one_by_one(conn: Connection, actor: Actor) -> None:
    made = await create_content(conn, actor, REGISTRY, draft({"pt_br": {"subject": "Olá", "html": "<p>Olá</p>"}, "de": {}}))
    assert made.translations == {"de": {}, "pt-BR": {"subject": "Olá", "html": "<p>Olá</p>"}}

    changes = {"pt-br": {"html": None}, "de": {"subject": "Hallo"}, "fr": {"subject": "Salut"}}
    await update_content(conn, actor, REGISTRY, made.id, {"translations": changes})
    await update_content(conn, actor, REGISTRY, made.id, {"translations": {"fr": None}})

    content = await get_content(conn, made.id)
    assert content.translations == {"de": {"subject": "Hallo"}, "pt-BR": {"subject": "Olá"}}
    assert content.parts == PARTS
    kept = await conn.fetchval("SELECT changes FROM audit_entry WHERE action = 'content.update' ORDER BY id LIMIT 1")
    assert kept["parts"] == ["de.subject", "fr.subject", "pt-BR.html"]


async def test_a_change_gives_each_language_once(conn: Connection, actor: Actor) -> None:
    made = await create_content(conn, actor, REGISTRY, draft({"pt-BR": {"subject": "Olá"}}))
    for first in ({"subject": "Oi"}, None):
        changes = {"pt_br": first, "pt-BR": {"html": "<p>Oi</p>"}}
        with pytest.raises(Invalid) as refused:
            await update_content(conn, actor, REGISTRY, made.id, {"translations": changes})
        assert (refused.value.code, refused.value.path) == ("LANGUAGE_TWICE", "translations.pt-BR")
    assert await get_content(conn, made.id) == made


def test_problems_of_a_translation_are_told_at_their_place_and_shared_ones_once() -> None:
    wrong = {
        "de": {"html": "<p>\n{{ profile.nam }}", "subjekt": "x"},
        "fr": {"subject": "{% if %}", "from_address": "nobody"},
        "it": {},
    }
    with pytest.raises(ContentInvalid) as refused:
        check_sendable(REGISTRY, draft(wrong))
    assert [(one.code, one.path) for one in refused.value.problems] == [
        ("UNKNOWN_PART", "translations.de.parts.subjekt"),
        ("UNKNOWN_VARIABLE", "translations.de.parts.html:2:4"),
        ("TEMPLATE_SYNTAX", "translations.fr.parts.subject:1:6"),
    ]
    assert [getattr(one, "excerpt", None) for one in refused.value.problems] == [
        None, "2 | {{ profile.nam }}\n       ^", "1 | {% if %}\n         ^",
    ]  # fmt: skip
    shared = ContentDraft(
        name="x", label="X", channel="email", parts={**PARTS, "subject": "{{ nope }}"}, translations={"de": {}, "fr": {}}
    )
    with pytest.raises(ContentInvalid) as refused:
        check_sendable(REGISTRY, shared)
    assert [one.path for one in refused.value.problems] == ["parts.subject:1:4"]


def test_a_part_that_the_channel_refuses_is_told_with_its_language() -> None:
    with pytest.raises(ContentInvalid) as refused:
        check_sendable(REGISTRY, draft({"fr": {"from_address": "nobody"}}))
    assert (refused.value.code, refused.value.path) == ("CONTENT_REFUSED", "translations.fr.parts.from_address")
