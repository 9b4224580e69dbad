"""The links of a text made from HTML: a footnote for each, which belongs to the start tag that was executed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.content.html.markup import Attribute, Piece, decode_attribute
from core.content.html.text_lines import LOOPS, TextLines
from core.content.html.text_liquid import as_text
from core.content.liquid import SYSTEM_URL, SpanKind, pieces, quoted, spans, within

_WRITTEN_LINK = re.compile(r"\s*(\{% link \d+ %\}.*\{% endlink %\})\s*\Z", re.DOTALL)
_CHOSEN = re.compile(r"\{%-?\s*(?:if|unless|case)\b")  # by a condition, perhaps none at all
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BESIDE = ("mailto:", "tel:", "sms:")  # short, never tracked, and of use without a click
_NOT_DIALLED = re.compile(r"[\s()/.-]")


@dataclass(slots=True)
class _Open:
    """A link whose words are being written."""

    address: str
    branches: tuple[int, ...]  # around its start tag
    at: int  # where its words begin, and where its address may be kept
    kept: bool = False


class TextLinks:
    """Mostly a link begins and ends in the same branch of the Liquid around it; its note is written at its end.

    Where it does not, each start tag keeps its address in the variable `name`, and wherever the link may end there is a note of
    what the variable holds.
    """

    def __init__(self, lines: TextLines, name: str):
        self.lines = lines
        self.name = name  # no template reads it
        self.open: list[_Open] = []

    def start(self, address: str) -> None:
        """A start tag. HTML ends the link before it there."""
        here = self._here()
        unsure = self._settled(here)
        found = _Open(address, here, len(self.lines.out))
        self.lines.out.append("")
        self.open.append(found)
        if unsure or _CHOSEN.match(address):
            self._keep(found)

    def end(self) -> None:
        """An end tag, or where links end otherwise: with the text, a fragment, or a round of a loop that is left."""
        here = self._here()
        if self._settled(here):
            self.lines.beside(self._kept_note())
            self.open = [one for one in self.open if not self._in_scope(one, here) or one.branches[: len(here)] != here]

    def leave_round(self) -> None:
        """`break` or `continue`: a link that began in this round, this fragment or this text has no end tag."""
        left = [block.branch for block in self.lines.blocks if block.name in LOOPS or block.name == "fragment"]
        if any(not left or left[-1] in one.branches for one in self.open):
            self.end()

    def reassign(self) -> None:
        """A tag that may change what the address of an open link reads."""
        for one in self.open:
            if "{{" in one.address or "{%" in one.address:
                self._keep(one)

    def _here(self) -> tuple[int, ...]:
        return tuple(block.branch for block in self.lines.blocks)

    def _in_scope(self, one: _Open, here: tuple[int, ...]) -> bool:
        """Whether a link begins in the fragment that we are in: what is assigned outside of it is unknown there."""
        fragments = [block.branch for block in self.lines.blocks if block.name == "fragment"]
        depth = here.index(fragments[-1]) + 1 if fragments else 0
        return one.branches[:depth] == here[:depth]

    def _settled(self, here: tuple[int, ...]) -> bool:
        """End the link that is surely open here. Returns whether there may be others, whose addresses are now kept."""
        mine = [one for one in self.open if self._in_scope(one, here)]
        if len(mine) == 1 and mine[0].branches == here and not mine[0].kept:
            self.open.remove(mine[0])
            self._write(mine[0])
            return False
        self.open = [one for one in self.open if not self._in_scope(one, here)]
        if not any(one.address or one.kept for one in mine):
            return False
        for one in mine:
            self._keep(one)
        # One for all of them: there may be thousands.
        self.open.append(_Open("", _common([one.branches for one in mine]), -1, kept=True))
        return True

    def _keep(self, found: _Open) -> None:
        if not found.kept:
            found.kept = True
            kept = f"{{% capture {self.name} %}}{found.address}{{% endcapture %}}" if found.address else ""
            self.lines.out[found.at] = self._kept_note() + kept

    def _kept_note(self) -> str:
        return (
            f"{{% unless {self.name} == blank %}} {_note(f'{{{{ {self.name} }}}}')}"
            f"{{% capture {self.name} %}}{{% endcapture %}}{{% endunless %}}"
        )

    def _write(self, found: _Open) -> None:
        shown = "".join(self.lines.out[found.at :]).strip()
        note, scheme, address = _note(found.address), *_beside(found.address)
        if scheme:
            same = _NOT_DIALLED.sub("", shown) == _NOT_DIALLED.sub("", address)
            note = "" if same else f"<{address}>"
        if not found.address or not note:
            return
        if shown:
            self.lines.beside(f" {note}")
        else:
            self.lines.put(note)


def link_address(source: str, piece: Piece) -> tuple[str, Sequence[Attribute]]:
    """What to write for the start tag of a link, and the attributes whose Liquid that holds."""
    hrefs = [found for found in piece.attributes if found.name == "href" and found.start >= 0]
    if len(hrefs) > 1 or (hrefs and _is_conditional(source, piece)):  # Liquid chooses within the tag: choose in the text too
        return _chosen(source, piece, hrefs), (Attribute("", piece.start, piece.end),)
    return (_address(source[hrefs[0].start : hrefs[0].end]) if hrefs else ""), hrefs


def _is_conditional(source: str, piece: Piece) -> bool:
    """Whether a tag of Liquid stands between the attributes."""
    values = sorted((one.start, one.end) for one in piece.attributes if one.start >= 0)
    text = source[piece.start : piece.end]
    return "{%" in text and any(
        span.kind is SpanKind.TAG and not within(values, piece.start + span.start) for span in spans(text)
    )


def _common(paths: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all of them begin with."""
    first, last = min(paths), max(paths)
    length = next(
        (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last))
    )
    return first[:length]


def _beside(address: str) -> tuple[str, str]:
    """The scheme of an address that stands beside its words, and the rest; without a scheme for all others."""
    scheme, colon, rest = address.partition(":")
    return (scheme, rest) if f"{scheme}{colon}" in _BESIDE else ("", address)


def _note(address: str) -> str:
    return f"{{% footnote %}}{address}{{% endfootnote %}}"


def _chosen(source: str, piece: Piece, hrefs: Sequence[Attribute]) -> str:
    """The addresses of a tag with the Liquid tags between them."""
    found = [(href.start, _address(source[href.start : href.end])) for href in hrefs]
    values = [(href.start, href.end) for href in hrefs]
    for span in spans(source[piece.start : piece.end]):
        at = piece.start + span.start
        if span.kind is SpanKind.TAG and not within(values, at):
            found.append((at, source[at : piece.start + span.end]))
    return "".join(text for _, text in sorted(found))


def _address(value: str) -> str:
    """What to write for a link's value: nothing for places within the page."""
    if tracked := _WRITTEN_LINK.match(value):
        return tracked[1]
    if SYSTEM_URL.search(value):
        return value.strip()
    found = [(quoted(decode_attribute(piece)) if span is None else as_text(piece)) for piece, span in pieces(value)]
    decoded = "".join(found).strip()
    scheme = _SCHEME.match(decoded)
    if scheme and scheme[0].lower() in _BESIDE:
        rest = decoded[scheme.end() :].split("?")[0]
        return scheme[0].lower() + rest if rest else ""
    return decoded if scheme or decoded.startswith("{{") else ""
