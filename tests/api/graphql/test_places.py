"""An error names the argument that the client sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.gql import create_profile
from tests.api.graphql.conftest import House


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ('saveDataField(input: {dataset: "nope", name: "a", label: "A", kind: INTEGER})', "dataset"),
        ('removeKey(dataset: "nope", name: "a")', "dataset"),
        ("publishDataModel(draftVersion: -1)", "draftVersion"),
        ("discardDataModelDraft(draftVersion: -1)", "draftVersion"),
    ],
)
async def test_of_the_data_model(house: House, call: str, path: str) -> None:
    (error,) = await house.gql.refused(f"mutation {{ {call} {{ userErrors {{ code path }} }} }}")
    assert error["path"] == path


async def test_of_imports(house: House) -> None:
    made = await house.gql.do(
        'mutation { createImport(input: {fileName: "a.csv", matchKey: EMAIL}) { import { id } userErrors { code path } } }'
    )
    start = "mutation ($id: ID!) { startImport(id: $id) { userErrors { code path } } }"
    (error,) = await house.gql.refused(start, id=made["import"]["id"])
    assert (error["code"], error["path"]) == ("FILE_NOT_UPLOADED", "id")


async def test_of_exports(house: House) -> None:
    made = await house.gql.do("mutation { createExport(input: {}) { export { id } userErrors { code path } } }")
    await house.work()
    cancel = "mutation ($id: ID!) { cancelExport(id: $id) { userErrors { code path } } }"
    (error,) = await house.gql.refused(cancel, id=made["export"]["id"])
    assert error["path"] == "id"


async def test_of_preferences(house: House) -> None:
    profile = await create_profile(house.gql, email="ann@mail.example")
    call = "mutation ($input: SetPreferencesInput!) { setPreferences(input: $input) { userErrors { code path } } }"
    some = {"channels": [{"channel": "EMAIL", "optedOut": True}]}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "channels"),
        (some | {"source": {"origin": "a\nb"}}, "source.origin"),
        (some | {"source": {"proof": {"a": "x" * 20_000}}}, "source.proof"),
        (some | {"source": {"happenedAt": "2999-01-01T00:00:00Z"}}, "source.happenedAt"),
    ]
    for given, path in cases:
        (error,) = await house.gql.refused(call, input={"person": {"profileId": profile}} | given)
        assert error["path"] == path
