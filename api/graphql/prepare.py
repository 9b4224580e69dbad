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
    Source,
    get_variable_values,
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
# A document takes some 160 bytes a character, so that a full cache takes some 64 MB, beside compiled plans and shared answers.
REMEMBERED_CHARACTERS = 400_000  # of all entries together: text, operation name and …
ENTRY_CHARACTERS = 800  # … what an entry takes however short its text is
LONGEST_NAME_TOLD = 60


@dataclass(slots=True, kw_only=True)
class Prepared:
    """An operation ready to run, shared by all requests with the same text."""

    schema: GraphQLSchema
    document: DocumentNode
    kind: OperationType
    name: str | None
    analysis: Analysis
    plans: dict[Any, Any] = field(default_factory=dict)
    answers: dict[Any, bytes] = field(default_factory=dict)  # to events that many subscribers get alike

    def check(self, actor: Actor, variables: dict[str, Any], limits: Limits) -> None:
        """What depends on the request. Raises Forbidden, BadDocument, LimitReached (QUERY_TOO_COSTLY)."""
        check_permissions(actor, self.analysis.coordinates)
        sizes = self._sizes(variables)
        cost = self.analysis.cost.total(sizes)
        if cost > limits.cost or self.analysis.introspection.total(sizes) > limits.introspection_cost:
            raise LimitReached(
                f"the query costs {cost} (rows times fields), {limits.cost} is the most",
                code="QUERY_TOO_COSTLY",
                hint="Ask for smaller pages or fewer fields, or raise CLARION_GRAPHQL_MAX_COST.",
            )

    def _sizes(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The variables that say how many rows, as the resolvers will see them: with defaults, and a 500.0 as 500."""
        definitions = self.analysis.size_variables
        if not definitions:
            return {}
        values = get_variable_values(self.schema, definitions, variables)
        if isinstance(values, list):
            raise BadDocument(values)
        return values.coerced


class BadDocument(Invalid):
    """The text is no valid document of this schema; `errors` say where."""

    default_code = "BAD_DOCUMENT"

    def __init__(self, errors: list[GraphQLError]):
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document is refused, as data: an exception would keep the frames it was raised through, and the body with them."""

    kind: type[ClarionError]
    message: str
    code: str
    path: str | None
    hint: str | None
    errors: tuple[tuple[str, Source | None, tuple[int, ...]], ...] = ()  # of a BadDocument

    @classmethod
    def of(cls, error: ClarionError) -> Refusal:
        """What there is to keep of an error."""
        errors = error.errors if isinstance(error, BadDocument) else ()
        kept = tuple((each.message, each.source, tuple(each.positions or ())) for each in errors)
        return cls(type(error), error.message, error.code, error.path, error.hint, kept)

    def error(self) -> ClarionError:
        """The error, to be raised once."""
        if self.errors:
            return BadDocument([GraphQLError(message, None, source, positions) for message, source, positions in self.errors])
        return self.kind(self.message, code=self.code, path=self.path, hint=self.hint)


class Documents:
    """Prepared operations by text and operation name, the least recently used dropped first."""

    def __init__(self, schema: GraphQLSchema, limits: Limits):
        self.schema = schema
        self.limits = limits
        self._known: OrderedDict[tuple[str, str | None], Prepared | Refusal] = OrderedDict()
        self._size = 0

    def prepare(self, text: str, operation_name: str | None) -> Prepared:
        """Raises BadDocument, LimitReached, Invalid (UNKNOWN_OPERATION)."""
        key = (text, operation_name)
        found = self._known.get(key)
        if found is None:
            try:
                found = self._prepare(text, operation_name)
            except ClarionError as error:
                found = Refusal.of(error)
            self._remember(key, found)
        else:
            self._known.move_to_end(key)
        if isinstance(found, Refusal):
            raise found.error()
        return found

    def _remember(self, key: tuple[str, str | None], made: Prepared | Refusal) -> None:
        self._known[key] = made
        self._size += _price(*key)
        while self._size > REMEMBERED_CHARACTERS:
            dropped, _ = self._known.popitem(last=False)
            self._size -= _price(*dropped)

    def _prepare(self, text: str, operation_name: str | None) -> Prepared:
        document = self._parse(text)
        check_shape(document, self.limits)
        errors = validate_document(self.schema, document, RULES)
        if errors:
            raise BadDocument(errors)
        operation = _choose(document, operation_name)
        return Prepared(
            schema=self.schema,
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


def _price(text: str, operation_name: str | None) -> int:
    return ENTRY_CHARACTERS + len(text) + len(operation_name or "")


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to run: the named one, or the only one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        operations = [node for node in operations if node.name and node.name.value == name]
    if len(operations) != 1:
        what = f"no operation named {name[:LONGEST_NAME_TOLD]!r}" if name is not None else "not exactly one operation"
        raise Invalid(
            f"the document has {what}",
            code="UNKNOWN_OPERATION",
            path="operationName",
            hint="Name one of the document's operations in `operationName`.",
        )
    return operations[0]
