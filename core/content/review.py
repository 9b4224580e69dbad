"""What an author should know of content that could be sent: told when it is saved, previewed and prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from channels.contract import Manifest
from core.content.checks import findings
from core.content.checks.part import CheckedContent
from core.content.checks.size import CLIPPED_BYTES, clipped
from core.content.errors import ContentInvalid, TemplateProblem
from core.content.links import MOST_TOLD
from core.content.personalization import FIELDS
from core.content.records import Content, ContentDraft, ContentWarning, DynamicContent, DynamicVariant, WarningLevel
from core.content.validate import check_content, compile_part
from core.errors import Invalid


def review(content: Content | ContentDraft, manifest: Manifest) -> list[ContentWarning]:
    """What there is to say about the sources, whoever the recipient is: the first MOST_TOLD, in the order of the parts.

    The content must be valid.
    """
    checked = CheckedContent(
        content.parts, content.data, manifest, inline_css=content.inline_css, elsewhere=tuple(_elsewhere(content))
    )
    found = [one for part in checked.parts if part.is_html for one in part.built.warnings]
    found += findings(checked)
    order = {part.name: number for number, part in enumerate(checked.parts)}
    found.sort(key=lambda one: (order.get(one.part or "", -1), one.line or 0, one.column or 0))
    return list(islice(dict.fromkeys(found), MOST_TOLD))  # MJML writes some things several times


def review_saved(content: Content, manifest: Manifest) -> list[ContentWarning]:
    """The same of content that was valid when it was saved: where it no longer is, what is wrong."""
    try:
        check_content(content.parts, content.data, manifest, inline_css=content.inline_css)
    except ContentInvalid as invalid:
        return [_as_told(problem) for problem in invalid.problems]
    return review(content, manifest)


def _elsewhere(content: Content | ContentDraft) -> Iterator[str]:
    """Liquid that does not stand in a part and gets into one."""
    for place in content.dynamic:
        variants: tuple[DynamicContent | DynamicVariant, ...] = (place, *place.variants)
        for one in variants:
            yield from (one.html, one.text or "")
    yield from content.campaign_parameters.parameters.values()


def _as_told(problem: Invalid) -> ContentWarning:
    told = ContentWarning(code=problem.code, message=problem.message, level=WarningLevel.ERROR, hint=problem.hint)
    if isinstance(problem, TemplateProblem):
        return replace(told, part=problem.part, line=problem.line, column=problem.column)
    where, _, part = (problem.path or "").partition(".")
    return replace(told, part=part if where == "parts" else None)


def missing_values(
    content: Content | ContentDraft, manifest: Manifest, row_values: Mapping[str, Any]
) -> Iterator[ContentWarning]:
    """One warning for every profile field that is read and empty for this recipient, at its first place."""
    seen: set[str] = set()
    for field in manifest.content:
        source = content.parts.get(field.name, "")
        if not field.template or not source.strip():
            continue
        for variable in compile_part(field.name, source, tracking=manifest.capabilities.tracking).variables:
            name = variable.path[1] if variable.path[0] == "profile" else ""
            if name in FIELDS and name not in seen and row_values.get(name) in (None, ""):
                seen.add(name)
                yield ContentWarning(
                    code="MISSING_VALUE",
                    message=f"{name} is empty for this profile",
                    hint=f'Write {{{{ profile.{name} | default: "…" }}}} where others may have nothing either.',
                    part=field.name,
                    line=variable.line,
                    column=variable.column,
                )


def review_rendered(subject: str | None, html: str | None, text: str | None) -> Iterator[ContentWarning]:
    """Warnings about one finished message; None stands for a part that the channel has not."""
    if subject is not None and not subject.strip():
        hint = "Write words that everybody gets, a default, or an else."
        yield ContentWarning(code="EMPTY_SUBJECT", message="the subject is empty", hint=hint, part="subject")
    size = len(html.encode()) if html is not None else 0
    if size > CLIPPED_BYTES:
        yield clipped(size, "html")
    if text is not None and not text.strip():
        hint = "Write words that everybody gets, or leave the text part out: one is made from the HTML."
        yield ContentWarning(code="EMPTY_TEXT", message="the text part is empty", hint=hint, part="text")
