"""Finds the links of a message and numbers them: `href="…"` becomes `href="{% link 3 %}…{% endlink %}"`.

Only the values of links change; everything else stays byte for byte as it was written. Numbers start at 1 and
follow the order in the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from core.content.addresses import AddressKind, BadAddress, examine
from core.content.errors import TemplateProblem
from core.content.liquid import SpanKind, balanced_prefix, mask, pieces, place, spans
from core.content.markup import Attribute, Kind, Piece, decode_attribute, read, unescaped
from core.content.records import ContentWarning, TrackedLink

MAX_LINKS = 9_000
LABEL_LENGTH = 100
MOST_TOLD = 100  # problems and warnings of one part, problems of all parts; the rest is for after these are mended
_BARE = re.compile(r"(?<![\w{])https?://[^\s<>\"]+", re.IGNORECASE)
_TRAILING = ".,;:!?'\"»”’*_~"
_HOST_ENDS = re.compile(r"[/?#]")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A part with its links numbered, and what was found on the way."""

    source: str
    links: tuple[TrackedLink, ...] = ()  # those that got their number here
    numbers: Mapping[str, int] = field(default_factory=dict)  # by target, the first of each
    problems: tuple[TemplateProblem, ...] = ()
    warnings: tuple[ContentWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an address stands in a part."""

    start: int
    end: int
    url: str  # entities decoded
    label: str | None
    conditional: bool


def rewrite_html(source: str, *, part: str = "html") -> Rewritten:
    """Number the links of an HTML part: `<a>`, `<area>`, and Outlook's shapes in conditional comments."""
    return _rewrite(source, list(_places(source)), part=part, numbers=_Numbers(1, {}, share=False))


def rewrite_text(source: str, *, part: str = "text", first: int = 1, known: Mapping[str, int] | None = None) -> Rewritten:
    """Number the bare web addresses of a text part from `first`; one that is `known` keeps its number."""
    numbers = _Numbers(first, known or {}, share=True)
    return _rewrite(source, list(_bare_places(source)), part=part, numbers=numbers)


def _rewrite(source: str, places: list[_Place], *, part: str, numbers: _Numbers) -> Rewritten:
    written: list[str] = []
    problems: list[TemplateProblem] = []
    warnings: list[ContentWarning] = []
    position = 0
    for found in places:
        if len(problems) + len(warnings) >= MOST_TOLD:
            break
        try:
            address = examine(found.url)
        except BadAddress as error:
            problems.append(_problem(source, found.start, part, error.code, error.message, error.hint))
            continue
        if address.kind is AddressKind.RELATIVE:
            warnings.append(_relative(source, found, part))
        elif address.kind is AddressKind.TRACK:
            number = numbers.give(address.target, found, part)
            written += [
                source[position : found.start],
                f"{{% link {number} %}}{address.target}{{% endlink %}}",
            ]
            position = found.end
    written.append(source[position:])
    if numbers.next > MAX_LINKS:
        hint = "Split the message, or leave repeated links out."
        problems.append(_problem(source, 0, part, "TOO_MANY_LINKS", f"more than {MAX_LINKS} links", hint))
    return Rewritten(
        source="".join(written),
        links=tuple(numbers.links),
        numbers=dict(numbers.known),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


class _Numbers:
    """Gives numbers to links. `share`: equal addresses get equal numbers."""

    def __init__(self, first: int, known: Mapping[str, int], *, share: bool):
        self.next = first
        self.known = dict(known)
        self.share = share
        self.links: list[TrackedLink] = []

    def give(self, target: str, found: _Place, part: str) -> int:
        if self.share and target in self.known:
            return self.known[target]
        number = self.next
        self.next += 1
        self.known.setdefault(target, number)
        self.links.append(
            TrackedLink(
                number=number,
                url=found.url.strip(),
                label=found.label,
                part=part,
                conditional=found.conditional,
            )
        )
        return number


def _places(source: str) -> Iterator[_Place]:
    found = list(read(source))
    for index, piece in enumerate(found):
        if piece.kind is not Kind.START or not _may_link(piece):
            continue
        for attribute in _addresses(source, piece):
            value = _decode(source[attribute.start : attribute.end])
            label = _label(source, found, index)
            yield _Place(attribute.start, attribute.end, value, label, piece.conditional)


def _may_link(piece: Piece) -> bool:
    return piece.name in ("a", "area") or (piece.conditional and piece.name.startswith("v:"))


def _addresses(source: str, piece: Piece) -> list[Attribute]:
    """The one `href` that counts; all of them where Liquid decides within the tag which one is there."""
    every = [found for found in piece.attributes if found.name == "href" and found.start >= 0]
    blocks = any(span.kind is SpanKind.TAG for span in spans(source[piece.start : piece.end]))
    return every if blocks else every[:1]


def _decode(value: str) -> str:
    """An attribute's value as an address: entities decoded, braces that are no Liquid encoded."""
    kept = []
    for piece, span in pieces(value):
        kept.append(decode_attribute(piece).replace("{", "%7B").replace("}", "%7D") if span is None else piece)
    return "".join(kept)


def _label(source: str, found: list[Piece], index: int) -> str | None:
    """What the reader sees of a link: its text, else the description of its image."""
    words: list[str] = []
    own = found[index].find("alt") or found[index].find("title")
    for piece in found[index + 1 : index + 60] if found[index].name == "a" else []:
        if piece.name == "a" and piece.kind in (Kind.START, Kind.END):
            break
        alt = piece.find("alt") if piece.kind is Kind.START else None
        if piece.kind is Kind.TEXT:
            words.append(source[piece.start : piece.end])
        elif alt is not None:
            words.append(source[alt.start : alt.end])
    if not "".join(words).strip() and own is not None:
        words = [source[own.start : own.end]]
    return " ".join(unescaped(" ".join(words)).split())[:LABEL_LENGTH] or None


def _bare_places(source: str) -> Iterator[_Place]:
    masked = mask(source)
    for match in _BARE.finditer(masked):
        end = _bare_end(source, masked, match.start(), match.end())
        if end > match.start():
            yield _Place(match.start(), end, source[match.start() : end], None, False)


def _bare_end(source: str, masked: str, start: int, end: int) -> int:
    """Where an address in running text ends: before punctuation, and before blocks that it did not open."""
    end = start + balanced_prefix(source[start:end])
    host = masked.index("//", start) + 2
    for span in spans(source[start:end]):
        if span.kind is SpanKind.TAG and start + span.start > host and not _HOST_ENDS.search(masked, host, start + span.start):
            end = start + span.start
            break
    return _without_trailing(masked, start, end)


def _without_trailing(masked: str, start: int, end: int) -> int:
    """Before the sentence's own punctuation, and before brackets that were opened ahead of the address."""
    surplus = {
        closer: masked.count(closer, start, end) - masked.count(opener, start, end) for closer, opener in _CLOSERS.items()
    }
    while end > start:
        last = masked[end - 1]
        if last not in _TRAILING and surplus.get(last, 0) <= 0:
            break
        if last in surplus:
            surplus[last] -= 1
        end -= 1
    return end


def _relative(source: str, found: _Place, part: str) -> ContentWarning:
    line, column = place(source, found.start)
    return ContentWarning(
        code="RELATIVE_LINK",
        message=f"the link {found.url[:80]!r} has no scheme and host: it leads nowhere in a message",
        hint="Write the whole address, beginning with https://",
        part=part,
        line=line,
        column=column,
    )


def _problem(source: str, offset: int, part: str, code: str, message: str, hint: str) -> TemplateProblem:
    line, column = place(source, offset)
    return TemplateProblem(message, code=code, part=part, line=line, column=column, hint=hint)
