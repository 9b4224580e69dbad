"""Messages with files, parsed back with the standard library: structure, bytes, names, and what is refused."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from render_ext import (
    Attachment,
    BadAttachment,
    DkimKey,
    DkimSelector,
    EmailProgram,
    EmailSource,
    MissingAttachment,
    RenderError,
)
from render_ext.attachments import name_problem, plain_name
from tests.render_ext.test_email import HTML, IDENTITY, SIGNER, TEXT, body, check_wire, parsed, row, sent, source

PDF = b"%PDF-1.7\r\n.\r\n\x00\xff" + bytes(range(256)) * 40
LOGO = b"\x89PNG\r\n\x1a\n" + bytes(300)
IMAGE_HTML = '<p>{{ name }}</p><img src="cid:logo">'


def program(*attached: tuple[str, str, bytes, str | None], **changes: Any) -> EmailProgram:
    """A program with files, each given as name, type, bytes and content id."""
    found = tuple(Attachment.of(*one) for one in attached)
    return source(attachments=found, **changes).compile(SIGNER, files=[content for _, _, content, _ in attached])


def tree(message: Any) -> Any:
    """The types of a message, parts within their containers."""
    kind = message.get_content_type()
    return {kind: [tree(part) for part in message.iter_parts()]} if message.is_multipart() else kind


INVOICE = ("invoice.pdf", "application/pdf", PDF, None)
PICTURE = ("logo.png", "image/png", LOGO, "logo")
ALTERNATIVE = {"multipart/alternative": ["text/plain", "text/html"]}
WITH_IMAGE = {"multipart/alternative": ["text/plain", {"multipart/related": ["text/html", "image/png"]}]}


@pytest.mark.parametrize(
    ("html", "text", "attached", "expected"),
    [
        (HTML, TEXT, [INVOICE], {"multipart/mixed": [ALTERNATIVE, "application/pdf"]}),
        (IMAGE_HTML, TEXT, [PICTURE], WITH_IMAGE),
        (IMAGE_HTML, TEXT, [INVOICE, PICTURE], {"multipart/mixed": [WITH_IMAGE, "application/pdf"]}),
        (IMAGE_HTML, None, [PICTURE], {"multipart/related": ["text/html", "image/png"]}),
        (
            IMAGE_HTML, None, [PICTURE, INVOICE],
            {"multipart/mixed": [{"multipart/related": ["text/html", "image/png"]}, "application/pdf"]},
        ),
        (None, "Hello\n", [INVOICE, INVOICE], {"multipart/mixed": ["text/plain", "application/pdf", "application/pdf"]}),
        (None, "Grüße " * 40, [INVOICE], {"multipart/mixed": ["text/plain", "application/pdf"]}),
        ("Привет, {{ name }}" * 20, None, [INVOICE], {"multipart/mixed": ["text/html", "application/pdf"]}),
    ],
)  # fmt: skip
def test_the_structure(html: str | None, text: str | None, attached: list[Any], expected: Any) -> None:
    made = program(*attached, html=html, text=text)
    raw = sent(made, row())
    check_wire(raw)
    message = parsed(raw)
    assert tree(message) == expected
    # The bodies are as without files, the files are what was given, in their order.
    shown = made.render_parts(row().values, IDENTITY)
    assert (body(message, "html"), body(message, "plain")) == (shown.html, shown.text)
    files = [part for part in message.walk() if part.get_filename()]
    assert sorted(part.get_content() for part in files) == sorted(content for _, _, content, _ in attached)
    assert {part.get_filename() for part in files} == {name for name, _, _, _ in attached}
    assert all(part["content-transfer-encoding"] == "base64" for part in files)


def test_a_picture_is_named_as_the_html_names_it_and_an_attachment_is_one() -> None:
    message = parsed(sent(program(INVOICE, PICTURE, html=IMAGE_HTML), row()))
    picture, invoice = (part for part in message.walk() if part.get_filename())
    assert (picture["content-id"], picture.get_content_disposition()) == ("<logo>", "inline")
    assert (invoice["content-id"], invoice.get_content_disposition()) == (None, "attachment")
    related = message.get_body(("related",))
    assert related is not None
    assert related["content-type"].params["type"] == "text/html"
    assert [part.get_filename() for part in message.iter_attachments()] == ["invoice.pdf"]


def test_a_message_without_files_is_what_it_was() -> None:
    raw = sent(source().compile(SIGNER, files=[PDF]), row())
    assert raw == sent(source().compile(SIGNER), row())
    assert raw.count(b"Content-Type: multipart/") == 1


def test_the_source_is_plain_data_without_the_bytes_and_makes_the_same_message_again() -> None:
    made = source(attachments=(Attachment.of(*INVOICE), Attachment.of(*PICTURE)), html=IMAGE_HTML)
    stored = made.to_json()
    assert len(stored) < 3000
    again = EmailSource.from_json(stored)
    assert again == made
    first = sent(made.compile(SIGNER, files=[PDF, LOGO]), row())
    assert sent(again.compile(SIGNER, files=[LOGO, b"not asked for", PDF]), row()) == first


def test_bytes_that_are_missing_or_changed() -> None:
    made = source(attachments=(Attachment.of(*INVOICE),))
    for files in ([], [PDF + b"x"], [LOGO]):
        with pytest.raises(MissingAttachment, match=r"attachment 1: no file was given for 'invoice.pdf' of \d+ bytes"):
            made.compile(SIGNER, files=files)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": ""}, "1 to 200 characters"),
        ({"name": " a"}, "no space before"),
        ({"name": "../etc/passwd"}, "a path"),
        ({"name": ".."}, "a path"),
        ({"name": "a\r\nX: y"}, "control"),
        ({"name": "invoice\u202efdp.exe"}, "turn the direction"),
        ({"name": "\ud800.pdf"}, "control"),
        ({"name": "x" * 201}, "200"),
        ({"media_type": "pdf"}, "media type"),
        ({"media_type": "application/pdf\r\nX: y"}, "media type"),
        ({"media_type": "text/plain; name=x"}, "media type"),
        ({"media_type": "message/rfc822"}, "cannot be of the type"),
        ({"media_type": "multipart/mixed"}, "cannot be of the type"),
        ({"content_id": "a b"}, "content id"),
        ({"content_id": "a>b"}, "content id"),
        ({"sha256": "abc"}, "sha256"),
    ],
)
def test_files_that_no_message_can_carry(change: dict[str, Any], problem: str) -> None:
    fields = {"name": "a.pdf", "media_type": "application/pdf", "size": 0, "sha256": "0" * 64, **change}
    with pytest.raises(BadAttachment, match=problem):
        source(attachments=(Attachment(**fields),)).compile(SIGNER)


def test_content_ids_are_unique_and_need_html() -> None:
    with pytest.raises(BadAttachment, match="attachment 2: another file"):
        program(PICTURE, ("b.png", "image/png", LOGO, "LOGO"))
    with pytest.raises(BadAttachment, match="needs HTML"):
        program(PICTURE, html=None)


def test_parameters_of_a_type_stay() -> None:
    made = program(("tür.csv", "text/csv; charset=iso-8859-1; header=present", "ä;b\r\n".encode("latin-1"), None))
    (part,) = parsed(sent(made, row())).iter_attachments()
    assert isinstance(part, EmailMessage)
    assert part.get_content() == "ä;b\r\n"
    assert part["content-type"].params["header"] == "present"
    assert part.get_filename() == "tür.csv"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Rechnung Mai.pdf", "Rechnung Mai.pdf"),
        ("Übersicht é.pdf", "Ubersicht e.pdf"),
        ("Ведомость.xlsx", "file.xlsx"),
        ("請求書", "file"),
        ("a\"b'c\\d.txt", "a_b_c_d.txt"),
        ("x" * 80 + ".pdf", "x" * 50 + ".pdf"),
    ],
)
def test_names_for_readers_that_know_no_other_scripts(name: str, plain: str) -> None:
    assert plain_name(name) == plain


no_liquid = st.text(st.characters(exclude_characters="{", codec="utf-8"), max_size=80)
names = st.text(min_size=1, max_size=200).filter(lambda name: name_problem(name) is None)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(name=names, content=st.binary(max_size=400), inline=st.booleans(), text=st.one_of(st.none(), no_liquid))
@example(name='say "hi".txt', content=b"", inline=False, text="x")
@example(name="it's 100%.txt", content=b".", inline=False, text=None)
@example(name="=?utf-8?q?a?=.txt", content=b"\r\n.\r\n", inline=False, text=None)
@example(name="Ведомость за май; итог.xlsx", content=b"\0" * 57, inline=True, text="t")
@example(name="請求書" * 60, content=b"x" * 58, inline=True, text=None)
@example(name="😀.png", content=b"", inline=True, text="t")
@example(name="*'utf-8''x", content=b"", inline=True, text="t")
def test_any_name_and_any_bytes(name: str, content: bytes, inline: bool, text: str | None) -> None:
    kind = ("image/png", "pic") if inline else ("application/octet-stream", None)
    made = program((name, kind[0], content, kind[1]), html="<p>{{ value }}</p>", text=text)
    raw = sent(made, row())
    check_wire(raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 200
    (part,) = (part for part in parsed(raw).walk() if part.get_filename() is not None)
    assert part["content-disposition"].params["filename"] == name  # `get_filename` drops angle brackets around a name
    assert part.get_content() == content


def test_signed_with_its_files() -> None:
    """By dkimpy, whose canonical forms are its own."""
    plain = serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    keys = [
        DkimKey.from_pem("example.com", "r", rsa.generate_private_key(65537, 2048).private_bytes(*form).decode()),
        DkimKey.from_pem("example.com", "e", ed25519.Ed25519PrivateKey.generate().private_bytes(*form).decode()),
    ]
    selectors = tuple(DkimSelector(domain=key.domain, selector=key.selector) for key in keys)
    records = {f"{name}.".encode(): value.encode() for name, value in (key.dns_record() for key in keys)}
    made = source(attachments=(Attachment.of(*INVOICE), Attachment.of(*PICTURE)), html=IMAGE_HTML, dkim=selectors)
    raw = sent(made.compile(SIGNER, keys=keys, files=[PDF, LOGO]), row())
    check_wire(raw)
    for index in range(2):
        verifier = dkim.DKIM(raw, timeout=5)
        assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name])
    spoiled = raw.replace(b"invoice.pdf", b"invoice.exe")
    with pytest.raises(dkim.ValidationError, match="body hash"):
        dkim.DKIM(spoiled).verify(dnsfunc=lambda name, timeout=5: records[name])


def test_large_files_are_no_matter_of_the_limits_of_templates() -> None:
    large = bytes(100_000)
    limits = source().limits.__class__(output_bytes=20_000)
    raw = sent(program(("large.bin", "application/octet-stream", large, None), limits=limits), row())
    assert len(raw) > 130_000
    small = program(("large.bin", "application/octet-stream", large, None), limits=limits, text="{{ value }}")
    (failed,) = small.render_many([row({"name": "n", "value": "v" * 200_000})])
    assert isinstance(failed, RenderError)


# header fields with values


def test_fields_with_values() -> None:
    made = source(
        headers=(("X-Fixed", "a b"), ("X-Customer", "{{ customer }}"), ("X-Empty", "{% if false %}x{% endif %}")),
        to_name="{{ title }} {{ name }}",
    ).compile(SIGNER)
    raw = sent(made, row({"name": "Zoë", "title": "Dr.", "customer": "Ünal\r\nBcc: x@example.com"}, name="Other"))
    check_wire(raw)
    message = parsed(raw)
    assert message["to"].addresses[0].display_name == "Dr. Zoë"
    assert (message["x-fixed"], message["x-customer"]) == ("a b", "Ünal  Bcc: x@example.com")
    assert message["x-empty"] is None
    assert message["bcc"] is None
    assert raw.index(b"X-Fixed") < raw.index(b"\r\nTo: ") < raw.index(b"X-Customer")
    nameless = parsed(sent(made, row({"customer": "c"}, name="Other")))
    assert nameless["to"].addresses[0].display_name == "Other"
    assert {variable.path for variable in made.variables} >= {("customer",), ("title",)}


def test_a_structured_field_with_a_value_of_another_script_is_left_out() -> None:
    headers = (("References", "<{{ id }}@a.example>"), ("in-reply-to", "{{ 'é' }}"), ("X-A", "{{ id }}"))
    made = source(headers=headers).compile(SIGNER)
    plain, foreign = (parsed(sent(made, row({"id": value}))) for value in ("1", "é"))
    assert (plain["references"], plain["in-reply-to"], plain["x-a"]) == ("<1@a.example>", None, "1")
    assert (foreign["references"], foreign["in-reply-to"], foreign["x-a"]) == (None, None, "é")


def test_a_field_that_fails_fails_its_row_and_says_which() -> None:
    made = source(headers=(("X-A", "x"), ("X-B", "{{ value | truncate: oops }}")), strict_variables=True).compile(SIGNER)
    (failed,) = made.render_many([row()])
    assert isinstance(failed, RenderError)
    assert failed.template == "headers/1"


header_values = st.text(alphabet=st.one_of(st.characters(), st.sampled_from('\r\n\0\t =?.:,<>"')), max_size=300)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(value=header_values, name=header_values)
@example(value="\r\nX-Evil: 1", name='"\r\nCc: a@b')
@example(value="=?utf-8?q?=0D=0AX-Evil=3A?=", name="=?x?=")
@example(value="x" * 5000, name="y" * 3000)
@example(value="и" * 500, name="и" * 500)
def test_no_value_leaves_its_field(value: str, name: str) -> None:
    made = source(headers=(("X-Value", "{{ value }}"),), to_name="{{ name }}").compile(SIGNER)
    raw = sent(made, row({"value": value, "name": name, "products": []}, name=None))
    check_wire(raw)
    header = raw[: raw.index(b"\r\n\r\n")].decode()
    fields = re.findall(r"^[^\s:]+(?=:)", header, re.MULTILINE)
    known = ["Message-ID", "Date", "From", "Reply-To", "To", "Subject", "X-Value", "List-Unsubscribe", "List-Unsubscribe-Post"]
    assert [one for one in fields if one != "X-Value"] == [
        *(one for one in known if one != "X-Value"), "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert all(len(line) <= 998 for line in header.split("\r\n"))
