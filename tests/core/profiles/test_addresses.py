"""Two spellings of one address have one key; what is no address says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue


@pytest.mark.parametrize(
    ("text", "address", "key"),
    [
        ("Ann.Lee+news@Mail.Example", "Ann.Lee+news@Mail.Example", "ann.lee+news@mail.example"),
        ("  ann@mail.example \n", "ann@mail.example", "ann@mail.example"),
        ("\ufeffann@mail.example\u200b", "ann@mail.example", "ann@mail.example"),
        ("o'neil@mail.example", "o'neil@mail.example", "o'neil@mail.example"),
        ("a@Bücher.Example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@faß.example", "a@xn--fa-hia.example", "a@xn--fa-hia.example"),
        ("José@mail.example", "José@mail.example", "josé@mail.example"),
        ("Jose\u0301@mail.example", "José@mail.example", "josé@mail.example"),
        ("ПОЧТА@пошта.example", "ПОЧТА@xn--80a1acn3a.example", "почта@xn--80a1acn3a.example"),
        ("用户@例え。example", "用户@xn--r8jz45g.example", "用户@xn--r8jz45g.example"),
        ("a@a-b.c--d.example", "a@a-b.c--d.example", "a@a-b.c--d.example"),
        ("x" * 64 + "@mail.example", "x" * 64 + "@mail.example", "x" * 64 + "@mail.example"),
    ],
)
def test_an_address_is_stored_as_spelled_and_compared_in_one_form(text: str, address: str, key: str) -> None:
    found = parse_email(text)

    assert (found.address, found.key) == (address, key)
    assert found.domain == key.rpartition("@")[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no @"),
        ("ann", "no @"),
        ("@mail.example", "nothing before"),
        ("ann@", "no valid domain"),
        ("ann@localhost", "no valid domain"),
        ("ann@mail..example", "no valid domain"),
        ("ann@-mail.example", "no valid domain"),
        ("ann@mail.example.", "no valid domain"),
        ("ann@mail_box.example", "no valid domain"),
        ("ann@127.0.0.1", "no valid domain"),
        ("ann@[127.0.0.1]", "no valid domain"),
        ("ann@xn--zzzzzz99999.example", "cannot exist"),
        ("ann@bü cher.example", "cannot exist"),
        ("ann@" + "ü" * 64 + ".example", "cannot exist"),
        ("ann@" + "x" * 64 + ".example", "no valid domain"),
        ("ann@" + "x." * 130 + "example", "more than 253"),
        (".ann@mail.example", "dot too many"),
        ("ann.@mail.example", "dot too many"),
        ("an..n@mail.example", "dot too many"),
        ("an n@mail.example", "' ' before"),
        ("ann@ann@mail.example", "'@' before"),
        ("ann,bob@mail.example", "',' before"),
        ('"ann lee"@mail.example', "before"),
        ("<ann@mail.example>", "'<' before"),
        ("ann\u200bb@mail.example", "before"),
        ("ann\x00@mail.example", "before"),
        ("ann\r\nBcc: x@mail.example", "before"),
        ("\ud800@mail.example", "before"),
        ("x" * 65 + "@mail.example", "64 bytes"),
        ("é" * 33 + "@mail.example", "64 bytes"),
        ("x" * 60 + "@" + ".".join(["y" * 49] * 4) + ".example", "254 bytes"),
    ],
)
def test_what_is_no_address_says_why(text: str, why: str) -> None:
    with pytest.raises(BadValue, match=why) as caught:
        parse_email(text)

    assert caught.value.code == "BAD_EMAIL"
    assert len(caught.value.message) < 250


@given(st.text(max_size=40), st.text(max_size=40))
def test_reading_twice_changes_nothing_and_case_makes_no_difference(local: str, domain: str) -> None:
    try:
        found = parse_email(f"{local}@{domain}.example")
    except BadValue:
        return

    assert parse_email(found.address) == found
    assert parse_email(found.key) == (found.key, found.key, found.domain)
    assert found.address.isprintable()
    assert " " not in found.address
    assert found.domain.isascii()
    found.address.encode()


@given(st.from_regex(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,70}@[A-Za-z0-9.-]{1,60}", fullmatch=True))
def test_the_short_way_for_plain_addresses_says_the_same_as_the_long_one(text: str) -> None:
    def outcome(spelling: str) -> object:
        try:
            return parse_email(spelling)
        except BadValue as error:
            return error.code

    # a blank sends it the long way
    assert outcome(text) == outcome(f" {text}")
