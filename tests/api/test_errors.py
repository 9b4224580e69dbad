"""The table from the error tree to GraphQL and HTTP."""

from __future__ import annotations

import asyncpg
import pytest
from graphql import GraphQLError

from api.errors import TABLE, format_graphql_errors, parts_of, public_path, told, translate
from core import errors
from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid, NotFound, Stale, Unavailable


def test_every_branch_of_the_tree_has_an_entry() -> None:
    branches = [kind for kind in vars(errors).values() if isinstance(kind, type) and ClarionError in kind.__bases__]

    assert set(branches) == set(TABLE)


def test_a_class_further_down_is_told_as_its_branch() -> None:
    assert told(Stale("changed")) == TABLE[Conflict]


async def test_text_that_postgres_cannot_store_is_the_callers_to_mend(conn: Connection) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await conn.fetchval("SELECT $1::text", "a\0b")

    found = translate(raised.value)

    assert isinstance(found, Invalid)
    assert found.code == "BAD_TEXT"


async def test_half_a_character_is_the_callers_to_mend(conn: Connection) -> None:
    with pytest.raises(asyncpg.DataError) as raised:
        await conn.fetchval("SELECT $1::text", "a\ud800b")

    found = translate(raised.value)

    assert isinstance(found, Invalid)
    assert found.code == "BAD_TEXT"


async def test_an_argument_that_does_not_fit_its_statement_is_a_fault_of_ours(conn: Connection) -> None:
    with pytest.raises(asyncpg.DataError) as raised:
        await conn.fetchval("SELECT $1::int", "no number")

    assert translate(raised.value) is None


async def test_a_closed_connection_means_that_the_database_is_away(shared_database: str) -> None:
    closed = await asyncpg.connect(shared_database)
    await closed.close()
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await closed.fetchval("SELECT 1")

    found = translate(raised.value)

    assert isinstance(found, Unavailable)
    assert found.code == "DATABASE_UNAVAILABLE"


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (ConnectionRefusedError(), "DATABASE_UNAVAILABLE"),
        (asyncpg.CannotConnectNowError("starting up"), "DATABASE_UNAVAILABLE"),
        (asyncpg.DeadlockDetectedError("deadlock"), "TRY_AGAIN"),
        (TimeoutError(), "TIMED_OUT"),
    ],
)
def test_what_passes_by_itself_is_unavailable(raised: Exception, code: str) -> None:
    found = translate(raised)

    assert isinstance(found, Unavailable)
    assert found.code == code
    assert found.hint


def test_an_error_of_several_problems_is_told_as_those() -> None:
    class Several(Invalid):
        problems = (Invalid("one"), Invalid("two"))

    assert [part.message for part in parts_of(Several("both"))] == ["one", "two"]
    assert [part.message for part in parts_of(Invalid("alone"))] == ["alone"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (None, None),
        ("email", "email"),
        ("first_name", "firstName"),
        ("address_line1", "addressLine1"),
        ("parts.html:12:5", "parts.html:12:5"),
        ("config.sender_domain", "config.sender_domain"),  # settings of a plugin keep their names
        ("line 1, column 5", "line 1, column 5"),
        ("options.columns.0.date_format", "options.columns.0.dateFormat"),
        ("options.most_rejects", "options.mostRejects"),
        ("options.mapping.first_name", "options.mapping.first_name"),  # a title of the file
        ("/and/0/operands/1", "/and/0/operands/1"),
        ("contactAt", "contactAt"),
    ],
)
def test_paths_are_spelled_as_the_api_spells_them(path: str | None, shown: str | None) -> None:
    assert public_path(path) == shown


def test_a_fault_is_masked_and_an_error_of_the_tree_is_told() -> None:
    fault = GraphQLError("secret", path=["a", 0], original_error=KeyError("secret"))
    known = GraphQLError("x", path=["b"], original_error=NotFound("not there", hint="Look elsewhere."))

    masked, shown = format_graphql_errors([fault, known], "r1")

    assert masked == {
        "message": "something went wrong on our side",
        "extensions": {"code": "INTERNAL", "requestId": "r1"},
        "path": ["a", 0],
    }
    assert shown["message"] == "not there"
    assert shown["extensions"] == {"code": "NOT_FOUND", "hint": "Look elsewhere.", "requestId": "r1"}
