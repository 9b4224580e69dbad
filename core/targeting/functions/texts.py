"""Functions of texts. Positions count from 1; a text that is put together is cut after 10,000 characters."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Integer, Numeric, Text, bindparam, case, cast, func

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import cut, folded, raw, whole
from core.targeting.functions.patterns import refuse_pattern
from core.targeting.functions.signature import (
    INTEGERS,
    TEXTS,
    Argument,
    Asking,
    Family,
    Function,
    Level,
    Nulls,
    Parameter,
    Sql,
)
from core.targeting.language import Scalar

_MOST_PIECE = 200  # characters of what is put in for something else
_LAST_CHARACTER = 0x10FFFF


def _refuse_piece(value: Scalar) -> str | None:
    return None if isinstance(value, str) and len(value) <= _MOST_PIECE else f"a text of at most {_MOST_PIECE} characters"


def _refuse_searched(value: Scalar) -> str | None:
    return _refuse_piece(value) if value != "" else f"a text of 1 to {_MOST_PIECE} characters"


def _refuse_length(value: Scalar) -> str | None:
    fits = isinstance(value, int) and 0 <= value <= 1_000
    return None if fits else "a whole number from 0 to 1000"


def _refuse_place(value: Scalar) -> str | None:
    return None if isinstance(value, int) and 1 <= value <= 1_000 else "a whole number from 1 to 1000"


_X = Parameter(name="x", takes=TEXTS)
_N = Parameter(name="n", takes=INTEGERS)
_PIECE = Parameter(name="piece", takes=TEXTS)
_SEARCHED = Parameter(name="piece", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_searched)
_PUT = Parameter(name="other", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_piece)
_FILL = Parameter(name="fill", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_searched)
_LENGTH = Parameter(name="length", takes=INTEGERS, constant=True, refuse=_refuse_length)
_NTH = Parameter(name="n", takes=INTEGERS, constant=True, refuse=_refuse_place)
_SEPARATOR = Parameter(name="separator", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_piece)
_PATTERN = Parameter(name="pattern", takes=frozenset({Kind.TEXT}), constant=True, refuse=refuse_pattern)
_of_text = partial(Function, family=Family.TEXTS)


def _plain(name: str, asking: Asking, text: Argument) -> Sql:
    return getattr(func, name)(text.sql, type_=Text())  # type: ignore[no-any-return]


def _measure(name: str, asking: Asking, text: Argument) -> Sql:
    return cast(getattr(func, name)(text.sql), Numeric())


def _same(asking: Asking, text: Argument) -> Sql:
    return text.sql


def _side(name: str, asking: Asking, text: Argument, number: Argument) -> Sql:
    found: Sql = getattr(func, name)(text.sql, whole(number, -(2**31) + 2, 2**31 - 2), type_=Text())
    return found


def _substring(asking: Asking, text: Argument, start: Argument, count: Argument | None = None) -> Sql:
    """Postgres refuses a length below zero: `left` takes that of the rest instead, and none of it for less."""
    rest = func.substr(text.sql, _at_least_one(start), type_=Text())
    if count is None:
        return rest
    return func.left(rest, whole(count, 0, 2**31 - 2), type_=Text())


def _at_least_one(number: Argument) -> Sql:
    return whole(number, 1, 2**31 - 2)


def _pad(name: str, asking: Asking, text: Argument, length: Argument, fill: Argument | None = None) -> Sql:
    """Never shorter than it was, unlike Postgres's."""
    start = cut(text.sql)
    wanted = func.greatest(func.char_length(start), raw(str(length.constant)), type_=Integer())
    with_what = fill.sql if fill else raw("' '")
    return getattr(func, name)(start, wanted, with_what, type_=Text())  # type: ignore[no-any-return]


def _replace(asking: Asking, text: Argument, piece: Argument, other: Argument) -> Sql:
    return cut(func.replace(cut(text.sql), piece.sql, other.sql, type_=Text()))


def _concat(asking: Asking, *texts: Argument) -> Sql:
    joined: Any = cast(texts[0].sql, Text())
    for text in texts[1:]:
        joined = joined.concat(text.sql)
    return cut(joined)


def _joined(asking: Asking, separator: Argument, *texts: Argument) -> Sql:
    given = [func.nullif(text.sql, raw("''"), type_=Text()) for text in texts]
    return cut(func.concat_ws(separator.sql, *given, type_=Text()))


def _words(asking: Asking, *texts: Argument) -> Sql:
    given = [func.nullif(func.btrim(text.sql), raw("''"), type_=Text()) for text in texts]
    return cut(func.concat_ws(raw("' '"), *given, type_=Text()))


def _position(asking: Asking, text: Argument, piece: Argument) -> Sql:
    return cast(func.strpos(func.lower(text.sql), func.lower(piece.sql)), Numeric())


def _code(asking: Asking, text: Argument) -> Sql:
    return cast(func.nullif(func.ascii(text.sql), raw("0")), Numeric())


def _character(asking: Asking, code: Argument) -> Sql:
    number = int(str(code.constant))
    return bindparam(None, chr(number), Text())


def _refuse_code(value: Scalar) -> str | None:
    good = isinstance(value, int) and 1 <= value <= _LAST_CHARACTER and not 0xD800 <= value <= 0xDFFF
    return None if good else "the number of a character, from 1 to 1114111"


def _line(asking: Asking, text: Argument, number: Argument) -> Sql:
    lines = func.replace(text.sql, raw(r"E'\r\n'"), raw(r"E'\n'"), type_=Text())
    return func.split_part(lines, raw(r"E'\n'"), raw(str(number.constant)), type_=Text())


def _piece(asking: Asking, text: Argument, separator: Argument, number: Argument) -> Sql:
    return func.split_part(text.sql, separator.sql, raw(str(number.constant)), type_=Text())


def _before(asking: Asking, text: Argument, piece: Argument) -> Sql:
    return func.split_part(text.sql, piece.sql, raw("1"), type_=Text())


def _after(asking: Asking, text: Argument, piece: Argument) -> Sql:
    """All behind the first; nothing where it is not there."""
    at = func.strpos(text.sql, piece.sql, type_=Integer())
    behind = func.substr(text.sql, at + func.char_length(piece.sql, type_=Integer()), type_=Text())
    return case((at > raw("0"), behind), (at == raw("0"), raw("''")))


def _domain(asking: Asking, text: Argument) -> Sql:
    return func.lower(func.substring(text.sql, raw("'@([^@]+)$'")), type_=Text())


def _matches(asking: Asking, text: Argument, pattern: Argument) -> Sql:
    return text.sql.op("~" if text.level is Level.EXACT else "~*", is_comparison=True)(pattern.sql)


def _folded(asking: Asking, text: Argument) -> Sql:
    return folded(text.sql)


def _row(name: str, label: str, formerly: tuple[str, ...], example: str, sql: str | None = None) -> Function:
    return _of_text(
        name=name, parameters=(_X,), gives=Kind.TEXT, build=partial(_plain, sql or name), label=label, example=example,
        formerly=formerly,
    )  # fmt: skip


def _put_together(name: str, label: str, example: str, build: Any, **more: Any) -> Function:
    return _of_text(name=name, gives=Kind.TEXT, build=build, label=label, example=example, **more)


TEXTS_FAMILY = (
    _of_text(
        name="length", parameters=(_X,), gives=Kind.INTEGER, build=partial(_measure, "char_length"),
        label="the number of its characters", example="length(city) > 3", formerly=("Length",),
    ),
    _of_text(
        name="bytes", parameters=(_X,), gives=Kind.INTEGER, build=partial(_measure, "octet_length"),
        label="the number of its bytes in UTF-8", example="bytes(city) > 3", formerly=("DataLength",),
    ),
    _row("lower", "in small letters", ("Lower",), "exactly(lower(city)) = 'paris'"),
    _row("upper", "in capitals", ("Upper",), "exactly(upper(city)) = 'PARIS'"),
    _row("capitalized", "each word with a capital first", ("Smart",), "exactly(capitalized(city)) = 'Le Mans'", "initcap"),
    _row("trim", "without spaces at its ends", (), "trim(city) = 'Paris'", "btrim"),
    _row("trim_left", "without spaces at its start", ("Ltrim",), "trim_left(city) = 'Paris'", "ltrim"),
    _row("trim_right", "without spaces at its end", ("Rtrim",), "trim_right(city) = 'Paris'", "rtrim"),
    _of_text(
        name="folded", parameters=(_X,), gives=Kind.TEXT, build=_folded, formerly=("ToIntlString",),
        label="in small letters without accents, as texts are compared", example="length(folded(city)) = 4",
    ),
    _of_text(
        name="exactly", parameters=(_X,), gives=Kind.TEXT, build=_same,
        label="the same text; in a comparison its case and accents count", example="first_name = exactly('Anna')",
    ),
    _of_text(
        name="accented", parameters=(_X,), gives=Kind.TEXT, build=_same,
        label="the same text; in a comparison its accents count, its case does not", example="city = accented('Orléans')",
    ),
    _put_together(
        "left", "its first n characters; all but the last -n if n is negative", "left(zip_code, 2) = '75'",
        partial(_side, "left"), parameters=(_X, _N), formerly=("Left",), nulls=Nulls.PARTIAL,
    ),
    _put_together(
        "right", "its last n characters; all but the first -n if n is negative", "right(zip_code, 2) = '00'",
        partial(_side, "right"), parameters=(_X, _N), formerly=("Right",), nulls=Nulls.PARTIAL,
    ),
    _put_together(
        "substring", "from a position on, as many characters as said; none from a position below 1 or of fewer than 0",
        "substring(zip_code, 2, 3) = '500'", _substring,
        parameters=(_X, Parameter(name="start", takes=INTEGERS), Parameter(name="count", takes=INTEGERS)),
        optional=1, formerly=("Substring",), nulls=Nulls.PARTIAL,
    ),
    _of_text(
        name="position", parameters=(_X, _PIECE), gives=Kind.INTEGER, build=_position, formerly=("Charindex",),
        label="where a piece begins, without case; 0 where it is not", example="position(email, '+') > 0",
    ),
    _put_together(
        "replace", "with each of a piece replaced; case and accents count", "replace(zip_code, ' ', '') = '75001'", _replace,
        parameters=(_X, _SEARCHED, _PUT), formerly=("Replace",),
    ),
    _put_together(
        "pad_left", "filled on the left to a length, with spaces if not said", "pad_left(zip_code, 5, '0') = '01000'",
        partial(_pad, "lpad"), parameters=(_X, _LENGTH, _FILL), optional=1, formerly=("LPad",), uses=2,
    ),
    _put_together(
        "pad_right", "filled on the right to a length, with spaces if not said", "pad_right(zip_code, 5) = '75   '",
        partial(_pad, "rpad"), parameters=(_X, _LENGTH, _FILL), optional=1, formerly=("RPad",), uses=2,
    ),
    _put_together(
        "concat", "one after the other", "concat(first_name, last_name) = 'AnnaRoy'", _concat,
        parameters=(_X, Parameter(name="y", takes=TEXTS)), repeated=1,
    ),
    _put_together(
        "words", "those that are not empty, trimmed, with a space between", "words(first_name, last_name) = 'Anna Roy'", _words,
        parameters=(_X, Parameter(name="y", takes=TEXTS)), repeated=1, formerly=("JuxtWords", "JuxtWords3"),
        nulls=Nulls.NEVER,
    ),
    _put_together(
        "joined", "those that are not empty, with a separator between", "joined(', ', city, country) = 'Paris, FR'", _joined,
        parameters=(_SEPARATOR, _X), repeated=1,
        nulls=Nulls.NEVER,
    ),
    _put_together(
        "before", "what comes before the first of a piece; all where it is not", "before(email, '@') = 'anna'", _before,
        parameters=(_X, _SEARCHED), formerly=("Extract",),
    ),
    _put_together(
        "after", "what comes behind the first of a piece; nothing where it is not", "after(email, '@') = 'example.org'", _after,
        parameters=(_X, _SEARCHED), formerly=("ExtractRight",), uses=3,
    ),
    _put_together(
        "piece", "the n-th of those that a separator parts", "piece(address_line1, ' ', 2) = 'rue'", _piece,
        parameters=(_X, _SEARCHED, _NTH),
    ),
    _put_together(
        "line", "its n-th line", "line(address_line1, 1) = 'Paris'", _line, parameters=(_X, _NTH), formerly=("GetLine",),
    ),
    _put_together(
        "email_domain", "what follows the last @, in small letters", "email_domain(email) = 'example.org'", _domain,
        parameters=(_X,), formerly=("GetEmailDomain",), nulls=Nulls.PARTIAL,
    ),
    _of_text(
        name="matches", parameters=(_X, _PATTERN), gives=Kind.BOOLEAN, build=_matches,
        label="whether a regular expression is found in it; case does not count, accents do",
        example="matches(zip_code, '^\\d{5}$')",
    ),
    _of_text(
        name="code_of", parameters=(_X,), gives=Kind.INTEGER, build=_code, formerly=("Ascii",), nulls=Nulls.PARTIAL,
        label="the number of its first character", example="code_of(city) = 80",
    ),
    _put_together(
        "character", "the character of a number", "position(city, character(39)) > 0", _character,
        parameters=(Parameter(name="code", takes=INTEGERS, constant=True, refuse=_refuse_code),), formerly=("Char",),
    ),
)  # fmt: skip
