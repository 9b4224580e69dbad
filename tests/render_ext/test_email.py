"""Whole messages, parsed back with the standard library and compared with what a recipient should read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from render_ext import (
    ENGINE_VERSION,
    EmailProgram,
    EmailRow,
    EmailSource,
    Identity,
    Limits,
    RenderError,
    TemplateSyntaxError,
    TokenKey,
    TokenKind,
    TokenSigner,
    read_envelope_sender,
    read_message_id,
    verify,
)
from tests.render_ext.reference import valid

KEY = TokenKey(3, b"k" * 32)
SIGNER = TokenSigner("https://t.example.com", KEY)
IDENTITY = Identity(9, 1, 77)
DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
HTML = """<html><body>
<p>Hello {{ name }},</p>
.a dot at the start, and {{ value }}
<a href="{% link 1 %}https://shop.example/?q={{ value }}{% endlink %}">one</a>
{% for p in products %}<a href="{% link 2 %}https://shop.example/p/{{ p }}{% endlink %}">{{ p }}</a>{% endfor %}
<a href="{% unsubscribe_url %}">stop</a> <a href="{% mirror_url %}">web</a><img src="{% open_pixel_url %}">
From here on.
</body></html>
"""
TEXT = "Hello {{ name }}\n.dot {{ value }} {% link 1 %}https://shop.example/{% endlink %}\n"


def source(**changes: Any) -> EmailSource:
    """A source with everything in it, changed here and there."""
    fields: dict[str, Any] = {
        "subject": "Hello {{ name }}: {{ value }}",
        "html": HTML,
        "text": TEXT,
        "from_address": "shop@example.com",
        "from_name": "Café Shop",
        "reply_to": "help@example.com",
        "headers": (("X-Campaign", "spring"), ("Feedback-ID", "9:shop")),
        "message_id_domain": "mail.example.com",
        "envelope_domain": "bounce.example.com",
        "date": DATE,
        "seed": "delivery-9",
    }
    return EmailSource(**{**fields, **changes})


def row(values: dict[str, Any] | None = None, *, name: str | None = "Zoë", address: str = "zoe@example.com") -> EmailRow:
    """A recipient."""
    defaults = {"name": "Zoë", "value": "v", "products": ["a", "b"]}
    return EmailRow(address=address, identity=IDENTITY, values=defaults if values is None else values, name=name)


def sent(program: EmailProgram, recipient: EmailRow) -> bytes:
    """The one message of a batch of one."""
    (message,) = program.render_many([recipient])
    assert isinstance(message, bytes), message
    return message


def parsed(message: bytes) -> EmailMessage:
    """The message, without a single defect."""
    found: EmailMessage = BytesParser(policy=policy.default).parsebytes(message)
    for part in found.walk():
        assert not part.defects
    return found


def body(message: EmailMessage, kind: str) -> str | None:
    """The text of a part, with plain line ends."""
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


def check_wire(message: bytes) -> None:
    """What a mail server wants of the bytes, and what keeps them unchanged on their way."""
    assert message.endswith(b"\r\n")
    assert not re.search(rb"[^\r]\n|\r[^\n]|\r\Z|\x00", message)
    for line in message.split(b"\r\n"):
        assert len(line) <= 998
        assert not line.startswith((b".", b"From "))
        assert line.isascii()


def test_a_message() -> None:
    program = source().compile(SIGNER)
    raw = sent(program, row())
    check_wire(raw)
    message = parsed(raw)
    assert message["from"] == "Café Shop <shop@example.com>"
    assert message["to"] == "Zoë <zoe@example.com>"
    assert message["reply-to"] == "help@example.com"
    assert message["subject"] == "Hello Zoë: v"
    assert message["date"].datetime == DATE
    assert (message["x-campaign"], message["feedback-id"], message["mime-version"]) == ("spring", "9:shop", "1.0")
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    parts = program.render_parts(row().values, IDENTITY)
    assert (parts.subject, parts.html, parts.text) == ("Hello Zoë: v", body(message, "html"), body(message, "plain"))
    assert parts.html is not None
    assert "<p>Hello Zoë,</p>\n.a dot" in parts.html


def test_its_tokens_lead_back_to_the_row_and_the_targets() -> None:
    program = source().compile(SIGNER)
    message = parsed(sent(program, row()))
    found = {}
    for letter, text in re.findall(
        r"https://t\.example\.com/([cmou])/([\w-]+)", f"{body(message, 'plain')}{body(message, 'html')}"
    ):
        token = verify(text, {3: KEY})
        assert token is not None
        assert token.identity == IDENTITY
        found[letter, token.link, token.link_occurrence] = token.kind
    click = TokenKind.CLICK
    assert found == {
        ("c", 1, 0): click,
        ("c", 1, 1): click,
        ("c", 2, 0): click,
        ("c", 2, 1): click,
        ("u", 0, 0): TokenKind.UNSUBSCRIBE,
        ("m", 0, 0): TokenKind.MIRROR,
        ("o", 0, 0): TokenKind.OPEN,
    }
    targets = {(1, 0): "", (1, 1): "?q=v", (2, 0): "p/a", (2, 1): "p/b"}  # the text part comes first
    for (number, occurrence), rest in targets.items():
        assert program.resolve_link(row().values, number, occurrence) == f"https://shop.example/{rest}"
    for number, occurrence in ((1, 2), (2, 2), (0, 0), (3, 0), (1, -1)):
        assert program.resolve_link(row().values, number, occurrence) is None


def test_message_id_envelope_sender_and_unsubscribe() -> None:
    program = source().compile(SIGNER)
    message = parsed(sent(program, row()))
    assert message["message-id"] == program.message_id(IDENTITY)
    assert message["message-id"].endswith("@mail.example.com>")
    assert read_message_id(message["message-id"], {3: KEY}) == IDENTITY
    sender = program.envelope_sender(IDENTITY)
    assert sender.endswith("@bounce.example.com")
    assert read_envelope_sender(sender, {3: KEY}) == IDENTITY
    assert message["list-unsubscribe"] == f"<{SIGNER.url(TokenKind.UNSUBSCRIBE, IDENTITY)}>"
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    without = source(list_unsubscribe=False, envelope_domain=None).compile(SIGNER)
    assert "list-unsubscribe" not in parsed(sent(without, row()))
    with pytest.raises(ValueError, match="no envelope domain"):
        without.envelope_sender(IDENTITY)


def test_half_a_character_cannot_be_stored() -> None:
    with pytest.raises(ValueError, match=r"an email source with half of a character \(U\+D800\)"):
        source(subject="a\ud800").to_json()


def test_the_same_row_is_the_same_bytes_also_after_storing() -> None:
    original = source(limits=Limits(steps=5000), partials={"a": "b"}, zone="Europe/Paris")
    again = EmailSource.from_json(original.to_json())
    assert again == original
    first, second = original.compile(SIGNER), again.compile(TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32)))
    rows = [row(), row({"name": "x\r\ny", "value": "é" * 100})]
    assert first.render_many(rows) == second.render_many(rows) == [sent(first, recipient) for recipient in rows]


plain = st.text(max_size=60) | st.sampled_from(
    [
        "a\r\nBcc: evil@example.com",
        "\n.\n",
        "." * 100,
        "x" * 2000,
        "From x\nFrom y",
        " \t \n ",
        "\x00\x01",
        "\ud800",
        "é" * 90,
        "=3D=",
        "\r",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=plain, value=plain, products=st.lists(plain, max_size=3), static=plain, to=st.none() | plain)
@example(name="a", value="b", products=[], static="Привет, это почти всё кириллица. " * 40, to=None)
@example(name="\r", value="\r", products=["\r"], static="\n", to="\r\n")
def test_any_value_anywhere(name: str, value: str, products: list[str], static: str, to: str | None) -> None:
    static = static.replace("{", "(").replace("\ud800", "")
    program = source(html=HTML + static, text=static + TEXT + static).compile(SIGNER)
    recipient = row({"name": name, "value": value, "products": products}, name=to)
    raw = sent(program, recipient)
    check_wire(raw)
    message = parsed(raw)
    assert len(message.keys()) == len(parsed(sent(program, row())).keys())
    assert "bcc" not in message
    parts = program.render_parts(recipient.values, IDENTITY)
    assert (body(message, "plain"), body(message, "html")) == (parts.text, parts.html)
    expected = re.sub(r"[\x00-\x1f\x7f]", " ", valid(f"Hello {name}: {value}")).strip(" ")
    assert parts.subject == expected
    assert re.sub(r"\s+", " ", message["subject"]) == re.sub(r"\s+", " ", expected)
    assert parts.text is not None
    assert re.sub("\r\n?", "\n", valid(value)) in parts.text


@pytest.mark.parametrize("html", [None, HTML])
@pytest.mark.parametrize(
    "text", [TEXT, "Only {{ name }}", "{{ nothing }}", "short and fixed\n", "fixed, no line end", "Ж" * 50, ""]
)
def test_one_part_or_two(html: str | None, text: str) -> None:
    program = source(html=html, text=text).compile(SIGNER)
    raw = sent(program, row())
    check_wire(raw)
    message = parsed(raw)
    parts = program.render_parts(row().values, IDENTITY)
    assert (parts.html is None) == (html is None)
    assert body(message, "html") == parts.html
    end = "\n" if html is None and "base64" not in str(message["content-transfer-encoding"]) else ""
    assert parts.text is not None
    assert body(message, "plain") in (parts.text, parts.text + end)


def test_html_alone() -> None:
    program = source(text=None).compile(SIGNER)
    message = parsed(sent(program, row()))
    assert message.get_content_type() == "text/html"
    assert program.render_parts(row().values, IDENTITY).text is None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Fixed and short.\nAll of it.\n", "7bit"),
        ("Fixed " * 20 + "\n", "quoted-printable"),
        ("Fixed\n.dot\n", "quoted-printable"),
        ("Fixed\nFrom x\n", "quoted-printable"),
        ("Fixed, no line end", "quoted-printable"),
        ("Hello {{ name }}\n", "quoted-printable"),
        ("Grüße, {{ name }}\n" + "ASCII " * 20, "quoted-printable"),
        ("Привет, {{ name }}! Как дела сегодня и всегда? " * 5, "base64"),
        ("你好，世界。" * 20, "base64"),
    ],
)
def test_the_transfer_encoding_follows_the_fixed_text(text: str, encoding: str) -> None:
    message = parsed(sent(source(html=None, text=text).compile(SIGNER), row()))
    assert message["content-transfer-encoding"] == encoding


def test_a_row_that_fails_does_not_touch_the_others() -> None:
    program = source(strict_variables=True).compile(SIGNER)
    good = row()
    bad: list[EmailRow] = [
        row({"name": "x"}),
        row(address="no address"),
        row(address="a@b.c\r\nRCPT TO:<x@y.z>"),
        EmailRow(address="a@b.c", identity=Identity(-1, 1, 1), values=good.values),
        EmailRow(address="a@b.c", identity=Identity(1, 1, 2**63), values=good.values),
        EmailRow(address="a@b.c", identity=IDENTITY, values=None),  # type: ignore[arg-type]
        EmailRow(address=None, identity=IDENTITY, values={}),  # type: ignore[arg-type]
        EmailRow(address="a@b.c", identity=None, values={}),  # type: ignore[arg-type]
        row({"name": {1}, "value": "v", "products": []}),
        row(name=5),  # type: ignore[arg-type]
    ]
    results = program.render_many([good, *bad, good])
    assert results[0] == results[-1]
    assert isinstance(results[0], bytes)
    for result in results[1:-1]:
        assert isinstance(result, RenderError)
        assert str(result)


def test_errors_say_which_part_and_line() -> None:
    program = source(text="one\n{{ x | divided_by: 0 }}").compile(SIGNER)
    (error,) = program.render_many([row()])
    assert isinstance(error, RenderError)
    assert (error.template, error.line) == ("text", 2)
    with pytest.raises(RenderError, match="text:2: filter `divided_by`: divided by 0"):
        program.render_parts(row().values, IDENTITY)
    with pytest.raises(TemplateSyntaxError, match="html:1:8: unknown filter `nope`"):
        source(html="{{ x | nope }}").compile(SIGNER)
    with pytest.raises(TemplateSyntaxError, match="subject:1:4: unknown tag `link`"):
        source(subject="{% link 1 %}").compile(SIGNER)


def test_the_limit_on_a_whole_message() -> None:
    program = source().compile(SIGNER)
    size = len(sent(program, row()))
    assert len(sent(source(limits=Limits(output_bytes=size)).compile(SIGNER), row())) == size
    (error,) = source(limits=Limits(output_bytes=size - 1)).compile(SIGNER).render_many([row()])
    assert isinstance(error, RenderError)
    assert error.limit == "output_bytes"


@pytest.mark.parametrize(
    "changes",
    [
        {"html": None, "text": None},
        {"from_address": "nobody"},
        {"from_address": "a@b.c\r\nBcc: x@y.z"},
        {"reply_to": "a@b@c"},
        {"message_id_domain": "a b"},
        {"message_id_domain": "x>\r\nBcc: y"},
        {"message_id_domain": ""},
        {"envelope_domain": "-x"},
        {"headers": (("Bad Name", "x"),)},
        {"headers": (("X-A:", "x"),)},
        {"headers": (("X-A", "x\r\nBcc: y"),)},
        {"headers": (("subject", "mine"),)},
        {"headers": (("Content-Language", "en"),)},
        {"date": datetime(2025, 1, 1)},
        {"zone": "Mars/Olympus"},
        {"engine": ENGINE_VERSION + 1},
    ],
)
def test_sources_that_cannot_be_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        source(**changes).compile(SIGNER)


@pytest.mark.parametrize("data", ["", "{}", "[]", '{"subject": 5}', b"\xff", '{"subject": "s"'])
def test_json_that_is_no_source(data: bytes | str) -> None:
    with pytest.raises(ValueError, match="not an email source"):
        EmailSource.from_json(data)


def test_what_the_parts_read_and_link_to() -> None:
    program = source().compile(SIGNER)
    assert {variable.path for variable in program.variables} == {("name",), ("value",), ("products",), ("products", "*")}
    assert [link.number for link in program.links] == [1, 1, 2]


def test_an_untracked_message_knows_no_links() -> None:
    with pytest.raises(TemplateSyntaxError, match="unknown tag"):
        source(tracked=False).compile(SIGNER)
    program = source(tracked=False, html="<p>{{ name }}</p>", text=None).compile(SIGNER)
    assert body(parsed(sent(program, row())), "html") in ("<p>Zoë</p>", "<p>Zoë</p>\n")
