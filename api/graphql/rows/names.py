"""What a team's things are called in GraphQL. Pure.

A name is written in camel case where it can be read back from that, and as it is otherwise, so that no two are alike: `order_1`
stays, beside `order1`. What a type of ours has already gets `team_` before it.
"""

from __future__ import annotations

import re
from collections.abc import Container

from api.errors import camel

PREFIX = "team_"


def written(name: str) -> str:
    """A name of the model as GraphQL writes it."""
    told = camel(name)
    return told if re.sub(r"[A-Z]", lambda found: f"_{found.group().lower()}", told) == name else name


def field_name(name: str, taken: Container[str]) -> str:
    """The name of a field on a type that has others already."""
    told = written(name)
    return told if told not in taken else PREFIX + name


def type_name(name: str, taken: Container[str]) -> str:
    """The name of the type of a dataset's rows."""
    told = written(name)
    wanted = f"{told[0].upper()}{told[1:]}Row"
    return wanted if wanted not in taken else f"Team_{wanted}"
