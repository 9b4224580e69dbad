"""The links of content as they are written, for whoever sets how each is tracked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from channels.contract import Manifest
from core.content.addresses import AddressKind, BadAddress, examine
from core.content.building import build_html
from core.content.errors import TemplateProblem
from core.content.expansion import expand_parts
from core.content.languages import variants
from core.content.link_settings import LinkRules
from core.content.links import LinkPlace, html_places, text_places
from core.content.liquid import place
from core.content.placements import Library
from core.content.records import Content, ContentDraft, ContentWarning, FoundLink, TrackingMode
from core.content.suggestions import nearest


def found_links(content: Content | ContentDraft, manifest: Manifest, library: Library) -> list[FoundLink]:
    """Every link of all languages, fragments and dynamic content, in order; what languages share is told once."""
    rules = LinkRules.of(content)
    first: dict[FoundLink, FoundLink] = {}
    for language, one, written in _found(content, manifest, library):
        link = _link(one, rules, language, *written)
        own = link.part in content.translations.get(language, {})
        first.setdefault(link if own else replace(link, language=content.language), link)
    return list(first.values())


def unused_settings(content: Content | ContentDraft, manifest: Manifest, library: Library) -> list[ContentWarning]:
    """A warning for each setting whose address is nowhere in the content, with the address that was probably meant."""
    if not content.links:
        return []
    urls = dict.fromkeys(found.url.strip() for _, found, _ in _found(content, manifest, library))
    warnings = []
    for one in content.links:
        if one.url.strip() not in urls:
            near = nearest(one.url, urls)
            hint = (
                f"Did you mean {near!r}?" if near else "Write the address as it stands in the content, or take the setting out."
            )
            message = f"no link leads to {one.url[:200]!r}, so what is set for it does nothing"
            warnings.append(ContentWarning(code="LINK_SETTINGS_UNUSED", message=message, hint=hint))
    return warnings


def _found(
    content: Content | ContentDraft, manifest: Manifest, library: Library
) -> Iterator[tuple[str, LinkPlace, tuple[str, int, int]]]:
    """Language, link, and where it was written: part, line and column."""
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
                    yield variant.language, found, expanded.place(part, *place(source, found.start))
                continue
            try:
                built = build_html(source, inline=False)
            except TemplateProblem:  # its check has told so
                continue
            for found in html_places(built.plain):
                at = built.source_place(*place(built.plain, found.start))
                yield variant.language, found, expanded.place(part, *at)


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
