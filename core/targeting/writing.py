"""How a value is written before it meets a column that is kept in a normal form."""

from __future__ import annotations

import re

from core.profiles.addresses import normal_domain, parse_email
from core.profiles.errors import BadValue
from core.profiles.phones import parse_phone
from core.targeting.catalogue import Writing

_PHONE_MARKS = re.compile(r"[\s().\-/\u2010\u2011\u2013]")
_NOWHERE = "ZZ"  # the region of numbers that say their country themselves


def as_kept(writing: Writing, text: str) -> str:
    """A value, or a piece of one, in the column's form. What has none stays as it is and finds nothing."""
    match writing:
        case Writing.UPPER:
            return text.upper()
        case Writing.EMAIL:
            return _email(text)
        case Writing.DOMAIN:
            return _domain(text)
        case Writing.PHONE:
            return _phone(text)
        case Writing.FREE | Writing.EXACT:
            return text


def _email(text: str) -> str:
    try:
        return parse_email(text).key
    except BadValue:
        local, at, domain = text.rpartition("@")
        return local.lower() + at + _domain(domain) if at else text.lower()


def _domain(text: str) -> str:
    try:
        return normal_domain(text)[1]
    except BadValue:
        return text.lower()


def _phone(text: str) -> str:
    try:
        return parse_phone(text, _NOWHERE)
    except BadValue:
        return _PHONE_MARKS.sub("", text)


def like_pattern(text: str) -> str:
    """The text with what LIKE would read as a wildcard escaped, by the backslash as Postgres has it."""
    return re.sub(r"([\\%_])", r"\\\1", text)
