"""Conditions in SQL on questions as they are stored: what they name and call. The arguments are SQL."""

from __future__ import annotations


def names_audience(tree: str, names: str) -> str:
    """Whether a stored tree names one of some audiences, or reads a column of its members; `names` is an array of texts."""
    return f"jsonb_path_exists({tree}, '$.** ? ({_NAMES})', jsonb_build_object('names', {names}))"


def calls_filter(tree: str, names: str) -> str:
    """Whether a stored tree calls one of some filters; `names` is an array of texts."""
    return f"jsonb_path_exists({tree}, '$.** ? (@.function == $names[*])', jsonb_build_object('names', {names}))"


_NAMES = '@.audience == $names[*] || @.function == "audience_column" && @.arguments[0] == $names[*]'
