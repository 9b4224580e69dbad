"""What tells rows apart: their key, a share of chance that stays the same, and digests."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from sqlalchemy import BigInteger, Numeric, Text, Uuid, cast, func
from sqlalchemy.dialects.postgresql import BIT

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import raw
from core.targeting.functions.signature import NUMBERS, TEXTS, Argument, Asking, Family, Function, Parameter, Sql
from core.targeting.language import Scalar

_BITS = 48  # of the digest that make a share
_MOST_SEED = 200


def _refuse_seed(value: Scalar) -> str | None:
    return None if isinstance(value, str) and len(value) <= _MOST_SEED else f"a text of at most {_MOST_SEED} characters"


def _refuse_share(value: Scalar) -> str | None:
    return None if not isinstance(value, str) and 0 <= Decimal(str(value)) <= 1 else "a share from 0 to 1"


_SEED = Parameter(name="seed", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_seed)
_SHARE = Parameter(name="share", takes=NUMBERS, constant=True, refuse=_refuse_share)
_X = Parameter(name="x", takes=TEXTS)
_of_row = partial(Function, family=Family.ROWS)


def _digest(asking: Asking, seed: Argument | None) -> Sql:
    """Of the row's key and a seed: the same for ever, and for another seed without relation to it."""
    key = cast(asking.key, Text()).concat(raw("':'", Text()))
    return func.md5(key.concat(seed.sql) if seed else key, type_=Text())


def _number(asking: Asking, seed: Argument | None) -> Sql:
    digits = raw("'x'", Text()).concat(func.left(_digest(asking, seed), raw(str(_BITS // 4)), type_=Text()))
    return cast(cast(digits, BIT(_BITS)), BigInteger)


def _row_id(asking: Asking) -> Sql:
    return cast(asking.key, Numeric())


def _random_share(asking: Asking, seed: Argument | None = None) -> Sql:
    share = cast(_number(asking, seed), Numeric()) / raw(f"{1 << _BITS}::numeric")
    return func.trunc(share, raw("12"), type_=Numeric())


def _sample(asking: Asking, share: Argument, seed: Argument | None = None) -> Sql:
    below = int(Decimal(str(share.constant)) * (1 << _BITS))
    return _number(asking, seed) < raw(f"{below}::bigint", BigInteger())


def _uuid(asking: Asking, seed: Argument | None = None) -> Sql:
    return cast(cast(_digest(asking, seed), Uuid()), Text())


def _md5(asking: Asking, text: Argument) -> Sql:
    return func.md5(text.sql, type_=Text())


def _sha(size: int, asking: Asking, text: Argument) -> Sql:
    data = func.convert_to(text.sql, raw("'UTF8'"))
    return func.encode(getattr(func, f"sha{size}")(data), raw("'hex'"), type_=Text())


ROWS = (
    _of_row(
        name="row_id", parameters=(), gives=Kind.INTEGER, build=_row_id, label="the number of the row",
        example="row_id() % 10 = 3", formerly=("RowId",),
    ),
    _of_row(
        name="random_share", parameters=(_SEED,), optional=1, gives=Kind.DECIMAL, build=_random_share, formerly=("Random",),
        label="a number from 0 up to 1 that chance gave the row; it stays, and another seed gives another",
        example="random_share('spring') < 0.1",
    ),
    _of_row(
        name="sample", parameters=(_SHARE, _SEED), optional=1, gives=Kind.BOOLEAN, build=_sample,
        label="whether the row is in a share of all, always the same one for a seed; a smaller share lies within a larger",
        example="sample(0.1, 'spring')",
    ),
    _of_row(
        name="stable_uuid", parameters=(_SEED,), optional=1, gives=Kind.TEXT, build=_uuid, formerly=("newUUID",),
        label="a UUID of the row, the same for a seed", example="stable_uuid('spring') starts_with '0'",
    ),
    _of_row(
        name="md5", parameters=(_X,), gives=Kind.TEXT, build=_md5, label="its MD5 digest, as hexadecimal digits",
        example="md5(city) starts_with '0'", formerly=("Md5Digest",),
    ),
    *(
        _of_row(
            name=f"sha{size}", parameters=(_X,), gives=Kind.TEXT, build=partial(_sha, size),
            label=f"its SHA-{size} digest, as hexadecimal digits", example=f"sha{size}(city) starts_with '0'",
            formerly=(f"Sha{size}Digest",),
        )
        for size in (256, 384, 512)
    ),
)  # fmt: skip
