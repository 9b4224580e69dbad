"""What an operation touches and costs, read from its document."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from api.graphql.analysis import Analysis, analyse
from api.graphql.schema import make_schema

SCHEMA = make_schema()._schema


def analysed(text: str) -> Analysis:
    """The analysis of the first operation."""
    document = parse(text)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return analyse(SCHEMA, document, operation)


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        ("{ viewer { name label } }", {}, 1 + 2),
        ("{ profiles(first: 10) { nodes { id email } } }", {}, 1 + 10 * 2),
        ("{ profiles { nodes { id email } } }", {}, 1 + 50 * 2),
        ("query ($n: Int) { profiles(first: $n) { nodes { id } } }", {"n": 7}, 1 + 7),
        ("query ($n: Int) { profiles(first: $n) { nodes { id } } }", {}, 1 + 50),
        ("query ($n: Int) { profiles(first: $n) { nodes { id } } }", {"n": None}, 1 + 50),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a", "b", "c"]}, 1 + 3),
        ('{ nodes(ids: ["a", "b"]) { id } }', {}, 1 + 2),
        ("{ deliveries(first: 2) { nodes { log(first: 3) { nodes { code } } } } }", {}, 1 + 2 * 3),
        ("{ ...Two } fragment Two on Query { a: viewer { name } b: viewer { name } }", {}, 2 + 2),
        ("{ channels { name } }", {}, 1 + 10),
        ("{ trackingEvents(first: 500) { cursor events { position kind } } }", {}, 1 + 500 * (1 + 2)),
        ("{ trackingEvents { ...B } } fragment B on TrackingEventBatch { events { position } }", {}, 1 + 50),
        ("subscription { trackingEvents { events { position kind } } }", {}, 1 + 10 * 2),
        ("{ audiences(first: 2) { nodes { target { sample(size: 3) { id } } } } }", {}, 1 + 2 * 3),
        ('mutation { deleteCampaign(id: "x") { userErrors { code } } }', {}, 10 + 10),
    ],
)
def test_a_query_costs_its_rows_times_its_fields(text: str, variables: dict[str, Any], cost: int) -> None:
    assert analysed(text).cost.total(variables) == cost


def test_fragments_that_double_are_added_up_without_being_spread_out() -> None:
    doubling = "".join(f" fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    text = "{ ...F0 }" + doubling + " fragment F60 on Query { viewer { name } }"

    assert analysed(text).cost.total({}) >= 2**60


def test_every_field_that_is_touched_is_known_also_through_fragments() -> None:
    found = analysed(
        """query { node(id: "x") { ... on Campaign { name } ...A } }
           fragment A on ApiToken { roles }"""
    )

    assert found.coordinates == ("Query.node", "Campaign.name", "ApiToken.roles")


def test_the_variables_that_steer_conditions_are_known() -> None:
    found = analysed("query ($a: Boolean!, $b: Boolean!) { viewer { name @skip(if: $b) label @include(if: $a) } }")

    assert found.condition_variables == ("a", "b")


def test_root_fields_are_counted_through_fragments() -> None:
    text = """mutation { a: deleteCampaign(id: "x") { deletedId } ...More }
              fragment More on Mutation { b: deleteCampaign(id: "y") { deletedId } }"""

    assert analysed(text).root_fields == 2
