"""Messages in segment files."""

from __future__ import annotations

from pathlib import Path

from api.cli.sink import read_sink
from api.cli.sink.segments import Received, SegmentWriter


def received(number: int, body: bytes | None = None) -> Received:
    """A message."""
    head = f"Subject: x\r\nMessage-ID: <{number}@example.org>\r\n\r\n".encode()
    return Received(b"b@example.org", (f"p{number}@example.org".encode(),), body or head + b"Hi\r\n")


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.write([received(0), received(1)])
    writer.write([received(2)])
    writer.close()
    got = list(read_sink(tmp_path))
    assert [message.number for message in got] == [0, 1, 2]
    assert [message.message_id for message in got] == [
        "<0@example.org>",
        "<1@example.org>",
        "<2@example.org>",
    ]
    assert [message.recipients for message in got] == [(f"p{number}@example.org",) for number in range(3)]
    assert got[2].body == received(2).body
    assert got[0].mail_from == "b@example.org"


def test_large_segments_are_followed_by_others(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, segment_bytes=1000)
    for number in range(50):
        writer.write([received(number)])
    writer.close()
    assert len(list(tmp_path.glob("segment-*.eml"))) > 2
    assert [message.number for message in read_sink(tmp_path)] == list(range(50))


def test_more_messages_at_once_than_the_kernel_takes(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.write([received(number) for number in range(3000)])
    writer.close()
    assert sum(1 for _ in read_sink(tmp_path)) == 3000


def test_the_next_run_begins_a_new_segment(tmp_path: Path) -> None:
    for run in range(3):
        writer = SegmentWriter(tmp_path)
        writer.write([received(run)])
        writer.close()
    assert len(list(tmp_path.glob("segment-*.eml"))) == 3
    assert len(list(read_sink(tmp_path))) == 3


def test_half_written_ends_are_not_read(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.write([received(0)])
    writer.close()
    with next(tmp_path.glob("*.eml")).open("ab") as bodies:
        bodies.write(b"Subject: half")
    with next(tmp_path.glob("*.jsonl")).open("ab") as lines:
        lines.write(b'{"offset": 3, "leng')
    assert [message.message_id for message in read_sink(tmp_path)] == ["<0@example.org>"]


def test_odd_headers(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.write(
        [
            received(0, b"message-id:\r\n <folded@example.org>\r\n\r\nMessage-ID: <not@this.one>\r\n"),
            received(1, b"Subject: none\r\n\r\nMessage-ID: <body@example.org>\r\n"),
            received(2, b"\xff\xfe\r\n"),
        ]
    )
    writer.close()
    assert [message.message_id for message in read_sink(tmp_path)] == ["<folded@example.org>", "", ""]


def test_an_empty_folder_has_no_messages(tmp_path: Path) -> None:
    assert list(read_sink(tmp_path)) == []
    assert list(read_sink(tmp_path / "nowhere")) == []
