"""Every operation of the demo fits the schema that is checked in."""

from __future__ import annotations

import pytest
from graphql import build_schema, parse, validate

from api.cli.demo.documents import OPERATIONS
from api.graphql.schema import SDL_FILE

SCHEMA = build_schema(SDL_FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_fits_the_schema(name: str) -> None:
    """Fields, arguments and types."""
    assert validate(SCHEMA, parse(OPERATIONS[name])) == []


def test_none_is_forgotten() -> None:
    """The list is made from the module itself."""
    assert {"IMPORT_PROGRESS", "REPORT", "TRACKING_EVENTS"} <= set(OPERATIONS)
