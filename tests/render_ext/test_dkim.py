"""Signed messages, verified with dkimpy, an implementation that shares nothing with ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dkim
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dkim.canonicalization import Relaxed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from render_ext import (
    BadDkimKey,
    DkimAlgorithm,
    DkimKey,
    DkimSelector,
    DkimSigner,
    EmailProgram,
    EmailSource,
    Identity,
    Limits,
    MissingDkimKey,
    RenderError,
    TokenKey,
    TokenSigner,
)
from render_ext._dkim import relaxed_body
from tests.render_ext.test_email import DATE, HTML, IDENTITY, SIGNER, TEXT, check_wire, plain, row, sent
from tests.render_ext.test_email import source as unsigned_source


def pem(private: Any, password: bytes | None = None) -> str:
    """A private key as text."""
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    text: bytes = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return text.decode()


RSA = DkimKey.from_pem("example.com", "rsa1", pem(rsa.generate_private_key(65537, 2048)))
ED25519 = DkimKey.from_pem("example.com", "ed1", pem(ed25519.Ed25519PrivateKey.generate()))
KEYS = (ED25519, RSA)
RECORDS = {f"{name}.": value.encode() for name, value in (key.dns_record() for key in KEYS)}


def selector(key: DkimKey, **changes: Any) -> DkimSelector:
    """The selector of a key."""
    return DkimSelector(domain=key.domain, selector=key.selector, **changes)


BOTH = (selector(ED25519), selector(RSA))


def source(**changes: Any) -> EmailSource:
    """A source with everything in it, signed twice."""
    return unsigned_source(**({"dkim": BOTH} | changes))


def program(**changes: Any) -> EmailProgram:
    """The same, compiled."""
    return source(**changes).compile(SIGNER, keys=KEYS)


def verifies(message: bytes, index: int = 0) -> bool:
    """What dkimpy says of one of the signatures."""
    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=lambda name, timeout=5: RECORDS.get(name.decode())))
    except dkim.ValidationError:
        return False


def check(message: bytes) -> None:
    """Both signatures are good, and the message fit for its way."""
    check_wire(message)
    assert message.startswith(b"DKIM-Signature: ")
    assert verifies(message, 0)
    assert verifies(message, 1)


def tags(message: bytes, index: int = 0) -> dict[str, str]:
    """The tags of a signature, without the white space of its folding."""
    fields = re.findall(rb"^DKIM-Signature: (.*?)\r\n(?! )", message, re.DOTALL | re.MULTILINE)
    text = re.sub(r"\s+", "", fields[index].decode())
    return dict(tag.split("=", 1) for tag in text.split(";"))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key.algorithm))
def test_one_signature(key: DkimKey) -> None:
    message = sent(program(dkim=(selector(key),)), row())
    check_wire(message)
    assert verifies(message)
    assert message.count(b"DKIM-Signature:") == 1
    found = tags(message)
    assert (found["v"], found["a"], found["c"]) == ("1", str(key.algorithm), "relaxed/relaxed")
    assert (found["d"], found["s"], found["t"]) == ("example.com", key.selector, str(int(DATE.timestamp())))
    assert not {"l", "x"} & set(found)


def test_two_signatures_on_lines_of_76_characters_before_all_else() -> None:
    message = sent(program(), row())
    check(message)
    assert [tags(message, index)["s"] for index in (0, 1)] == ["ed1", "rsa1"]
    bare = sent(unsigned_source().compile(SIGNER), row())
    assert message.endswith(bare)
    assert all(len(line) <= 76 for line in message[: -len(bare)].split(b"\r\n"))


def test_signatures_longer_than_the_message() -> None:
    keys = [replace(ED25519, selector=f"ed1-{number}") for number in range(30)]
    short = source(dkim=tuple(map(selector, keys)), html=None, text="Hello\n").compile(SIGNER, keys=keys)
    messages = short.render_many([row()] * 3)
    assert len(set(messages)) == 1
    assert isinstance(messages[0], bytes)
    assert messages[0].count(b"DKIM-Signature: ") == 30
    assert messages[0].endswith(b"\r\n\r\nHello\r\n")


def test_every_field_is_signed_and_from_once_more() -> None:
    headers = (("X-A", "1"), ("Feedback-ID", "9:shop"), ("X-A", "2"), ("Received", "by us"), ("X-;", "odd"))
    message = sent(program(headers=headers), row())
    check(message)
    others = [
        "message-id", "date", "reply-to", "x-a", "x-a", "feedback-id", "to", "subject", "list-unsubscribe",
        "list-unsubscribe-post", "mime-version", "content-type",
    ]  # fmt: skip
    assert sorted(tags(message)["h"].split(":")) == sorted(["from", "from", *others])
    single = tags(sent(program(html=None), row()))["h"].split(":")
    assert {"content-type", "content-transfer-encoding"} <= set(single)


@pytest.mark.parametrize("html", [None, HTML, "<p>\n\n  indented  \t \n\t</p>\n\n\n"])
@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "Only {{ name }}",
        "{{ nothing }}",
        "short and fixed\n",
        "two  spaces, a\ttab \t\n  \nand blank lines\n\n\n",
        "\n\n\n",
        "fixed, no line end ",
        "Ж" * 500,
        "Ж {{ name }} " * 50,
        "é " * 90,
        "{{ value }}\n \n",
        "",
    ],
)
def test_every_kind_of_body(html: str | None, text: str) -> None:
    check(sent(program(html=html, text=text), row({"name": " Zoë ", "value": "a \t \n \n\n", "products": []})))


def test_html_alone() -> None:
    check(sent(program(text=None), row()))


odd = plain | st.text(" \t\n.aé=", max_size=200) | st.sampled_from(["  ", "\t", "\n\n\n", " \n", "long " * 400, "x" * 3000])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=odd, value=odd, static=odd, to=st.none() | odd, header=odd, text=st.booleans(), html=st.booleans())
@example(name="\r", value=" ", static="\n", to="", header="", text=True, html=False)
def test_any_value_anywhere(name: str, value: str, static: str, to: str | None, header: str, text: bool, html: bool) -> None:
    static = static.replace("{", "(").replace("\ud800", "")
    header = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff{]", " ", header)  # a field is a template on one line
    message = sent(
        program(
            html=HTML + static if html or not text else None,
            text=static + TEXT + static if text else None,
            headers=(("X-Any", header), ("X-Long", header * 3)),
            from_name=static[:50],
        ),
        row({"name": name, "value": value, "products": [value]}, name=to),
    )
    check(message)


def test_an_address_that_is_not_ascii() -> None:
    message = sent(program(), row(address="zoë@exämple.com"))
    assert verifies(message, 0)
    assert verifies(message, 1)


bodies = st.lists(
    st.sampled_from([b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b" \r\n", b"a", b".", b"word", b"x" * 61, b"=20", b"\r", b"\n"])
    | st.binary(max_size=3),
    max_size=80,
).map(b"".join)


@settings(max_examples=1000, deadline=None)
@given(body=bodies, shift=st.integers(0, 600))
@example(body=b"", shift=0)
@example(body=b"\t", shift=255)
def test_the_relaxed_body_is_that_of_dkimpy(body: bytes, shift: int) -> None:
    for one in (body + b"\r\n", b"." * shift + body + b"\r\n", body + b" " * shift + b"\r\n", body + b"\r\n" * shift):
        if one:
            assert relaxed_body(one) == (
                Relaxed.canonicalize_body(one) if one.endswith(b"\r\n") else relaxed_body(one + b"\r\n")
            )


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b" \t\r\n \r\n", b"\r\n" * 100])
def test_a_body_of_nothing_is_empty(body: bytes) -> None:
    assert relaxed_body(body) == b""


def test_a_line_without_an_end_gets_one() -> None:
    assert relaxed_body(b"a") == relaxed_body(b"a \t") == b"a\r\n"


def after_header(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A change of the body alone."""

    def apply(message: bytes) -> bytes:
        header, end, body = message.partition(b"\r\n\r\n")
        return header + end + change(body)

    return apply


@pytest.mark.parametrize(
    "tamper",
    [
        after_header(lambda body: body.replace(b"Hello", b"Hallo", 1)),
        after_header(lambda body: body + b"more\r\n"),
        after_header(lambda body: body[:-20]),
        lambda message: message.replace(b"Subject: ", b"Subject: Not ", 1),
        lambda message: message.replace(b"@example.com>\r\n", b"@evil.example>\r\n", 1),
        lambda message: message.replace(b"\r\nTo: ", b"\r\nTo: x@y.example, ", 1),
        lambda message: message.replace(b"https://t.example.com/u/", b"https://t.example.org/u/", 1),
        lambda message: message.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b"", 1),
        lambda message: message.replace(b"\r\nFeedback-ID: 9", b"\r\nFeedback-ID: 8", 1),
        lambda message: b"From: eve@evil.example\r\n" + message,
        lambda message: message.replace(b"\r\n\r\n", b"\r\nFrom: eve@evil.example\r\n\r\n", 1),
        lambda message: message.replace(b" t=1", b" t=2"),
    ],
)
def test_tampering_breaks_both_signatures(tamper: Callable[[bytes], bytes]) -> None:
    message = sent(program(), row())
    changed = tamper(message)
    assert changed != message
    assert not verifies(changed, 0)
    assert not verifies(changed, 1)


def test_what_servers_do_to_white_space_breaks_nothing() -> None:
    message = sent(program(text="a b\n", html=None), row())
    header, end, body = message.partition(b"\r\n\r\n")
    changed = (
        header.replace(b"Subject: Hello", b"SUBJECT:  Hello\r\n\t") + end + body.replace(b"a b", b"a \t b  ") + b"\r\n \r\n"
    )
    assert verifies(b"Received: by mx\r\n" + changed, 0)


def test_the_same_row_is_the_same_bytes_also_after_storing() -> None:
    again = EmailSource.from_json(source().to_json())
    assert again == source()
    first = program()
    second = again.compile(TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32)), keys=reversed(KEYS))
    rows = [msgspec.structs.replace(row({"name": "n" * number}), identity=Identity(1, 1, number)) for number in range(20)]
    together = first.render_many(rows)
    assert together == second.render_many(rows) == [sent(first, one) for one in reversed(rows)][::-1]
    for message in together:
        assert isinstance(message, bytes)
        check(message)


def test_a_finished_message_is_signed_alike() -> None:
    bare = sent(unsigned_source().compile(SIGNER), row())
    signer = DkimSigner(BOTH, KEYS)
    assert signer.sign(bare) == sent(program(), row())
    other = sent(unsigned_source(date=datetime(2025, 6, 7, tzinfo=UTC), html=None).compile(SIGNER), row())
    check(signer.sign(other))
    assert signer.sign(bare) == sent(program(), row())


@pytest.mark.parametrize(
    "message", [b"", b"Date: Thu, 02 Jan 2025 03:04:05 +0000\r\n", b"From: a@b.c\r\n\r\nDate: x\r\n", b"x\r\n\r\n"]
)
def test_what_is_no_message_is_not_signed(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"the message has no|is no field"):
        DkimSigner(BOTH, KEYS).sign(message)


def test_a_signature_that_expires() -> None:
    message = sent(program(dkim=(selector(RSA, expires_after=1 << 30),)), row())
    assert int(tags(message)["x"]) - int(tags(message)["t"]) == 1 << 30
    assert verifies(message)
    assert not verifies(sent(program(dkim=(selector(RSA, expires_after=60),)), row()))


def test_parts_and_ids_are_those_of_the_unsigned_message() -> None:
    signed, bare = program(), unsigned_source().compile(SIGNER)
    assert signed.render_parts(row().values, IDENTITY) == bare.render_parts(row().values, IDENTITY)
    assert signed.message_id(IDENTITY) == bare.message_id(IDENTITY)


def test_the_limit_counts_signatures() -> None:
    size = len(sent(program(), row()))
    assert len(sent(program(limits=Limits(output_bytes=size)), row())) == size
    (error,) = program(limits=Limits(output_bytes=size - 1)).render_many([row()])
    assert isinstance(error, RenderError)
    assert error.limit == "output_bytes"


def test_a_signature_that_fails_is_the_failure_of_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def signing(key: DkimKey) -> Callable[[bytes], bytes]:
        def sign(data: bytes) -> bytes:
            if b"bad@" in data:
                raise RuntimeError("the key has gone")
            return b"s" * 64

        return sign

    monkeypatch.setattr("render_ext.dkim._signing", signing)
    good, error, again = program().render_many([row(), row(address="bad@example.com"), row()])
    assert isinstance(good, bytes)
    assert good == again
    assert isinstance(error, RenderError)
    assert str(error) == "the key has gone"


def test_keys_are_secrets() -> None:
    assert "PRIVATE" not in repr(RSA)
    assert b"PRIVATE" not in source().to_json()
    with pytest.raises(TypeError, match="not pickled"):
        DkimSigner(BOTH, KEYS).__reduce__()


def test_a_selector_without_its_key() -> None:
    with pytest.raises(MissingDkimKey, match=r"no key was given for the DKIM selector 'rsa1' of example\.com"):
        source().compile(SIGNER, keys=[ED25519])
    with pytest.raises(MissingDkimKey):
        source().compile(SIGNER)


def test_names_in_any_case_find_their_key() -> None:
    message = sent(program(dkim=(DkimSelector(domain="EXAMPLE.com", selector="RSA1"),)), row())
    assert tags(message)["d"] == "example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": ""},
        {"domain": "localhost"},
        {"domain": "a b.example"},
        {"domain": "x.example;\r\nBcc: y"},
        {"domain": "exämple.com"},
        {"selector": ""},
        {"selector": "a;b"},
        {"selector": "-a"},
        {"selector": "a..b"},
        {"expires_after": 0},
    ],
)
def test_selectors_that_cannot_sign(changes: dict[str, Any]) -> None:
    named = replace(selector(RSA), **changes)
    with pytest.raises(BadDkimKey):
        source(dkim=(named,)).compile(SIGNER, keys=[replace(RSA, domain=named.domain, selector=named.selector)])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----", "not a private key in PEM"),
        (pem(rsa.generate_private_key(65537, 1024)), "2048 bits or more, not 1024"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA or Ed25519"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"password"), "protected by a password"),
    ],
)
def test_keys_that_cannot_sign(text: str, problem: str) -> None:
    with pytest.raises(BadDkimKey, match=problem) as caught:
        DkimKey.from_pem("example.com", "s", text)
    assert "secret" not in str(caught.value)


def test_a_key_under_the_wrong_algorithm() -> None:
    with pytest.raises(BadDkimKey, match="'rsa1' is not for ed25519-sha256"):
        source().compile(SIGNER, keys=[ED25519, replace(RSA, algorithm=DkimAlgorithm.ED25519)])


def test_what_dns_has_to_say() -> None:
    name, value = ED25519.dns_record()
    assert name == "ed1._domainkey.example.com"
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", value)
    assert RSA.dns_record()[1].startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA")


# ---- keys and dates that are none ------------------------------------------------------------------------------------


def test_an_rsa_key_of_more_than_4096_bits_is_refused() -> None:
    assert DkimKey.from_pem("example.com", "s", pem(rsa.generate_private_key(65537, 4096))).algorithm is DkimAlgorithm.RSA
    with pytest.raises(BadDkimKey, match="an RSA key has 4096 bits at most, not 4104"):
        DkimKey.from_pem("example.com", "s", pem(rsa.generate_private_key(65537, 4104)))
    with pytest.raises(BadDkimKey, match="longer than a private key of 4096 bits in PEM"):
        DkimKey.from_pem("example.com", "s", pem(ed25519.Ed25519PrivateKey.generate()) + "x" * 10_000)


@pytest.mark.parametrize("private", [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)])
def test_an_openssh_key_is_told_how_to_become_another(private: Any) -> None:
    form, plain = serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    text = private.private_bytes(serialization.Encoding.PEM, form, plain).decode()
    with pytest.raises(BadDkimKey, match="OpenSSH") as caught:
        DkimKey.from_pem("example.com", "s", "\n" + text)
    assert "ssh-keygen -p -N '' -m PKCS8 -f COPY" in str(caught.value)
    assert "openssl genpkey -algorithm ed25519" in str(caught.value)
    assert text.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Mon, 01 Jan 2001 00:00:00 +9999999999999999999", "the message's Date is none: 'Mon, 01 Jan"),
        ("Mon, 99999999999999999999 Jan 2001 00:00:00 +0000", "the message's Date is none"),
        ("soon", "the message's Date is none: 'soon'"),
        ("", "the message's Date is none: ''"),
        ("Fri, 01 Jan 1960 00:00:00 +0000", "the message's Date is before 1970"),
    ],
)
def test_a_date_that_is_none_is_told(date: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        DkimSigner(BOTH, KEYS).sign(f"From: a@example.com\r\nDate: {date}\r\n\r\nx\r\n".encode())


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=60))
@example("Mon, 01 Jan 2001 00:00:00 +99999999999")
def test_any_date_is_signed_or_told(date: str) -> None:
    message = f"From: a@example.com\r\nDate: {date}\r\n\r\nx\r\n".encode()
    told = ""
    try:
        signed = DkimSigner(BOTH[:1], KEYS).sign(message)
    except ValueError as error:
        signed, told = message, str(error)
    assert signed.endswith(message)
    assert not told or told.startswith("the message's Date is")
