"""Tags and names that authors must leave to us."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.errors import TemplateProblem
from core.content.liquid import Span, SpanKind, place, spans
from core.content.liquid_names import bound_by
from core.content.personalization import HOUSE_NAMES

TAGS = frozenset({"link", "endlink", "open_pixel_url", "fragment", "endfragment"})  # written when a delivery is prepared
_PLAIN = "Write a plain address; links and pixel get their tags when the delivery is prepared."


def reserved_words(source: str, part: str) -> Iterator[TemplateProblem]:
    """A link number of an author's own would lead somewhere else; a `profile` of their own would hide what is read of ours."""
    for span in spans(source):
        if span.kind is not SpanKind.TAG:
            continue
        if span.name in TAGS:
            yield _problem(
                source, span, part, "RESERVED_TAG", f"the tag {span.name!r} is written by Clarion itself",
                'Write {% render "name" %}.' if span.name.endswith("fragment") else _PLAIN,
            )  # fmt: skip
        for name in bound_by(source, span):
            if name in HOUSE_NAMES:
                message = f"the name {name!r} belongs to Clarion"
                yield _problem(source, span, part, "RESERVED_NAME", message, "Choose another name.")


def _problem(source: str, span: Span, part: str, code: str, message: str, hint: str) -> TemplateProblem:
    line, column = place(source, span.start)
    return TemplateProblem(message, code=code, part=part, line=line, column=column, hint=hint)
