"""Blank blocks: one whose every branch holds only white space and tags that print nothing prints no white space either."""

from __future__ import annotations

from dataclasses import replace

from render_ext.nodes import Assign, Capture, Case, Comment, For, If, IfChanged, Node, TableRow, Text, bodies


def without_blanks_if(node: If) -> If:
    """The node, without the white space of its branches where they print nothing."""
    if not _prints_nothing(node):
        return node
    branches = tuple(replace(branch, body=_without_text(branch.body)) for branch in node.branches)
    return If(branches, _without_text(node.otherwise), node.at)


def without_blanks_for(node: For) -> For:
    """The same for a loop."""
    if not _prints_nothing(node):
        return node
    return replace(node, body=_without_text(node.body), otherwise=_without_text(node.otherwise))


def without_blanks_case(node: Case) -> Case:
    """The same for a case."""
    if not _prints_nothing(node):
        return node
    return replace(node, branches=tuple(replace(branch, body=_without_text(branch.body)) for branch in node.branches))


def _is_blank(body: tuple[Node, ...]) -> bool:
    return all(_prints_nothing(node) for node in body)


def _prints_nothing(node: Node) -> bool:
    if isinstance(node, Text):
        return not node.kept and not node.text.strip()
    if isinstance(node, (If, For, Case, TableRow, IfChanged)):  # the last two print what they hold, but count as blank
        return all(_is_blank(body) for body in bodies(node))
    return isinstance(node, (Assign, Capture, Comment))


def _without_text(body: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(node for node in body if not isinstance(node, Text))
