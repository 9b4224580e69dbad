"""Phone numbers in the one form that is stored: E.164, `+` and digits (ITU-T E.164; feature map 2.03). Pure.

A number is taken when its country code exists and its length is one of the country's numbering plan
(libphonenumber's "possible"). Whether it is in use only the network knows: plans change more often than software.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, ValidationResult
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from core.profiles.errors import BadValue, shown

MEMORY = 50_000  # numbers remembered
LONGEST = 64  # characters of a spelling worth reading
LONGEST_NUMBER = 15  # digits (E.164, 6.1)

_FILLING = {ord(character): None for character in " -./()"}


_FAULTS = {
    ValidationResult.TOO_SHORT: "has too few digits",
    ValidationResult.TOO_LONG: "has too many digits",
    ValidationResult.INVALID_LENGTH: "has a number of digits that its country does not use",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that does not exist",
}


def parse_phone(text: str, region: str) -> str:
    """The number in a text as E.164; `region` is the country of numbers written without a prefix.

    Raises BadValue (BAD_PHONE).
    """
    return plain_phone(text) or _national_phone(text, region) or _parse_slowly(text.strip(), region)


def plain_phone(text: str) -> str | None:
    """What is E.164 but for blanks and dashes; None when libphonenumber has to look at it."""
    bare = text.replace(" ", "").replace("-", "")
    plain = _plain_numbers().get(bare[1:4])
    return bare if plain is not None and plain.fullmatch(bare) else None


def is_region(code: str) -> bool:
    """Whether numbers without a prefix can be read as those of this country."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _national_phone(text: str, region: str) -> str | None:
    """A number as people write it at home; None when libphonenumber has to look at it."""
    plan = _national_plan(region)
    bare = text.translate(_FILLING)
    if plan is None or not bare.isascii() or not bare.isdecimal() or plan.abroad.match(bare):
        return None
    national = bare.removeprefix(plan.prefix)
    return plan.code + national if plan.number.fullmatch(national) and len(national) in plan.lengths else None


class _NationalPlan(NamedTuple):
    code: str  # with its +
    prefix: str  # dialled before a number within the country, such as 0
    abroad: re.Pattern[str]  # dialled before a foreign one, such as 00
    number: re.Pattern[str]
    lengths: frozenset[int]


@lru_cache(maxsize=300)
def _national_plan(region: str) -> _NationalPlan | None:
    """None for countries whose prefix is more than some digits that are taken off."""
    plan = PhoneMetadata.metadata_for_region(region, None)
    if plan is None or plan.general_desc is None or plan.general_desc.national_number_pattern is None:
        return None
    if plan.national_prefix_transform_rule or plan.national_prefix_for_parsing not in (None, plan.national_prefix):
        return None
    most = LONGEST_NUMBER - len(str(plan.country_code))
    return _NationalPlan(
        code=f"+{plan.country_code}",
        prefix=plan.national_prefix or "",
        abroad=re.compile(plan.international_prefix or "(?!)"),
        number=re.compile(plan.general_desc.national_number_pattern),
        lengths=frozenset(length for length in plan.general_desc.possible_length if length <= most),
    )


@lru_cache(maxsize=MEMORY)
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
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(written) > LONGEST_NUMBER + 1:
        raise _bad(text, "has too many digits")
    return written


@lru_cache(maxsize=1)
def _plain_numbers() -> dict[str, re.Pattern[str]]:
    """By the first three digits: what is E.164 as it stands. Others are for libphonenumber to look at."""
    found: dict[str, re.Pattern[str]] = {}
    for country_code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        plan = PhoneMetadata.metadata_for_region_or_calling_code(country_code, regions[0])
        if plan is None:
            continue
        pattern = _pattern(country_code, plan)
        missing = 3 - len(str(country_code))
        for rest in range(10**missing):
            found[f"{country_code}{rest:0{missing}}" if missing else str(country_code)] = pattern
    return found


def _pattern(country_code: int, plan: PhoneMetadata) -> re.Pattern[str]:
    # What may stand before a national number would have to be taken off. A leading zero is looked at in any case:
    # Italy's belongs to the number, others' do not.
    prefix = f"0|{plan.national_prefix_for_parsing}" if plan.national_prefix_for_parsing else "0"
    most = LONGEST_NUMBER - len(str(country_code))
    possible = plan.general_desc.possible_length if plan.general_desc else ()
    lengths = [length for length in possible if 4 <= length <= most]
    digits = "|".join(f"[0-9]{{{length}}}" for length in lengths) or "(?!)"
    return re.compile(rf"\+{country_code}(?!{prefix})(?:{digits})")


def _bad(text: str, fault: str) -> BadValue:
    return BadValue("BAD_PHONE", f"{shown(text)} is not a phone number: it {fault}", "Write it like +33 6 12 34 56 78.")
