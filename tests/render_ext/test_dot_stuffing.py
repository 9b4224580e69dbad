"""Dots at the beginning of lines, as SMTP wants them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from render_ext import dot_stuffed


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"a", b"\0"])).map(b"".join))
def test_every_line_that_begins_with_a_dot_gets_one_more(message: bytes) -> None:
    wanted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in message.split(b"\r\n"))
    assert dot_stuffed(message) == wanted


def test_a_message_without_such_lines_is_not_copied() -> None:
    message = b"a. .b\r\n..".rstrip(b".") + b"c\r\n"
    assert dot_stuffed(message) is message
