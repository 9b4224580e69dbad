"""What an author should look at although it would work: warnings of a preview and of a preparation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from channels.contract import Manifest
from core.content.building import build_html
from core.content.inline_images import unused
from core.content.link_settings import LinkRules
from core.content.links import MOST_TOLD, rewrite_html
from core.content.liquid import SpanKind, place, spans
from core.content.markup import Kind, read
from core.content.personalization import FIELDS
from core.content.records import Attachment, Content, ContentDraft, ContentWarning
from core.content.validate import BODIES, compile_part
from render_ext.attachments import encoded_size

CLIPPED_BYTES = 102 * 1024  # Gmail cuts longer HTML and hides the rest
HEAVY_BYTES = 10_000_000  # many mailboxes refuse larger messages


def review(content: Content | ContentDraft, manifest: Manifest) -> list[ContentWarning]:
    """Warnings about the sources, whoever the recipient is. The content must be valid."""
    built = build_html(content.parts.get("html", ""), inline=content.inline_css)
    found = list(built.warnings)
    if manifest.capabilities.tracking:
        found += [_no_unsubscribe(part) for part in BODIES if _lacks_unsubscribe(content.parts.get(part, ""))]
        found += map(built.warning, rewrite_html(built.plain, rules=LinkRules.of(content)).warnings)
    found += map(built.warning, islice(_markup(built.plain), MOST_TOLD))
    found += _files(content.attachments, built.plain)
    return found


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
                    part=field.name,
                    line=variable.line,
                    column=variable.column,
                )


def review_rendered(subject: str | None, html: str | None, text: str | None) -> Iterator[ContentWarning]:
    """Warnings about one finished message; None stands for a part that the channel has not."""
    if subject is not None and not subject.strip():
        yield ContentWarning(code="EMPTY_SUBJECT", message="the subject is empty", part="subject")
    if html is not None and len(html.encode()) > CLIPPED_BYTES:
        yield ContentWarning(
            code="HTML_CLIPPED",
            message=f"the HTML has {len(html.encode()) // 1024} KB; some mail readers cut it at 102 KB",
            part="html",
        )
    if text is not None and not text.strip():
        yield ContentWarning(code="EMPTY_TEXT", message="the text part is empty", part="text")


def _files(attachments: Sequence[Attachment], html: str) -> Iterator[ContentWarning]:
    for one in unused(html, attachments):
        yield ContentWarning(
            code="INLINE_IMAGE_UNUSED", message=f"nothing shows the image {one.name!r}; write cid:{one.content_id}", part="html"
        )
    size = sum(encoded_size(one.size) for one in attachments)
    if size > HEAVY_BYTES:
        text = f"with its files a message has {size // 1_000_000} MB; many mailboxes take no more than 10"
        yield ContentWarning(code="MESSAGE_HEAVY", message=text)


def _lacks_unsubscribe(source: str) -> bool:
    tags = (span.name for span in spans(source) if span.kind is SpanKind.TAG)
    return bool(source.strip()) and "unsubscribe_url" not in tags


def _no_unsubscribe(part: str) -> ContentWarning:
    return ContentWarning(
        code="NO_UNSUBSCRIBE_LINK",
        message=f"the {part} has no link to unsubscribe; write one with {{% unsubscribe_url %}}",
        part=part,
    )


def _markup(html: str) -> Iterator[ContentWarning]:
    for piece in read(html):
        if piece.kind is Kind.UNCLOSED:
            yield _at(html, piece.start, "HTML_UNCLOSED", "this is never closed; nothing after it is shown")
        elif piece.name == "img" and not any(found.name == "alt" for found in piece.attributes):
            yield _at(html, piece.start, "IMAGE_WITHOUT_ALT", "this image has no alt text")


def _at(html: str, offset: int, code: str, message: str) -> ContentWarning:
    line, column = place(html, offset)
    return ContentWarning(code=code, message=message, part="html", line=line, column=column)
