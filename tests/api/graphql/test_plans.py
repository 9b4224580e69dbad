"""Compiled selections answer exactly as the usual way does, errors included; only faster."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
import strawberry
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.context import ConnectionLease
from api.graphql.analysis import analyse
from api.graphql.execution import LeafExecutor, run
from api.graphql.leaf import leaf
from api.graphql.nodes import record_of
from api.graphql.scalars import CONFIG, JSON, Long


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Thing:
    """A record."""

    name: Any = "a thing"
    note: Any = None
    size: Any = 3
    weight: Any = 1.5
    good: Any = True
    colour: Any = Colour.RED
    made: Any = datetime(2026, 3, 1, 9, tzinfo=UTC)
    day: Any = date(2026, 3, 1)
    big: Any = 2**40
    data: Any = field(default_factory=lambda: {"a": [1, None]})
    words: Any = ("x", "y")
    part: Any = None
    parts: Any = ()


ColourType = strawberry.enum(Colour, name="Colour")


@strawberry.interface
class Named:
    """An abstract type."""

    name: str


@strawberry.type(name="Thing")
class ThingType(Named):
    """What is asked about."""

    is_type_of = record_of(Thing)

    id: strawberry.ID = leaf(lambda thing: f"thing:{thing.name}")
    name: str
    note: str | None
    size: int
    weight: float
    good: bool
    colour: ColourType  # type: ignore[valid-type]
    made: datetime
    day: date
    big: Long
    data: JSON
    words: list[str]
    part: ThingType | None
    parts: list[ThingType]
    maybe_parts: list[ThingType | None] | None = leaf(lambda thing: thing.parts)

    @strawberry.field
    async def slow(root: strawberry.Parent[Any], times: int = 1) -> str:
        """A field with a resolver."""
        return str(root.name) * times


@strawberry.type
class Query:
    """The root."""

    @strawberry.field(graphql_type=list[ThingType])  # type: ignore[untyped-decorator]
    def things(self, info: strawberry.Info) -> Any:
        """All of them."""
        return info.context.things

    @strawberry.field(graphql_type=Named | None)  # type: ignore[untyped-decorator]
    def named(self, info: strawberry.Info) -> Any:
        """The first, as an abstract type."""
        return info.context.things[0]


SCHEMA = strawberry.Schema(Query, config=CONFIG)._schema


NO_POOL: Any = None  # nothing here asks a database


@dataclass
class Context:
    """What the executor needs of a request."""

    things: Any
    plans: dict[Any, Any] = field(default_factory=dict)
    conditions: tuple[Any, ...] = ()
    lease: ConnectionLease = field(default_factory=lambda: ConnectionLease(NO_POOL))


async def both_ways(
    text: str, things: Any, variables: dict[str, Any] | None = None, plans: dict[Any, Any] | None = None
) -> tuple[Any, Any]:
    """The answer with plans, and the answer without."""
    document = parse(text)
    assert validate(SCHEMA, document) == []
    answers = []
    for kind in (LeafExecutor, StrawberryGraphQLCoreExecutionContext):
        context = Context(things, {} if plans is None else plans)
        executor = kind.build(
            SCHEMA,
            document,
            context_value=context,
            raw_variable_values=variables or {},
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
        )
        assert not isinstance(executor, list), executor
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        assert operation.operation is OperationType.QUERY
        names = analyse(SCHEMA, document, operation).condition_variables
        context.conditions = tuple(executor.variable_values.coerced.get(name) for name in names)
        result = await run(executor)  # type: ignore[arg-type]
        answers.append((msgspec.to_builtins(result.data), [told(error) for error in result.errors or ()]))
        if kind is LeafExecutor:
            assert plans is not None or "things" not in text or context.plans, "nothing was compiled"
    return answers[0], answers[1]


def told(error: GraphQLError) -> tuple[str, Any]:
    """What a client sees of an error."""
    return error.message, error.path


ALL = "id name note size weight good colour made day big data words"


@pytest.mark.parametrize(
    "text",
    [
        f"{{ things {{ {ALL} }} }}",
        f"{{ things {{ {ALL} part {{ {ALL} part {{ name }} }} parts {{ {ALL} }} maybeParts {{ id }} }} }}",
        "{ things { __typename a: name b: name c: part { __typename d: name } } }",
        "{ things { ...A ... on Thing { note } } } fragment A on Thing { name part { ...B } } fragment B on Thing { size }",
        "{ things { name slow part { slow name } } }",
        "{ things { slow } }",
        "{ things { name twice: slow(times: 2) parts { twice: slow(times: 2) name } } }",
        "{ named { name __typename ... on Thing { size parts { name } } } }",
        "{ __schema { queryType { name } } things { name } }",
    ],
)
async def test_a_plan_answers_as_the_usual_way_does(text: str) -> None:
    inner = Thing(name="inner", note="n", colour=Colour.BLUE)
    things = [Thing(part=inner, parts=[inner, Thing(name="é")]), Thing(name="", words=[], parts=())]

    fast, usual = await both_ways(text, things)

    assert fast == usual
    assert fast[1] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"name": None},
        {"name": 3},  # becomes text
        {"name": object()},
        {"size": 2**31},
        {"size": "x"},
        {"size": True},
        {"weight": float("nan")},
        {"weight": 2},
        {"good": "yes"},
        {"colour": "green"},
        {"colour": None},
        {"made": datetime(2026, 3, 1)},
        {"made": "2026"},
        {"big": 2**60},
        {"words": None},
        {"words": ["a", None]},
        {"words": "ab"},
        {"words": {"a"}},
        {"part": Thing(name=None)},
        {"parts": [Thing(), None]},
        {"parts": [Thing(size=None), Thing()]},
        {"parts": None},
    ],
)
@pytest.mark.parametrize("nested", [False, True])
async def test_what_a_plan_cannot_answer_is_told_as_usual(broken: dict[str, Any], nested: bool) -> None:
    text = f"{{ things {{ {ALL} part {{ {ALL} }} parts {{ {ALL} }} maybeParts {{ {ALL} }} }} }}"
    wrong = Thing(**broken)
    things = [Thing(), Thing(part=wrong, parts=[wrong]) if nested else wrong]

    fast, usual = await both_ways(text, things)

    assert fast == usual


async def test_an_attribute_that_raises_is_told_as_usual() -> None:
    class Faulty(Thing):
        @property
        def extra(self) -> str:
            raise AssertionError

        def __getattribute__(self, name: str) -> Any:
            if name == "note":
                raise ValueError("no note")
            return super().__getattribute__(name)

    fast, usual = await both_ways("{ things { name note } }", [Thing(), Faulty()])

    assert fast == usual
    assert fast[1] == [("no note", ["things", 1, "note"])]


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("include", [True, False, None])
async def test_conditions_are_heeded_although_plans_are_kept(skip: bool, include: bool | None) -> None:
    # Given plans that were made with other conditions
    text = """query ($s: Boolean!, $i: Boolean = true) {
      things { name @skip(if: $s) note @include(if: $i) part { size @skip(if: $s) weight } } }"""
    plans: dict[Any, Any] = {}
    things = [Thing(part=Thing())]
    for before in (True, False):
        await both_ways(text, things, {"s": before, "i": not before}, plans)

    # When the same document is asked with these
    variables: dict[str, Any] = {"s": skip} if include is None else {"s": skip, "i": include}
    fast, usual = await both_ways(text, things, variables, plans)

    # Then the answer is that of these
    assert fast == usual


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": st.one_of(st.text(), st.none(), st.integers(), st.booleans()),
    "note": st.one_of(st.none(), st.text(), st.floats(allow_nan=False)),
    "size": st.one_of(st.integers(-(2**33), 2**33), st.booleans(), st.floats(), st.none()),
    "weight": st.one_of(st.floats(), st.integers(), st.none(), st.text(max_size=3)),
    "good": st.one_of(st.booleans(), st.integers(0, 2), st.none()),
    "colour": st.sampled_from([Colour.RED, Colour.BLUE, None, "red", "RED", 3]),
    "words": st.one_of(st.lists(st.one_of(st.text(max_size=2), st.none())), st.none(), st.tuples(st.text(max_size=2))),
}
THINGS = st.fixed_dictionaries({}, optional=VALUES).map(lambda values: Thing(**values))
SELECTED = st.lists(st.sampled_from([*VALUES, "id", "__typename", "slow"]), min_size=1, unique=True)


NESTED = st.builds(lambda outer, inner: Thing(**{**vars(outer), "parts": inner}), THINGS, st.lists(THINGS, max_size=2))


@settings(max_examples=150, deadline=None)
@given(things=st.lists(NESTED, max_size=3), fields=SELECTED)
async def test_any_records_and_any_fields(things: list[Thing], fields: list[str]) -> None:
    selected = " ".join(fields)
    text = f"{{ things {{ {selected} parts {{ {selected} }} maybeParts {{ {selected} }} }} }}"

    fast, usual = await both_ways(text, things)

    assert fast == usual
