"""How the parts of a message stand in each other (RFC 2046, RFC 2387).

    mixed
    ├── alternative
    │   ├── text/plain
    │   └── related
    │       ├── text/html
    │       └── images …
    └── attachments …

A container with one part is left out. What differs per recipient comes first: all that follows the HTML is the same for
everyone, and is made once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """A multipart and its boundary. "=_" stands in no text that is encoded, and in 7bit only by guessing a hash."""

    kind: str
    boundary: str

    @property
    def delimiter(self) -> str:
        """What stands before each part."""
        return f"\r\n--{self.boundary}\r\n"

    @property
    def end(self) -> str:
        """What stands after the last part, without its line end."""
        return f"\r\n--{self.boundary}--"

    @property
    def opening(self) -> str:
        """Its field and the delimiter of its first part."""
        start = ' type="text/html";\r\n' if self.kind == "related" else ""
        return f'Content-Type: multipart/{self.kind};\r\n{start} boundary="{self.boundary}"\r\n{self.delimiter}'


@dataclass(frozen=True, slots=True)
class Structure:
    """`openings`: what stands before the fields of each body. `closing`: all that follows the last of them."""

    openings: tuple[str, ...]
    closing: bytes


def lay_out(bodies: int, images: Sequence[bytes], attached: Sequence[bytes], seed: str) -> Structure:
    """The structure around one body or two (text before HTML), with parts that are encoded already."""
    mixed = _container("mixed", seed) if attached else None
    alternative = _container("alternative", seed) if bodies > 1 else None
    related = _container("related", seed) if images else None
    around = "".join(one.opening for one in (mixed, alternative) if one)
    html = related.opening if related else ""
    openings = (around, alternative.delimiter + html) if alternative else (around + html,)
    closing = []
    for one, parts in ((related, images), (alternative, ()), (mixed, attached)):
        if one is not None:
            closing += [piece for part in parts for piece in (one.delimiter.encode(), part)]
            closing.append(one.end.encode())
    return Structure(openings, b"".join(closing) + b"\r\n" if closing else b"")


def _container(kind: str, seed: str) -> Container:
    label = {"alternative": "boundary"}.get(kind, kind)
    return Container(kind, "=_" + hashlib.sha256(f"{label}\0{seed}".encode()).hexdigest()[:32])
