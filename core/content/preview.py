"""What one person would get, rendered by the same path as sending."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from html import escape
from typing import Any

from channels.contract import Channel, Program, RecipientRow, RenderedParts
from core.content.compile import freeze, thaw, values
from core.content.records import Content, ContentDraft, ContentWarning, Preview
from core.content.review import missing_values, review, review_rendered
from render_ext import Identity, RenderError, TokenKind, TokenSigner, verify

NOBODY = Identity(delivery_id=0, recipient_kind=1, recipient_id=0)
_BLANK_IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def preview(
    content: Content | ContentDraft,
    channel: Channel,
    signer: TokenSigner,
    *,
    row_values: Mapping[str, Any],
    address: str,
    date: datetime,
    label: str = "Preview",
    seed: str = "preview",
    locale: str = "en",
    zone: str = "UTC",
) -> Preview:
    """Render content for one profile. Links show where they lead, and no visit of them counts.

    Raises ContentInvalid, and Invalid (CONTENT_REFUSED) where the channel cannot use a part. What fails for
    this profile alone is a warning (RENDERING_FAILED) without parts.
    """
    frozen = freeze(
        content, channel.manifest, label=label, date=date, seed=seed,
        base_url=signer.base_url, locale=locale, zone=zone, hidden=False,
    )  # fmt: skip
    program = thaw(frozen, signer, channel)
    row = RecipientRow(address=address, identity=NOBODY, values=values(frozen, row_values))
    warnings = review(content, channel.manifest)
    warnings += missing_values(content, channel.manifest, row_values)
    try:
        parts = program.parts(row)
    except RenderError as error:
        failed = ContentWarning(code="RENDERING_FAILED", message=str(error), part=error.template, line=error.line)
        return Preview(subject=None, html=None, text=None, warnings=(failed, *warnings))
    warnings += review_rendered(parts.subject, parts.html, parts.text)
    return _with_targets(parts, program, row, signer, warnings)


def _with_targets(
    parts: RenderedParts,
    program: Program,
    row: RecipientRow,
    signer: TokenSigner,
    warnings: list[ContentWarning],
) -> Preview:
    html = parts.html and _untracked(parts.html, signer, _target(program, row, in_html=True))
    text = parts.text and _untracked(parts.text, signer, _target(program, row, in_html=False))
    return Preview(subject=parts.subject, html=html, text=text, warnings=tuple(warnings))


def _target(program: Program, row: RecipientRow, *, in_html: bool) -> Callable[[int, int], str]:
    def find(link: int, occurrence: int) -> str:
        target = program.link_target(row, link, occurrence) or "#"
        return escape(target) if in_html else target

    return find


def _untracked(rendered: str, signer: TokenSigner, target: Callable[[int, int], str]) -> str:
    """Put the targets in the place of tracked addresses, so that looking at a preview records nothing."""
    address = re.compile(re.escape(signer.base_url.rstrip("/")) + r"/[a-z]/([A-Za-z0-9_-]+)")

    def replace(match: re.Match[str]) -> str:
        token = verify(match[1], {signer.key.key_id: signer.key})
        if token is None or token.identity != NOBODY:
            return match[0]
        if token.kind is TokenKind.CLICK:
            return target(token.link, token.link_occurrence)
        return _BLANK_IMAGE if token.kind is TokenKind.OPEN else "#"

    return address.sub(replace, rendered)
