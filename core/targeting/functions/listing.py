"""The functions as a list for people: the tables of docs/targeting.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.targeting.catalogue import Kind
from core.targeting.functions import FUNCTIONS
from core.targeting.functions.signature import Family, Function, Nulls

_NULLS: Mapping[Nulls, str] = {
    Nulls.OF_ANY: "of no value",
    Nulls.PARTIAL: "of no value, or as said",
    Nulls.OF_ALL: "if none has a value",
    Nulls.MAY: "as said",
    Nulls.NEVER: "never",
}


def as_markdown() -> str:
    """A heading and a table for each family."""
    return "\n".join(line for family in Family for line in _family(family))


def _family(family: Family) -> Iterator[str]:
    yield f"**{family.value}**"
    yield ""
    yield "| function | is | gives | nothing | for example | once called |"
    yield "|---|---|---|---|---|---|"
    yield from (_row(one) for one in FUNCTIONS.values() if one.family is family)
    yield ""


def _row(function: Function) -> str:
    gives = function.gives.value if isinstance(function.gives, Kind) else "the same kind"
    once = ", ".join(function.formerly)
    cells = [f"`{function.signature}`", function.label, gives, _NULLS[function.nulls], f"`{function.example}`", once]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
