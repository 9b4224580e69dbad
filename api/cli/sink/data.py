"""The bytes between DATA and the lone dot (RFC 5321 §4.1.1.4, §4.5.2)."""

from __future__ import annotations

_END = b"\r\n.\r\n"
_KEEP = len(_END) - 1


class DataReader:
    """Collects one message. Chunks are searched whole, never line by line; the end may lie across two."""

    __slots__ = ("_chunks", "_tail", "body", "rest")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._tail = b"\r\n"  # the last bytes that came; the line of the DATA command has just ended
        self.body = b""  # once complete: the message, dots unstuffed
        self.rest = b""  # once complete: what came after its end

    @property
    def fresh(self) -> bool:
        """Nothing has come yet."""
        return not self._chunks

    def feed(self, data: bytes) -> bool:
        """Take a chunk; True when the message is complete."""
        at = (self._tail + data[:_KEEP]).find(_END)
        cut = at - len(self._tail) if at >= 0 else data.find(_END)  # may be negative: in chunks before
        if at < 0 and cut < 0:
            self._chunks.append(data)
            self._tail = (data if len(data) >= _KEEP else self._tail + data)[-_KEEP:]
            return False
        self._chunks.append(data[: max(cut + 2, 0)])
        self.rest = data[cut + len(_END) :]
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self.body = _unstuff(body[: cut + 2] if cut + 2 < 0 else body)
        return True


def _unstuff(body: bytes) -> bytes:
    if body.startswith(b".."):
        body = body[1:]
    return body.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in body else body
