"""From the text of a document to something that can be executed, remembered by text: parse, bound, validate, analyse."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
)
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.schema.schema import validate_document

from api.graphql.analysis import Analysis, analyse
from api.graphql.limits import Limits, check_shape
from api.graphql.permissions import check_permissions
from core.access import Actor
from core.errors import ClarionError, Invalid, LimitReached

RULES = (*specified_rules, MaxIntrospectionDepthRule)
REMEMBERED_TEXT = 1_000_000  # characters of all remembered documents together


@dataclass(slots=True, kw_only=True)
class Prepared:
    """An operation ready to run, shared by all requests with the same text."""

    document: DocumentNode
    kind: OperationType
    name: str | None
    analysis: Analysis
    plans: dict[Any, Any] = field(default_factory=dict)
    answers: dict[Any, bytes] = field(default_factory=dict)  # to events that many subscribers get alike

    def check(self, actor: Actor, variables: dict[str, Any], limits: Limits) -> None:
        """What depends on the request. Raises Forbidden, LimitReached (QUERY_TOO_COSTLY)."""
        check_permissions(actor, self.analysis.coordinates)
        cost = self.analysis.cost.total(variables)
        if cost > limits.cost or self.analysis.introspection.total(variables) > limits.introspection_cost:
            raise LimitReached(
                f"the query costs {cost} (rows times fields), {limits.cost} is the most",
                code="QUERY_TOO_COSTLY",
                hint="Ask for smaller pages or fewer fields, or raise CLARION_GRAPHQL_MAX_COST.",
            )


class BadDocument(Invalid):
    """The text is no valid document of this schema; `errors` say where."""

    default_code = "BAD_DOCUMENT"

    def __init__(self, errors: list[GraphQLError]):
        super().__init__(errors[0].message)
        self.errors = errors


class Documents:
    """Prepared operations by text and operation name, the least recently used dropped first."""

    def __init__(self, schema: GraphQLSchema, limits: Limits):
        self.schema = schema
        self.limits = limits
        self._known: OrderedDict[tuple[str, str | None], Prepared | ClarionError] = OrderedDict()
        self._size = 0

    def prepare(self, text: str, operation_name: str | None) -> Prepared:
        """Raises BadDocument, LimitReached, Invalid (UNKNOWN_OPERATION)."""
        key = (text, operation_name)
        found = self._known.get(key)
        if found is None:
            try:
                found = self._prepare(text, operation_name)
            except ClarionError as error:
                found = error
            self._remember(key, found)
        else:
            self._known.move_to_end(key)
        if isinstance(found, ClarionError):
            raise found.with_traceback(None)
        return found

    def _remember(self, key: tuple[str, str | None], made: Prepared | ClarionError) -> None:
        self._known[key] = made
        self._size += len(key[0])
        while self._size > REMEMBERED_TEXT:
            (text, _), _ = self._known.popitem(last=False)
            self._size -= len(text)

    def _prepare(self, text: str, operation_name: str | None) -> Prepared:
        document = self._parse(text)
        check_shape(document, self.limits)
        errors = validate_document(self.schema, document, RULES)
        if errors:
            raise BadDocument(errors)
        operation = _choose(document, operation_name)
        return Prepared(
            document=document,
            kind=operation.operation,
            name=operation.name.value if operation.name else None,
            analysis=analyse(self.schema, document, operation),
        )

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, max_lexical_tokens=self.limits.tokens, max_comments=self.limits.comments)
        except GraphQLError as error:
            raise BadDocument([error.with_traceback(None)]) from None


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to run: the named one, or the only one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        operations = [node for node in operations if node.name and node.name.value == name]
    if len(operations) != 1:
        what = f"no operation named {name!r}" if name is not None else "not exactly one operation"
        raise Invalid(
            f"the document has {what}",
            code="UNKNOWN_OPERATION",
            path="operationName",
            hint="Name one of the document's operations in `operationName`.",
        )
    return operations[0]
