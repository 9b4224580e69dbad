"""Addresses in the fields of a message: what recipients may have (RFC 6532), and what senders may."""

from __future__ import annotations

from email import message_from_string, policy

import pytest

from render_ext import RenderError
from render_ext.errors import BadSender
from tests.render_ext.test_email import SIGNER, row, source


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("müller@example.com", "müller@example.com"),
        ("用户.名@bücher.example", "用户.名@xn--bcher-kva.example"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_an_address_of_another_script(address: str, written: str) -> None:
    (message,) = source().compile(SIGNER).render_many([row(address=address, name=None)])
    assert isinstance(message, bytes)
    assert f"\r\nTo: {written}\r\n".encode() in message
    parsed = message_from_string(message.decode(), policy=policy.SMTPUTF8)
    assert parsed["to"].addresses[0].addr_spec == written
    assert message.replace(written.encode(), b"").isascii()


@pytest.mark.parametrize(
    "address",
    ["é\x85@b.c", "é\u2028@b.c", "é\u3000é@b.c", "\ud800@b.c", "é\r\nBcc: x@y.z", "é..é@b.c", ".é@b.c",
     "é" * 33 + "@b.c", "é@", "é@ü..c"],
)  # fmt: skip
def test_an_address_of_another_script_that_cannot_be_written(address: str) -> None:
    (message,) = source().compile(SIGNER).render_many([row(address=address, name=None)])
    assert isinstance(message, RenderError)


@pytest.mark.parametrize("part", ["from_address", "reply_to"])
@pytest.mark.parametrize("address", ["nobody", "é@b.c", "nobody\r\nBcc: x@y.z"])
def test_a_sender_that_is_no_address_is_named(part: str, address: str) -> None:
    with pytest.raises(BadSender) as caught:
        source(**{part: address}).compile(SIGNER)
    assert caught.value.part == part
