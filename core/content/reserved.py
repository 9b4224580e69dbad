"""Tags and names that authors must leave to us."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.content.errors import TemplateProblem
from core.content.liquid import Span, SpanKind, place, spans
from core.content.personalization import OURS

TAGS = frozenset({"link", "endlink", "open_pixel_url", "fragment", "endfragment"})  # written when a delivery is prepared
_PLAIN = "Write a plain address; links and pixel get their tags when the delivery is prepared."
_NAMES = re.compile(r"-?\s*(?:liquid\s+)*(?:assign|for|capture|tablerow|increment|decrement)\s+['\"]?([\w-]+)")


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
        markup = source[span.start + 2 : span.end - 2]
        for line in markup.split("\n") if span.name == "liquid" else [markup]:
            named = _NAMES.match(line)
            if named is not None and named[1] in OURS:
                yield _problem(
                    source, span, part, "RESERVED_NAME", f"the name {named[1]!r} belongs to Clarion", "Choose another name.",
                )  # fmt: skip


def _problem(source: str, span: Span, part: str, code: str, message: str, hint: str) -> TemplateProblem:
    line, column = place(source, span.start)
    return TemplateProblem(message, code=code, part=part, line=line, column=column, hint=hint)
