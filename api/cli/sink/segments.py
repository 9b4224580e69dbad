"""Messages in files: `segment-00001.eml` has one body after the other, `segment-00001.jsonl` a line for each.

The line is what counts: a message is kept once its line is there, and it is written before the sender is
told. Every run begins a new segment, so what a killed run left half-written is never read or appended to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

SEGMENT_BYTES = 256 * 1024 * 1024
_BUFFERS = 512  # per writev; the kernel takes 1,024
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(?:\r\n[ \t]+)?(<[^>\r\n]*>)")


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came off the wire, dots unstuffed."""

    mail_from: bytes
    recipients: tuple[bytes, ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkMessage:
    """A message read back. `number` counts within the directory, in the order of arrival."""

    number: int
    mail_from: str
    recipients: tuple[str, ...]
    message_id: str
    body: bytes


class _Line(msgspec.Struct):
    offset: int
    length: int
    mail_from: str
    recipients: list[str]
    message_id: str


class SegmentWriter:
    """Appends groups of messages. Raises OSError when the disk does."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._bodies = self._index = -1
        self._offset = 0

    def write(self, messages: Sequence[Received]) -> None:
        """Keep the messages; when this returns, they survive the end of this process (not of the machine)."""
        if self._bodies < 0 or self._offset >= self._segment_bytes:
            self._begin()
        lines = []
        for message in messages:
            lines.append(self._line(message))
            self._offset += len(message.body)
        for start in range(0, len(messages), _BUFFERS):
            _write_all(self._bodies, [message.body for message in messages[start : start + _BUFFERS]])
        _write_all(self._index, [b"".join(lines)])

    def close(self) -> None:
        """Close the current segment."""
        if self._bodies >= 0:
            os.close(self._bodies)
            os.close(self._index)
            self._bodies = self._index = -1

    def _begin(self) -> None:
        self.close()
        number = max((int(path.stem[8:]) for path in self._directory.glob("segment-*.eml")), default=0) + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._bodies = os.open(self._directory / f"segment-{number:05}.eml", flags, 0o644)
        self._index = os.open(self._directory / f"segment-{number:05}.jsonl", flags, 0o644)
        self._offset = 0

    def _line(self, message: Received) -> bytes:
        return (
            msgspec.json.encode(
                _Line(
                    offset=self._offset,
                    length=len(message.body),
                    mail_from=message.mail_from.decode("utf-8", "replace"),
                    recipients=[recipient.decode("utf-8", "replace") for recipient in message.recipients],
                    message_id=_message_id(message.body),
                )
            )
            + b"\n"
        )


def read_sink(directory: Path) -> Iterator[SinkMessage]:
    """Every message that was kept, in order; what is being written meanwhile may or may not be among them."""
    number = 0
    for index in sorted(directory.glob("segment-*.jsonl")):
        with index.open("rb") as lines, index.with_suffix(".eml").open("rb") as bodies:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                entry = msgspec.json.decode(line, type=_Line)
                bodies.seek(entry.offset)
                yield SinkMessage(
                    number=number,
                    mail_from=entry.mail_from,
                    recipients=tuple(entry.recipients),
                    message_id=entry.message_id,
                    body=bodies.read(entry.length),
                )
                number += 1


def _message_id(body: bytes) -> str:
    end = body.find(b"\r\n\r\n")
    found = _MESSAGE_ID.search(body, 0, end if end >= 0 else len(body))
    return found[1].decode("ascii", "replace") if found else ""


def _write_all(descriptor: int, buffers: list[bytes]) -> None:
    wanted = sum(map(len, buffers))
    written = os.writev(descriptor, buffers)
    if written < wanted:  # a signal or a nearly full disk
        rest = memoryview(b"".join(buffers))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]
