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
    """Literal text; `kept` in a block that prints nothing else, because it stood in `raw`."""

    text: str
    at: int
    kept: bool = False


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
    """A loop. `offset` and `limit` cut the collection first, then `reverse` turns it round.

    `resumed`: `offset: continue`, from where the last loop of the same name stopped.
    """

    variable: str
    collection: Expression
    name: str  # what forloop.name says
    limit: Expression | None
    offset: Expression | None
    reverse: bool
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    at: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """`tablerow`: a loop whose items become the cells of a table, `cols` of them in a row."""

    variable: str
    collection: Expression
    limit: Expression | None
    offset: Expression | None
    cols: Expression | None
    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class When:
    """One `when` of a case, its body printed for every value that matches; without values it is the `else`."""

    values: tuple[Expression, ...]
    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """`case`: each `when` that matches is printed, and each `else` that comes after none that did."""

    subject: Expression
    branches: tuple[When, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Capture:
    """`{% capture name %}`: what its body prints becomes a variable."""

    name: str
    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Footnote:
    """`{% footnote %}`: what its body prints becomes a note at the end of the text, with its number here."""

    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class IfChanged:
    """`ifchanged`: printed only where it differs from what the last one printed."""

    body: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """`cycle`: the next of its values; `group` says whose turn it is, `key` where no group is named."""

    group: Expression | None
    key: tuple[str, ...]
    values: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Count:
    """`increment` (by 1, shown before) or `decrement` (by -1, shown after)."""

    name: str
    by: int
    at: int


@dataclass(frozen=True, slots=True)
class Partial:
    """`include` or, `isolated`, `render`: a template by name.

    `bound` becomes its `variable`; each item of it in turn where `each` says so (`include` does that for any list).
    """

    name: str
    isolated: bool
    bound: Expression | None
    each: bool
    variable: str
    parameters: tuple[tuple[str, Expression], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """`{% fragment … %}body{% endfragment %}`: what `render` does with a partial, done with a body that stands in place."""

    head: Partial
    body: tuple[Node, ...]
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


Block: TypeAlias = If | For | TableRow | Case | Capture | Footnote | IfChanged | Fragment | Link
Node: TypeAlias = Block | Text | Output | Assign | Cycle | Count | Partial | Interrupt | Comment | SystemUrl


def bodies(node: Node) -> tuple[tuple[Node, ...], ...]:
    """The lists of nodes that stand within a node, in the order of the source."""
    if isinstance(node, If):
        return (*(branch.body for branch in node.branches), node.otherwise)
    if isinstance(node, For):
        return node.body, node.otherwise
    if isinstance(node, Case):
        return tuple(branch.body for branch in node.branches)
    if isinstance(node, (TableRow, Capture, Footnote, IfChanged, Fragment, Link)):
        return (node.body,)
    return ()
