"""The tree of a template: frozen nodes, each with `at`, its offset in the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Scalar
    at: int


@dataclass(frozen=True, slots=True)
class Emptiness:
    """The words `empty` and `blank`, which mean something only when compared with == or !=."""

    word: str
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A key written after a dot; `size`, `first` and `last` have a meaning of their own there."""

    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """A variable: a root name (or an expression in brackets) and the keys followed from it."""

    root: Name | Expression
    keys: tuple[Name | Expression, ...]
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Range:
    """`(first..last)`, both included."""

    first: Expression
    last: Expression
    at: int


@dataclass(frozen=True, slots=True)
class FilterCall:
    """One filter of a chain, with its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Filtered:
    """An expression with at least one filter after it."""

    input: Expression
    filters: tuple[FilterCall, ...]
    at: int


Expression: TypeAlias = Literal | Emptiness | Path | Range | Filtered


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`; the operators are == != < <= > >= contains."""

    operator: str
    left: Expression
    right: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Logic:
    """`left and rest` or `left or rest`: Liquid groups from the right, whatever the operators are."""

    operator: str
    left: Compare | Expression
    rest: Condition


Condition: TypeAlias = Logic | Compare | Expression


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Output:
    """`{{ expression }}`; None prints nothing."""

    expression: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Assign:
    """`{% assign name = expression %}`."""

    name: str
    expression: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of an if; `negated` for `unless`."""

    condition: Condition
    negated: bool
    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class If:
    """`if` or `unless`, with its elsif branches and else."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class For:
    """A loop. `offset` and `limit` cut the collection first, then `reverse` turns it round."""

    variable: str
    collection: Expression
    name: str  # what forloop.name says
    limit: Expression | None
    offset: Expression | None
    reverse: bool
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Interrupt:
    """`break` or `continue`."""

    word: str
    at: int


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: prints nothing."""

    at: int


@dataclass(frozen=True, slots=True)
class Link:
    """`{% link N %}target{% endlink %}`; `source` is the target as written."""

    number: int
    body: tuple[Node, ...]
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class SystemUrl:
    """`open_pixel_url`, `mirror_url` or `unsubscribe_url`."""

    name: str
    at: int


Node: TypeAlias = Text | Output | Assign | If | For | Interrupt | Comment | Link | SystemUrl
