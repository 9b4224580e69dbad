"""Images that HTML shows out of the message itself (`cid:`): where it names them, and how pages show them."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from core.content.errors import MOST_TOLD, TemplateProblem
from core.content.html.markup import Kind, read
from core.content.liquid import place
from core.content.records import Attachment
from core.content.suggestions import nearest

_ID = r"([A-Za-z0-9][A-Za-z0-9._+@-]*)"
_REFERENCE = re.compile(rf"(?<![\w.+-])cid:{_ID}", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.+-])cid:((?:[A-Za-z0-9][A-Za-z0-9._+@-]*+)?)({{|{%-?+\s*+(?!end|els|when))?", re.IGNORECASE)
_TAG = re.compile(r"""<[A-Za-z](?>[^<>"']|"[^"<]*"|'[^'<]*'|["'])*+>""")
_STYLE = re.compile(rf"(?<=url\()(\s{{0,9}}[\"']?)cid:{_ID}", re.IGNORECASE)


def references(html: str) -> Iterator[tuple[int, str]]:
    """The content ids that the attributes and style sheets of a template name, each with its offset.

    Left out are those that Liquid goes on with, as in `cid:logo-{{ data.brand }}`: a message alone knows their names.
    """
    return ((offset, name) for offset, name, goes_on in _names(html) if name and not goes_on)


def _names(html: str) -> Iterator[tuple[int, str, bool]]:
    """What is written of content ids: offset, name, and whether Liquid goes on with it."""
    for piece in read(html):
        if piece.kind is Kind.RAW_TEXT and piece.name == "style":
            spans = [(piece.start, piece.end)]
        elif piece.kind is Kind.START:
            spans = [(one.start, one.end) for one in piece.attributes if one.start >= 0 and one.name not in ("alt", "title")]
        else:
            continue
        for start, end in spans:
            for found in _NAME.finditer(html, start, end):
                yield found.start(), found[1], found[2] is not None


def check_references(html: str, known: Collection[str]) -> list[TemplateProblem]:
    """One problem for each image that the message does not carry (the first MOST_TOLD of them)."""
    missing = ((offset, name) for offset, name in references(html) if name not in known)
    return [_unknown(html, offset, name, known) for offset, name in islice(missing, MOST_TOLD)]


def unused(html: str, attachments: Sequence[Attachment]) -> list[Attachment]:
    """Inline images that the HTML cannot show."""
    named, begun = set(), []
    for _, name, goes_on in _names(html):
        named.add(name)
        if goes_on:
            begun.append(name)
    ids = [(one, one.content_id) for one in attachments if one.content_id is not None]
    return [one for one, name in ids if name not in named and not name.startswith(tuple(begun))]


def show_images(html: str, attachments: Sequence[Attachment], files: Mapping[str, bytes]) -> str:
    """Rendered HTML for a page, the images within it: a browser has no message to look them up in."""
    uris = {one.content_id: _data_uri(one, files[one.sha256]) for one in attachments if one.content_id is not None}
    if not uris:
        return html
    html = _TAG.sub(lambda tag: _REFERENCE.sub(lambda found: uris.get(found[1], found[0]), tag[0]), html)
    return _STYLE.sub(lambda found: found[1] + uris[found[2]] if found[2] in uris else found[0], html)


def _data_uri(one: Attachment, content: bytes) -> str:
    kind = one.media_type.partition(";")[0]
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _unknown(html: str, offset: int, name: str, known: Collection[str]) -> TemplateProblem:
    line, column = place(html, offset)
    near = nearest(name, known)
    hint = f"Did you mean cid:{near}?" if near else "Attach the image with this content id."
    return TemplateProblem(
        f"the message carries no image {name[:80]!r}",
        code="INLINE_IMAGE_UNKNOWN",
        part="html",
        line=line,
        column=column,
        hint=hint,
    )
