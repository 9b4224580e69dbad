from collections.abc import Sequence
from enum import IntEnum
from typing import Any, final

from render_ext._buffer import Transfer
from render_ext._tokens import TokenSigner
from render_ext.layout import Layout
from render_ext.limits import Limits
from render_ext.places import Link, Variable
from render_ext.tokens import Identity

AS_TEXT: int

class Op(IntEnum):
    HALT = 0
    TEXT = 1
    PUT_PATH = 2
    PUT = 3
    LOAD = 4
    LOAD_PATH = 5
    LOAD_VALUES = 6
    LOAD_LOOP = 7
    GET = 8
    RANGE = 9
    FILTER = 10
    COMPARE = 11
    JUMP = 12
    JUMP_IF_FALSE = 13
    JUMP_IF_TRUE = 14
    STORE = 15
    FOR = 16
    NEXT = 17
    LEAVE = 18
    LINK = 19
    END_LINK = 20
    URL = 21
    DEFAULT = 22
    TABLE = 23
    NEXT_CELL = 24
    LEAVE_TABLE = 25
    LOAD_ROW = 26
    CAPTURE = 27
    END_CAPTURE = 28
    END_CHANGED = 29
    CYCLE = 30
    COUNT = 31
    SET = 32
    JUMP_IF_SET = 33
    GO_SUB = 34
    END_SUB = 35
    SWAP = 36
    RESTORE = 37
    DROP = 38
    CALL = 39
    RENDER = 40
    RETURN = 41
    JUMP_UNLESS = 42
    LEAVE_IF_INTERRUPTED = 43
    JUMP_UNLESS_EACH = 44
    END_FOOTNOTE = 45

class Operator(IntEnum):
    EQUAL = 0
    UNEQUAL = 1
    LESS = 2
    LESS_EQUAL = 3
    GREATER = 4
    GREATER_EQUAL = 5
    CONTAINS = 6

class Field(IntEnum):
    ALL = 0
    INDEX = 1
    INDEX0 = 2
    RINDEX = 3
    RINDEX0 = 4
    FIRST = 5
    LAST = 6
    LENGTH = 7
    NAME = 8
    COL = 9
    COL0 = 10
    COL_FIRST = 11
    COL_LAST = 12
    ROW = 13

class LoopKind(IntEnum):
    PLAIN = 0
    TABLE_ROW = 1
    EACH = 2
    HIDDEN = 3

@final
class Program:
    def __new__(
        cls,
        layout: Layout,
        *,
        name: str,
        source: str,
        limits: Limits,
        strict: bool,
        transfer: Transfer,
        signer: TokenSigner | None = None,
    ) -> Program: ...
    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def signer(self) -> TokenSigner | None: ...
    @property
    def transfer(self) -> int: ...
    @property
    def strict(self) -> bool: ...
    @property
    def variables(self) -> tuple[Variable, ...]: ...
    @property
    def links(self) -> tuple[Link, ...]: ...
    def bind(self, signer: TokenSigner | None) -> Program: ...
    def static_text(self) -> tuple[str, bool]: ...
    def render(self, values: dict[str, Any], *, identity: Identity | None = None) -> str: ...
    def render_bytes(self, values: dict[str, Any], *, identity: Identity | None = None) -> bytes: ...
    def render_many(self, rows: Sequence[dict[str, Any]], *, identities: Sequence[Identity] | None = None) -> list[bytes]: ...
    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int = 0) -> str | None: ...
