"""A walk through the tree: what stands beside what, and whether that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from core.targeting import member_columns
from core.targeting.call_checks import check_call
from core.targeting.catalogue import Catalogue, CatalogueField, Entity, Kind
from core.targeting.checked import Audiences, CheckedExpression
from core.targeting.column_checks import check_column
from core.targeting.errors import UNKNOWN_AUDIENCE, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.functions import common
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_NODES,
    MAX_PARTS,
    MAX_RANKS,
    MAX_VALUES,
    Aggregate,
    And,
    Call,
    Case,
    Condition,
    Exists,
    Field,
    Following,
    Literal,
    Member,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Place,
    Rank,
    Relative,
    Test,
    Top,
)
from core.targeting.link_checks import check_aggregate, check_following, check_top, find_field, rows_of
from core.targeting.literals import uuid_of
from core.targeting.operators import NUMBERS, OPERATORS, TIMES
from core.targeting.rank_checks import check_rank
from core.targeting.scopes import Scope
from core.targeting.value_checks import (
    a,
    check_common,
    check_name_of_value,
    check_relative,
    described,
    is_written,
    kind_of_literal,
    named,
    rewritten,
    too_large,
)


class TreeChecker:
    """Walks the tree once; the methods raise at the first mistake, in reading order."""

    def __init__(self, catalogue: Catalogue, entity: Entity, audiences: Audiences) -> None:
        self.catalogue = catalogue
        self.audiences = audiences
        self.scope = Scope(entity=entity)
        self.reads: set[str] = set()
        self.entities: set[str] = set()
        self.fields: dict[int, CatalogueField] = {}  # which field a node is, or takes its values from, by its identity
        self.parts = 0  # in all
        self.levels = 0
        self.ranks = 0
        self._ranking = False
        self._nodes = 0
        self._listed = 0

    def condition(self, node: Condition, depth: int) -> None:
        self.count(node.place, depth)
        match node:
            case And(terms=terms) | Or(terms=terms):
                for term in terms:
                    self.condition(term, depth + 1)
            case Not(term=term):
                self.condition(term, depth + 1)
            case Operation():
                self._operation(node, depth)
            case Exists(selection=selection):
                rows_of(self, selection, depth)
            case Following():
                check_following(self, node, depth)
            case Top():
                check_top(self, node, depth)
            case Member():
                self._member(node, depth)
            case _:
                kind = self.kind(node, depth)
                if kind is not Kind.BOOLEAN:
                    raise ExpressionError(
                        "a condition is incomplete", code=WRONG_TYPE, place=node.place,
                        found=f"{a(kind)} alone", expected="a comparison, or a field that is true or false",
                    )  # fmt: skip

    @contextmanager
    def about(self, scope: Scope) -> Iterator[None]:
        """What is checked meanwhile is about other rows."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    @contextmanager
    def ranking(self, place: Place) -> Iterator[None]:
        """What is checked meanwhile is what a rank is made of. Raises ExpressionError for ranks of ranks, and too many."""
        if self._ranking:
            raise ExpressionError(
                "a rank is not made of ranks", code=WRONG_TYPE, place=place, found="a rank within a rank",
                expected="what a row has by itself, or what its linked rows come to",
            )  # fmt: skip
        self._count_ranks(1, place)
        self._ranking = True
        try:
            yield
        finally:
            self._ranking = False

    def _count_ranks(self, more: int, place: Place) -> None:
        self.ranks += more
        if self.ranks > MAX_RANKS:
            raise too_large("there are too many ranks", place, f"{self.ranks} ranks", MAX_RANKS, "together")

    def count(self, place: Place, depth: int) -> None:
        self._nodes += 1
        self.parts += 1
        self.levels = max(self.levels, depth)
        if depth > MAX_DEPTH:
            raise too_large("the expression is nested too deeply", place, "another level", MAX_DEPTH)
        if self._nodes > MAX_NODES:
            raise too_large("the expression has too many parts", place, "another part", MAX_NODES)

    def _operation(self, node: Operation, depth: int) -> None:
        first, *rest = node.operands
        kind = self.kind(first, depth)
        rule = OPERATORS[node.operator]
        if kind not in rule.takes:
            raise self._unfit(node.operator, kind, node.place)
        if node.operator is Operator.IN:
            self._list(node, rest)
        for operand in rest:
            self._same(node.operator, first, kind, operand, depth)
            if rule.constants and not is_written(operand):
                raise ExpressionError(
                    f"the operator {node.operator.value} compares with values only", code=WRONG_TYPE,
                    place=operand.place, found=named(operand),
                    expected="a value",
                )  # fmt: skip

    def _list(self, node: Operation, values: list[Operand]) -> None:
        self._listed += len(values)
        if len(values) > MAX_VALUES:
            raise too_large("the list has too many values", node.place, f"{len(values)} values", MAX_VALUES)
        if self._listed > MAX_LIST_VALUES:
            raise too_large("the lists have too many values", node.place, f"{self._listed} values", MAX_LIST_VALUES)
        self._nodes -= len(values)

    def _same(self, operator: Operator, first: Operand, kind: Kind, operand: Operand, depth: int) -> None:
        """The operand can be compared with the first."""
        if isinstance(operand, Field):
            find_field(self, operand, text=kind is Kind.TEXT, values=self._values(first))
        other = self.kind(operand, depth)
        if other not in OPERATORS[operator].takes:
            raise self._unfit(operator, other, operand.place)
        for one, value in ((first, operand), (operand, first)):
            field = self.fields.get(id(one))
            if field and field.values and isinstance(value, Literal) and isinstance(value.value, str):
                return check_name_of_value(field, value)
        for one_kind, value in ((kind, operand), (other, first)):
            if one_kind is Kind.UUID and isinstance(value, Literal) and isinstance(value.value, str):
                uuid_of(value.value, value.place)
                return None
        if kind is Kind.ENUMERATION and other is kind:
            if self._values(first) == self._values(operand):
                return None
        elif kind is other or {kind, other} <= NUMBERS or {kind, other} <= TIMES:
            return None
        mismatch = "another enumeration" if kind is other else a(other)
        raise ExpressionError(
            f"{a(kind)} cannot be compared with {mismatch}", code=WRONG_TYPE, place=operand.place,
            found=described(operand, other), expected=a(kind), suggestion=rewritten(operand, kind),
        )  # fmt: skip

    def kind(self, node: Operand, depth: int) -> Kind:
        self.count(node.place, depth)
        match node:
            case Field():
                return find_field(self, node).kind
            case Literal():
                return kind_of_literal(node)
            case Relative():
                return check_relative(node)
            case Call(function=name) if name == member_columns.FUNCTION:
                return check_column(self, node)
            case Call():
                return check_call(self, node, depth)
            case Case():
                return self._case(node, depth)
            case Aggregate():
                return check_aggregate(self, node, depth)
            case Rank():
                return check_rank(self, node, depth)

    def _values(self, node: Operand) -> Mapping[str, int | str]:
        field = self.fields.get(id(node))
        return field.values if field else {}

    def _unfit(self, operator: Operator, kind: Kind, place: Place) -> ExpressionError:
        fitting = [other.value for other, rule in OPERATORS.items() if kind in rule.takes]
        return ExpressionError(
            f"the operator {operator.value} does not work with {a(kind)}", code=WRONG_TYPE, place=place,
            found=operator.value, expected="one of " + " ".join(fitting),
        )  # fmt: skip

    def _member(self, node: Member, depth: int) -> None:
        found = self.audiences.get((node.audience, node.version))
        if found is None:
            names = [name for name, _ in self.audiences]
            raise ExpressionError(
                f"there is no audience {shown(node.audience)}" + ("" if node.version is None else " of this version"),
                code=UNKNOWN_AUDIENCE, place=node.place, found=shown(node.audience),
                expected="the name of an audience", suggestion=closest(node.audience, names),
            )  # fmt: skip
        entity = found.entity.name if isinstance(found, CheckedExpression) else "profile"
        if entity != self.scope.entity.name:
            raise ExpressionError(
                f"the audience {shown(node.audience)} is of another kind", code=WRONG_TYPE, place=node.place,
                found=f"an audience of {entity}", expected=f"an audience of {self.scope.entity.name}",
            )  # fmt: skip
        if isinstance(found, CheckedExpression):
            self.parts += found.parts
            self.levels = max(self.levels, depth + found.levels)
            if self.parts > MAX_PARTS:
                raise too_large(
                    "the audiences that are named have too many parts", node.place, f"{self.parts} parts", MAX_PARTS, "together"
                )
            if self.levels > MAX_DEPTH:
                raise too_large(
                    "the audiences that are named are nested too deeply", node.place, f"{self.levels} levels", MAX_DEPTH,
                    "together",
                )  # fmt: skip
            self._count_ranks(found.ranks, node.place)
            self.reads |= found.reads
            self.entities |= found.entities

    def argument(self, node: Condition, depth: int) -> Kind:
        """The kind of an operand, or of a condition, which is true or false."""
        if isinstance(node, Test):
            self.condition(node, depth)
            return Kind.BOOLEAN
        return self.kind(node, depth)

    def _case(self, node: Case, depth: int) -> Kind:
        kinds: list[Kind] = []
        for when, then in node.branches:
            self.condition(when, depth + 1)
            kinds.append(self.kind(then, depth + 1))
            check_common("a case", kinds, then)
        if node.otherwise is not None:
            kinds.append(self.kind(node.otherwise, depth + 1))
            check_common("a case", kinds, node.otherwise)
        found = common(kinds)
        if found is None or found in (Kind.POINT, Kind.JSON):
            raise ExpressionError(
                "a case cannot choose between places or JSON", code=WRONG_TYPE, place=node.place,
                found=a(found or Kind.POINT), expected="another kind",
            )  # fmt: skip
        return found
