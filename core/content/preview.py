"""What one person would get, rendered by the same path as sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from channels.contract import Channel, Program, RecipientRow
from core.content.compile import SOME_LABEL, FrozenContent, carried_by, freeze, shared_values, thaw, values
from core.content.errors import ContentInvalid
from core.content.expansion import expand_parts
from core.content.failing import rendering_failed
from core.content.html.insertions import PIXEL
from core.content.inline_images import show_images
from core.content.languages import for_reader, untranslated
from core.content.placements import NO_FRAGMENTS, Library
from core.content.readable import EVENT, Readable
from core.content.records import Content, ContentDraft, ContentWarning, Preview
from core.content.review import missing_values, review, review_rendered, review_whole
from render_ext import Identity, RenderError, TokenSigner

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
    language: str | None = None,
    zone: str = "UTC",
    library: Library = NO_FRAGMENTS,
    files: Mapping[str, bytes] | None = None,
) -> Preview:
    """Render content for one profile; pure, and for a thread where it must not keep others waiting.

    `row_values` are what a ledger row would carry, `library` the fragments that are used, and the event, if there is one; links
    show where they lead, and no visit of them counts. The variant is the one for `language`, else for that of the profile.
    `files` are the bytes of inline images, by SHA-256; without, the HTML names them as the message does.

    Raises ContentInvalid, and Invalid (CONTENT_REFUSED) where the channel cannot use a part. What fails for
    this profile alone is a warning (RENDERING_FAILED) without parts.
    """
    original, content = content, for_reader(content, language or row_values.get("language"))
    frozen = freeze(
        content, channel.manifest, label=label, date=date, seed=seed, base_url=signer.base_url, zone=zone, hidden=False,
        library=library,
    )  # fmt: skip
    expanded = expand_parts(content.parts, content.dynamic, channel.manifest, library)
    try:
        program = thaw(frozen, signer, channel, shared=shared_values(replace(frozen, label=SOME_LABEL)))
    except ContentInvalid as refusal:
        raise ContentInvalid(expanded.refused(refusal.problems, frozen.parts)) from None
    carried = carried_by(frozen, row_values)  # as a ledger row: nothing else can be shown
    row = RecipientRow(address=address, identity=NOBODY, values=_with_event(values(frozen, carried), library.readable))
    warnings = review(content, channel.manifest, expanded, library.readable)
    warnings = [found for found in warnings if found.code != "HTML_CLIPPED"]  # its size is known here
    warnings += untranslated(original, content.language)
    warnings += review_whole(original, channel.manifest, library)
    warnings += missing_values(channel.manifest, expanded, row_values, library.readable)
    try:
        sent = program.parts(row)
        shown = showing(frozen, signer, channel).parts(row)
    except RenderError as error:
        return _shown(content, (rendering_failed(error, frozen, expanded, signer, row), *warnings))
    warnings += review_rendered(sent.subject, sent.html, sent.text)
    html = shown.html if shown.html is None or files is None else show_images(shown.html, content.attachments, files)
    return _shown(content, warnings, subject=shown.subject, html=html, text=shown.text)


def _with_event(seen: dict[str, Any], readable: Readable) -> dict[str, Any]:
    """A content's own data of that name comes first, as when it is checked."""
    held = readable.event.held if readable.event is not None else None
    return seen if held is None else {EVENT: held, **seen}


def _shown(
    content: Content | ContentDraft,
    warnings: Sequence[ContentWarning],
    *,
    subject: str | None = None,
    html: str | None = None,
    text: str | None = None,
) -> Preview:
    return Preview(
        language=content.language,
        subject=subject,
        html=html,
        text=text,
        warnings=tuple(warnings),
        attachments=content.attachments,
    )


def showing(frozen: FrozenContent, signer: TokenSigner, channel: Channel) -> Program:
    """A program to be looked at: it writes where links lead in the place of tracked addresses, so that nothing is recorded."""
    return thaw(_without_pixel(frozen), TokenSigner(signer.base_url, signer.key, show_targets=True), channel)


def _without_pixel(frozen: FrozenContent) -> FrozenContent:
    blank = PIXEL.replace("{% open_pixel_url %}", _BLANK_IMAGE)
    return replace(frozen, parts={name: source.replace(PIXEL, blank) for name, source in frozen.parts.items()})
