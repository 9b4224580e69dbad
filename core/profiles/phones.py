"""Phone numbers in the one form that is stored: E.164, `+` and digits (ITU-T E.164; feature map 2.03). Pure.

A number is taken when its country code exists and its length is one of the country's numbering plan
(libphonenumber's "possible"). Whether it is in use only the network knows: plans change more often than software.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, ValidationResult
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from core.profiles.errors import BadValue, shown

MEMORY = 50_000  # numbers remembered
LONGEST = 64  # characters of a spelling worth reading

_FILLING = str.maketrans("", "", " -./()\u00a0\u202f\u2009\u2010\u2011\u2013")
_DIGITS = re.compile(r"\+[1-9][0-9]{6,14}")

_FAULTS = {
    ValidationResult.TOO_SHORT: "has too few digits",
    ValidationResult.TOO_LONG: "has too many digits",
    ValidationResult.INVALID_LENGTH: "has a number of digits that its country does not use",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that does not exist",
}


@lru_cache(maxsize=MEMORY)
def parse_phone(text: str, region: str) -> str:
    """The number in a text as E.164; `region` is the country of numbers written without a prefix.

    Raises BadValue (BAD_PHONE).
    """
    bare = text.translate(_FILLING)
    if _DIGITS.fullmatch(bare) and _is_plain(bare):
        return bare
    return _parse_slowly(text.strip(), region)


def is_region(code: str) -> bool:
    """Whether numbers without a prefix can be read as those of this country."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _parse_slowly(text: str, region: str) -> str:
    if len(text) > LONGEST:
        raise _bad(text, f"has more than {LONGEST} characters")
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        raise _bad(text, "cannot be read as one") from None
    if number.extension:
        raise _bad(text, "has an extension, which cannot be stored")
    result = phonenumbers.is_possible_number_with_reason(number)
    if result != ValidationResult.IS_POSSIBLE:
        raise _bad(text, _FAULTS.get(result, "is not possible"))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _is_plain(number: str) -> bool:
    """Whether a `+…` text is E.164 as it stands; False only means that libphonenumber has to look at it."""
    for size in (1, 2, 3):
        plan = _plan(number[1 : size + 1])
        if plan is not None:
            lengths, prefix = plan
            national = number[size + 1 :]
            return len(national) in lengths and not (prefix and prefix.match(national))
    return False


@lru_cache(maxsize=1200)
def _plan(country_code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """The lengths of a country's numbers, and what may stand before them and would have to be taken off."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(country_code))
    if not regions:
        return None
    plan = PhoneMetadata.metadata_for_region_or_calling_code(int(country_code), regions[0])
    if plan is None or plan.general_desc is None:
        return None
    prefix = plan.national_prefix_for_parsing
    # The leading zero is looked at by libphonenumber in any case: Italy's belongs to the number, others' do not.
    pattern = re.compile(f"0|{prefix}" if prefix else "0")
    return frozenset(plan.general_desc.possible_length), pattern


def _bad(text: str, fault: str) -> BadValue:
    return BadValue(
        "BAD_PHONE", f"{shown(text)} is not a phone number: it {fault}", "Write it like +33 6 12 34 56 78."
    )
