"""Campaign parameters (`utm_source`, …): appended to the query of links when a delivery is prepared.

An address is a template. Mostly its query and its fragment begin in literal text, and the parameters go before the fragment.
Where a condition decides whether there is a query or a fragment, what follows the condition moves into its branches, so that
each way through the address gets the right joint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

import idna

from core.content.links.addresses import BadAddress, encoded
from core.content.liquid import MASK, Span, SpanKind, pieces
from core.content.records import CampaignParameters

LONGEST_TARGET = 20_000  # characters that moving text into branches may make of an address
MOST_CONDITIONS = 20  # one after or within the other that decide whether there is a query or a fragment
_UNRESERVED = "-._~"
_BLOCKS = {"if": "endif", "unless": "endunless", "for": "endfor"}
_MIDDLES = frozenset({"else", "elsif"})
_Pieces = Sequence[tuple[str, Span | None]]


@dataclass(frozen=True, slots=True)
class Appendix:
    """What is appended to links, ready for use."""

    parameters: tuple[tuple[str, str, str], ...] = ()  # name, name and value as an address carries them; the value is Liquid
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: CampaignParameters) -> Appendix:
        """That of valid campaign parameters."""
        made = ((one.name, quote(one.name, safe=_UNRESERVED), encoded(one.value, _UNRESERVED)) for one in found.parameters)
        return cls(tuple(made), tuple(ascii_host(host) for host in found.hosts))

    def added_to(self, target: str) -> str:
        """An address of a link with the parameters that it has not got itself.

        Raises BadAddress (CAMPAIGN_PARAMETERS_PLACE) where a loop decides whether there is a query.
        """
        if not self.parameters or not self._is_for(target):
            return target
        own = _own_names(target)
        missing = "&".join(f"{name}={value}" for plain, name, value in self.parameters if plain not in own)
        return _Insertion(missing).into(list(pieces(target))) if missing else target

    def _is_for(self, target: str) -> bool:
        authority = re.split(r"[/?#]", target.split("://", 1)[1], maxsplit=1)[0]
        host = re.sub(r":[0-9]*\Z", "", authority).lower()
        return not self.hosts or any(host == one or host.endswith(f".{one}") for one in self.hosts)


NO_APPENDIX = Appendix()


@dataclass(slots=True)
class _Insertion:
    text: str
    length: int = 0  # of what was moved into branches
    depth: int = 0

    def into(self, found: _Pieces, *, query: bool = False, asked: bool = False) -> str:
        """`query`: whether it has begun; `asked`: whether nothing but its `?` or a `&` stands before."""
        written: list[str] = []
        index = 0
        while index < len(found):
            piece, span = found[index]
            if span is None:
                before, mark, after = piece.partition("#")
                if before:
                    asked = before.endswith("&") or (not query and before.find("?") == len(before) - 1)
                    query = query or "?" in before
                if mark:
                    rest = "".join(piece for piece, _ in found[index + 1 :])
                    return "".join([*written, before, self._joint(query, asked), self.text, mark, after, rest])
                written.append(piece)
                index += 1
                continue
            end = _block_end(found, index)
            if not _decides(found[index:end], "#" if query else "?#"):
                written += [piece for piece, _ in found[index:end]]
                asked, index = False, end
                continue
            return "".join([*written, *self._branches(found[index:end], found[end:], query, asked)])
        return "".join([*written, self._joint(query, asked), self.text])

    def _joint(self, query: bool, asked: bool) -> str:
        return ("" if asked else "&") if query else "?"

    def _branches(self, block: _Pieces, rest: _Pieces, query: bool, asked: bool) -> Iterator[str]:
        """A condition with what follows it moved into each of its branches."""
        opening = block[0][1]
        if opening is None or opening.name not in ("if", "unless"):
            raise BadAddress(
                "CAMPAIGN_PARAMETERS_PLACE",
                "here it is not known whether a ? or a # comes before the campaign parameters",
                "Write the ? before the loop, or set campaignParameters: false for this link.",
            )
        branches = _split(block)
        if _name(branches[-1][0]) != "else":
            branches.append([("{% else %}", None)])
        self.depth += 1
        for head, *inner in branches:
            if self.depth > MOST_CONDITIONS or self.length > LONGEST_TARGET:
                raise BadAddress(
                    "CAMPAIGN_PARAMETERS_PLACE",
                    "too many conditions decide where the campaign parameters go",
                    "Write the ? before the first condition, or set campaignParameters: false for this link.",
                )
            made = self.into([*inner, *rest], query=query, asked=asked)
            self.length += len(made)
            yield head[0] + made
        self.depth -= 1
        yield block[-1][0]


def _name(piece: tuple[str, Span | None]) -> str:
    return piece[1].name if piece[1] is not None and piece[1].kind is SpanKind.TAG else ""


def _block_end(found: _Pieces, start: int) -> int:
    """After the piece of Liquid at `start`, and after what it closes where it opens a block."""
    depth = 0
    for index in range(start, len(found)):
        name = _name(found[index])
        depth += (name in _BLOCKS) - (name in _BLOCKS.values())
        if depth <= 0:
            return index + 1
    return len(found)


def _decides(block: _Pieces, marks: str) -> bool:
    """Whether a piece of Liquid, or a block, has text of its own with one of the characters that matter."""
    literal = "".join(piece for piece, span in block if span is None or span.kind is SpanKind.RAW)
    return not set(marks).isdisjoint(literal)


def _split(block: _Pieces) -> list[list[tuple[str, Span | None]]]:
    """The branches of a condition, each with its tag first; without the closing tag."""
    branches: list[list[tuple[str, Span | None]]] = []
    depth = 0
    for index, piece in enumerate(block[:-1]):
        name = _name(piece)
        if index == 0 or (depth == 1 and name in _MIDDLES):
            branches.append([piece])
        else:
            branches[-1].append(piece)
        depth += (name in _BLOCKS) - (name in _BLOCKS.values())
    return branches


def _own_names(target: str) -> set[str]:
    """The parameters that an address names itself, under a condition or not."""
    kept: list[str] = []
    found = list(pieces(target))
    index = 0
    while index < len(found):
        end = _block_end(found, index)
        for piece, span in found[index:end]:
            kept.append(piece.partition("#")[0] if span is None else "&" if span.kind is SpanKind.TAG else MASK)
        if found[index][1] is None and "#" in found[index][0]:
            break  # for everybody, what follows is the fragment
        index = end
    query = "".join(kept).partition("?")[2]
    named = (one.partition("=")[0] for one in re.split(r"[?&]", query))
    return {unquote_plus(one) for one in named}


def ascii_host(host: str) -> str:
    """A host in its ASCII form, in lower case. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", host):
        return host.lower()
    return idna.encode(host, uts46=True).decode("ascii")
