"""Finds the links of a message and numbers them: `href="…"` becomes `href="{% link 3 %}…{% endlink %}"`.

Only the values of links change; everything else stays byte for byte as it was written. Numbers start at 1 and
follow the order in the source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.content.errors import MOST_TOLD, TemplateProblem
from core.content.html.markup import Attribute, Kind, Piece, decode_attribute, read, unescaped
from core.content.links.addresses import AddressKind, BadAddress, examine
from core.content.links.numbers import MAX_LINKS, LinkNumbers
from core.content.links.settings import MIRROR, LinkRules
from core.content.liquid import SpanKind, balanced_prefix, mask, pieces, place, spans
from core.content.records import ContentWarning, LinkSettings, TrackedLink, TrackingMode

LABEL_LENGTH = 100
MOST_WRITTEN = 2_000_000  # characters that the links of one part have, with their numbers and campaign parameters
_BARE = re.compile(r"(?<![\w{])https?://[^\s<>\"]+", re.IGNORECASE)
_TRAILING = ".,;:!?'\"»”’*_~"
_APART = frozenset({"footnote", "endfootnote", "fragment", "endfragment"})  # no address goes on behind these
_HOST_ENDS = re.compile(r"[/?#]")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A part with its links numbered, and what was found on the way."""

    source: str
    links: tuple[TrackedLink, ...] = ()  # those that got their number here
    problems: tuple[TemplateProblem, ...] = ()
    warnings: tuple[ContentWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkPlace:
    """Where an address stands in a part."""

    start: int
    end: int
    url: str  # entities decoded
    label: str | None
    conditional: bool


def rewrite_html(
    source: str, *, part: str = "html", numbers: LinkNumbers | None = None, rules: LinkRules | None = None
) -> Rewritten:
    """Number the links of an HTML part: `<a>`, `<area>`, and Outlook's shapes in conditional comments."""
    return _Rewriting(source, part, numbers or LinkNumbers(), rules or LinkRules(), share=False).all(html_places(source))


def rewrite_text(
    source: str, *, part: str = "text", numbers: LinkNumbers | None = None, rules: LinkRules | None = None
) -> Rewritten:
    """Number the bare web addresses of a text part; one that `numbers` knows from the HTML keeps its number."""
    return _Rewriting(source, part, numbers or LinkNumbers(), rules or LinkRules(), share=True).all(text_places(source))


class _Rewriting:
    """One walk over the links of a part. `share`: equal addresses get equal numbers."""

    def __init__(self, source: str, part: str, numbers: LinkNumbers, rules: LinkRules, *, share: bool):
        self.source = source
        self.part = part
        self.numbers = numbers
        self.rules = rules
        self.share = share
        self.links: list[TrackedLink] = []
        self.problems: list[TemplateProblem] = []
        self.told: Counter[str] = Counter()  # problems by code
        self.warnings: list[ContentWarning] = []

    def all(self, places: Iterator[LinkPlace]) -> Rewritten:
        """The part with its links numbered."""
        written: list[str] = []
        position = size = 0
        for found in places:
            try:
                replacement = self._replacement(found)
            except BadAddress as error:
                self._tell(found, error)
                continue
            if replacement is not None:
                written += [self.source[position : found.start], replacement]
                position = found.end
                size += len(replacement)
            if size > MOST_WRITTEN:
                hint = "Use fewer links, or shorter campaign parameters."
                message = f"with what is appended to them, the links have more than {MOST_WRITTEN:,} characters"
                self.problems.append(_problem(self.source, found.start, self.part, "PART_TOO_LARGE", message, hint))
                break
        written.append(self.source[position:])
        if self.numbers.highest > MAX_LINKS:
            message = f"with this part all languages together have more than {MAX_LINKS:,} links"
            hint = "Split the message, leave repeated links out, or let languages link to the same addresses."
            self.problems.append(_problem(self.source, 0, self.part, "TOO_MANY_LINKS", message, hint))
        return Rewritten(
            source="".join(written),
            links=tuple(self.links),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
        )

    def _tell(self, found: LinkPlace, error: BadAddress) -> None:
        """A problem, unless there are enough of its kind: others may be worse, so all links are looked at whatever was told."""
        self.told[error.code] += 1
        if self.told[error.code] <= MOST_TOLD:
            self.problems.append(_problem(self.source, found.start, self.part, error.code, error.message, error.hint))

    def _replacement(self, found: LinkPlace) -> str | None:
        """What stands in the place of an address; None where it stays. Raises BadAddress."""
        settings = self.rules.about(found.url)
        if settings.mode is TrackingMode.MIRROR:
            return MIRROR
        address = examine(found.url)
        if address.kind is AddressKind.RELATIVE and len(self.warnings) < MOST_TOLD:
            self.warnings.append(_relative(self.source, found, self.part))
        if address.kind is not AddressKind.TRACK or settings.mode is TrackingMode.NEVER:
            return None
        target = self.rules.target(settings, address.target)
        return f"{{% link {self._number(target, found, settings)} %}}{target}{{% endlink %}}"

    def _number(self, target: str, found: LinkPlace, settings: LinkSettings) -> int:
        known = self.numbers.known(target) if self.share else None
        if known is not None:
            return known
        number = self.numbers.give(target, conditional=found.conditional)
        self.links.append(
            TrackedLink(
                number=number,
                url=found.url.strip(),
                target=target,
                label=settings.label or found.label,
                part=self.part,
                mode=settings.mode,
                category=settings.category,
                conditional=found.conditional,
            )
        )
        return number


def html_places(source: str) -> Iterator[LinkPlace]:
    """Where the addresses of an HTML part stand, whatever they are."""
    found = list(read(source))
    for index, piece in enumerate(found):
        if piece.kind is not Kind.START or not _may_link(piece):
            continue
        addresses = _addresses(source, piece)
        label = _label(source, found, index) if addresses else None
        for attribute in addresses:
            value = _decode(source[attribute.start : attribute.end])
            yield LinkPlace(attribute.start, attribute.end, value, label, piece.conditional)


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


def text_places(source: str) -> Iterator[LinkPlace]:
    """Where the bare web addresses of a text part stand."""
    masked = _masked_text(source)
    for match in _BARE.finditer(masked):
        end = _bare_end(source, masked, match.start(), match.end())
        if end > match.start():
            yield LinkPlace(match.start(), end, source[match.start() : end], None, False)


def _masked_text(source: str) -> str:
    """The source masked, with blanks where an address ends whatever follows: notes may follow each other at once."""
    found = spans(source)
    masked, written, position = mask(source, found), [], 0
    for span in found:
        if span.kind is SpanKind.TAG and span.name in _APART:
            written += [masked[position : span.start], " " * (span.end - span.start)]
            position = span.end
    return "".join([*written, masked[position:]])


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


def _relative(source: str, found: LinkPlace, part: str) -> ContentWarning:
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
