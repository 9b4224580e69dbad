"""The header fields that authors add, and where their mistakes are told."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.contract import ContentRefused
from channels.email.headers import read_headers


def refused(headers: str = "", feedback_id: str = "") -> list[tuple[str, int, int, str]]:
    """The problems: part, line, column and message."""
    with pytest.raises(ContentRefused) as caught:
        read_headers(headers, feedback_id)
    return [(problem.part, problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_one_field_per_line() -> None:
    lines = read_headers("X-A: one\r\n\r\n  \nX-B:{{ profile.city }}: two \rX-A:  three", "sale:shop1")
    assert [(line.name, line.value, line.line, line.column) for line in lines] == [
        ("X-A", "one", 1, 6),
        ("X-B", "{{ profile.city }}: two", 4, 5),
        ("X-A", "three", 5, 7),
        ("Feedback-ID", "sale:shop1", 1, 1),
    ]
    assert read_headers("", " ") == []


@pytest.mark.parametrize(
    ("headers", "line", "column", "message"),
    [
        ("X-A: b\nSubject: c", 2, 1, "the header field Subject is written by the engine"),
        ("content-type: text/plain", 1, 1, "the header field content-type is written by the engine"),
        ("List-Unsubscribe: <x>", 1, 1, "the header field List-Unsubscribe is written by the engine"),
        ("Bcc: a@example.com", 1, 1, "the header field Bcc is written by the engine"),
        ("Received: x", 1, 1, "the header field Received is written by mail servers"),
        ("ARC-Seal: x", 1, 1, "the header field ARC-Seal is written by mail servers"),
        ("X Y: z", 1, 1, "not the name of a header field: 'X Y'"),
        ("{{ profile.city }}: z", 1, 1, "the name of a header field has no Liquid: '{{ profile.city }}'"),
        ("X-{{profile.city}}: z", 1, 1, "the name of a header field has no Liquid: 'X-{{profile.city}}'"),
        (".X: z", 1, 1, "not the name of a header field: '.X'"),
        ("X-A", 1, 1, "'X-A' has no value"),
        ("X-A: b\n and more: c", 2, 1, "a header field begins at the start of its line"),
        ("Feedback-ID: a:b", 1, 1, "Feedback-ID has a part of its own"),
        ("X-A: b\x0bc", 1, 6, "the header field X-A holds a control character"),
    ],
)
def test_lines_that_are_no_fields(headers: str, line: int, column: int, message: str) -> None:
    assert refused(headers) == [("headers", line, column, message)]


def test_every_problem_is_told() -> None:
    found = refused("To: x\nX-Good: y\nX-Bad: a {% if true %}\n{% endif %}: z", "x")
    assert [(part, line, column) for part, line, column, _ in found] == [
        ("headers", 1, 1), ("headers", 3, 13), ("headers", 4, 1), ("feedback_id", 1, 1),
    ]  # fmt: skip
    assert len(refused("X-A: b\n" * 51)) == 1


@pytest.mark.parametrize(
    "feedback_id",
    [
        "shop1",
        "spring:shop1",
        "{{ delivery.label | replace: ' ', '-' }}:fr:promo:shop-sender1",
        ":::shop1",
        "a:b:c:123456789012345",
    ],
)
def test_feedback_ids(feedback_id: str) -> None:
    assert read_headers("", feedback_id)[0].value == feedback_id


@pytest.mark.parametrize(
    ("feedback_id", "message"),
    [
        ("a:b:c:d:shop1", "at most four fields"),
        ("a:b", "5 to 15 characters"),
        ("a:1234567890123456", "5 to 15 characters"),
        ("a:{{ sender }}", "without Liquid"),
        ("two words:shop1", "without spaces"),
        ("a:shöp1", "ASCII"),
        ("a:\nshop1", "one line"),
        ("x" * 127 + ":shop1", "longer than 127"),
        ("{{ profile.id }}:shop1", "the same for all recipients"),
        ("{{ x | nofilter }}:shop1", "unknown filter"),
    ],
)
def test_feedback_ids_that_gmail_would_not_understand(feedback_id: str, message: str) -> None:
    ((part, _, _, told),) = refused(feedback_id=feedback_id)
    assert part == "feedback_id"
    assert message in told


@given(headers=st.text(alphabet=st.sampled_from("aX-: \t\r\n{}%.|'if\0ü"), max_size=60), feedback_id=st.text(max_size=30))
@example(headers=":", feedback_id=":")
@example(headers="{%", feedback_id="{{")
def test_it_is_read_or_told_within_the_text(headers: str, feedback_id: str) -> None:
    try:
        lines = read_headers(headers, feedback_id)
    except ContentRefused as refusal:
        places = [(one.part, one.line, one.column) for one in refusal.problems]
    else:
        places = [(line.part, line.line, line.column) for line in lines]
        assert all("\n" not in line.value and "\r" not in line.value for line in lines)
    sources = {"headers": headers, "feedback_id": feedback_id}
    for part, line, column in places:
        text = sources[part].replace("\r\n", "\n").replace("\r", "\n").split("\n")[line - 1]
        assert 1 <= column <= len(text) + 1
