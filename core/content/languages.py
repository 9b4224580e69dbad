"""Content in several languages: tags of BCP 47, and the variant in each. Who gets which, `readers` says."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from babel.core import Locale, UnknownLocaleError, parse_locale

from core.content.readers import choose
from core.content.records import Content, ContentDraft, ContentWarning
from core.errors import Invalid
from core.profiles.values import language_tag

MAX_LANGUAGES = 40
LONGEST_TAG = 35  # characters, as in profiles
_SHAPE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
SEEN_PARTS = ("subject", "preheader", "html", "text")  # those whose words readers see

Draft = TypeVar("Draft", Content, ContentDraft)


def check_language(tag: str, path: str = "language") -> str:
    """The tag in the casing of RFC 5646. Raises Invalid (BAD_LANGUAGE) for what is no tag, and what the CLDR does not know."""
    written = tag.replace("_", "-")
    try:
        if not _SHAPE.fullmatch(written) or len(written) > LONGEST_TAG:
            raise ValueError
        Locale.parse(parse_locale(written, sep="-")[0])
    except (ValueError, UnknownLocaleError):
        raise Invalid(
            f"{tag[:LONGEST_TAG]!r} is not a language", code="BAD_LANGUAGE", path=path, hint="Use BCP 47, such as fr or pt-BR.",
        ) from None  # fmt: skip
    return language_tag(written)


def with_checked_languages(draft: ContentDraft) -> ContentDraft:
    """The draft with its tags in their one form. Raises Invalid (BAD_LANGUAGE, LANGUAGE_TWICE, TOO_MANY_LANGUAGES)."""
    language = check_language(draft.language)
    translations: dict[str, Mapping[str, str]] = {}
    for tag, parts in draft.translations.items():
        checked = check_language(tag, f"translations.{tag[:LONGEST_TAG]}")
        if checked == language:
            raise given_twice(checked, "The parts themselves are of the default language: take its translation out.")
        if checked in translations:
            raise given_twice(checked)
        translations[checked] = parts
    if len(translations) >= MAX_LANGUAGES:
        raise Invalid(f"content has at most {MAX_LANGUAGES} languages", code="TOO_MANY_LANGUAGES", path="translations")
    return replace(draft, language=language, translations=dict(sorted(translations.items())))


def with_changed_translations(draft: ContentDraft, changes: Mapping[str, Mapping[str, str | None] | None]) -> ContentDraft:
    """The draft with the translations given: their parts merged, None takes a part or a whole translation out.

    Raises Invalid (BAD_LANGUAGE, LANGUAGE_TWICE).
    """
    translations: dict[str, Any] = dict(draft.translations)
    seen: set[str] = set()
    for tag, parts in changes.items():
        known = check_language(tag, f"translations.{tag[:LONGEST_TAG]}")
        if known in seen:
            raise given_twice(known)
        seen.add(known)
        if parts is None:
            translations.pop(known, None)
            continue
        merged = {**translations.get(known, {}), **parts}
        translations[known] = {name: source for name, source in merged.items() if source is not None}
    return replace(draft, translations=translations)


def given_twice(tag: str, hint: str = "Give each language once.") -> Invalid:
    """The error of a language that is there already (LANGUAGE_TWICE)."""
    return Invalid(f"{tag} was given twice", code="LANGUAGE_TWICE", path=f"translations.{tag}", hint=hint)


def variants(content: Draft) -> list[Draft]:
    """The content in each of its languages: that of its own parts first, the others in the order of their tags."""
    return [in_language(content, tag) for tag in languages_of(content)]


def languages_of(content: Content | ContentDraft) -> list[str]:
    """The tags of the variants, the default first."""
    return [content.language, *sorted(content.translations)]


def in_language(content: Draft, tag: str) -> Draft:
    """The variant in one of its languages; parts that are not translated are the default's."""
    parts = {**content.parts, **content.translations.get(tag, {})}
    return replace(content, language=tag, parts=parts, translations={})


def for_reader(content: Draft, wanted: str | None) -> Draft:
    """The variant that somebody of this language gets."""
    languages = languages_of(content)
    return in_language(content, languages[choose(languages, wanted)])


def located(problem: Invalid, language: str, translated: Container[str]) -> Invalid:
    """A problem of a variant at its place in the content; parts that are not translated keep theirs."""
    path = problem.path or ""
    head, _, rest = path.partition(".")
    if head == "parts" and rest.partition(":")[0] in translated:
        problem.path = f"translations.{language}.{path}"
    return problem


def untranslated(content: Content | ContentDraft, language: str) -> list[ContentWarning]:
    """A warning for each part that readers of this language see in another."""
    if language == content.language:
        return []
    own = content.translations.get(language, {})
    return [
        ContentWarning(
            code="NOT_TRANSLATED",
            message=f"the {name} is not translated into {language}; it is sent in {content.language}",
            hint=f"Translate it, or leave it: readers of {language} see it as it is.",
            part=name,
            language=language,
        )
        for name in SEEN_PARTS
        if content.parts.get(name, "").strip() and name not in own
    ]
