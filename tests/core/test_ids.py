"""The ids of the API: each thing has one, and nothing else is read as it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.ids import from_global_id, to_global_id


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_an_id_is_read_back(number: int) -> None:
    assert from_global_id("Profile", to_global_id("Profile", number)) == number


@pytest.mark.parametrize(
    "text", ["Profile:1_0", "Profile: 1", "Profile:01", "Profile:+1", "Profile:-1", "Profile:١", "Profile:", "Audience:1",
             "Profile:9223372036854775808", "Profile:1:2"],
)  # fmt: skip
def test_another_spelling_is_no_id(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        from_global_id("Profile", base64.urlsafe_b64encode(text.encode()).decode(), "id")

    assert (raised.value.code, raised.value.path) == ("BAD_ID", "id")
