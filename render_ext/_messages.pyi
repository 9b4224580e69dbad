from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, final

from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.messages import MessageRow

class Kind(IntEnum):
    TEXT = 0
    STRING = 1
    VALUE = 2

@final
class Slot:
    def __new__(cls, program: Program, kind: Kind) -> Slot: ...
    @property
    def program(self) -> Program: ...
    @property
    def kind(self) -> int: ...

@final
class Document:
    def __new__(
        cls,
        *,
        signer: TokenSigner,
        slots: tuple[Slot, ...],
        texts: tuple[bytes, ...],
        most_bytes: int,
        finish: Callable[[bytes, MessageRow], Any] | None = None,
    ) -> Document: ...
    def render_many(self, rows: Sequence[MessageRow]) -> list[Any]: ...
    def around(self, row: MessageRow, index: int) -> tuple[bytes, str, bytes]: ...
    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int) -> str | None: ...

def json_inner(text: str) -> bytes: ...
