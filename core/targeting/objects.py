"""JSON objects that SQL makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, literal
from sqlalchemy.dialects.postgresql import JSONB

PAIRS_PER_CALL = 50  # Postgres takes at most 100 arguments


def object_of(pairs: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """A jsonb object of names and values."""
    built: ColumnElement[Any] = cast(literal("{}", String), JSONB)
    for start in range(0, len(pairs), PAIRS_PER_CALL):
        flat = [part for name, value in pairs[start : start + PAIRS_PER_CALL] for part in (cast(literal(name), String), value)]
        made = func.jsonb_build_object(*flat)
        built = made if start == 0 else built.op("||")(made)
    return built


def without_nulls(built: ColumnElement[Any]) -> ColumnElement[Any]:
    """An object without the names that have no value."""
    return func.jsonb_strip_nulls(built, type_=JSONB)
