"""The filters that questions call, and those that these call in turn, put into the questions."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.recent import per_object
from core.targeting import filter_store
from core.targeting.expansion import Definition, expand, filters_called
from core.targeting.json_parse import read_stored
from core.targeting.language import Condition
from core.targeting.records import Filter
from core.targeting.shortcuts import SHORTCUTS, definition_of

_MOST_KEPT = 500


@per_object(_MOST_KEPT)
def by_shortcuts(root: Condition) -> Condition | None:
    """The question with what shortcuts stand for in the place of their calls, which is always the same; None where it calls
    anything else, such as a filter of the team's. Raises ExpressionError."""
    definitions: dict[str, Definition] = {}
    missing = _names(root)
    while missing:
        if not missing <= SHORTCUTS.keys():
            return None
        found = {name: definition_of(name) for name in missing}
        definitions |= found
        missing = set().union(*(_names(one.root) for one in found.values())) - definitions.keys()
    return expand(root, definitions) if definitions else root


async def expand_all(conn: Connection, roots: Sequence[Condition]) -> list[Condition]:
    """The questions with those of filters in the place of their calls; nothing is looked up where none is called.

    Raises ExpressionError.
    """
    known = [by_shortcuts(root) for root in roots]
    if all(one is not None for one in known):
        return [one for one in known if one is not None]
    definitions = await find_definitions(conn, roots)
    return [expand(root, definitions) for root in roots] if definitions else list(roots)


async def find_definitions(conn: Connection, roots: Sequence[Condition]) -> dict[str, Definition]:
    """What the calls of questions stand for, and those that these make in turn, by name; nobody's names are left out."""
    missing = set().union(*map(_names, roots))
    definitions: dict[str, Definition] = {}
    while missing:
        ours = {name: definition_of(name) for name in missing & SHORTCUTS.keys()}
        rest = sorted(missing - SHORTCUTS.keys())
        theirs = {one.name: definition(one) for one in await filter_store.find_by_names(conn, rest)} if rest else {}
        found = ours | theirs
        definitions |= found
        missing = set().union(*(_names(one.root) for one in found.values())) - definitions.keys()
    return definitions


def definition(one: Filter) -> Definition:
    """What a call of a filter stands for."""
    return Definition(name=one.name, parameters=one.parameters, root=read_stored(one.expression).root)


def _names(root: Condition) -> set[str]:
    return {call.function for call in filters_called(root)}
