"""What one person would get, rendered by the same path as sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from channels.contract import Channel, Manifest, RecipientRow
from core.content.compile import FrozenContent, freeze, thaw, values
from core.content.dynamic import VARIANTS, unused
from core.content.expansion import expand_parts, expanded_content
from core.content.found_links import unused_settings
from core.content.insertions import PIXEL
from core.content.languages import for_reader, untranslated
from core.content.placements import NO_FRAGMENTS, Library
from core.content.records import Content, ContentDraft, ContentWarning, Preview
from core.content.review import missing_values, review, review_rendered
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
) -> Preview:
    """Render content for one profile; pure, and for a thread where it must not keep others waiting.

    `row_values` are what a ledger row would carry, `library` the fragments that are used; links show where they lead, and no
    visit of them counts. The variant is the one for `language`, else for that of the profile.

    Raises ContentInvalid, and Invalid (CONTENT_REFUSED) where the channel cannot use a part. What fails for
    this profile alone is a warning (RENDERING_FAILED) without parts.
    """
    original, content = content, for_reader(content, language or row_values.get("language"))
    frozen = freeze(
        content, channel.manifest, label=label, date=date, seed=seed, base_url=signer.base_url, zone=zone, hidden=False,
        library=library,
    )  # fmt: skip
    program = thaw(frozen, signer, channel)
    names = (*frozen.fields, VARIANTS) if frozen.dynamic else frozen.fields
    carried = {name: row_values.get(name) for name in names}  # as a ledger row: nothing else can be shown
    row = RecipientRow(address=address, identity=NOBODY, values=values(frozen, carried))
    warnings = [*_review(content, channel.manifest, library, row_values), *unused(content.dynamic, frozen.dynamic)]
    warnings += untranslated(original, content.language)
    warnings += unused_settings(expanded_content(original, channel.manifest, library))
    try:
        sent = program.parts(row)
        shown = thaw(_without_pixel(frozen), _showing(signer), channel).parts(row)
    except RenderError as error:
        failed = ContentWarning(code="RENDERING_FAILED", message=str(error), part=error.template, line=error.line)
        return Preview(language=content.language, subject=None, html=None, text=None, warnings=(failed, *warnings))
    warnings += review_rendered(sent.subject, sent.html, sent.text)
    return Preview(language=content.language, subject=shown.subject, html=shown.html, text=shown.text, warnings=tuple(warnings))


def _review(
    content: Content | ContentDraft, manifest: Manifest, library: Library, row_values: Mapping[str, Any]
) -> list[ContentWarning]:
    """Warnings about what was written, at their places in it."""
    expanded = expand_parts(content.parts, content.dynamic, manifest, library)
    whole = replace(content, parts=expanded.parts)
    found = [*review(whole, manifest), *missing_values(whole, manifest, row_values)]
    return list(dict.fromkeys(map(expanded.warning, found)))


def _showing(signer: TokenSigner) -> TokenSigner:
    """One that writes where links lead in the place of tracked addresses, so that looking at a preview records nothing."""
    return TokenSigner(signer.base_url, signer.key, show_targets=True)


def _without_pixel(frozen: FrozenContent) -> FrozenContent:
    blank = PIXEL.replace("{% open_pixel_url %}", _BLANK_IMAGE)
    return replace(frozen, parts={name: source.replace(PIXEL, blank) for name, source in frozen.parts.items()})
