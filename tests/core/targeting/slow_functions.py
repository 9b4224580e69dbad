"""Every function of the language in the plainest Python, as docs/targeting.md says it: what the database is held against."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from calendar import isleap
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Protocol
from zoneinfo import ZoneInfo, available_timezones

from core.targeting.language import And, Call, Condition, Not, Operation, Or
from core.targeting.moments import add_months, to_utc

Number = int | Decimal


class Asked(Protocol):
    """Who answers about one row."""

    at: datetime
    zone: ZoneInfo

    def value(self, node: Any) -> Any: ...
    def holds(self, node: Condition) -> bool: ...
    def day(self, value: date) -> date: ...


def call(asked: Asked, node: Call) -> Any:
    """What a function gives; numbers come out as Decimal or int, places as pairs."""
    values = [_exact(asked.holds(one) if _is_condition(one) else asked.value(one)) for one in node.arguments]
    if node.function in LENIENT:
        return _run(LENIENT[node.function], asked, values)
    return None if any(one is None for one in values) else _run(STRICT[node.function], asked, values)


def _run(function: Callable[..., Any], asked: Asked, values: list[Any]) -> Any:
    with localcontext(prec=900):
        return function(asked, *values)


def _is_condition(node: Condition) -> bool:
    return isinstance(node, And | Or | Not | Operation)


def _exact(value: Any) -> Any:
    found = Decimal(f"{value:.15g}") if isinstance(value, float) else value
    return int(found) if isinstance(found, Decimal) and found == int(found) else found


def _rounded(value: Number, digits: int, how: str = ROUND_HALF_UP) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=how)


def _bounded(value: Decimal) -> Decimal | None:
    return value if abs(value) < Decimal(10) ** 38 else None


def _product(asked: Asked, one: Number, other: Number) -> Decimal | None:
    return _bounded(_rounded(Decimal(one) * Decimal(other), 18))


def _quotient(asked: Asked, one: Number, other: Number) -> Decimal | None:
    return _bounded(_rounded(_rounded(one, 18) / Decimal(other), 18)) if other else None


def _mod(asked: Asked, one: Number, other: Number) -> Decimal | None:
    return Decimal(one) - Decimal(other) * _rounded(Decimal(one) / Decimal(other), 0, ROUND_DOWN) if other else None


def _local(asked: Asked, value: date, zone: str | None = None) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone) if zone else asked.zone).replace(tzinfo=None)
    return datetime.combine(value, time())


def _part(name: str) -> Callable[..., int]:
    def part(asked: Asked, value: date, zone: str | None = None) -> int:
        local = _local(asked, value, zone)
        parts: Mapping[str, Callable[[], int]] = {
            "quarter": lambda: (local.month + 2) // 3,
            "week": lambda: local.isocalendar()[1],
            "day_of_year": lambda: local.timetuple().tm_yday,
            "week_day": local.isoweekday,
            "year_month": lambda: local.year * 100 + local.month,
        }
        return parts[name]() if name in parts else int(getattr(local, name))

    return part


def _start(unit: str) -> Callable[..., date]:
    def start(asked: Asked, value: date, zone: str | None = None) -> date:
        local = _local(asked, value, zone)
        day = local.date()
        first = {
            "year": day.replace(month=1, day=1),
            "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
            "month": day.replace(day=1),
            "week": day - timedelta(days=day.weekday()),
        }.get(unit, day)
        clock = {"hour": time(local.hour), "minute": time(local.hour, local.minute)}.get(unit, time())
        if not isinstance(value, datetime):
            return first
        return to_utc(datetime.combine(first, clock), ZoneInfo(zone) if zone else asked.zone)

    return start


def _add(months: int = 0, days: int = 0, seconds: int = 0) -> Callable[..., date | None]:
    def add(asked: Asked, value: date, number: int) -> date | None:
        try:
            if seconds:
                return value + timedelta(seconds=seconds * number)
            local = _local(asked, value)
            moved = add_months(local.date(), months * number) + timedelta(days=days * number)
        except (OverflowError, ValueError):
            return None
        return to_utc(datetime.combine(moved, local.time()), asked.zone) if isinstance(value, datetime) else moved

    return add


def _ago(months: int, days: int) -> Callable[..., date | None]:
    return lambda asked, number: _add(months, days)(asked, asked.day(asked.at), -number)


def _whole(numerator: int, denominator: int) -> int:
    return abs(numerator) // denominator * (1 if numerator >= 0 else -1)


def _months_between(months: int) -> Callable[..., int]:
    def between(asked: Asked, start: date, end: date) -> int:
        one, other = asked.day(start), asked.day(end)
        early, late = sorted([one, other])
        apart = (late.year - early.year) * 12 + late.month - early.month - (late.day < early.day)
        return apart // months * (1 if one <= other else -1)

    return between


def _days_between(asked: Asked, start: date, end: date) -> int:
    return (asked.day(end) - asked.day(start)).days


def _exact_between(seconds: int) -> Callable[..., int]:
    def between(asked: Asked, start: date, end: date) -> int:
        one, other = (to_utc(_local(asked, x), asked.zone) if not isinstance(x, datetime) else x for x in (start, end))
        return _whole((other - one) // timedelta(microseconds=1), seconds * 1_000_000)

    return between


def _until_today(between: Callable[..., int]) -> Callable[..., int]:
    return lambda asked, value: between(asked, value, asked.day(asked.at))


def _bits(change: Callable[[int, int], Any]) -> Callable[..., Any]:
    return lambda asked, number, bit: change(int(number), 1 << bit) if -(2**63) <= number < 2**63 else None


def simply(text: str, change: Callable[[str], str]) -> str:
    """Each character by itself, as the database does it."""
    return "".join(change(sign) if len(change(sign)) == 1 else sign for sign in text)


def lowered(text: str) -> str:
    return simply(text, str.lower)


def folded(text: str) -> str:
    """Without case, and without accents on Latin and Greek letters."""
    apart = unicodedata.normalize("NFD", lowered(text).translate(str.maketrans("øđłħŧıſςё", "odlhtisσе")))
    plain = unicodedata.normalize("NFC", re.sub("([a-zα-ω])[\u0300-\u036f]+", r"\1", apart))
    return plain.replace("ß", "ss").replace("æ", "ae").replace("œ", "oe")


def _capitalized(asked: Asked, text: str) -> str:
    found = ""
    for place, sign in enumerate(text):
        inside = place > 0 and text[place - 1].isalnum()
        found += simply(sign, str.lower if inside else str.upper)
    return found


def _left(asked: Asked, text: str, number: int) -> str | None:
    return text[:number] if abs(number) < 2**31 - 1 else None


def _right(asked: Asked, text: str, number: int) -> str | None:
    if abs(number) >= 2**31 - 1:
        return None
    return text[-number:] if number < 0 else text[max(len(text) - number, 0) :]


def _substring(asked: Asked, text: str, start: int, count: int | None = None) -> str | None:
    if not 1 <= start < 2**31 - 1 or (count is not None and not 0 <= count < 2**31 - 1):
        return None
    return text[start - 1 :] if count is None else text[start - 1 :][:count]


def _pad(left: bool) -> Callable[..., str]:
    def pad(asked: Asked, text: str, length: int, fill: str = " ") -> str:
        more = max(length - len(text), 0)
        return (fill * more)[:more] + text if left else text + (fill * more)[:more]

    return pad


def _piece(asked: Asked, text: str, separator: str, number: int) -> str:
    pieces = text.split(separator)
    return pieces[number - 1] if number <= len(pieces) else ""


def _domain(asked: Asked, text: str) -> str | None:
    found = re.search(r"@([^@]+)\Z", text)
    return lowered(found[1]) if found else None


def _matches(asked: Asked, text: str, pattern: str) -> bool:
    return re.search(pattern.replace("$", r"\Z"), text, re.IGNORECASE | re.DOTALL) is not None


def _to_integer(asked: Asked, value: Any) -> Number | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        found = re.fullmatch(r" *([+-]?[0-9]{1,18}) *", value)
        return int(found[1]) if found else None
    return _rounded(value, 0, ROUND_DOWN)


def _to_decimal(asked: Asked, value: Any) -> Number | None:
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]
    found = re.fullmatch(r" *([+-]?[0-9]{1,18}(\.[0-9]{1,18})?) *", value)
    return Decimal(found[1]) if found else None


def _to_boolean(asked: Asked, value: Any) -> bool | None:
    if not isinstance(value, str):
        return bool(value != 0)
    word = lowered(value.strip(" "))
    return word in ("true", "yes", "t", "y", "1", "on") or (False if word in ("false", "no", "f", "n", "0", "off") else None)


def _to_date(asked: Asked, value: Any, zone: str | None = None) -> date | None:
    if not isinstance(value, str):
        return _local(asked, value, zone).date()
    found = re.fullmatch(r" *(\d{4}-\d\d-\d\d) *", value, re.ASCII)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _to_instant(asked: Asked, value: Any, zone: str | None = None) -> datetime | None:
    place = ZoneInfo(zone) if zone else asked.zone
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return to_utc(_local(asked, value), place)
    shape = r" *(\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-](0\d|1[0-3]):\d\d)?)?) *"
    found = re.fullmatch(shape, value, re.ASCII)
    if not found:
        return None
    text = re.sub(r"\.(\d+)", lambda part: "." + part[1].ljust(6, "0"), found[1].upper().replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else to_utc(moment, place)


def _to_text(asked: Asked, value: Any, zone: str | None = None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _local(asked, value, zone).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    digits = format(Decimal(value), "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits == "-0" else digits


def same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    return bool(folded(one) == folded(other) if isinstance(one, str) else one == other)


def _decode(asked: Asked, value: Any, *pairs: Any) -> Any:
    for one, other in zip(pairs[::2], pairs[1::2], strict=False):
        if same(value, one):
            return other
    return pairs[-1] if len(pairs) % 2 else None


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda asked, *values: choose((one for one in values if one is not None), default=None)


def _distance(asked: Asked, one: tuple[Number, Number], other: tuple[Number, Number]) -> Decimal | None:
    (longitude, latitude), (longitude2, latitude2) = ((float(x), float(y)) for x, y in (one, other))
    if max(abs(longitude), abs(longitude2)) > 180 or max(abs(latitude), abs(latitude2)) > 90:
        return None
    north = math.sin(math.radians(latitude2 - latitude) / 2)
    east = math.sin(math.radians(longitude2 - longitude) / 2)
    chord = math.sqrt(north**2 + math.cos(math.radians(latitude)) * math.cos(math.radians(latitude2)) * east**2)
    return Decimal(2 * 6371.0088 * math.asin(min(1, chord)))


def _within(asked: Asked, one: Any, other: Any, distance: Number) -> bool | None:
    found = _distance(asked, one, other)
    return None if found is None else found <= distance


def _digest(name: str) -> Callable[..., str]:
    return lambda asked, text: hashlib.new(name, text.encode()).hexdigest()


def _anniversary_within(asked: Asked, time: Any, start: int, end: int) -> bool:
    """Day by day; who had one in more than a year's days had one."""
    born, today = asked.day(time), asked.day(asked.at)
    early, late = min(start, end), max(start, end)
    if late - early > 366:
        return True
    for number in range(early, late + 1):
        ordinal = today.toordinal() + number
        if not 1 <= ordinal <= date.max.toordinal():
            continue
        day = date.fromordinal(ordinal)
        if (born.month, born.day) == (day.month, day.day):
            return True
        if (born.month, born.day, day.month, day.day) == (2, 29, 3, 1) and not isleap(day.year):
            return True
    return False


DAY_PARTS = ("year", "quarter", "month", "week", "day", "day_of_year", "week_day")


def _in_tree(kinds: tuple[type, ...], read: Callable[..., Any]) -> Callable[..., Any]:
    """What stands at a path, where it is of these types."""

    def found(asked: Asked, tree: Any, path: str, *more: Any) -> Any:
        steps = path.split(".")
        if path.startswith("/"):
            steps = [one.replace("~1", "/").replace("~0", "~") for one in path[1:].split("/")]
        for step in steps:
            try:
                tree = tree[int(step)] if isinstance(tree, list) else tree[step]
            except (KeyError, IndexError, ValueError, TypeError):
                return None
        return read(asked, tree, *more) if type(tree) in kinds else None

    return found


def _in_zone(asked: Asked, moment: datetime, zone: str) -> datetime | None:
    if zone not in available_timezones():
        return None
    return to_utc(moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None), asked.zone)


def _start_of_interval(asked: Asked, value: datetime, seconds: int, zone: str | None = None) -> date:
    local = _local(asked, value, zone)
    gone = local.hour * 3600 + local.minute * 60 + local.second
    first = datetime.combine(local.date(), time()) + timedelta(seconds=gone - gone % seconds)
    return to_utc(first, ZoneInfo(zone) if zone else asked.zone)


STRICT: Mapping[str, Callable[..., Any]] = {
    "in_zone": _in_zone,
    "json_text": _in_tree((str,), lambda asked, found: found[:10_000]),
    "json_number": _in_tree((int, Decimal), lambda asked, found: _bounded(Decimal(found))),
    "json_boolean": _in_tree((bool,), lambda asked, found: found),
    "json_date": _in_tree((str,), _to_date),
    "json_instant": _in_tree((str,), _to_instant),
    **{name: _part(name) for name in (*DAY_PARTS, "hour", "minute", "second", "year_month")},
    **{f"start_of_{unit}": _start(unit) for unit in ("year", "quarter", "month", "week", "day", "hour", "minute")},
    "start_of_interval": _start_of_interval,
    "add_years": _add(12),
    "add_months": _add(1),
    "add_weeks": _add(days=7),
    "add_days": _add(days=1),
    "add_hours": _add(seconds=3600),
    "add_minutes": _add(seconds=60),
    "add_seconds": _add(seconds=1),
    "years_between": _months_between(12),
    "months_between": _months_between(1),
    "days_between": _days_between,
    "hours_between": _exact_between(3600),
    "minutes_between": _exact_between(60),
    "seconds_between": _exact_between(1),
    "years_old": _until_today(_months_between(12)),
    "months_old": _until_today(_months_between(1)),
    "days_old": _until_today(_days_between),
    "months_ago": _ago(1, 0),
    "days_ago": _ago(0, 1),
    "anniversary_within": _anniversary_within,
    "add": lambda asked, one, other: Decimal(one) + Decimal(other),
    "subtract": lambda asked, one, other: Decimal(one) - Decimal(other),
    "multiply": _product,
    "divide": _quotient,
    "mod": _mod,
    "percent": lambda asked, part, whole: _quotient(asked, Decimal(part) * 100, whole),
    "abs": lambda asked, value: abs(value),
    "sign": lambda asked, value: (value > 0) - (value < 0),
    "ceil": lambda asked, value: _rounded(value, 0, ROUND_CEILING),
    "floor": lambda asked, value: _rounded(value, 0, ROUND_FLOOR),
    "round": lambda asked, value, digits=0: _rounded(value, digits),
    "trunc": lambda asked, value, digits=0: _rounded(value, digits, ROUND_DOWN),
    "clamp": lambda asked, value, low, high: min(max(value, low), high),
    "has_bit": _bits(lambda number, mask: number & mask != 0),
    "set_bit": _bits(lambda number, mask: number | mask),
    "clear_bit": _bits(lambda number, mask: number & ~mask),
    "length": lambda asked, text: len(text),
    "bytes": lambda asked, text: len(text.encode()),
    "lower": lambda asked, text: simply(text, str.lower),
    "upper": lambda asked, text: simply(text, str.upper),
    "capitalized": _capitalized,
    "trim": lambda asked, text: text.strip(" "),
    "trim_left": lambda asked, text: text.lstrip(" "),
    "trim_right": lambda asked, text: text.rstrip(" "),
    "folded": lambda asked, text: folded(text),
    "exactly": lambda asked, text: text,
    "accented": lambda asked, text: text,
    "left": _left,
    "right": _right,
    "substring": _substring,
    "position": lambda asked, text, piece: lowered(text).find(lowered(piece)) + 1,
    "replace": lambda asked, text, piece, other: text.replace(piece, other),
    "pad_left": _pad(True),
    "pad_right": _pad(False),
    "concat": lambda asked, *texts: "".join(texts),
    "before": lambda asked, text, piece: text.partition(piece)[0],
    "after": lambda asked, text, piece: text.partition(piece)[2],
    "piece": _piece,
    "line": lambda asked, text, number: _piece(asked, text.replace("\r\n", "\n"), "\n", number),
    "email_domain": _domain,
    "matches": _matches,
    "code_of": lambda asked, text: ord(text[0]) if text else None,
    "character": lambda asked, code: chr(code),
    "to_integer": _to_integer,
    "to_decimal": _to_decimal,
    "to_boolean": _to_boolean,
    "to_date": _to_date,
    "to_instant": _to_instant,
    "to_text": _to_text,
    "point": lambda asked, longitude, latitude: (longitude, latitude),
    "distance_km": _distance,
    "within_km": _within,
    "md5": _digest("md5"),
    "sha256": _digest("sha256"),
    "sha384": _digest("sha384"),
    "sha512": _digest("sha512"),
}

LENIENT: Mapping[str, Callable[..., Any]] = {
    "if": lambda asked, condition, then, otherwise=None: then if condition else otherwise,
    "coalesce": lambda asked, *values: next((one for one in values if one is not None), None),
    "decode": _decode,
    "null_if": lambda asked, value, other: None if same(value, other) else value,
    "is_empty": lambda asked, value: value is None or value == "",
    "all_set": lambda asked, *values: None not in values,
    "greatest": _extreme(max),
    "least": _extreme(min),
    "words": lambda asked, *texts: " ".join(one.strip(" ") for one in texts if one and one.strip(" ")),
    "joined": lambda asked, separator, *texts: separator.join(one for one in texts if one),
}
