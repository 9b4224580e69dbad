"""Short messages: the alphabet against the table of 3GPP TS 23.038 written out again, parts against a slow count."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from render_ext import (
    ENGINE_VERSION,
    Identity,
    MessageRow,
    RenderedSms,
    RenderError,
    SmsProgram,
    SmsSource,
    TemplateSyntaxError,
    TokenKey,
    TokenKind,
    TokenSigner,
    sms_parts,
    verify,
)
from render_ext._gsm import pack, septets, split, survey
from render_ext.gsm import NEIGHBOURS, harmless, nearest_gsm
from tests.render_ext.reference import valid

KEY = TokenKey(3, b"k" * 32)
SIGNER = TokenSigner("https://t.example.com", KEY)
IDENTITY = Identity(9, 1, 77)
DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)

# TS 23.038, section 6.2.1, by code points: rows of sixteen septets.
TABLE = [
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
    *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, None, 0xC6, 0xE6, 0xDF, 0xC9),
    *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x30)),
    *range(0x30, 0x40),
    *(0xA1, *range(0x41, 0x50)),
    *(*range(0x50, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x70)),
    *(*range(0x70, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
]
EXTENDED = {
    0x0A: 0x0C,
    0x14: 0x5E,
    0x28: 0x7B,
    0x29: 0x7D,
    0x2F: 0x5C,
    0x3C: 0x5B,
    0x3D: 0x7E,
    0x3E: 0x5D,
    0x40: 0x7C,
    0x65: 0x20AC,
}
BASIC_CHARACTERS = "".join(chr(code) for code in TABLE if code is not None)
EXTENDED_CHARACTERS = "".join(map(chr, EXTENDED.values()))
ALPHABET = BASIC_CHARACTERS + EXTENDED_CHARACTERS


def decoded(data: bytes) -> str:
    """The text of septets, as a phone reads them."""
    found, escaped = [], False
    for septet in data:
        if escaped:
            found.append(chr(EXTENDED[septet]))
            escaped = False
        elif septet == 0x1B:
            escaped = True
        else:
            code = TABLE[septet]
            assert code is not None
            found.append(chr(code))
    assert not escaped, "the escape has lost its character"
    return "".join(found)


def unpacked(data: bytes, count: int, fill: int) -> bytes:
    """Septets from a stream of bits."""
    bits = int.from_bytes(data, "little") >> fill
    return bytes(bits >> 7 * i & 0x7F for i in range(count))


def slow_parts(text: str, gsm: bool) -> list[str]:
    """The parts, counted out character by character."""

    def size(text: str) -> int:
        if gsm:
            return sum(2 if character in EXTENDED_CHARACTERS else 1 for character in text)
        return len(text.encode("utf-16-be")) // 2

    if size(text) <= (160 if gsm else 70):
        return [text]
    parts = [""]
    for character in text:
        if size(parts[-1] + character) > (153 if gsm else 67):
            parts.append("")
        parts[-1] += character
    return parts


def source(text: str = "{{ x }}", **changes: Any) -> SmsSource:
    """A source with this text."""
    return SmsSource(text=text, date=DATE, **changes)


def sent(program: SmsProgram, **values: Any) -> RenderedSms:
    """The one message of a batch of one."""
    (message,) = program.render_many([MessageRow(identity=IDENTITY, values=values)])
    assert isinstance(message, RenderedSms), message
    return message


# ---- the alphabet ----------------------------------------------------------------------------------------------------


def test_every_character_of_the_alphabet_and_no_other() -> None:
    assert len(BASIC_CHARACTERS) == 127
    inside = {chr(code) for code in range(sys.maxunicode + 1) if survey(chr(code))[0] >= 0}
    assert inside == set(ALPHABET)
    for character in ALPHABET:
        assert survey(character)[0] == len(septets(character)) == 1 + (character in EXTENDED_CHARACTERS)


@given(text=st.text(ALPHABET, max_size=400), fill=st.integers(0, 7))
def test_septets_can_be_read_back(text: str, fill: int) -> None:
    data = septets(text)
    assert decoded(data) == text
    assert unpacked(pack(data, fill), len(data), fill) == data
    assert len(pack(data, fill)) == (7 * len(data) + fill + 7) // 8


def test_packing_as_in_the_usual_example() -> None:
    assert pack(septets("hellohello")).hex() == "e8329bfd4697d9ec37"
    with pytest.raises(ValueError, match="fill is 0 to 7"):
        pack(b"", 8)
    with pytest.raises(ValueError, match=r"U\+0416 is not in the alphabet"):
        septets("aЖ")


gsm_texts = st.text(ALPHABET, max_size=20) | st.builds(
    lambda a, n, b: a * n + b, st.text(ALPHABET, min_size=1, max_size=3), st.integers(40, 170), st.text(ALPHABET, max_size=5)
)
any_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.builds(
    lambda a, n, b: a * n + b, st.text("aЖ😀€e\u0301", min_size=1, max_size=3), st.integers(20, 90), st.text("aЖ😀", max_size=5)
)


@given(text=gsm_texts | any_texts)
@example(text="a" * 160)
@example(text="a" * 152 + "€" + "a" * 10)
@example(text="Ж" * 66 + "😀" + "Ж" * 10)
def test_parts_are_those_of_a_slow_count(text: str) -> None:
    gsm = survey(text)[0] >= 0
    parts = slow_parts(text, gsm)
    assert list(split(text, gsm)) == parts
    assert sms_parts(text.encode()) == len(parts)
    assert survey(text)[1] == len(text.encode("utf-16-be")) // 2
    if not gsm:
        outside = next(i for i, character in enumerate(text) if character not in ALPHABET)
        assert survey(text)[0] == -1 - outside


# ---- messages --------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(value=gsm_texts | any_texts | st.text(max_size=30), level=st.sampled_from(["none", "signs", "letters"]))
@example(value="Z\ud800", level="none")
@example(value="e\u0301", level="none")
@example(value="e\u0301", level="signs")
@example(value="x\u0302", level="letters")
@example(value="a\x1b(\x00\r\nb\u202eevil\u2028", level="none")
def test_any_value(value: str, level: Any) -> None:
    message = sent(source(transliterate=level, max_parts=255).compile(SIGNER), x=value)
    clean = harmless(valid(value))
    near = nearest_gsm(clean, level)
    gsm = all(character in ALPHABET for character in near) or all(character in ALPHABET for character in clean)
    assert message.encoding == ("gsm7" if gsm else "ucs2")
    assert message.text in ((near, clean) if gsm else (clean,))
    assert message.body.decode() == message.text
    parts = slow_parts(message.text, gsm)
    assert list(message.split()) == parts
    assert message.parts == len(parts)
    if gsm:
        payloads = message.payloads()
        assert "".join(map(decoded, payloads)) == message.text
        assert message.units == sum(map(len, payloads))
        fill = int(len(parts) > 1)
        for packed, data in zip(message.payloads(packed=True), payloads, strict=True):
            assert len(packed) <= (140 if len(parts) == 1 else 134)
            assert unpacked(packed, len(data), fill) == data
    else:
        assert [payload.decode("utf-16-be") for payload in message.payloads()] == parts
        assert message.units == len(message.text.encode("utf-16-be")) // 2
    for character in message.text:
        assert character == "\n" or unicodedata.category(character) != "Cc"
        assert unicodedata.bidirectional(character) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        assert character not in "\u200e\u200f\u061c\ufeff\u2028\u2029"


@pytest.mark.parametrize(
    ("value", "level", "text", "encoding"),
    [
        ("“Zoë” – don’t…", "letters", '"Zoe" - don\'t...', "gsm7"),
        ("“Zoë”", "signs", "“Zoë”", "ucs2"),
        ("“à la carte” « 5 €»", "signs", '"à la carte" " 5 €"', "gsm7"),
        ("“x”", "none", "“x”", "ucs2"),
        ("1\xa0000\u202f€", "signs", "1 000 €", "gsm7"),
        ("Straße ẞ Łódź Đỗ Þór œuvre", "letters", "Straße SS Lodz Do Thor oeuvre", "gsm7"),
        ("Straße à Ö ñ Å Ø", "none", "Straße à Ö ñ Å Ø", "gsm7"),
        ("ª ½ ™ ＡＢ m²", "letters", "a 1/2 TM AB m2", "gsm7"),
        ("re\u0301sume\u0301", "none", "résumé", "gsm7"),
        ("“Привет”", "letters", "“Привет”", "ucs2"),  # nothing is gained, so nothing is changed
        ("a\u200bb\u00adc", "signs", "abc", "gsm7"),
        ("a\tb\r\nc\rd\x00e\x1bf", "none", "a b\nc\nd e f", "gsm7"),
        ("👨\u200d👩\u200d👧", "letters", "👨\u200d👩\u200d👧", "ucs2"),
        ("5 < 6 & {x} [y] ~ ^ | \\", "none", "5 < 6 & {x} [y] ~ ^ | \\", "gsm7"),
    ],
)
def test_transliteration(value: str, level: Any, text: str, encoding: str) -> None:
    message = sent(source(transliterate=level).compile(SIGNER), x=value)
    assert (message.text, message.encoding) == (text, encoding)


def test_neighbours_are_in_the_alphabet_and_few_are_kept() -> None:
    for table in NEIGHBOURS.values():
        for code in range(0x30000):
            near = table[code]
            assert near == chr(code) or survey(near)[0] >= 0
        assert len(table) <= 4096


def test_the_encoding_is_chosen_for_each_recipient_or_fixed() -> None:
    rows = [MessageRow(identity=IDENTITY, values={"x": value}) for value in ("Anna", "Анна", "“Anna”")]
    chosen = source().compile(SIGNER).render_many(rows)
    assert [message.encoding for message in chosen if isinstance(message, RenderedSms)] == ["gsm7", "ucs2", "gsm7"]
    fixed = source(encoding="ucs2").compile(SIGNER).render_many(rows)
    assert [(m.encoding, m.text) for m in fixed if isinstance(m, RenderedSms)] == [
        ("ucs2", "Anna"),
        ("ucs2", "Анна"),
        ("ucs2", "“Anna”"),
    ]
    first, second, third = source(encoding="gsm7").compile(SIGNER).render_many(rows)
    assert isinstance(first, RenderedSms)
    assert isinstance(third, RenderedSms)
    assert isinstance(second, RenderError)
    assert "“А” (U+0410) is not in the alphabet" in str(second)


def test_a_message_of_too_many_parts_fails_alone() -> None:
    program = source(max_parts=2).compile(SIGNER)
    rows = [MessageRow(identity=IDENTITY, values={"x": value}) for value in ("a" * 306, "a" * 307, "Ж" * 135, "b")]
    first, second, third, last = program.render_many(rows)
    assert isinstance(first, RenderedSms)
    assert isinstance(last, RenderedSms)
    assert (first.parts, last.parts) == (2, 1)
    assert isinstance(second, RenderError)
    assert isinstance(third, RenderError)
    assert str(second) == "the message needs 3 parts (307 septets in gsm7), more than max_parts=2"
    assert str(third) == "the message needs 3 parts (135 code units in ucs2), more than max_parts=2"
    assert second.limit == "max_parts"
    with pytest.raises(RenderError, match="needs 3 parts"):
        program.render({"x": "a" * 307}, IDENTITY)


def test_a_row_that_fails_does_not_touch_the_others() -> None:
    program = source("{{ x | divided_by: y }}", strict_variables=True).compile(SIGNER)
    rows: list[Any] = [
        MessageRow(identity=IDENTITY, values={"x": 4, "y": 2}),
        MessageRow(identity=IDENTITY, values={"x": 4, "y": 0}),
        MessageRow(identity=IDENTITY, values={"x": 4}),
        MessageRow(identity=IDENTITY, values=None),  # type: ignore[arg-type]
        MessageRow(identity=Identity(-1, 1, 1), values={}),
        None,
    ]
    good, *bad = program.render_many(rows)
    assert isinstance(good, RenderedSms)
    assert good.text == "2"
    assert all(isinstance(result, RenderError) and str(result) for result in bad)
    assert str(bad[0]).startswith("text:1: filter `divided_by`")


def test_links_lead_back_to_the_row_and_the_targets() -> None:
    text = "{% for p in l %}{% link 2 %}https://shop.example/{{ p }}{% endlink %} {% endfor %}{% unsubscribe_url %}"
    program = source(text).compile(SIGNER)
    message = sent(program, l=["a", "b"])
    found = [verify(url.rsplit("/", 1)[1], {3: KEY}) for url in message.text.split()]
    assert [(token.kind, token.link, token.link_occurrence) for token in found if token] == [
        (TokenKind.CLICK, 2, 0),
        (TokenKind.CLICK, 2, 1),
        (TokenKind.UNSUBSCRIBE, 0, 0),
    ]
    assert program.resolve_link({"l": ["a", "b"]}, 2, 1) == "https://shop.example/b"
    assert program.resolve_link({"l": ["a", "b"]}, 2, 2) is None
    assert [link.number for link in program.links] == [2]
    assert [variable.path for variable in program.variables] == [("l",), ("l", "*")]
    with pytest.raises(TemplateSyntaxError, match="text:1:4: unknown tag `link`"):
        source("{% link 1 %}https://a.example/{% endlink %}", tracked=False).compile(SIGNER)


# ---- what authors are told -------------------------------------------------------------------------------------------


def test_the_estimate_names_what_makes_a_message_ucs2() -> None:
    text = (
        "Hello {{ name | default: 'дру“г' }},\n"
        "{% if x == 'Ж' %}it’s{% else %}“10° e\u0301{% endif %}"
        "{% comment %}Ж{% endcomment %}"
    )
    found = source(text, transliterate="signs").compile(SIGNER).estimate()
    assert [(c.character, c.line, c.column) for c in found.costly] == [
        ("д", 1, 27),
        ("р", 1, 28),
        ("у", 1, 29),
        ("г", 1, 31),
        ("°", 2, 35),
    ]
    assert str(found.costly[-1]) == "2:35: this “°” (U+00B0 DEGREE SIGN) makes the message UCS-2"
    assert (found.encoding, found.units, found.parts, found.urls) == ("ucs2", len("Hello ,\nit’s“10° e\u0301"), 1, 0)
    strict = source("a “\nb’", transliterate="none").compile(SIGNER).estimate()
    assert [(c.character, c.line, c.column) for c in strict.costly] == [("“", 1, 3), ("’", 2, 2)]
    assert source("a “Ж", encoding="ucs2").compile(SIGNER).estimate().costly == ()


def test_the_estimate_looks_at_each_letter_with_its_accents_once() -> None:
    text = "ok\n a\u0301\u0338\u0301 \u0301\u0338 Ж\u0301\u0301"
    found = source(text).compile(SIGNER).estimate()
    assert [(c.character, c.line, c.column) for c in found.costly] == [
        ("\u0301", 2, 3),
        ("\u0301", 2, 7),  # on the space before it
        ("Ж", 2, 10),
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Ж\n" * 300_000, ("Ж", 1, 1)),
        ("x" + "\u0323" * 300_000, ("\u0323", 1, 2)),
        (("e" + "\u0301" * 1_999) * 200, ("\u0301", 1, 2)),
        ("\n" * 300_000 + "Ж" * 300_000, ("Ж", 300_001, 1)),
        ("{{ 'Ж' }}\n" * 10_000, ("Ж", 1, 5)),
    ],
)
def test_the_estimate_takes_no_time_that_is_quadratic(text: str, first: tuple[str, int, int]) -> None:
    found = source(text, max_parts=255).compile(SIGNER).estimate()
    assert len(found.costly) == 100
    assert (found.costly[0].character, found.costly[0].line, found.costly[0].column) == first


@pytest.mark.parametrize(("marks", "put_together"), [(2_000, True), (2_001, False)])
def test_so_many_accents_are_put_to_their_letters_and_no_more(marks: int, put_together: bool) -> None:
    text = "e\u0301" * marks
    message = source("{{ x }}", max_parts=255, transliterate="signs").compile(SIGNER).render({"x": text}, IDENTITY)
    assert message.encoding == ("gsm7" if put_together else "ucs2")
    assert message.text == ("é" * marks if put_together else text)


def test_accents_in_a_row_take_no_time_that_is_quadratic() -> None:
    text = "e" + "\u0301\u0323" * 8_000
    message = source("{{ x }}", max_parts=255).compile(SIGNER).render({"x": text}, IDENTITY)
    assert (message.encoding, message.text) == ("ucs2", text)


def test_the_estimate_counts_fixed_text_and_links() -> None:
    text = "a€" * 40 + "{% link 1 %}https://a.example/a/very/long/target{% endlink %} {% unsubscribe_url %}{{ x }}"
    found = source(text).compile(SIGNER).estimate()
    message = sent(source(text).compile(SIGNER))
    assert (found.encoding, found.parts, found.urls, found.costly) == ("gsm7", message.parts, 2, ())
    assert abs(found.units - message.units) <= 20  # tokens of the sample are somewhat longer


# ---- sources ---------------------------------------------------------------------------------------------------------


def test_the_same_row_is_the_same_message_also_after_storing() -> None:
    original = source("{{ x }} {% link 1 %}https://a.example/{% endlink %}", transliterate="letters", partials={"a": "b"})
    again = SmsSource.from_json(original.to_json())
    assert again == original
    rows = [MessageRow(identity=IDENTITY, values={"x": value}) for value in ("é", "Ж" * 100)]
    assert original.compile(SIGNER).render_many(rows) == again.compile(SIGNER).render_many(rows)
    with pytest.raises(AttributeError):
        sent(original.compile(SIGNER), x="é").parts = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "latin1"},
        {"transliterate": "all"},
        {"max_parts": 0},
        {"max_parts": 256},
        {"date": datetime(2025, 1, 1)},
        {"zone": "Mars/Olympus"},
        {"engine": ENGINE_VERSION + 1},
    ],
)
def test_sources_that_cannot_be_sent(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"text": "x", "date": DATE, **changes}
    with pytest.raises(ValueError, match=r"."):
        SmsSource(**fields).compile(SIGNER)


@pytest.mark.parametrize("data", ["", "{}", "[]", '{"text": 5}', b"\xff", '{"text": "s", "date": "2025"}'])
def test_json_that_is_no_source(data: bytes | str) -> None:
    with pytest.raises(ValueError, match="not a short message's source"):
        SmsSource.from_json(data)


def test_the_stubs_match_the_extension() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "render_ext._gsm", "render_ext._messages", "--ignore-missing-stub"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
