"""The schema itself: it does not change unnoticed, and every root field says who may ask it."""

from __future__ import annotations

from graphql import GraphQLObjectType

from api.errors import camel
from api.graphql.permissions import ANY_TOKEN, PERMISSIONS
from api.graphql.schema import NODES, SDL_FILE, make_schema, print_sdl
from core.profiles.fields import FIELDS, SETTABLE

SCHEMA = make_schema()
ROOTS = [SCHEMA._schema.query_type, SCHEMA._schema.mutation_type, SCHEMA._schema.subscription_type]


def test_the_schema_is_the_one_that_is_checked_in() -> None:
    assert print_sdl(SCHEMA) == SDL_FILE.read_text(encoding="utf-8"), (
        "the API has changed: look at the difference, then run `clarion schema -o api/graphql/schema.graphql`"
    )


def test_every_root_field_says_who_may_ask_it() -> None:
    fields = {f"{root.name}.{name}" for root in ROOTS if root is not None for name in root.fields}

    assert fields <= set(PERMISSIONS), "missing in permissions.py"


def test_every_entry_of_the_table_names_a_field() -> None:
    for coordinate in PERMISSIONS:
        kind, name = coordinate.split(".")
        found = SCHEMA._schema.type_map[kind]
        assert isinstance(found, GraphQLObjectType)
        assert name in found.fields


def test_no_mutation_is_open_to_any_token() -> None:
    assert all(needed is not ANY_TOKEN for coordinate, needed in PERMISSIONS.items() if coordinate.startswith("Mutation."))


def test_everything_with_an_id_can_be_reached_by_it() -> None:
    nodes = {kind.name for kind in SCHEMA._schema.get_possible_types(SCHEMA._schema.type_map["Node"])}  # type: ignore[arg-type]

    assert nodes == set(NODES)


def test_every_mutation_answers_with_user_errors() -> None:
    mutations = SCHEMA._schema.mutation_type
    assert mutations is not None
    for name, one in mutations.fields.items():
        payload = SCHEMA._schema.type_map[f"{name[0].upper()}{name[1:]}Payload"]
        assert isinstance(payload, GraphQLObjectType)
        assert str(one.type) == f"{payload.name}!"
        assert str(payload.fields["userErrors"].type) == "[UserError!]!"


def test_every_field_of_a_profile_is_there() -> None:
    profile = SCHEMA._schema.type_map["Profile"]
    sent = SCHEMA._schema.type_map["UpdateProfileInput"]

    assert {camel(name) for name in FIELDS} <= set(profile.fields)  # type: ignore[attr-defined]
    assert {camel(name) for name in SETTABLE} | {"id", "teamFields"} == set(sent.fields)  # type: ignore[attr-defined]


def test_every_root_field_is_described() -> None:
    for root in ROOTS:
        assert root is not None
        assert [name for name, one in root.fields.items() if not one.description] == []
