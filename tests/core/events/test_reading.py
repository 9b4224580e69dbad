"""Whatever is told, the reader either gives values that the columns hold, or says where it is wrong."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from api.http.bodies import Lines
from api.http.event_lines import read_lines
from core.errors import ClarionError
from core.events.reading import AHEAD, EARLIEST, Batch, ReadEvent, read_events
from core.events.records import EventType, EventTypes, SentEvent, UnknownFields
from tests.core.events.told import FIELDS, NOW, event

TYPES = EventTypes(
    {
        "purchase": EventType(
            id=1, name="purchase", label="Purchase", fields=FIELDS, unknown_fields=UnknownFields.REFUSE, version=1,
            created_by="x", created_at=NOW, changed_by="x", changed_at=NOW,
        )
    }
)  # fmt: skip
KINDS: tuple[type, ...] = (Decimal, str, int, bool, date, datetime, str)

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=120), st.text("0123456789-+.eTZ:"),
    st.sampled_from(["shop", "On the web", "2026-03-01", "2026-03-01T00:00:00Z", "yes", "NaN", "1e400", " ", "\0"]),
)  # fmt: skip
SMALL = st.text(max_size=3)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SMALL, inner, max_size=2))
NAMES = st.sampled_from([one.name for one in FIELDS])


def read(sent: SentEvent) -> ReadEvent | ClarionError:
    batch: Batch = read_events(TYPES, [sent], NOW)
    (found,) = batch.found
    return found


@given(
    payload=st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=8),
    key=st.text(max_size=210),
    who=st.integers() | st.text(max_size=20) | st.emails(),
    at=st.datetimes(timezones=st.just(UTC)) | st.datetimes() | st.text(max_size=30) | st.just(NOW),
)
@example(payload={"amount": Decimal("sNaN")}, key="k", who="a", at=NOW)
@example(payload={"amount": "-0"}, key="k", who="a", at="2026-03-01T00:00:00+00:00:01")
def test_what_is_read_fits_its_columns(payload: dict[str, Any], key: str, who: int | str, at: Any) -> None:
    found = read(event(key, who, payload, occurred_at=at))
    if isinstance(found, ClarionError):
        found.message.encode()
        (found.hint or "").encode()
        assert found.code
        assert found.path
        return
    assert EARLIEST <= found.occurred_at <= NOW + AHEAD
    assert found.values[0] is not None
    for value, kind, one in zip(found.values, KINDS, FIELDS, strict=True):
        assert value is None or type(value) is kind
        if isinstance(value, str):
            value.encode()
            assert "\0" not in value
            assert len(value) <= (one.max_length or 30)
        if isinstance(value, int):
            assert -(2**63) <= value < 2**63
        if isinstance(value, Decimal):
            assert value.is_finite()


@given(amount=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_the_same_content_has_the_same_digest_and_another_has_another(amount: Decimal) -> None:
    one, same = (read(event(payload={"amount": amount, "product": "Tea"})) for _ in range(2))
    other = read(event(payload={"amount": amount + 1, "product": "Tea"}))
    later = read(event(payload={"amount": amount, "product": "Tea"}, occurred_at=NOW - timedelta(seconds=1)))
    assert isinstance(one, ReadEvent)
    assert isinstance(same, ReadEvent)
    assert isinstance(other, ReadEvent)
    assert isinstance(later, ReadEvent)
    assert one.digest == same.digest
    assert len({one.digest, other.digest, later.digest}) == 3


@given(lines=st.lists(st.binary(max_size=12).map(lambda one: one.replace(b"\n", b"")), max_size=8), data=st.data())
def test_lines_are_the_same_however_they_come(lines: list[bytes], data: st.DataObject) -> None:
    body = b"\n".join(lines)
    reader = Lines(8)
    found: list[bytes | None] = []
    while body:
        size = data.draw(st.integers(1, len(body)))
        found += reader.feed(body[:size])
        body = body[size:]
    found += reader.end()
    wanted = [line if len(line) <= 8 else None for line in lines]
    while wanted and wanted[-1] == b"":
        wanted.pop()
    while found and found[-1] == b"":
        found.pop()
    assert found == wanted


@given(line=st.binary(max_size=60) | VALUES.map(lambda one: json.dumps(one, default=str).encode()))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    (found,) = read_lines([line])
    assert isinstance(found, ClarionError)  # nothing of this is a whole event by chance
    assert found.code == "BAD_EVENT"
