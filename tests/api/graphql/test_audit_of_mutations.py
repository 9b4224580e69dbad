"""Every mutation of the schema leaves who, when and what in the audit log: no secrets, nothing personal, once.

A mutation without a case in one of `CASE_FILES` fails here by its name.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.graphql.permissions import PERMISSIONS
from core.access import Permission
from tests.api.conftest import make_token
from tests.api.gql import Gql, fresh
from tests.api.graphql import (
    audience_cases,
    authored_cases,
    consent_cases,
    data_model_cases,
    delivery_cases,
    event_cases,
    people_cases,
    privacy_cases,
    row_cases,
    seed_cases,
)
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import CASES, MARKERS, MUTATIONS, document, of_something_else

CASE_FILES = (
    people_cases, consent_cases, authored_cases, audience_cases, delivery_cases, data_model_cases, event_cases, privacy_cases,
    row_cases, seed_cases,
)  # fmt: skip
ENTRIES = "SELECT actor, action, object_type, object_id, request_id FROM audit_entry WHERE id > $1 ORDER BY id"


async def newest(house: House) -> int:
    """The id of the newest entry."""
    found: int = await house.runtime.pool.fetchval("SELECT coalesce(max(id), 0) FROM audit_entry")
    return found


async def whole_log(house: House) -> str:
    """Everything that stands in the log, in small letters."""
    text: str = await house.runtime.pool.fetchval("SELECT lower(string_agg(e::text, ' ')) FROM audit_entry e")
    return text


async def restricted(house: House, name: str) -> Gql:
    """Somebody who may do everything but this."""
    others = [one for one in Permission if one != PERMISSIONS[f"Mutation.{name}"]]
    return Gql(house.gql.http, await make_token(house.app, scopes=others))


def secrets_of(payload: dict[str, Any]) -> list[str]:
    """What an answer hands out and nobody else may read: a token, or what makes an address one-time."""
    tickets = [payload[name].rsplit("/", 1)[1] for name in ("uploadUrl", "downloadUrl") if name in payload]
    return [*tickets, *([payload["secret"].split("_", 2)[2]] if "secret" in payload else [])]


def answered(response: httpx.Response, name: str) -> dict[str, Any]:
    """The payload of an answer."""
    assert response.status_code == 200, response.text
    answer = response.json()
    assert "errors" not in answer, answer
    payload: dict[str, Any] = answer["data"][name]
    return payload


def test_every_case_is_of_a_mutation() -> None:
    assert set(CASES) <= set(MUTATIONS)


@pytest.mark.parametrize("name", sorted(MUTATIONS))
async def test_a_mutation_is_audited(house: House, name: str) -> None:
    # Given what the mutation needs
    assert name in CASES, f"{name} has no case: write one in {' or '.join(file.__name__ for file in CASE_FILES)}"
    case = await CASES[name](house)
    text, actor = document(name), f"token:{(house.gql.token or '').split('_')[1]}"
    other = await restricted(house, name)
    before = await newest(house)

    # When it is refused, for who asks or for what is asked, nothing is recorded
    assert (await other.post(text, case.variables)).status_code == 403
    bad = case.bad if case.bad is not None else of_something_else(case.variables)
    assert answered(await house.gql.post(text, bad), name)["userErrors"] != []
    assert await newest(house) == before

    # When it succeeds, and its answer is asked for again
    headers = {"x_request_id": fresh("ticket"), "idempotency_key": fresh("key")}
    payload = answered(await house.gql.post(text, case.variables, **headers), name)
    assert payload["userErrors"] == []
    again = await house.gql.post(text, case.variables, **headers)
    assert (again.headers.get("idempotent-replay"), answered(again, name)) == ("true", payload)

    # Then that is recorded once, with who it was and in which request
    told = await house.runtime.pool.fetch(ENTRIES, before)
    assert sorted(one["action"] for one in told) == sorted(case.actions)
    for one in told:
        assert (one["actor"], one["request_id"]) == (actor, headers["x_request_id"])
        assert one["object_type"] == one["action"].split(".")[0]
        assert one["object_id"]
    # And nothing personal or secret stands anywhere in the log
    log = await whole_log(house)
    assert [one for one in (*MARKERS, *secrets_of(payload)) if one.lower() in log] == []
