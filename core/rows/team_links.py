"""Links that start from a row of ours, as a profile, among the values of its team: the other rows are found and held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.datamodel.present import hold_model, present_model
from core.db import Connection
from core.errors import ClarionError
from core.profiles.team_rows import Extended
from core.profiles.team_values import PATH
from core.rows.reading import unknown
from core.rows.refusals import RowInvalid
from core.rows.shape import shapes_of
from core.rows.targets import Finder, Spoken


async def find_linked(conn: Connection, of: Extended, given: Mapping[str, Any], path: str = PATH) -> dict[str, Any]:
    """The values with the numbers of rows in the place of what was said of them; nobody deletes those until the transaction
    ends. Fields stay as they are.

    Raises Invalid (WRONG_TYPE, BAD_ID, UNKNOWN_KEY, READ_ONLY_FIELD), NotFound (ROW_NOT_FOUND, PROFILE_NOT_FOUND), RowInvalid
    with several.
    """
    if not given:
        return {}
    entity = (await present_model(conn)).find(of.entity)
    if entity is None or not any(entity.find_link(name) for name in given):
        return dict(given)
    model = await hold_model(conn)
    shape = shapes_of(model)[of.entity]
    problems: list[ClarionError] = []
    spoken: dict[str, Spoken] = {}
    for name, value in given.items():
        column = shape.columns.get(name)
        if column is None and shape.entity.find_link(name) is not None:
            problems.append(unknown(shape, name, f"{path}.{name}"))
        elif column is not None and column.link is not None and value is not None:
            spoken[name] = Spoken(column.link.target, value, f"{path}.{name}")
    found = dict(given)
    for name, row in zip(spoken, await Finder(conn, model).find(list(spoken.values())), strict=True):
        if isinstance(row, ClarionError):
            problems.append(row)
        else:
            found[name] = row
    if problems:
        raise problems[0] if len(problems) == 1 else RowInvalid(problems)
    return found
