"""Paths through data: the followed prefixes against the plain way of going through all places again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.content.data_paths import COMMANDS, DataPaths

KEYS = st.sampled_from(["a", "b", "c", "size", "first", "last"])
data = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=12,
    ),
    min_size=1,
)
paths = st.lists(st.lists(KEYS | st.just("*"), max_size=4), max_size=8)


def leads_nowhere(path: list[str], places: list[Any]) -> bool:
    """As it is meant: of all places a step leads to, one that has the key is enough; without any key nothing is wrong,
    unless all places are single values.
    """
    for key in path:
        found = [value for place in places for value in step(place, key)]
        if not found:
            single = key not in COMMANDS and bool(places) and all(isinstance(place, (str, int)) for place in places)
            return key != "*" and (single or any(isinstance(place, dict) and place for place in places))
        places = found
    return False


def step(place: Any, key: str) -> list[Any]:
    if isinstance(place, dict):
        if key == "*":
            return list(place.values())
        return [place[key]] if key in place else [None] if key in COMMANDS else []
    if isinstance(place, list):
        return [None] if key == "size" else place
    return []


@given(data, paths)
def test_a_path_is_wrong_where_no_place_has_its_key(data: dict[str, Any], paths: list[list[str]]) -> None:
    found = DataPaths(data)
    for path in paths:
        for root in data:
            assert (found.wrong((root, *path)) is not None) == leads_nowhere(path, [data[root]])
