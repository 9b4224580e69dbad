"""Short messages: SmsSource (plain data that can be stored) → SmsProgram (compiled) → text and parts.

Each recipient's text is sent in the GSM 03.38 alphabet where all of it can be, in UCS-2 where it cannot: one character
decides for the whole message. The national tables of 3GPP TS 23.038 are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import msgspec

from render_ext._buffer import Escape
from render_ext._gsm import count_parts, pack, septets, split, survey
from render_ext._messages import Document, Kind, Slot
from render_ext._tokens import TokenSigner
from render_ext.errors import RenderError
from render_ext.gsm import EncodingName, Transliteration, harmless, may_fit, nearest_gsm
from render_ext.messages import MessageRow, Source
from render_ext.places import Link, Variable
from render_ext.sms_estimate import SmsEstimate, estimate
from render_ext.template import build
from render_ext.tokens import Identity

MOST_PARTS = 255  # that a header with an 8-bit count can number
SINGLE = {"gsm7": 160, "ucs2": 70}
UNITS: dict[EncodingName, str] = {"gsm7": "septets", "ucs2": "code units"}


class RenderedSms(msgspec.Struct, frozen=True, gc=False):
    """One recipient's message: its text as sent, and what it takes. `units` are septets, or UTF-16 code units."""

    text: str
    encoding: EncodingName
    units: int
    parts: int

    @property
    def body(self) -> bytes:
        """The text in UTF-8, for providers that encode it themselves."""
        return self.text.encode()

    def split(self) -> tuple[str, ...]:
        """The text of each part; neither an escaped character nor a surrogate pair is cut in two."""
        return split(self.text, self.encoding == "gsm7")

    def payloads(self, *, packed: bool = False) -> tuple[bytes, ...]:
        """What each part carries, without a header: GSM septets, one in each byte, or UCS-2, big-endian.

        `packed` GSM septets take 7 bits each; where there are several parts, a fill bit comes first, as after a header of
        6 bytes.
        """
        if self.encoding == "ucs2":
            return tuple(text.encode("utf-16-be") for text in self.split())
        found = [septets(text) for text in self.split()]
        return tuple(pack(data, int(self.parts > 1)) for data in found) if packed else tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSource(Source):
    """Everything a short message depends on, besides the recipient and the signer; plain data.

    - `text`: the template. Where `tracked`, it holds the tags of `compile(links=True)`.
    - `encoding`: "auto" chooses for each recipient; with "gsm7" a recipient whose text is not in that alphabet fails;
      "ucs2" always.
    - `transliterate`: which characters may be replaced by near ones so that the whole text fits into GSM 03.38:
      "none", "signs" (quotes, dashes, spaces, …), "letters" (accents too). A text that would not fit even so is left
      as it is.
    - `max_parts` (1 to 255): a recipient whose message takes more fails.
    - `date` (aware): `now` of the template. `engine`: the version that the source was made for.
    """

    WHAT: ClassVar[str] = "a short message's source"

    text: str
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    transliterate: Transliteration = "signs"
    max_parts: int = 10

    def compile(self, signer: TokenSigner) -> SmsProgram:
        """The program; its tokens are made by `signer`.

        Raises TemplateSyntaxError, and ValueError for an option that is none and a source of another engine version.
        """
        return SmsProgram(self, signer)


class SmsProgram:
    """A compiled short message. Pure: the same row always becomes the same message. Threads may share one."""

    def __init__(self, source: SmsSource, signer: TokenSigner):
        _check(source)
        self.source = source
        self.signer = signer
        self._program = build(
            source.text, "text", Escape.ESCAPE_NONE, source.options(), links=source.tracked, signer=signer, notes=False
        )
        self._document = Document(
            signer=signer,
            slots=(Slot(self._program, Kind.TEXT),),
            texts=(b"", b""),
            most_bytes=min(source.limits.output_bytes, 1 << 40),
            finish=self._finish,
        )

    def render_many(self, rows: Sequence[MessageRow]) -> list[RenderedSms | RenderError]:
        """For each row its message, or the RenderError that kept it from being made."""
        return self._document.render_many(rows)

    def render(self, values: dict[str, Any], identity: Identity) -> RenderedSms:
        """The message of one row. Raises RenderError."""
        (result,) = self.render_many([MessageRow(identity=identity, values=values)])
        if isinstance(result, RenderError):
            raise result
        return result

    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int = 0) -> str | None:
        """The target of a tracked link, the `occurrence`-th time it is there. Raises RenderError."""
        return self._document.resolve_link(values, number, occurrence)

    def estimate(self) -> SmsEstimate:
        """What the fixed text takes, and which of its characters make every message UCS-2: for the author."""
        return estimate(self.source, self.signer)

    @property
    def links(self) -> tuple[Link, ...]:
        """The tracked links."""
        return self._program.links

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the text reads of the values."""
        return self._program.variables

    def _finish(self, data: bytes, row: MessageRow) -> RenderedSms:
        source = self.source
        text = data.decode()
        in_gsm, in_ucs2, clean = survey(text)
        if not clean:
            text = harmless(text)
            in_gsm, in_ucs2, _ = survey(text)
        if in_gsm < 0 and source.encoding != "ucs2":
            fits = may_fit(text, -1 - in_gsm, source.transliterate)
            near = nearest_gsm(text, source.transliterate) if fits else text
            in_gsm = survey(near)[0]
            if in_gsm >= 0:
                text = near
            elif source.encoding == "gsm7":
                raise RenderError(_not_in_gsm(near))
        if in_gsm >= 0 and source.encoding != "ucs2":
            return self._within_limit(text, "gsm7", in_gsm)
        return self._within_limit(text, "ucs2", in_ucs2)

    def _within_limit(self, text: str, encoding: EncodingName, units: int) -> RenderedSms:
        parts = 1 if units <= SINGLE[encoding] else count_parts(text, encoding == "gsm7")
        most = self.source.max_parts
        if parts > most:
            needs = f"the message needs {parts} parts ({units} {UNITS[encoding]} in {encoding})"
            raise RenderError(f"{needs}, more than max_parts={most}", limit="max_parts")
        return RenderedSms(text, encoding, units, parts)


def _check(source: SmsSource) -> None:
    if source.encoding not in ("auto", "gsm7", "ucs2"):
        raise ValueError(f"encoding is auto, gsm7 or ucs2, not {source.encoding!r}")
    if source.transliterate not in get_args(Transliteration):
        raise ValueError(f"transliterate is {', '.join(get_args(Transliteration))}, not {source.transliterate!r}")
    if not 1 <= source.max_parts <= MOST_PARTS:
        raise ValueError(f"max_parts is 1 to {MOST_PARTS}, not {source.max_parts}")


def _not_in_gsm(text: str) -> str:
    character = text[-1 - survey(text)[0]]
    return f"“{character}” (U+{ord(character):04X}) is not in the alphabet of GSM 03.38 and nothing near it is"
