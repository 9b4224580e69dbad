"""The links of content as they are written, for whoever sets how each is tracked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from channels.contract import Manifest
from core.content.building import build_html
from core.content.checks import MOST_OF_ONE
from core.content.errors import TemplateProblem
from core.content.expansion import expand_parts
from core.content.languages import variants
from core.content.links.addresses import AddressKind, BadAddress, examine
from core.content.links.rewriting import LinkPlace, html_places, text_places
from core.content.links.settings import LinkRules, address_key
from core.content.liquid import Lines
from core.content.origins import Authored
from core.content.placements import Library
from core.content.records import Content, ContentDraft, ContentWarning, FoundLink, LinkSettings, TrackingMode
from core.content.suggestions import nearest


def found_links(content: Content | ContentDraft, manifest: Manifest, library: Library) -> list[FoundLink]:
    """Every link of all languages, fragments and dynamic content, in order; what languages share is told once."""
    rules = LinkRules.of(content)
    first: dict[tuple[str, str, int, str, str | None], FoundLink] = {}
    lines: dict[Authored, Lines] = {}  # of each text once: there may be thousands of links in it
    for language, one, authored, offset in _found(content, manifest, library):
        own = authored.name in content.translations.get(language, {})
        at = 0 if authored.made else offset
        key = (language if own else "", authored.name, at, one.url, one.label)
        if key in first:
            continue
        if authored not in lines:
            lines[authored] = Lines(authored.source)
        first[key] = _link(one, rules, language, authored.name, *lines[authored].place(at))
    return list(first.values())


def unused_settings(content: Content | ContentDraft, manifest: Manifest, library: Library) -> list[ContentWarning]:
    """A warning for each setting whose address is nowhere in the content (the first ones), with what was probably meant."""
    unused = {address_key(one.url): one for one in content.links}
    urls: dict[str, None] = {}
    for _, found, _, _ in _found(content, manifest, library) if unused else ():
        urls[found.url.strip()] = None
        if unused.pop(address_key(found.url), None) and not unused:
            return []  # most often after the first language
    return [_unused(one, urls) for one in islice(unused.values(), MOST_OF_ONE)]


def _unused(one: LinkSettings, urls: Iterable[str]) -> ContentWarning:
    near = nearest(one.url, urls)
    return ContentWarning(
        code="LINK_SETTINGS_UNUSED",
        message=f"no link leads to {one.url[:200]!r}, so what is set for it does nothing",
        hint=f"Did you mean {near!r}?" if near else "Write the address as it stands in the content, or take the setting out.",
    )


def _found(
    content: Content | ContentDraft, manifest: Manifest, library: Library
) -> Iterator[tuple[str, LinkPlace, Authored, int]]:
    """Language, link, and where it was written: the text and the offset in it."""
    seen: set[tuple[str, str]] = set()
    for variant in variants(content):
        expanded = expand_parts(variant.parts, variant.dynamic, manifest, library)
        for part in ("html", "text"):
            source = expanded.parts.get(part, "")
            if (part, source) in seen:
                continue
            seen.add((part, source))
            if part == "text":
                for found in text_places(source):
                    yield variant.language, found, *expanded.origin(part, found.start)
                continue
            try:
                built = build_html(source, inline=False)
            except TemplateProblem:  # its check has told so
                continue
            for found in html_places(built.plain):
                yield variant.language, found, *expanded.origin(part, built.source_offset(found.start))


def _link(found: LinkPlace, rules: LinkRules, language: str, part: str, line: int, column: int) -> FoundLink:
    settings = rules.about(found.url)
    mode: TrackingMode | None = settings.mode
    appended = False
    if mode is not TrackingMode.MIRROR:
        try:
            address = examine(found.url)
            mode = mode if address.kind is AddressKind.TRACK else None
            tracked = mode is not None and mode is not TrackingMode.NEVER
            appended = tracked and rules.target(settings, address.target) != address.target
        except BadAddress:
            mode = None
    return FoundLink(
        url=found.url.strip(),
        label=settings.label or found.label,
        category=settings.category,
        mode=mode,
        campaign_parameters=appended,
        language=language,
        part=part,
        line=line,
        column=column,
    )
