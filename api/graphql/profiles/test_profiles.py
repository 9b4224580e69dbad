"""Test profiles: types, reads and writes. What one has is derived from the table of a profile's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.mutations import given, mutation
from api.graphql.nodes import Node, aligned, global_id, load_one, record_of
from api.graphql.profiles.types import field_kind, label_of, settable_kinds, values_of
from api.graphql.scalars import JSON, json_object
from api.graphql.team_fields import team_fields_field, team_values_of
from core.ids import from_global_id
from core.profiles import test_profile_records as records
from core.profiles import test_profiles
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.team_rows import Extended

TestProfileUse = strawberry.enum(
    records.TestProfileUse, name="TestProfileUse", description="What a test profile is for; RENDERING is for built-in ones."
)


async def load_test_profiles(context: RequestContext, ids: list[int]) -> list[Any]:
    """Test profiles by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await test_profiles.find_test_profiles(conn, ids))


def _read(one: Field) -> Any:
    name = one.name
    if one.type is FieldType.UUID:
        return leaf(lambda found: None if (value := getattr(found.person, name)) is None else str(value))
    return leaf(lambda found: getattr(found.person, name), description=label_of(one))


def _test_profile_type() -> Any:
    shown = [one for one in FIELDS.values() if one.name != "id"]
    kinds = {one.name: field_kind(one) if one.required else field_kind(one) | None for one in shown}
    own = {
        "label": str, "uses": list[TestProfileUse], "app_token": str | None, "event_type": str | None,  # type: ignore[valid-type]
        "event_payload": JSON | None, "built_in": bool, "version": int, "created_by": str,
    }  # fmt: skip
    body: dict[str, Any] = {one.name: _read(one) for one in shown} | {
        "id": global_id("TestProfile"),
        "team_fields": team_fields_field(Extended.TEST_PROFILE),
        "app_token": strawberry.field(description="Where an app of a phone is reached."),
        "event_type": strawberry.field(
            description="Of a business event that is kept with it: previews for it read `event.type` and `event.payload`."
        ),
        "built_in": strawberry.field(description="Read-only."),
        "is_type_of": record_of(records.TestProfile),
        "__doc__": "A test profile.",
        "__annotations__": {"id": strawberry.ID, **own, **kinds},
        "__module__": __name__,
    }
    told = "Nobody, with a person's fields: for proofs, traps and previews. No audience, count or report has one."
    return strawberry.type(type("TestProfile", (Node,), body), description=told)


def _input_type(name: str, description: str, first: Mapping[str, Any]) -> Any:
    kinds = {
        "app_token": strawberry.Maybe[str | None],  # type: ignore[misc]
        "event_type": strawberry.Maybe[str | None],  # type: ignore[misc]
        "event_payload": strawberry.Maybe[JSON | None],  # type: ignore[misc]
        **settable_kinds(),
    }
    body = {"__annotations__": {**first, **kinds}, "__module__": __name__, "__doc__": description}
    return strawberry.input(type(name, (), body), description=description)


TestProfile = _test_profile_type()
CreateTestProfileInput = _input_type(
    "CreateTestProfileInput", "A new test profile; every field of a person may be left out.",
    {"label": str, "uses": list[TestProfileUse]},  # type: ignore[valid-type]
)  # fmt: skip
UpdateTestProfileInput = _input_type(
    "UpdateTestProfileInput", "What is to change; fields left out stay, null clears.",
    {
        "id": strawberry.ID, "expected_version": strawberry.Maybe[int], "label": strawberry.Maybe[str],  # type: ignore[misc]
        "uses": strawberry.Maybe[list[TestProfileUse]],  # type: ignore[misc, valid-type]
    },
)  # fmt: skip


@strawberry.type
class TestProfilesQuery:
    """Test profiles."""

    @field(TestProfile | None)
    async def test_profile(self, info: Info, id: strawberry.ID) -> Any:
        """A test profile."""
        return await load_one(info.context, "TestProfile", load_test_profiles, id)

    @field(Connection[TestProfile])  # type: ignore[valid-type]
    async def test_profiles(
        self,
        info: Info,
        use: TestProfileUse | None = None,  # type: ignore[valid-type]  # noqa: PT028
        text: str | None = None,  # noqa: PT028
        first: int | None = None,  # noqa: PT028
        after: str | None = None,  # noqa: PT028
    ) -> Listing:
        """Test profiles of one use or of all, with a text in label, email or name, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await test_profiles.list_test_profiles(conn, page, use=use, text=text)
        return Listing(rows, info.context.counted(test_profiles.count_test_profiles, use=use, text=text), by_id, page.after)


@strawberry.type
class TestProfilesMutation:
    """Test profiles."""

    @mutation(test_profile=TestProfile)
    async def create_test_profile(self, info: Info, input: CreateTestProfileInput) -> Any:  # type: ignore[valid-type]
        """Create a test profile."""
        context = info.context
        draft = records.TestProfileDraft(
            **{"label": input.label, "uses": tuple(input.uses), **_event(_drafted(input))}  # type: ignore[attr-defined]
        )
        return await test_profiles.create_test_profile(
            context.conn, context.actor, draft, values_of(input),
            await team_values_of(info, Extended.TEST_PROFILE, input), now=context.now,
            default_country=context.runtime.settings.default_country,
        )  # fmt: skip

    @mutation(test_profile=TestProfile)
    async def update_test_profile(self, info: Info, input: UpdateTestProfileInput) -> Any:  # type: ignore[valid-type]
        """Change a test profile. What was prepared for it goes out as it was prepared."""
        context = info.context
        sent: Any = input
        changes = _event(given(label=sent.label, uses=sent.uses) | _drafted(sent))
        if changes.get("uses") is not None:
            changes["uses"] = tuple(changes["uses"])
        return await test_profiles.update_test_profile(
            context.conn, context.actor, from_global_id("TestProfile", sent.id, "id"), changes, values_of(sent),
            await team_values_of(info, Extended.TEST_PROFILE, sent), now=context.now,
            default_country=context.runtime.settings.default_country,
            expected_version=None if sent.expected_version is None else sent.expected_version.value,
        )  # fmt: skip

    @mutation(deleted_id=strawberry.ID)
    async def delete_test_profile(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a test profile: it is no trap of any delivery any more, also of what is being sent."""
        key = from_global_id("TestProfile", id, "id")
        await test_profiles.delete_test_profile(info.context.conn, info.context.actor, key)
        return id


def _drafted(sent: Any) -> dict[str, Any]:
    return given(app_token=sent.app_token, event_type=sent.event_type, event_payload=sent.event_payload)


def _event(changes: dict[str, Any]) -> dict[str, Any]:
    if changes.get("event_payload") is not None:
        json_object(changes["event_payload"], "event_payload")
    return changes
