"""The statement that has the rows of a dataset numbered behind what is in use. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from core.datamodel.physical import Place


def numbering_behind(table: str, places: Iterable[Place]) -> str:
    """The next row gets the number behind the highest that these columns hold: an index of each answers."""
    held = ", ".join(f"(SELECT max({column}) FROM {holder})" for holder, column in places)
    return f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest({held}, 0) + 1, false)"
