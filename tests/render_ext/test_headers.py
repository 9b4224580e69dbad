"""Header fields, read back with the standard library's parser."""

from __future__ import annotations

import re
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from render_ext._headers import mailbox_field, structured_field, subject_field, unstructured_field
from tests.render_ext.reference import valid

awkward = (
    st.text(max_size=200)
    | st.text(st.sampled_from(' ab=?_é😀\r\n\t\x00",<>@\\'), max_size=300)
    | st.lists(st.text(st.sampled_from("abc=?-"), min_size=1, max_size=90), max_size=8).map(" ".join)
    | st.lists(st.text(st.sampled_from("äöü日本"), min_size=1, max_size=90), max_size=8).map(" ".join)
)
names = awkward.filter(lambda text: bool(cleaned(text)))
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def cleaned(text: str) -> str:
    """What of a text can stand in a header."""
    return CONTROLS.sub(" ", valid(text)).strip(" ")


def parsed(field: bytes) -> EmailMessage:
    """A message of this one field."""
    return BytesParser(policy=policy.SMTP).parsebytes(field + b"\r\n", headersonly=True)


def check_field(field: bytes) -> None:
    """One field of lines that every mail server takes."""
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    for index, line in enumerate(lines):
        assert len(line) <= 998
        assert re.fullmatch(rb"[ -~]*", line)
        assert line.strip()
        assert line.startswith(b" ") == (index > 0)
        if b"=?utf-8?" in line:
            assert len(line) <= 76
    for word in re.findall(rb"=\?utf-8\?[QB]\?[^?]*\?=", field):
        assert len(word) <= 75


@given(awkward)
@example("x" * 2000)
@example("a " * 500)
@example("é" * 500)
@example("=?utf-8?Q?fake?=")
@example("a  b   c" * 20)
@example("")
def test_a_text_comes_back(text: str) -> None:
    field = unstructured_field("Subject", text)
    check_field(field) if cleaned(text) else None
    unfolded = field.removeprefix(b"Subject: ").removesuffix(b"\r\n").replace(b"\r\n", b"").decode()
    assert str(make_header(decode_header(unfolded))) == cleaned(text)


@given(awkward)
@example("w" * 690)
@example("a" * 67 + " " + "b" * 75)
@example("a" * 68)
@example("a " + "b" * 76)
@example("https://shop.example/" + "x" * 60 + " is open")
def test_no_line_of_a_subject_is_longer_than_78_characters(text: str) -> None:
    field = subject_field(text)
    check_field(field) if cleaned(text) else None
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    unfolded = field.removeprefix(b"Subject: ").removesuffix(b"\r\n").replace(b"\r\n", b"").decode()
    assert str(make_header(decode_header(unfolded))) == cleaned(text)


def test_a_subject_of_ordinary_words_stays_as_it_is() -> None:
    assert subject_field("a" * 67 + " " + "b" * 75) == b"Subject: " + b"a" * 67 + b"\r\n " + b"b" * 75 + b"\r\n"
    assert b"=?" in subject_field("a" * 68)
    assert b"=?" not in unstructured_field("X-Data", "a" * 690)  # programs may read it


@given(awkward)
@example("<1@a.example> <2@a.example> " * 20)
@example("<=?x@a.example>")
@example("<é@a.example>")
@example("x" * 800)
def test_a_structured_field_has_no_encoded_words(text: str) -> None:
    field = structured_field("References", text)
    if field:
        check_field(field)
        assert field.removeprefix(b"References: ").removesuffix(b"\r\n").replace(b"\r\n", b"").decode() == cleaned(text)
    else:
        assert not cleaned(text) or not cleaned(text).isascii() or len(cleaned(text)) > 600


@given(awkward)
def test_the_new_parser_reads_the_same(text: str) -> None:
    message = parsed(unstructured_field("Subject", text))
    assert len(message.keys()) == 1
    assert re.sub(r"\s+", " ", str(message["subject"])) == re.sub(r"\s+", " ", cleaned(text))


@given(awkward)
def test_each_encoded_word_holds_whole_characters(text: str) -> None:
    field = unstructured_field("X-A", text).decode()
    for word in re.findall(r"=\?utf-8\?[QB]\?[^?]+\?=", field):
        ((data, charset),) = decode_header(word)
        assert isinstance(data, bytes)
        assert charset == "utf-8"
        data.decode()


@given(names)
@example('Tom "the cat" O\'Neil, Jr.')
@example("back\\slash")
@example("Zoë")
@example("a@b.c")
@example("x" * 500)
def test_a_display_name_comes_back(name: str) -> None:
    field = mailbox_field("To", name, "zoe@example.com")
    check_field(field)
    message = parsed(field)
    assert message["to"].defects == ()
    assert message["to"].addresses[0].addr_spec == "zoe@example.com"
    # decoded the old way: some versions of the parser put spaces between the encoded words of a phrase
    phrase, address = parseaddr(field.decode().removeprefix("To: ").replace("\r\n", ""))
    assert address == "zoe@example.com"
    assert re.sub(r"\s+", " ", str(make_header(decode_header(phrase)))) == re.sub(r"\s+", " ", cleaned(name))


@pytest.mark.parametrize("name", [None, "", " ", "\r\n"])
def test_an_address_alone(name: str | None) -> None:
    assert mailbox_field("To", name, "zoe@example.com") == b"To: zoe@example.com\r\n"


def test_short_fields_as_they_are_written() -> None:
    assert unstructured_field("Subject", "Hello you") == b"Subject: Hello you\r\n"
    assert unstructured_field("Subject", "The café is open") == b"Subject: =?utf-8?Q?The_caf=C3=A9_is_open?=\r\n"
    assert unstructured_field("Subject", "Привет") == b"Subject: =?utf-8?B?0J/RgNC40LLQtdGC?=\r\n"
    assert mailbox_field("From", "Shop", "a@b.example") == b"From: Shop <a@b.example>\r\n"
    assert mailbox_field("From", "Shop, Inc.", "a@b.example") == b'From: "Shop, Inc." <a@b.example>\r\n'


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.c", "a@", "a@@b.c", "a b@c.d", "a@b c", "a@b.c\r\nBcc: x@y.z", "a@b.c>", "<a@b.c>", "a@b,c@d", "é@b.c",
     ".a@b.c", "a.@b.c", "a..b@c.d", "a@.b", "a@b.", "a@-b.c", "a@b..c", "x" * 65 + "@b.c", "a@" + "b" * 260, '"a b"@c.d',
     "a@[127.0.0.1]", "a\x00@b.c", "a@b\x00.c"],
)  # fmt: skip
def test_addresses_that_cannot_be_written(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|ASCII|domain"):
        mailbox_field("To", None, address)


@pytest.mark.parametrize("address", ["a@b", "a.b+c@d-e.f", "x" * 64 + "@b.c", "!#$%&'*+-/=?^_`{|}~@b.c", "A@B.C"])
def test_addresses_that_can(address: str) -> None:
    assert mailbox_field("To", None, address) == f"To: {address}\r\n".encode()


def test_a_domain_of_another_script() -> None:
    assert mailbox_field("To", None, "a@bücher.example") == b"To: a@xn--bcher-kva.example\r\n"
