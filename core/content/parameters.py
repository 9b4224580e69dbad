"""What stands for the parameters of a fragment where it is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from core.content.origins import Authored
from core.content.records import FragmentDraft, FragmentParameter
from render_ext import PartialUse

_WEB = re.compile(r"""(["'])\s*https?://(?:(?!\1).)*\1\Z""", re.IGNORECASE | re.DOTALL)


class Address(NamedTuple):
    """A web address that is written out where a fragment is used."""

    text: str
    authored: Authored
    at: int


Addresses: TypeAlias = Mapping[str, Address]  # by the parameter that has it
NO_ADDRESSES: Addresses = MappingProxyType({})


def addresses_given(authored: Authored, fragment: FragmentDraft, use: PartialUse, around: Addresses) -> Addresses:
    """The parameters that are web addresses, written out here or where this fragment is used: their links can be tracked."""
    found: dict[str, Address] = {}
    for given in use.given:
        if given.written in around:
            found[given.name] = around[given.written]
        elif _WEB.match(given.written):
            found[given.name] = Address(given.written[1:-1], authored, given.at)
        else:
            found.pop(given.name, None)
    for one in _left_out(fragment, use):
        if isinstance(one.default, str) and _WEB.match(literal(one.default)):
            found[one.name] = Address(one.default, authored, use.at)
    return found


def _left_out(fragment: FragmentDraft, use: PartialUse) -> list[FragmentParameter]:
    names = {given.name for given in use.given}
    return [one for one in fragment.parameters if one.name not in names]


def defaults_written(fragment: FragmentDraft, use: PartialUse) -> str:
    """The parameters that are not given; each has a value, so that none is looked for among the data."""
    return "".join(f" {one.name}: {literal(one.default)}" for one in _left_out(fragment, use)) + " "


def literal(value: str | int | float | bool | None) -> str:
    """A value as Liquid writes it."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quote = '"' if '"' not in value else "'"
        return f"{quote}{value}{quote}"
    return f"{Decimal(repr(value)):f}"
