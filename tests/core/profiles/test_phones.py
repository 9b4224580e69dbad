"""Phone numbers end as E.164 or with a reason."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from core.profiles.errors import BadValue
from core.profiles.phones import parse_phone


@pytest.mark.parametrize(
    ("text", "region", "stored"),
    [
        ("+33612345678", "US", "+33612345678"),
        ("+33 6 12 34 56 78", "US", "+33612345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "FR", "+33612345678"),
        ("0033 6 12 34 56 78", "FR", "+33612345678"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("1-212-555-0123", "US", "+12125550123"),
        ("+39 06 1234 5678", "US", "+390612345678"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "US", "+442079460958"),
        ("٠٦١٢٣٤٥٦٧٨", "FR", "+33612345678"),
        ("tel:+33-6-12-34-56-78", "US", "+33612345678"),
    ],
)
def test_a_number_is_stored_in_one_form(text: str, region: str, stored: str) -> None:
    assert parse_phone(text, region) == stored
    assert parse_phone(stored, "ZW") == stored


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("12", "US"),
        ("call me", "US"),
        ("+999 123 456", "US"),
        ("+33 6 12 34 56", "US"),
        ("+1 212 555 0123 99", "US"),
        ("+1 212 555 0123 ext. 5", "US"),
        ("+" * 100, "US"),
        ("1" * 70, "US"),
        ("+49 " + "1" * 15, "US"),
        ("555-0123", "US"),
    ],
)
def test_what_is_no_number_says_so(text: str, region: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_phone(text, region)

    assert caught.value.code == "BAD_PHONE"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE)),
    st.text("0123456789", min_size=3, max_size=13),
    st.sampled_from(["", " ", "-", "."]),
)
def test_the_short_way_says_what_libphonenumber_says(country: int, national: str, between: str) -> None:
    text = f"+{country}{between}{between.join(national)}"
    try:
        number = phonenumbers.parse(text, "US")
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        expected = written if possible and len(written) <= 16 else None
    except NumberParseException:
        expected = None
    try:
        found: str | None = parse_phone(text, "US")
    except BadValue:
        found = None

    assert found == expected


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    st.sampled_from(["", "0", "1", "8", "00", "011", "06", "001"]),
    st.booleans(),
    st.text("0123456789", max_size=12),
    st.sampled_from(["", " ", "-", ".", "/", ") "]),
)
def test_the_way_for_numbers_at_home_says_what_libphonenumber_says(
    region: str, prefix: str, typical: bool, digits: str, between: str
) -> None:
    example = phonenumbers.example_number(region)
    if typical and example is not None:
        # near a real number: its beginning, with other digits behind
        real = phonenumbers.national_significant_number(example)
        digits = real[:4] + (digits + real)[: len(real) - 4]
    text = prefix + between.join(digits)
    try:
        number = phonenumbers.parse(text, region)
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        expected = written if possible and len(written) <= 16 else None
    except NumberParseException:
        expected = None
    try:
        found: str | None = parse_phone(text, region)
    except BadValue:
        found = None

    assert found == expected
