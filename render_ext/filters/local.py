"""Filters that write numbers and dates as the reader's language does: ours, Liquid has none of them.

What is nothing stays nothing. What is no number, or no currency, is refused: a message that says 0 is worse than none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel import Locale, UnknownLocaleError
from babel.dates import DateTimePattern, format_date, format_time, get_datetime_format, match_skeleton
from babel.dates import parse_pattern as parse_date_pattern
from babel.numbers import (
    NumberPattern,
    UnknownCurrencyError,
    format_currency,
    get_currency_precision,
    parse_pattern,
    validate_currency,
)

from render_ext.errors import FilterError, nearest
from render_ext.filters.arithmetic import EXACT
from render_ext.filters.dates import to_moment
from render_ext.filters.records import Surroundings
from render_ext.values import MOST_DIGITS, STRIPPED, check_whole, kind_name, to_integer, to_number, to_text

WHOLE_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
STYLES: Final[dict[str, Literal["short", "medium", "long", "full"]]] = {
    "short": "short",
    "medium": "medium",
    "long": "long",
    "full": "full",
}
SKELETON: Final = re.compile(r"[A-Za-z]{1,20}")
MOST_DECIMALS: Final = 20
LONGEST_PATTERN: Final = 100
ROUNDING: Final = Context(prec=EXACT.prec, rounding=ROUND_HALF_UP)


def money(around: Surroundings, value: Any, currency: Any, *, minor: Any = False, locale: Any = None) -> str | None:
    """An amount of a currency; with `minor: true` it is given in cents or what the currency has instead."""
    amount = _number(value)
    if amount is None:
        return None
    code = to_text(currency).upper()
    try:
        validate_currency(code)
    except UnknownCurrencyError:
        raise FilterError(f"no such currency: `{code[:20]}`") from None
    if minor not in (None, False):
        amount = EXACT.scaleb(amount, -get_currency_precision(code))
    with localcontext(ROUNDING):
        return str(format_currency(amount, code, locale=_language(around, locale)))


def number(around: Surroundings, value: Any, form: Any = None, *, locale: Any = None) -> str | None:
    """A number with the signs of the language; `form` is how many decimals it has, or a pattern like `#,##0.00`."""
    amount = _number(value)
    if amount is None:
        return None
    language = _language(around, locale)
    pattern = _pattern(str(language), form if form is None or isinstance(form, str) else to_integer(form))
    with localcontext(ROUNDING):
        return str(pattern.apply(amount, language))


def localdate(
    around: Surroundings, value: Any, form: Any = "medium", *, time: Any = None, zone: Any = None, locale: Any = None
) -> Any:
    """A date as the language writes it, with the time of day if `time` says how; what is no date comes back as it is.

    Both are `short`, `medium`, `long` or `full`; a date may also be a skeleton of Unicode's, as `yMMMM`. Without `zone`
    and `locale` they are the program's; a date without a time of day is the same day in every zone.
    """
    style, clock = to_text(form), to_text(time)
    if time is not None and clock not in STYLES:
        raise FilterError(f"no such style: `{clock[:20]}`")
    moment = to_moment(around, value, None if zone is None else _zone(to_text(zone)))
    language = _language(around, locale)
    if moment is None:
        return value
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    shown = _date(moment, style, language)
    if time is None:
        return shown
    frame = str(get_datetime_format(STYLES.get(style, "medium"), locale=language)).replace("'", "")
    hour = format_time(moment, STYLES[clock], tzinfo=moment.tzinfo, locale=language)
    return frame.replace("{0}", hour).replace("{1}", shown)


def _date(moment: datetime, style: str, locale: Locale) -> str:
    if style in STYLES:
        return format_date(moment, STYLES[style], locale=locale)
    try:
        pattern = _skeleton(style, str(locale)) if SKELETON.fullmatch(style) else None
        if pattern is not None:
            return pattern.apply(moment, locale)
    except (LookupError, ValueError):
        pass
    raise FilterError(f"no such style: `{style[:20]}`")


@lru_cache(maxsize=256)
def _skeleton(skeleton: str, locale: str) -> DateTimePattern | None:
    """The pattern that a language has for a skeleton, or for the one that is nearest to it; None where none is."""
    known = _locale(locale).datetime_skeletons
    try:
        nearest = skeleton if skeleton in known else match_skeleton(skeleton, known)
    except ValueError:
        return None
    return None if nearest is None else parse_date_pattern(str(known[nearest]))


@lru_cache(maxsize=256)
def _locale(name: str) -> Locale:
    """The locale of a name, or of its language alone. Raises FilterError."""
    whole = name.replace("-", "_")
    for tried in (whole, whole.split("_")[0]):
        try:
            return Locale.parse(tried)
        except (UnknownLocaleError, ValueError):
            continue
    raise FilterError(f"no such language: `{name[:20]}`")


def _language(around: Surroundings, wanted: Any) -> Locale:
    return _locale(around.locale if wanted is None else to_text(wanted))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    """The time zone of a name. Raises FilterError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise FilterError(f"no such time zone: `{name[:40]}`") from None


def _check_zone(value: Any) -> None:
    name = to_text(value)
    try:
        if value is not None:
            _zone(name)
    except FilterError as error:
        close = nearest(name[:40], available_timezones())
        raise FilterError(f"{error}; did you mean {close}?" if close else str(error)) from None


def _check_locale(value: Any) -> None:
    if value is not None:
        _locale(to_text(value))


CHECKS: Final = {"zone": _check_zone, "locale": _check_locale}


@lru_cache(maxsize=256)
def _pattern(locale: str, form: str | int | None) -> NumberPattern:
    """The pattern for numbers; of a language's own one only the decimals change."""
    if isinstance(form, str):
        if len(form) > LONGEST_PATTERN or not re.search("[0#@]", form):
            raise FilterError("no pattern for a number")
        try:
            return parse_pattern(form)
        except ValueError as error:
            raise FilterError(f"no pattern for a number: {error}") from None
    pattern = parse_pattern(_locale(locale).decimal_formats[None].pattern)
    if form is not None:
        if not 0 <= form <= MOST_DECIMALS:
            raise FilterError(f"a number has 0 to {MOST_DECIMALS} decimals")
        pattern.frac_prec = (form, form)
    return pattern


def _number(value: Any) -> Decimal | None:
    """The number a value is, None for nothing. Raises FilterError for anything else."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip(STRIPPED)
        if not WHOLE_NUMBER.fullmatch(text) or len(text) > MOST_DIGITS:
            raise FilterError(f"no number: `{text[:20]}`")
        return Decimal(text)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise FilterError(f"no number, but {kind_name(value)}")
    found = Decimal(to_number(value))
    if not found.is_finite():
        raise FilterError("no number")
    check_whole(found)
    return found
