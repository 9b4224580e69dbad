"""Transfer encodings: line lengths, line ends and leading dots, read back with the standard library."""

from __future__ import annotations

import base64
import quopri
import re
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from render_ext import EmailRow, EmailSource, Identity, TokenKey, TokenSigner
from render_ext._buffer import Escape, Transfer, base64_lines, encode
from render_ext.template import Options, build
from tests.render_ext.reference import valid

LINE_ENDS = re.compile("\r\n|\r|\n")
awkward = st.text(st.sampled_from(" \t\r\n.=F_ex\x00é€😀") | st.characters(exclude_categories=()), max_size=200) | st.lists(
    st.sampled_from(["x" * 74, "x" * 75, "x" * 76, " ", "\r\n", "\r", "\n", ".", "From ", "=", "é" * 30])
).map("".join)


def crlf(text: str) -> bytes:
    """What a reader of a mail gets to see of a text."""
    return LINE_ENDS.sub("\r\n", valid(text)).encode()


def check_lines(encoded: bytes) -> None:
    """The rules of quoted-printable, and ours: no dot and no F at the start of a line."""
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert re.fullmatch(rb"[\t -~]*", line)
        assert not line.startswith((b".", b"F"))
        assert not line.endswith((b" ", b"\t"))
    assert not re.search(rb"[^\r]\n|\r[^\n]", encoded)


@given(awkward)
def test_quoted_printable_of_one_text(text: str) -> None:
    encoded = encode(text, Escape.ESCAPE_NONE, Transfer.TRANSFER_QP)
    check_lines(encoded)
    assert quopri.decodestring(encoded) == crlf(text)


@given(st.lists(st.tuples(awkward, awkward), max_size=6))
def test_quoted_printable_wherever_a_value_lands(pieces: list[tuple[str, str]]) -> None:
    """Static text is encoded beforehand, values as they come: the whole obeys the rules all the same."""
    static = [text.replace("{", "(").replace("}", ")").replace("\r", "\n") for text, _ in pieces]
    source = "".join(f"{text}{{{{ v{i} }}}}" for i, text in enumerate(static))
    values = {f"v{i}": value for i, (_, value) in enumerate(pieces)}
    encoded, plain = rendered_both_ways(source, values)
    check_lines(encoded)
    assert quopri.decodestring(encoded) == plain.replace(b"\n", b"\r\n")
    expected = "".join(text + LINE_ENDS.sub("\n", value) for text, (_, value) in zip(static, pieces, strict=True))
    assert plain == valid(expected).encode()


def rendered_both_ways(source: str, values: dict[str, str]) -> tuple[bytes, bytes]:
    """One part as it is sent, and as it is read."""
    signer = TokenSigner("https://t.example.com", TokenKey(1, bytes(32)))
    # the empty branch keeps the part from being fixed text, which might be sent as 7bit
    program = EmailSource(
        subject="s",
        text=source + "{% if a %}{{ a }}{% endif %}",
        from_address="a@example.com",
        message_id_domain="example.com",
        date=datetime(2025, 1, 1, tzinfo=UTC),
        seed="seed",
    ).compile(signer)
    identity = Identity(1, 1, 1)
    (message,) = program.render_many([EmailRow(address="b@example.com", identity=identity, values=values)])
    assert isinstance(message, bytes)
    head, body = message.split(b"\r\n\r\n", 1)
    text = program.render_parts(values, identity).text
    assert text is not None
    if b"quoted-printable" not in head:
        assert b"base64" in head  # much of the fixed text is of another script
        body = encode(base64.b64decode(body).decode(), Escape.ESCAPE_NONE, Transfer.TRANSFER_QP)
    return body, text.encode()


@given(awkward)
def test_line_ends(text: str) -> None:
    assert encode(text, Escape.ESCAPE_NONE, Transfer.TRANSFER_CRLF) == crlf(text)
    assert encode(text, Escape.ESCAPE_NONE, Transfer.TRANSFER_LF) == crlf(text).replace(b"\r\n", b"\n")
    assert encode(text, Escape.ESCAPE_NONE, Transfer.TRANSFER_NONE) == valid(text).encode()


@given(st.text(st.sampled_from("\r\né<x"), min_size=1000, max_size=1100))
@example("x" * 1023 + "\r\n")
@example("é" * 510 + "\r\r\r\r\r\r\r\r\r\n" + "x" * 600)
@example("é" * 511 + "\r\nx")
def test_line_ends_across_the_chunks_of_a_long_value(text: str) -> None:
    long = text * 3
    assert encode(long, Escape.ESCAPE_NONE, Transfer.TRANSFER_CRLF) == crlf(long)
    assert quopri.decodestring(encode(long, Escape.ESCAPE_NONE, Transfer.TRANSFER_QP)) == crlf(long)
    escaped = long.replace("<", "&lt;")
    assert encode(long, Escape.ESCAPE_HTML, Transfer.TRANSFER_CRLF) == crlf(escaped)


@given(awkward)
def test_escaped_then_quoted(text: str) -> None:
    """Both stages at once are the same as one after the other."""
    plain = encode(text, Escape.ESCAPE_HTML, Transfer.TRANSFER_NONE).decode()
    both = encode(text, Escape.ESCAPE_HTML, Transfer.TRANSFER_QP)
    check_lines(both)
    assert quopri.decodestring(both) == crlf(plain)


@given(st.binary(max_size=400))
def test_base64(data: bytes) -> None:
    encoded = base64_lines(data)
    assert base64.b64decode(encoded, validate=False) == data
    lines = encoded.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) == 76 for line in lines[:-1])
    assert b"".join(lines) == base64.b64encode(data)


def test_a_program_for_a_part_prints_its_plain_text_too() -> None:
    program = build("é = {{ x }}", "t", Escape.ESCAPE_NONE, Options(), transfer=Transfer.TRANSFER_QP)
    assert program.render({"x": "ü"}) == "é = ü"
