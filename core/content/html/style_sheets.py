"""The style sheets of an HTML part, as an inliner can read them: with tokens for Liquid.

Liquid cuts a style sheet as it likes. What is for some recipients only is cut out where it is whole rules or
declarations; elsewhere a token stands for it, and what has such a token in it stays in its `<style>`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from core.content.html.markup import Kind, Piece, read
from core.content.liquid import MASK, Span, SpanKind, blocks, is_opener, mask, outermost, prints, spans, within
from core.content.liquid_names import bound_names, is_unescaped, trusted_names, words
from core.content.tokens import Tokens

SOME_ONLY = "this style is for some recipients only; it stays in its <style>, and styles in elements win over it"
_CUT_UP = "a block of Liquid cuts a rule of this style sheet in two; all of it stays in its <style>"
_NO_VALUE = "this Liquid is not within the value of a declaration; what it belongs to stays in its <style>"
_SCREENS = re.compile(r"(?:|all|screen)\Z", re.IGNORECASE)
_MARKS = re.compile(r"[:;{}]")
_PLAIN = re.compile(r"[\w\s#%.,+-]*\Z")
# A comment (group 1); what may have marks in it that are none. A text that is not closed ends with its line.
_COVERED = re.compile(
    r"(/\*.*?(?:\*/|\Z))|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|(?<=url)\([^)\"']*\)", re.DOTALL | re.IGNORECASE
)
_LETTERS = re.compile(f"[^{MASK}]")
_BRACES = re.compile(r"[{}]")
_SPACE = re.compile(r"\s*")


@dataclass(slots=True)
class Sheets:
    """What can be written into elements."""

    css: list[str] = field(default_factory=list)  # with tokens for Liquid
    unsafe: set[int] = field(default_factory=set)  # tokens that may say something else where elements are
    left: list[tuple[str, int]] = field(default_factory=list)  # what is not among it, and its place


@dataclass(frozen=True, slots=True)
class Names:
    """Names with values that are not the same everywhere, and those that may hold HTML."""

    bound: frozenset[str]
    trusted: frozenset[str]

    @classmethod
    def of(cls, source: str) -> Names:
        """Those of a template."""
        return cls(bound_names(source), trusted_names(source))


def sheets(source: str, names: Names, tokens: Tokens) -> Sheets:
    """The style sheets of an HTML part. What is in a block of Liquid, or for other media than screens, stays where it is."""
    found = Sheets()
    around = blocks(source)
    opening: Piece | None = None
    for piece in read(source):
        if piece.kind is Kind.RAW_TEXT and piece.name == "style" and opening and _is_css(source, opening):
            if within(around, opening.start):
                found.left.append((SOME_ONLY, opening.start))
            else:
                add_sheet(found, source[piece.start : piece.end], piece.start, names, tokens)
        opening = piece if piece.kind is Kind.START and piece.name == "style" and not piece.conditional else None
    return found


def _is_css(source: str, opening: Piece) -> bool:
    """Whether a style sheet is CSS, and for screens."""
    media, kind = opening.find("media"), opening.find("type")
    for_screens = media is None or _SCREENS.match(source[media.start : media.end].strip()) is not None
    return for_screens and (kind is None or source[kind.start : kind.end].lower() in ("", "text/css"))


def add_sheet(found: Sheets, css: str, at: int | None, names: Names, tokens: Tokens) -> None:
    """Add one style sheet; `at` is its place in the source, if it is there."""
    _Sheet(css, at, names, tokens).add_to(found)


@dataclass(slots=True)
class _Branch:
    """A block that is open while it is read."""

    whole: bool  # it began between rules or declarations
    depth: int  # of braces
    ends_whole: bool  # every branch so far ended there, and so does having none of them


class _Marks:
    """Where rules and declarations begin and end in a style sheet without comments and texts."""

    def __init__(self, plain: str):
        self.plain = plain
        self.all = [match.start() for match in _MARKS.finditer(plain)]
        self.ends = [mark for mark in self.all if plain[mark] != ":"]
        self.at_rules: dict[int, bool] = {}  # by where a statement begins

    def in_value(self, start: int, end: int) -> bool:
        """Whether something stands within the value of a declaration."""
        last = bisect_left(self.all, start) - 1
        following = bisect_left(self.all, end)
        ended = following == len(self.all) or self.plain[self.all[following]] in ";}"
        return last >= 0 and self.plain[self.all[last]] == ":" and ended

    def in_at_rule(self, at: int) -> bool:
        """Whether something belongs to `@media` and the like, the rules in it not included."""
        index = bisect_left(self.ends, at)
        start = self.ends[index - 1] + 1 if index else 0
        if start not in self.at_rules:
            self.at_rules[start] = self.plain.startswith("@", start + _blank(self.plain, start))
        return self.at_rules[start]


class _Sheet:
    """One style sheet, and what is to be said about it."""

    def __init__(self, css: str, at: int | None, names: Names, tokens: Tokens):
        self.css = css
        self.at = at
        self.names = names
        self.tokens = tokens
        self.plain = _plain(mask(css))
        self.marks = _Marks(self.plain)
        self.unsafe: set[int] = set()
        self.left: list[tuple[str, int]] = []

    def add_to(self, found: Sheets) -> None:
        """Add what can be written into elements, or nothing where Liquid cuts a rule in two."""
        written: list[str] = []
        position = 0
        before = ";"  # the last that is neither space nor comment: a mark, or x for anything else
        units = outermost(self.css)
        for unit, following in zip(units, self._following(units), strict=True):
            before = self.plain[position : unit.start].rstrip()[-1:] or before
            if unit.kind is SpanKind.BLOCK:
                whole = self._ends_whole(unit)
                if whole is None:
                    found.left.append((_CUT_UP, self._place(unit)))
                    return
                token = self._block(unit, before in ";{}" and (whole or following in ";}"))
            else:
                token = self._token(unit) if self._prints(unit) else ""
            literal = self.css[position : unit.start]
            position = unit.end
            if token:
                before = "x"
            else:
                literal = literal.rstrip() if self.css[unit.start + 2] == "-" else literal
                position += _blank(self.css, position) if self.css[unit.end - 3] == "-" else 0
            written += [literal, token]
        found.css.append(self._without_mixed("".join([*written, self.css[position:]])))
        found.unsafe |= self.unsafe
        found.left += self.left

    # ---- what a piece of Liquid becomes

    def _block(self, unit: Span, whole: bool) -> str:
        """Nothing for whole rules or declarations; else a token for what cannot be moved."""
        if not whole:
            return self._unsafe(unit, SOME_ONLY)
        if self.plain[unit.start : unit.end].replace(MASK, "").strip() or any(map(self._prints, self._spans(unit))):
            self.left.append((SOME_ONLY, self._place(unit)))
        return ""

    def _token(self, unit: Span) -> str:
        text = self.css[unit.start : unit.end]
        if unit.kind is SpanKind.RAW:
            safe = _PLAIN.match(text[text.index("%}") + 2 : text.rindex("{%")]) is not None
        else:  # what counts, or is made elsewhere, may not be printed twice
            safe = unit.kind is SpanKind.OUTPUT or unit.name == "echo"
            safe = safe and self.names.bound.isdisjoint(words(text)) and not is_unescaped(text, self.names.trusted)
        return self.tokens.give(text) if safe and self.marks.in_value(unit.start, unit.end) else self._unsafe(unit, _NO_VALUE)

    def _unsafe(self, unit: Span, message: str) -> str:
        """A token for what stays. Of Liquid in a value, the elements tell that would have it; at-rules stay anyway."""
        if not self.marks.in_value(unit.start, unit.end) and not self.marks.in_at_rule(unit.start):
            self.left.append((message, self._place(unit)))
        self.unsafe.add(len(self.tokens.kept))
        return self.tokens.give(self.css[unit.start : unit.end])

    def _without_mixed(self, css: str) -> str:
        """With tokens for values that have both quotes in a text, which the inliner would make one; comments are emptied."""
        marks = _Marks(_plain(css))

        def written(found: re.Match[str]) -> str:
            if found[1]:
                return "/**/"
            if not ('"' in found[0] and "'" in found[0] and marks.in_value(found.start(), found.end())):
                return found[0]
            self.unsafe.add(len(self.tokens.kept))
            return self.tokens.give(found[0])

        return _COVERED.sub(written, css)

    # ---- where it stands

    def _place(self, unit: Span) -> int:
        return 0 if self.at is None else self.at + unit.start

    def _prints(self, span: Span) -> bool:
        """Whether something is printed that is not in a comment."""
        return self.plain[span.start] == MASK and prints(self.css, span)

    def _spans(self, unit: Span) -> list[Span]:
        """The pieces of a block, at their places in the style sheet."""
        found = spans(self.css[unit.start : unit.end])
        return [Span(unit.start + one.start, unit.start + one.end, one.kind, one.name) for one in found]

    def _following(self, units: list[Span]) -> list[str]:
        """After each piece, the next that is neither space nor comment; `}` at the end."""
        found: list[str] = []
        following = "}"
        end = len(self.css)
        for unit in reversed(units):
            following = self.plain[unit.end : end].lstrip()[:1] or following
            found.append(following)
            end = unit.start
            if unit.kind is not SpanKind.BLOCK and self._prints(unit):
                following = "x"
        return found[::-1]

    def _ends_whole(self, unit: Span) -> bool | None:
        """Whether all branches of a block end between rules or declarations; None where one cuts a rule in two."""
        opened: list[_Branch] = []
        whole, depth, position = True, 0, unit.start
        for span in self._spans(unit):
            literal = self.plain[position : span.start]
            position = span.end
            whole = literal.rstrip()[-1] in ";{}" if literal.strip() else whole
            for brace in _BRACES.findall(literal):
                depth += 1 if brace == "{" else -1
                if depth < opened[-1].depth:
                    return None
            if is_opener(span):
                opened.append(_Branch(whole, depth, whole))
            elif span.kind is SpanKind.TAG and (span.name in ("else", "elsif", "when") or span.name.startswith("end")):
                branch = opened[-1]
                if depth != branch.depth:
                    return None
                branch.ends_whole &= whole
                whole = branch.whole
                if span.name.startswith("end"):
                    whole = opened.pop().ends_whole
            elif self._prints(span):
                whole = False
        return None if opened else whole


def _plain(masked: str) -> str:
    """Space for comments, and x for what has marks that are none."""
    return _COVERED.sub(lambda found: " " * len(found[0]) if found[1] else _LETTERS.sub("x", found[0]), masked)


def _blank(text: str, start: int) -> int:
    """How many spaces there are."""
    found = _SPACE.match(text, start)
    return found.end() - start if found else 0
