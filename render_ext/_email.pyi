from collections.abc import Sequence
from enum import IntEnum
from typing import Any, final

from render_ext._dkim import DkimSigner
from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.email import EmailRow
from render_ext.errors import RenderError
from render_ext.tokens import Identity

class Encoding(IntEnum):
    SEVEN_BIT = 0
    QUOTED_PRINTABLE = 1
    BASE64 = 2

@final
class Part:
    def __new__(cls, program: Program, head: bytes, encoding: Encoding) -> Part: ...
    @property
    def program(self) -> Program: ...
    @property
    def head(self) -> bytes: ...
    @property
    def encoding(self) -> int: ...

@final
class Assembler:
    def __new__(
        cls,
        *,
        signer: TokenSigner,
        subject: Program,
        to_name: Program | None,
        headers: tuple[tuple[bytes, Program, bool], ...],
        parts: tuple[Part, ...],
        fields: bytes,
        tail: bytes,
        closing: bytes,
        domain: bytes,
        unsubscribe: bool,
        dkim: DkimSigner | None,
        signed_at: int,
        most_bytes: int,
    ) -> Assembler: ...
    def render_many(self, rows: Sequence[EmailRow]) -> list[bytes | RenderError]: ...
    def render_parts(self, values: dict[str, Any], identity: Identity) -> list[str]: ...
    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int) -> str | None: ...
