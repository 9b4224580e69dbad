"""Bombs: documents that are small to send and would be dear to answer are refused by name, before anything runs."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query, parse

from api.graphql.limits import Limits, check_shape
from core.errors import LimitReached
from tests.api.gql import Gql

LIMITS = Limits(depth=12, cost=5000)


def nested(levels: int) -> str:
    """A query whose deepest field stands at this level."""
    return "{ a " * (levels - 1) + "{ a }" + " }" * (levels - 1)


def refusal(text: str) -> str | None:
    """The code with which a document is refused; None when its shape is fine."""
    try:
        check_shape(parse(text), LIMITS)
    except LimitReached as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("fits", "too_much", "code"),
    [
        (nested(12), nested(13), "QUERY_TOO_DEEP"),
        (
            "{" + " ".join(f"a{n}: b" for n in range(100)) + "}",
            "{" + " ".join(f"a{n}: b" for n in range(101)) + "}",
            "TOO_MANY_ALIASES",
        ),
        ("{" + "b " * 20 + "}", "{" + "b " * 21 + "}", "TOO_MANY_REPEATS"),
        (
            "{" + "a { b } " * 19 + "}" + "".join(f" fragment F{n} on Q {{ {'b ' * 20} }}" for n in range(14)),
            "{" + "a { b } " * 19 + "}" + "".join(f" fragment F{n} on Q {{ {'b ' * 20} }}" for n in range(15)),
            "TOO_MANY_MENTIONS",
        ),
        (
            "{" + " ".join(f"b{n} @skip(if: false)" for n in range(100)) + "}",
            "{" + " ".join(f"b{n} @skip(if: false)" for n in range(101)) + "}",
            "TOO_MANY_DIRECTIVES",
        ),
        (
            "{" + "... { b } " * 200 + "}",
            "{" + "... { b } " * 201 + "}",
            "TOO_MANY_SPREADS",
        ),
        (
            "{ b }" + " ".join(f"fragment F{n} on Q {{ b }}" for n in range(60)),
            "{ b }" + " ".join(f"fragment F{n} on Q {{ b }}" for n in range(61)),
            "TOO_MANY_FRAGMENTS",
        ),
        (
            " ".join(f"query Q{n} {{ b }}" for n in range(20)),
            " ".join(f"query Q{n} {{ b }}" for n in range(21)),
            "TOO_MANY_OPERATIONS",
        ),
    ],
)
def test_each_bound_holds_at_its_limit_and_not_beyond(fits: str, too_much: str, code: str) -> None:
    assert refusal(fits) is None
    assert refusal(too_much) == code


def test_depth_counts_through_fragments() -> None:
    text = "{ ...F0 }" + "".join(f" fragment F{n} on Q {{ a {{ ...F{n + 1} }} }}" for n in range(12))
    text += " fragment F12 on Q { a { a } }"

    assert refusal(text) == "QUERY_TOO_DEEP"


def test_fragments_that_double_at_each_step_are_walked_once() -> None:
    # 2^40 fields if they were spread out
    doubling = "".join(f" fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))

    assert refusal("{ ...F0 }" + doubling + " fragment F40 on Q { a }") is None


def test_fragments_in_a_circle_end() -> None:
    assert refusal("{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }") is None  # validation names the circle


def test_the_explorers_introspection_passes() -> None:
    assert refusal(get_introspection_query(descriptions=True, input_value_deprecation=True)) is None


BOMBS = {
    "a query of a megabyte": ("{ viewer { " + "name " * 250_000 + "} }", "BODY_TOO_LARGE"),
    "too many tokens": ("{ viewer { " + "name " * 30_000 + "} }", "BAD_REQUEST"),
    "deep nesting": ("{ viewer " + "{ viewer " * 3_000 + "}" * 3_001, "BAD_REQUEST"),
    "nesting just below the token limit": ("{ viewer " * 2_500 + "{ name }" + " }" * 2_500, "BAD_REQUEST"),
    "deep lists": ("{ campaign(id: " + "[" * 2_900 + "]" * 2_900 + ") { id } }", "BAD_REQUEST"),
    "aliases": ("{" + " ".join(f"a{n}: viewer {{ name }}" for n in range(500)) + "}", "TOO_MANY_ALIASES"),
    "the same field again and again": ("{ viewer {" + " name" * 2_000 + "} }", "TOO_MANY_REPEATS"),
    "a wide page": ("{ profiles(first: 500) { nodes {" + " ".join(f"a{n}: id" for n in range(90)) + "}}}", "QUERY_TOO_COSTLY"),
    "lists in lists": (
        "{ deliveries(first: 500) { nodes { ledger(first: 500) { nodes { address } } } } }", "QUERY_TOO_COSTLY",
    ),
    "nodes by id": (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id __typename a: id b: id c: id d: id } }", "QUERY_TOO_COSTLY",
    ),
    "introspection in introspection": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }", "BAD_REQUEST",
    ),
    "introspection again and again": (
        "{" + " ".join(
            f"a{n}: __schema {{ types {{ fields {{ args {{ type {{ ofType {{ kind }} }} }} }} }} }}"
            for n in range(90)
        ) + "}", "QUERY_TOO_COSTLY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_are_refused_by_name(gql: Gql, name: str) -> None:
    text, code = BOMBS[name]
    variables = {"ids": ["UHJvZmlsZTox"] * 2_000} if "$ids" in text else {}

    response = await gql.post(text, variables)

    assert response.status_code in (400, 413)
    assert response.json()["errors"][0]["extensions"]["code"] == code
    assert response.json().get("data") is None


async def test_the_size_of_a_page_may_hide_in_a_variable(gql: Gql) -> None:
    text = "query ($n: Int) { profiles(first: $n) { nodes { id a: id b: id c: id d: id e: id f: id g: id h: id i: id } } }"

    assert (await gql.post(text, {"n": 499})).status_code == 200
    assert await gql.code(text, n=501) == "QUERY_TOO_COSTLY"


async def test_introspection_works_within_the_limits(gql: Gql) -> None:
    data = await gql.ask(get_introspection_query(descriptions=True, input_value_deprecation=True))

    assert {"Query", "Profile", "Delivery"} <= {kind["name"] for kind in data["__schema"]["types"]}


@pytest.mark.parametrize("first", [-1, 0, 10**9])
async def test_absurd_sizes_are_refused_not_multiplied(gql: Gql, first: int) -> None:
    code = await gql.code("query ($n: Int) { profiles(first: $n) { nodes { id } } }", n=first)

    assert code in ("BAD_PAGE_SIZE", "QUERY_TOO_COSTLY")
