"""Functions that choose and convert."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import TIMESTAMP, Date, Integer, Numeric, Text, and_, case, cast, false, func, not_, true

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import DIGITS, folded, instant_of, raw, to_instant, to_local
from core.targeting.functions.dates import ZONE, zone_of
from core.targeting.functions.signature import (
    ANY,
    BOOLEANS,
    NUMBERS,
    TEXTS,
    TIMES,
    Argument,
    Asking,
    Family,
    Function,
    Nulls,
    Parameter,
    Sql,
)

_ORDERED = NUMBERS | TIMES
_X = Parameter(name="x", takes=ANY)
_T = Parameter(name="x", takes=ANY, group="T")
_of_choice = partial(Function, family=Family.LOGIC)

# Days that exist, of the years 0001 to 9999: what Postgres would refuse to read is not given to it. Digits are
# named one by one, for to a locale's [[:digit:]] there are more than ten.
_LEAP = "(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = "(?:[Zz]|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
_INTEGER = "^ *([+-]?[0-9]{1,18}) *$"
_DECIMAL = rf"^ *([+-]?[0-9]{{1,{DIGITS}}}(?:\.[0-9]{{1,{DIGITS}}})?) *$"
_YES, _NO = ("true", "yes", "t", "y", "1", "on"), ("false", "no", "f", "n", "0", "off")


def read(text: Sql, pattern: str) -> Sql:
    """The first group of a pattern in a text, NULL where the text is another."""
    return func.substring(text, raw("'" + pattern + "'", Text()), type_=Text())


def _if(asking: Asking, condition: Argument, then: Argument, otherwise: Argument | None = None) -> Sql:
    return case((condition.sql, then.sql), else_=otherwise.sql if otherwise else None)


def _coalesce(asking: Asking, *values: Argument) -> Sql:
    return func.coalesce(*(value.sql for value in values), type_=values[0].sql.type)


def _decode(asking: Asking, value: Argument, *pairs: Argument) -> Sql:
    found, otherwise = (pairs, None) if len(pairs) % 2 == 0 else (pairs[:-1], pairs[-1])
    branches = [(_same(value, one), other.sql) for one, other in zip(found[::2], found[1::2], strict=True)]
    return case(*branches, else_=otherwise.sql if otherwise else None)


def _same(one: Argument, other: Argument) -> Any:
    return folded(one.sql) == folded(other.sql) if one.kind in TEXTS else one.sql == other.sql


def _null_if(asking: Asking, value: Argument, other: Argument) -> Sql:
    return case((_same(value, other), None), else_=value.sql)


def _is_empty(asking: Asking, value: Argument) -> Sql:
    return func.coalesce(value.sql == raw("''"), true()) if value.kind in TEXTS else value.sql.is_(None)


def _all_set(asking: Asking, *values: Argument) -> Sql:
    return and_(*(value.sql.is_not(None) for value in values))


def _extreme(name: str, asking: Asking, *values: Argument) -> Sql:
    found: Sql = getattr(func, name)(*(value.sql for value in values), type_=values[0].sql.type)
    return found


def _to_integer(asking: Asking, value: Argument) -> Sql:
    if value.kind is Kind.BOOLEAN:
        return cast(cast(value.sql, Integer), Numeric())
    if value.kind in NUMBERS:
        return func.trunc(value.sql, type_=Numeric())
    return cast(read(value.sql, _INTEGER), Numeric())


def _to_decimal(asking: Asking, value: Argument) -> Sql:
    return value.sql if value.kind in NUMBERS else cast(read(value.sql, _DECIMAL), Numeric())


def _to_boolean(asking: Asking, value: Argument) -> Sql:
    if value.kind in NUMBERS:
        return value.sql != raw("0")
    word = func.lower(func.btrim(value.sql), type_=Text())
    return case((word.in_([raw(f"'{one}'") for one in _YES]), true()), (word.in_([raw(f"'{one}'") for one in _NO]), false()))


def date_read(asking: Asking, value: Argument, zone: Argument | None = None) -> Sql:
    """The day of an instant, or of a text."""
    if value.kind is Kind.DATE:
        return value.sql
    if value.kind is Kind.INSTANT:
        return cast(to_local(value.sql, zone_of(asking, zone)), Date)
    return cast(read(value.sql, f"^ *({_DAY}) *$"), Date)


def instant_read(asking: Asking, value: Argument, zone: Argument | None = None) -> Sql:
    """The first instant of a day, or that of a text."""
    place = zone_of(asking, zone)
    if value.kind in TIMES:
        return instant_of(value, place)
    told = cast(read(value.sql, f"^ *({_DAY}[Tt ]{_CLOCK}{_OFFSET}) *$"), TIMESTAMP(timezone=True))
    local = cast(read(value.sql, f"^ *({_DAY}(?:[Tt ]{_CLOCK})?) *$"), TIMESTAMP())
    return func.coalesce(told, to_instant(local, place), type_=TIMESTAMP(timezone=True))


def _to_text(asking: Asking, value: Argument, zone: Argument | None = None) -> Sql:
    match value.kind:
        case Kind.DECIMAL:
            return cast(func.trim_scale(value.sql), Text())
        case Kind.DATE:
            return func.to_char(value.sql, raw("'YYYY-MM-DD'"), type_=Text())
        case Kind.INSTANT:
            return func.to_char(to_local(value.sql, zone_of(asking, zone)), raw("'YYYY-MM-DD\"T\"HH24:MI:SS'"), type_=Text())
        case Kind.BOOLEAN:
            return case((value.sql, raw("'true'")), (not_(value.sql), raw("'false'")))
        case _:
            return cast(value.sql, Text())


def _parameters(*names: str, takes: frozenset[Kind] = ANY, group: str | None = None) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=name, takes=takes, group=group) for name in names)


_THEN, _ELSE = _parameters("then", "else", group="T")
_VALUE, _WHEN = _parameters("x", "when", group="S")

LOGIC = (
    _of_choice(
        name="if", parameters=(Parameter(name="condition", takes=BOOLEANS), _THEN, _ELSE), optional=1, gives="T", build=_if,
        label="one value where a condition holds, else the other, or none", formerly=("Iif", "IfEquals"), nulls=Nulls.MAY,
        example="if(country = 'FR', 'tu', 'you') = 'tu'",
    ),
    _of_choice(
        name="coalesce", parameters=_parameters("x", "y", group="T"), repeated=1, gives="T", build=_coalesce,
        label="the first that has a value", formerly=("Coalesce", "NoNull"), nulls=Nulls.OF_ALL,
        example="coalesce(first_name, salutation, '') != ''",
    ),
    _of_choice(
        name="decode", parameters=(_VALUE, _WHEN, _THEN), repeated=2, tail=(_ELSE,), gives="T", build=_decode, uses=50,
        label="the value beside the first that equals x, else the last, or none", formerly=("Decode",), nulls=Nulls.MAY,
        example="decode(gender, 'female', 1, 'male', 2, 0) > 0",
    ),
    _of_choice(
        name="null_if", parameters=_parameters("x", "y", group="T"), gives="T", build=_null_if, uses=2, nulls=Nulls.MAY,
        label="x, or no value where it equals y", example="null_if(city, '') is_null",
    ),
    _of_choice(
        name="is_empty", parameters=(_X,), gives=Kind.BOOLEAN, build=_is_empty, nulls=Nulls.NEVER,
        label="whether there is no value, or a text without characters", formerly=("IsEmptyString", "IsMemoNull", "IsNull"),
        example="is_empty(city)",
    ),
    _of_choice(
        name="all_set", parameters=(_X,), repeated=1, gives=Kind.BOOLEAN, build=_all_set, nulls=Nulls.NEVER,
        label="whether all have a value", formerly=("AllNonNull2", "AllNonNull3"), example="all_set(city, zip_code)",
    ),
    _of_choice(
        name="greatest", parameters=_parameters("x", "y", takes=_ORDERED, group="T"), repeated=1, gives="T",
        build=partial(_extreme, "greatest"), label="the largest of those that have a value", formerly=("Greatest",),
        nulls=Nulls.OF_ALL, example="greatest(created_at, updated_at) < now",
    ),
    _of_choice(
        name="least", parameters=_parameters("x", "y", takes=_ORDERED, group="T"), repeated=1, gives="T",
        build=partial(_extreme, "least"), label="the smallest of those that have a value", formerly=("Least", "Oldest"),
        nulls=Nulls.OF_ALL, example="least(created_at, updated_at) < now",
    ),
    _of_choice(
        name="to_integer", parameters=(Parameter(name="x", takes=NUMBERS | TEXTS | BOOLEANS),), gives=Kind.INTEGER,
        build=_to_integer, formerly=("ToInteger", "ToInt64"), nulls=Nulls.PARTIAL, example="to_integer(zip_code) > 75000",
        label="a whole number of a text of at most 18 digits, of a decimal (cut), of true (1) and false (0)",
    ),
    _of_choice(
        name="to_decimal", parameters=(Parameter(name="x", takes=NUMBERS | TEXTS),), gives=Kind.DECIMAL, build=_to_decimal,
        label=f"a decimal of a text, with at most {DIGITS} digits on either side of the point", formerly=("ToDouble",),
        nulls=Nulls.PARTIAL, example="to_decimal(zip_code) > 1.5",
    ),
    _of_choice(
        name="to_boolean", parameters=(Parameter(name="x", takes=NUMBERS | TEXTS),), gives=Kind.BOOLEAN, build=_to_boolean,
        label="false for 0, `no`, `n`, `false`, `f`, `off`; true for other numbers and `yes`, `y`, `true`, `t`, `on`, `1`",
        formerly=("ToBoolean",), nulls=Nulls.PARTIAL, example="to_boolean('yes')", uses=2,
    ),
    _of_choice(
        name="to_date", parameters=(Parameter(name="x", takes=TIMES | TEXTS), ZONE), optional=1, gives=Kind.DATE,
        build=date_read,
        label="the day of an instant, or of a text such as 2024-05-31", formerly=("ToDate", "DateOnly"), nulls=Nulls.PARTIAL,
        example="to_date(created_at) = 2024-05-31",
    ),
    _of_choice(
        name="to_instant", parameters=(Parameter(name="x", takes=TIMES | TEXTS), ZONE), optional=1, gives=Kind.INSTANT,
        build=instant_read, formerly=("ToDateTime", "ToDateTimeWithTimezone", "LocalToUTC"), nulls=Nulls.PARTIAL, uses=9,
        label="the first instant of a day, or that of a text such as 2024-05-31T10:30 or 2024-05-31T10:30:00+02:00",
        example="to_instant(birth_date, 'Europe/Paris') < now",
    ),
    _of_choice(
        name="to_text", parameters=(_X, ZONE), optional=1, gives=Kind.TEXT, build=_to_text, formerly=("ToString",), uses=2,
        label="as a text: digits, `true`, `2024-05-31`, `2024-05-31T10:30:00` in the zone, the name of an enumeration",
        example="to_text(age) ends_with '0'",
    ),
)  # fmt: skip
