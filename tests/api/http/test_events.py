"""Many events at once: what is taken, what is refused and where, and that nothing that comes can do harm."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from api.app import App
from api.http import events as door
from core.access import Role
from core.datamodel.records import FieldKind
from core.db import transaction
from core.events.records import EventField
from tests.api.conftest import make_token
from tests.api.gql import Gql, create_profile, fresh
from tests.core.events.told import AMOUNT, save

NOTE = EventField(name="note", label="Note", kind=FieldKind.TEXT, max_length=10_000)
LINES = "application/x-ndjson"


@pytest.fixture
async def name(app: App) -> str:
    """A type of its own."""
    made = fresh("buy").replace("-", "_")
    async with transaction(app.runtime.pool) as conn:
        await save(conn, made, AMOUNT, NOTE)
    return made


@pytest.fixture
async def ann(gql: Gql) -> str:
    """The external id of a person."""
    external_id = fresh("ann")
    await create_profile(gql, externalId=external_id, email=f"{external_id}@shop.example")
    return external_id


def told(name: str, who: str, key: str, **payload: Any) -> dict[str, Any]:
    return {
        "type": name, "profile": {"externalId": who}, "occurredAt": "2026-03-01T09:00:00Z", "key": key,
        "payload": {"amount": 1.50} | payload,
    }  # fmt: skip


def lines(events: Iterable[Any]) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in events)


async def post(
    http: httpx.AsyncClient, token: str | None, body: bytes | AsyncIterator[bytes], kind: str = LINES, **headers: str
) -> httpx.Response:
    sent = {"content-type": kind, **{key.replace("_", "-"): value for key, value in headers.items()}}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    return await http.post("/events", content=body, headers=sent)


async def taken(http: httpx.AsyncClient, token: str, body: bytes, kind: str = LINES, **headers: str) -> Any:
    answer = await post(http, token, body, kind, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["extensions"]["hint"]
    code: str = error["extensions"]["code"]
    return code


async def stored(app: App, name: str) -> dict[str, Any]:
    """Amounts by key."""
    return {row["key"]: row["x_amount"] for row in await app.runtime.pool.fetch(f"SELECT key, x_amount FROM e_{name}")}


@pytest.mark.parametrize("kind", [LINES, "application/json", "Application/JSON; charset=utf-8"])
@pytest.mark.parametrize("packed", [False, True])
async def test_events_are_counted_and_rejects_are_listed(
    http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str, kind: str, packed: bool
) -> None:
    events = [told(name, ann, "a"), told(name, "nobody", "b"), told(name, ann, "a"), told(name, ann, "c", amount="x")]
    body = lines(events) if kind == LINES else json.dumps(events).encode()
    headers = {"content_encoding": "gzip"} if packed else {}
    answer = await taken(http, admin_token, gzip.compress(body) if packed else body, kind, **headers)
    rejects = answer.pop("rejects")
    assert answer == {"received": 4, "stored": 1, "repeated": 1, "rejected": 2, "rejectsNotShown": 0}
    assert [(one["index"], one["code"], one["path"]) for one in rejects] == [
        (1, "PROFILE_NOT_FOUND", "externalId"),
        (3, "BAD_VALUE", "payload.amount"),
    ]
    assert all(one["message"] and one["hint"] for one in rejects)
    # And once more it is all there already
    again = await taken(http, admin_token, body, kind)
    assert (again["stored"], again["repeated"], again["rejected"]) == (0, 2, 2)
    assert list(await stored(app, name)) == ["a"]


BAD = {
    "no JSON": b"{",
    "cut off": b'{"type":"x","pro',
    "no object": b"[]",
    "a number": b"17",
    "no UTF-8": b'{"type":"\xff"}',
    "half a character": b'{"type":"\\ud800"}',
    "NaN": b'{"type":"x","profile":{"id":"x"},"occurredAt":"","key":"","payload":{"a":NaN}}',
    "a deep payload": b'{"type":"x","payload":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "a deep line": b"[" * 100_000,
    "a huge number": b'{"type":"x","profile":{"id":"x"},"occurredAt":"","key":"","payload":{"a":' + b"9" * 5000 + b"}}",
    "an absurd exponent": b'{"type":"x","profile":{"id":"x"},"occurredAt":"","key":"","payload":{"a":1e99999999999999999999}}',
    "nobody": b'{"type":"x","profile":{},"occurredAt":"","key":""}',
    "two people in one": b'{"type":"x","profile":{"email":"a@b.c","externalId":"a"},"occurredAt":"","key":""}',
    "an unknown member": b'{"type":"x","profile":{"email":"a@b.c"},"occurredAt":"","key":"","when":""}',
    "no key": b'{"type":"x","profile":{"email":"a@b.c"},"occurredAt":""}',
}


async def test_a_bad_line_keeps_no_other_out(http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str) -> None:
    good = [told(name, ann, f"k{n}") for n in range(len(BAD))]
    body = lines(one for pair in zip(BAD.values(), good, strict=True) for one in pair)
    answer = await taken(http, admin_token, body)
    assert answer["stored"] == len(good)
    codes = {cause: (one["index"], one["code"]) for cause, one in zip(BAD, answer["rejects"], strict=True)}
    assert codes == {cause: (2 * n, "BAD_EVENT") for n, cause in enumerate(BAD)}
    assert all(len(one["message"]) < 400 for one in answer["rejects"])


async def test_values_that_no_column_holds(http: httpx.AsyncClient, admin_token: str, name: str, ann: str) -> None:
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "NUL": ({"note": "a\0b"}, "BAD_TEXT"),
        "long": ({"note": "x" * 10_001}, "TOO_LONG"),
        "large": ({"amount": "1e300"}, "BAD_VALUE"),
        "nested": ({"amount": {"a": 1}}, "WRONG_TYPE"),
        "stranger": ({"colour": 1}, "UNKNOWN_FIELD"),
    }
    body = lines(told(name, ann, key, **payload) for key, (payload, _) in cases.items())
    answer = await taken(http, admin_token, body)
    assert [one["code"] for one in answer["rejects"]] == [code for _, code in cases.values()]


async def test_decimals_are_as_exact_as_told(http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str) -> None:
    body = lines([told(name, ann, "a")]).replace(b"1.5", b"0.1000000000000000000000000000001")
    assert (await taken(http, admin_token, body))["stored"] == 1
    assert str((await stored(app, name))["a"]) == "0.1000000000000000000000000000001"


async def test_an_event_that_is_too_large_is_never_held(
    http: httpx.AsyncClient, admin_token: str, name: str, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = told(name, ann, "huge", note="x" * 10_000_000)
    answer = await taken(http, admin_token, lines([told(name, ann, "a"), huge, told(name, ann, "b")]))
    assert (answer["stored"], [(one["index"], one["code"]) for one in answer["rejects"]]) == (2, [(1, "EVENT_TOO_LARGE")])
    # Also as the last line, and in an array
    answer = await taken(http, admin_token, lines([told(name, ann, "c"), huge]).rstrip(b"\n"))
    assert (answer["stored"], [(one["index"], one["code"]) for one in answer["rejects"]]) == (1, [(1, "EVENT_TOO_LARGE")])
    answer = await taken(http, admin_token, json.dumps([huge, told(name, ann, "d")]).encode(), "application/json")
    assert (answer["stored"], [(one["index"], one["code"]) for one in answer["rejects"]]) == (1, [(0, "EVENT_TOO_LARGE")])


async def test_portions_and_pieces_make_no_difference(
    http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr("api.http.bodies.PIECE", 50)
    monkeypatch.setattr(door, "REJECTS_SHOWN", 3)
    events = [told(name, ann if n % 2 else "nobody", f"k{n}") for n in range(10)]
    body = b"\r\n\n" + lines(events).replace(b"\n", b"\r\n").rstrip()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    answer = (await post(http, admin_token, pieces())).json()
    assert [one["index"] for one in answer["rejects"]] == [0, 2, 4]
    assert (answer["stored"], answer["rejected"], answer["rejectsNotShown"]) == (5, 5, 2)
    packed = gzip.compress(body[:200]) + gzip.compress(body[200:])
    again = await taken(http, admin_token, packed, content_encoding="gzip")
    assert (again["repeated"], again["received"]) == (5, 10)


async def test_nothing_is_no_event(http: httpx.AsyncClient, admin_token: str) -> None:
    for body, kind in ((b"", LINES), (b"\n\r\n  \n", LINES), (b"[]", "application/json")):
        assert (await taken(http, admin_token, body, kind))["received"] == 0
    assert (await taken(http, admin_token, b"", content_encoding="gzip"))["received"] == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"[1,", b"[" * 100_000, b"[\xff]", b"1"])
async def test_what_is_no_array(http: httpx.AsyncClient, admin_token: str, body: bytes) -> None:
    assert await refused(await post(http, admin_token, body, "application/json"), 400) == "BAD_JSON"


async def test_what_is_not_taken(http: httpx.AsyncClient, app: App, admin_token: str) -> None:
    assert await refused(await post(http, None, b""), 401) == "UNAUTHENTICATED"
    assert await refused(await post(http, "clarion_1_x", b""), 401) == "BAD_TOKEN"
    exporter = await make_token(app, Role.EXPORT)
    assert await refused(await post(http, exporter, b""), 403) == "FORBIDDEN"
    assert await refused(await post(http, admin_token, b"", "text/csv"), 415) == "WRONG_CONTENT_TYPE"
    assert await refused(await post(http, admin_token, b"", content_encoding="br"), 415) == "ENCODING_REFUSED"
    for packed in (b"no gzip", gzip.compress(b"{}\n" * 999)[:-9], gzip.compress(b"{}\n") + b"more"):
        assert await refused(await post(http, admin_token, packed, content_encoding="gzip"), 400) == "BAD_GZIP"
    assert (await http.get("/events")).status_code == 405


@pytest.fixture
def small(app: App, monkeypatch: pytest.MonkeyPatch) -> int:
    """The bound of a body."""
    monkeypatch.setitem(vars(app.runtime.settings), "event_body_max_bytes", 100_000)
    return 100_000


async def test_a_bomb_of_gzip_does_not_go_off(http: httpx.AsyncClient, admin_token: str, small: int) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < small
    assert await refused(await post(http, admin_token, bomb, content_encoding="gzip"), 413) == "BODY_TOO_LARGE"
    assert await refused(await post(http, admin_token, b"\n" * (small + 1)), 413) == "BODY_TOO_LARGE"


async def test_an_array_has_a_bound_of_its_own(
    http: httpx.AsyncClient, admin_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ARRAY_BYTES", 10)
    assert await refused(await post(http, admin_token, b"[" + b" " * 10 + b"]", "application/json"), 413) == "BODY_TOO_LARGE"


async def test_what_was_stored_before_an_error_is_told_with_it(
    http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EVENTS_AT_ONCE", 2)
    monkeypatch.setattr("api.http.bodies.PIECE", 1000)

    async def too_much() -> AsyncIterator[bytes]:
        yield lines(told(name, ann, f"k{n}") for n in range(8))
        for _ in range(200):
            yield b"\n" * 1000

    answer = await post(http, admin_token, too_much())
    assert await refused(answer, 413) == "BODY_TOO_LARGE"
    assert answer.json()["stored"] == 8
    assert len(await stored(app, name)) == 8


async def test_a_connection_that_is_lost_leaves_whole_portions(
    app: App, http: httpx.AsyncClient, admin_token: str, name: str, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EVENTS_AT_ONCE", 3)
    events = [told(name, ann, f"k{n}") for n in range(8)]
    coming = [
        {"type": "http.request", "body": lines(events[:7]), "more_body": True},
        {"type": "http.request", "body": b" " * (1 << 20), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {admin_token}".encode()), (b"content-type", LINES.encode())]
    scope = {"type": "http", "method": "POST", "path": "/events", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    # Then nobody is answered, two portions of three are stored, and sending all again stores the rest
    assert sent == []
    assert len(await stored(app, name)) == 6
    answer = await taken(http, admin_token, lines(events))
    assert (answer["repeated"], answer["stored"]) == (6, 2)


async def test_only_so_many_bodies_are_taken_in_at_once(
    http: httpx.AsyncClient, admin_token: str, name: str, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "AT_ONCE", 1)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        yield lines([told(name, ann, "a")])

    first = asyncio.create_task(post(http, admin_token, slow()))
    await begun.wait()
    answer = await post(http, admin_token, b"")
    assert await refused(answer, 429) == "TOO_MANY_CALLS"
    assert answer.headers["retry-after"]
    go_on.set()
    assert (await first).json()["stored"] == 1
    assert (await taken(http, admin_token, b""))["received"] == 0


async def test_the_same_body_twice_at_once_is_stored_once(
    http: httpx.AsyncClient, app: App, admin_token: str, name: str, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EVENTS_AT_ONCE", 20)
    events = [told(name, ann, f"k{n}") for n in range(100)]
    answers = await asyncio.gather(taken(http, admin_token, lines(events)), taken(http, admin_token, lines(reversed(events))))
    assert sum(one["stored"] for one in answers) == 100
    assert sum(one["repeated"] for one in answers) == 100
    assert len(await stored(app, name)) == 100
