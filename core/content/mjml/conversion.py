"""MJML into HTML, with Liquid and everything that an author wrote out left as it is."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from mjml import mjml2html

from core.content.errors import TemplateProblem
from core.content.liquid import place
from core.content.mjml.copying import Copy, Rule
from core.content.mjml.source import copy_of

_POSITION = re.compile(r" in root template(?: at position (\d+):\d+)?")


@dataclass(frozen=True, slots=True)
class Converted:
    """HTML made from MJML."""

    html: str
    styles: tuple[str, ...]  # style sheets to be written into the elements: `<mj-style inline="inline">`
    source: str
    origins: tuple[tuple[int, int, int], ...]  # what came over as it was: start and end in the HTML, start in the source
    root: int = 0  # where `<mjml>` stands in the source

    def origin(self, offset: int) -> int:
        """Where in the source a place of the HTML comes from; for what MJML made, the root."""
        index = bisect_right(self.origins, offset, key=lambda origin: origin[0]) - 1
        if index >= 0:
            start, end, origin = self.origins[index]
            if offset <= end:
                return origin + offset - start
        if index + 1 < len(self.origins) and self.origins[index + 1][0] < self.html.find(">", offset):
            return self.origins[index + 1][2]  # the place is a tag, and something in the tag was written by the author
        return self.root


def convert(source: str, part: str = "html") -> Converted:
    """Raises TemplateProblem, with its place in the source."""
    copy = copy_of(source, part)
    try:
        made = mjml2html("".join(copy.text))
    except ValueError as error:
        raise _refused(source, copy, str(error), part) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _refused(source, copy, "it fails on this source", part) from None
    _check_kept(source, copy, made, part)
    html = [copy.before]
    size = len(copy.before)
    origins = []
    position = 0
    for found in copy.tokens.pattern.finditer(made):
        kept, text = copy.kept[int(found[1])], copy.tokens.kept[int(found[1])]
        html += [made[position : found.start()], text]
        size += found.start() - position
        origins.append((size, size + len(text), kept.start))
        size += len(text)
        position = found.end()
    html += [made[position:], copy.after]
    return Converted("".join(html), tuple(copy.styles), source, tuple(origins), copy.root)


def _check_kept(source: str, copy: Copy, made: str, part: str) -> None:
    """That every token came back as often as it may, and Liquid between components in its order."""
    found = copy.tokens.within(made)
    counts = [0] * len(copy.kept)
    for number in found:
        counts[number] += 1
    for kept, count in zip(copy.kept, counts, strict=True):
        if kept.rule is not Rule.ANY and count == 0:
            hint = "MJML computes with this attribute, or has none of this name: write a plain value, or leave it out."
            raise _problem(source, kept.start, "MJML_LOST", f"{kept.where} does not reach the HTML", hint, part)
        if kept.rule is Rule.ONCE and count > 1:
            raise _problem(source, kept.start, "MJML_REPEATED", f"MJML repeats {kept.where}", "Move it elsewhere.", part)
    order = [number for number in found if copy.kept[number].between]
    for before, after in pairwise(order):
        if after < before:
            kept = copy.kept[after]
            raise _problem(source, kept.start, "MJML_MOVED", f"MJML moves {kept.where}", "Move it to where it ends up.", part)


def _refused(source: str, copy: Copy, message: str, part: str) -> TemplateProblem:
    found = _POSITION.search(message)
    at = 0
    if found and found[1]:
        index = bisect_right(copy.origins, int(found[1]), key=lambda origin: origin[0]) - 1
        at = copy.origins[max(index, 0)][1]
    told = _POSITION.sub("", message)
    return _problem(source, at, "MJML_SYNTAX", f"MJML cannot read this: {told}", "Compare it with the reference of MJML.", part)


def _problem(source: str, at: int, code: str, message: str, hint: str, part: str) -> TemplateProblem:
    line, column = place(source, at)
    return TemplateProblem(message, code=code, part=part, line=line, column=column, hint=hint)
