"""What an author is told of a short message before there is any recipient: parts of the fixed text, costly characters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from itertools import islice
from typing import TYPE_CHECKING
from unicodedata import combining, name

from render_ext._gsm import count_parts, survey
from render_ext.compiler import URL_KINDS
from render_ext.gsm import EncodingName, harmless, nearest_gsm
from render_ext.nodes import Assign, Compare, Cycle, Link, Literal, Logic, Output, SystemUrl, Text
from render_ext.partials import read_templates
from render_ext.tokens import Identity, TokenKind

if TYPE_CHECKING:
    from render_ext._tokens import TokenSigner
    from render_ext.sms import SmsSource

SAMPLE = Identity(10**7, 1, 10**9)  # whose tokens are as long as most
MOST_COSTLY = 100  # characters that an author is told of
MOST_ACCENTS = 30  # of one letter, as in the stream-safe format of UAX #15; those after them are looked at by themselves


@dataclass(frozen=True, slots=True)
class CostlyCharacter:
    """A fixed character that makes the message UCS-2 wherever it is printed; line and column count from 1."""

    character: str
    line: int
    column: int

    def __str__(self) -> str:
        known = name(self.character, "")
        shown = f"U+{ord(self.character):04X}{' ' + known if known else ''}"
        return f"{self.line}:{self.column}: this “{self.character}” ({shown}) makes the message UCS-2"


@dataclass(frozen=True, slots=True)
class SmsEstimate:
    """What the fixed text takes, values being empty: all branches counted, each loop once, tracked links as their URLs.

    `costly` has the first hundred of such characters, each letter with its accents once.

    Texts that only an output prints (`default: "…"`) are not counted, but they are among the costly characters. What partials
    print is neither.
    """

    encoding: EncodingName
    units: int
    parts: int
    urls: int  # tracked links and system URLs
    costly: tuple[CostlyCharacter, ...]


def estimate(source: SmsSource, signer: TokenSigner) -> SmsEstimate:
    """The estimate for a source that compiles."""
    templates = read_templates(source.text, "text", source.partials, limits=source.limits, links=source.tracked)
    nodes = templates.main.nodes
    texts: list[str] = []
    costly: list[CostlyCharacter] = []
    urls = 0
    lines = [0, *(at + 1 for at, character in enumerate(source.text) if character == "\n")]
    for node in _printed(nodes):
        if isinstance(node, Link | SystemUrl):
            urls += 1
            texts.append(_url(node, signer))
            continue
        text, at = (node.text, node.at) if isinstance(node, Text) else (str(node.value), node.at + 1)
        if isinstance(node, Text):
            texts.append(text)
        if source.encoding != "ucs2":
            costly += islice(_costly(text, at, source, lines), MOST_COSTLY - len(costly))
    text = harmless("".join(texts))
    in_gsm, in_ucs2, _ = survey(text)
    if in_gsm < 0:
        text_in_gsm = nearest_gsm(text, source.transliterate)
        in_gsm = survey(text_in_gsm)[0]
        text = text_in_gsm if in_gsm >= 0 and source.encoding != "ucs2" else text
    gsm = in_gsm >= 0 and source.encoding != "ucs2"
    return SmsEstimate("gsm7" if gsm else "ucs2", in_gsm if gsm else in_ucs2, count_parts(text, gsm), urls, tuple(costly))


def _printed(part: object, *, in_output: bool = False) -> Iterator[Text | Literal | Link | SystemUrl]:
    """What a tree prints by itself: texts, URLs, and the constants within outputs and assignments."""
    if isinstance(part, tuple):
        for item in part:
            yield from _printed(item, in_output=in_output)
    elif isinstance(part, Text | Link | SystemUrl):
        yield part
    elif isinstance(part, Literal):
        if isinstance(part.value, str) and in_output:
            yield part
    elif isinstance(part, Logic | Compare):
        return
    elif isinstance(part, Cycle):
        yield from _printed(part.values, in_output=True)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _printed(getattr(part, field.name), in_output=in_output or isinstance(part, Output | Assign))


def _costly(text: str, at: int, source: SmsSource, lines: list[int]) -> Iterator[CostlyCharacter]:
    """The characters of a text that nothing in GSM 03.38 is near; a letter is looked at with the accents after it."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and end - start <= MOST_ACCENTS and combining(text[end]):
            end += 1
        if not _fits(text[start:end], source):
            bad = next((i for i in range(start, end) if not _fits(text[i], source)), start)
            line = bisect_right(lines, at + bad)
            yield CostlyCharacter(text[bad], line, at + bad - lines[line - 1] + 1)
        start = end


def _fits(text: str, source: SmsSource) -> bool:
    return survey(text)[0] >= 0 or survey(nearest_gsm(harmless(text), source.transliterate))[0] >= 0


def _url(node: Link | SystemUrl, signer: TokenSigner) -> str:
    if isinstance(node, Link):
        return signer.url(TokenKind.CLICK, SAMPLE, node.number)
    return signer.url(URL_KINDS[node.name], SAMPLE)
