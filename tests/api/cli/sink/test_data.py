"""The end of a message is found wherever the network cuts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli.sink.data import DataReader

LINES = st.lists(
    st.one_of(st.sampled_from([b"", b".", b"..", b".x", b"\r", b"\n", b"\n.", b".\n"]), st.binary(max_size=8)),
    max_size=12,
)


def on_the_wire(body: bytes) -> bytes:
    """What a client sends for a body of whole lines (RFC 5321 §4.5.2)."""
    lines = body.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


@settings(deadline=None)
@given(LINES, st.binary(max_size=20), st.data())
def test_bodies_survive_any_cuts(lines: list[bytes], after: bytes, data: st.DataObject) -> None:
    body = b"".join(line.replace(b"\r\n", b"") + b"\r\n" for line in lines)
    wire = on_the_wire(body) + after
    cuts = data.draw(st.sets(st.integers(1, len(wire)), max_size=6))
    reader, complete = DataReader(), False
    rest = b""
    for start, end in itertools.pairwise([0, *sorted(cuts), len(wire)]):
        if complete:
            rest += wire[start:end]
        elif reader.feed(wire[start:end]):
            complete, rest = True, reader.rest
    assert complete
    assert reader.body == body
    assert rest == after


@pytest.mark.parametrize("wire", [b"", b".", b".\r", b"text\r\n.", b"text\r\n.\n", b"\n.\n", b"text.\r\n"])
def test_without_its_end_a_message_is_not_complete(wire: bytes) -> None:
    assert not DataReader().feed(wire)
