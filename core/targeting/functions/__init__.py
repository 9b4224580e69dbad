"""The functions of the language, a file for each family.

`signature` says what a function is, `bounds` keeps it from failing, `listing` tells people of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.targeting.functions.dates import DATES
from core.targeting.functions.logic import LOGIC
from core.targeting.functions.numbers import NUMBERS_FAMILY
from core.targeting.functions.places import PLACES
from core.targeting.functions.rows import ROWS
from core.targeting.functions.signature import Argument, Asking, Family, Function, Nulls, Parameter, common
from core.targeting.functions.texts import TEXTS_FAMILY
from core.targeting.functions.trees import TREES_FAMILY
from core.targeting.functions.zones import ZONES

__all__ = ["FORMER", "FUNCTIONS", "Argument", "Asking", "Family", "Function", "Nulls", "Parameter", "common"]

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {one.name: one for one in (*DATES, *ZONES, *NUMBERS_FAMILY, *TEXTS_FAMILY, *LOGIC, *PLACES, *TREES_FAMILY, *ROWS)}
)

# What people know by another name, in small letters, and what to write instead.
FORMER: Mapping[str, str] = MappingProxyType(
    {old.lower(): one.name for one in FUNCTIONS.values() for old in one.formerly}
    | {
        "case": "case when … then … else … end",
        "when": "case when … then … else … end",
        "isnull": "the operator is_null",
        "memocontains": "the operator contains",
        "startwith": "the operator starts_with",
        "endwith": "the operator ends_with",
        "getdate": "now",
        "dateformat": "to_text",
    }
    | dict.fromkeys(("rank", "rownum", "row_number", "dense_rank", "partitionby", "orderby", "desc"), "rank(by …, per …)")
    | {"ifnull": "coalesce", "nvl": "coalesce", "iif": "if", "substr": "substring", "concat_ws": "joined"}
    | {"datediff": "days_between", "date_trunc": "start_of_day", "datepart": "year", "rand": "random_share", "len": "length"}
)
