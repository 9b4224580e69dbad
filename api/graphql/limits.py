"""Bounds on the shape of a document, checked in one walk before it is validated or executed.

Validation itself compares fields pairwise, so a small text can cost minutes: the bounds on repeats and fragments are what
keeps it linear. Depth and cost of the answer are bounded too; those two are settings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from core.errors import LimitReached

INTROSPECTION = ("__schema", "__type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a document may look like."""

    depth: int
    cost: int
    tokens: int = 6_000
    comments: int = 500
    aliases: int = 100
    operations: int = 20
    fragments: int = 60
    spreads: int = 200
    directives: int = 100
    repeats: int = 20  # of one name within one selection set …
    mentions: int = 300  # … and within the document
    introspection_depth: int = 20
    introspection_cost: int = 400_000


def check_shape(document: DocumentNode, limits: Limits) -> None:
    """Raises LimitReached (QUERY_TOO_DEEP, TOO_MANY_ALIASES, …)."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    walk = _Walk(limits, fragments)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    _bound(len(operations), limits.operations, "operations")
    _bound(len(document.definitions) - len(operations), limits.fragments, "fragments")
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            walk.selections(definition.selection_set, 1, limits.depth)


def _bound(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise LimitReached(
            f"a document may hold at most {limit} {what}",
            code=f"TOO_MANY_{what.upper()}",
            hint="Split it into several requests.",
        )


class _Walk:
    """Counts while it walks; stops at the first bound that is passed, so that it never goes deeper than allowed."""

    def __init__(self, limits: Limits, fragments: dict[str, FragmentDefinitionNode]):
        self.limits = limits
        self.fragments = fragments
        self.entered: dict[str, int] = {}  # the deepest level at which a fragment was walked already
        self.mentions: Counter[str] = Counter()
        self.aliases = self.spreads = self.directives = 0

    def selections(self, node: SelectionSetNode, level: int, deepest: int) -> None:
        """Walk the fields that stand at `level`."""
        names: Counter[str] = Counter()
        for selection in node.selections:
            self.directives += len(selection.directives or ())
            _bound(self.directives, self.limits.directives, "directives")
            if isinstance(selection, FieldNode):
                self.field(selection, names, level, deepest)
            else:
                self.fragment(selection, level, deepest)

    def field(self, node: FieldNode, names: Counter[str], level: int, deepest: int) -> None:
        """Count one field and walk below it."""
        if level > deepest:
            raise LimitReached(
                f"the query nests deeper than {deepest} levels",
                code="QUERY_TOO_DEEP",
                hint="Ask in several requests, or raise CLARION_GRAPHQL_MAX_DEPTH.",
            )
        name = (node.alias or node.name).value
        names[name] += 1
        self.mentions[name] += 1
        _bound(names[name], self.limits.repeats, "repeats")
        _bound(self.mentions[name], self.limits.mentions, "mentions")
        if node.alias is not None:
            self.aliases += 1
            _bound(self.aliases, self.limits.aliases, "aliases")
        if node.selection_set is not None:
            below = self.limits.introspection_depth if node.name.value in INTROSPECTION else deepest
            self.selections(node.selection_set, level + 1, below)

    def fragment(self, node: SelectionNode, level: int, deepest: int) -> None:
        """Walk an inline fragment, or a named one unless it was walked at this depth before."""
        if isinstance(node, InlineFragmentNode):
            # It adds no level of the answer, but nesting it in itself must end somewhere too.
            self.spread()
            self.selections(node.selection_set, level, deepest)
        elif isinstance(node, FragmentSpreadNode):
            self.spread()
            name = node.name.value
            target = self.fragments.get(name)
            if target is not None and self.entered.get(name, 0) < level:
                self.entered[name] = level
                self.selections(target.selection_set, level, deepest)

    def spread(self) -> None:
        """Count a fragment in use."""
        self.spreads += 1
        _bound(self.spreads, self.limits.spreads, "spreads")
