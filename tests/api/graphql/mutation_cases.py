"""One successful call of each mutation, what the audit log must tell of it, and what it must not.

The inputs hold what is personal or secret under words that nothing else uses, so that they can be looked for afterwards.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from api.errors import camel
from api.graphql.schema import make_schema
from core.ids import to_global_id
from tests.api.graphql.conftest import House

SCHEMA = make_schema()._schema
IDS = ("id", "importId", "exportId")
MUTATIONS = SCHEMA.mutation_type.fields if SCHEMA.mutation_type is not None else {}

EMAIL = "Xanthippe.Marker@secretive.example"
PASSWORD = "hunter2-marker"
PERSON = {
    "externalId": "crm-marker-4711",
    "cryptedId": "crypted-marker-4711",
    "email": EMAIL,
    "firstName": "Xanthippe",
    "lastName": "Markerovic",
    "birthDate": "1971-03-29",
    "mobilePhone": "+33612345678",
    "addressLine1": "17 Markerstrasse",
    "zipCode": "ZM4 7RKX",
    "city": "Markerville",
}
QUESTION = {"text": f"email = '{EMAIL}' or last_name = 'Markerovic'"}
MARKERS = (*PERSON.values(), "secretive.example", "612345678", "Marker", PASSWORD)
"""In the log in no spelling."""


@dataclass(slots=True)
class Case:
    """A call that succeeds, the entries that it leaves, and a call that is refused."""

    variables: dict[str, Any]
    actions: Sequence[str]
    bad: dict[str, Any] | None = None  # None: the same for something that is not there


Build = Callable[[House], Awaitable[Case]]
CASES: dict[str, Build] = {}


def case(build: Build) -> Build:
    """Of the mutation with the function's name."""
    CASES[camel(build.__name__)] = build
    return build


def document(name: str) -> str:
    """A request for a mutation with variables named like its arguments, and for all that its payload tells shortly."""
    arguments = MUTATIONS[name].args
    declared = ", ".join(f"${one}: {kind.type}" for one, kind in arguments.items())
    passed = ", ".join(f"{one}: ${one}" for one in arguments)
    payload = get_named_type(MUTATIONS[name].type)
    assert isinstance(payload, GraphQLObjectType)
    told = [_selection(one, get_named_type(part.type)) for one, part in payload.fields.items()]
    return f"mutation ({declared}) {{ {name}({passed}) {{ {' '.join(told)} }} }}"


def _selection(name: str, kind: Any) -> str:
    if name == "userErrors":
        return "userErrors { code message path hint }"
    if is_leaf_type(kind):
        return name
    return f"{name} {{ {'id' if 'id' in kind.fields else '__typename'} }}"


def of_something_else(value: Any) -> Any:
    """The same variables with the id of something that is not there."""
    if not isinstance(value, dict):
        return value
    return {name: _absent(one) if name in IDS else of_something_else(one) for name, one in value.items()}


def _absent(one: str | int) -> str | int:
    if isinstance(one, int):
        return 999_999
    kind = base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)).decode().partition(":")[0]
    return to_global_id(kind, 999_999)


async def make(house: House, name: str, /, **variables: Any) -> Any:
    """The payload of a mutation that succeeds."""
    return await house.gql.do(document(name), **variables)
