"""Every standard filter against python-liquid, on generated values and arguments.

python-liquid follows Ruby's Liquid closely, not exactly. Where the two of us differ, the difference stands in DIFFERENCES
with its reason and an example, and the example must differ: what is not listed there is the same.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import liquid
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from render_ext.errors import FilterError, LimitReached
from render_ext.filters import FILTERS, Surroundings
from tests.render_ext.differences import DIFFERENCES, NUMBERS, PROPERTIES, SELECT, TEXT, Difference

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
AROUND = Surroundings(NOW, ZoneInfo("UTC"), "en", 16_000_000)
THEIRS = liquid.Environment()
OURS = {"raw", "json", "md5", "sha1", "sha256", "hmac_sha256", "money", "number", "localdate"}  # not Liquid's
ABSENT = {"h"}  # Liquid's, but not python-liquid's
STANDARD = sorted(set(FILTERS) - OURS - ABSENT)

CALLED = "error"  # what comes of a call that is refused

# ---- values ----------------------------------------------------------------------------------------

words = st.text("abcXYZ éß<>&\"'\n\r\t/.,-+%=0123456789", max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "a b  c",
        "<b>x</b>",
        "a\nb\r\nc",
        "YWJj",
        "YWJj\n",
        "YQ==",
        "YQ",
        "w6k_",
        "a%20b+c",
        "&amp; &lt;",
        "<script>x</script>y",
    ]
)
numeric = st.integers(-50, 50) | st.integers() | st.floats(-1000, 1000).map(lambda x: round(x, 3)) | st.floats(allow_nan=False)
number_texts = numeric.map(str) | st.sampled_from(["12", " 7 ", "-3.5", "1e3", "4x", "1_000", "+5", ".5", "5."])
flags = st.none() | st.booleans()
scalars = words | numeric | flags
records = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(-3, 3) | words | flags, max_size=2)
lists = (
    st.lists(records, max_size=5)
    | st.lists(words, max_size=5)
    | st.lists(numeric, max_size=5)
    | st.lists(scalars | records | st.lists(scalars, max_size=2), max_size=5)
)
entities = st.lists(
    st.sampled_from(
        ["&amp;", "&lt;", "&gt;", "&quot;", "&", "& ", "&;", "&&", "amp;", "#", "1;", "<", ">", '"', "x", "&b", ";"]
    ),
    max_size=8,
).map("".join)
few = st.sampled_from([2, "x", "y", True, False])
alike = st.lists(st.fixed_dictionaries({}, optional={"a": few | st.none(), "b": few}), min_size=3, max_size=6)
counts = st.integers(-4, 15) | st.sampled_from(["2", " 3 ", "x", 2.5, None, 10**20])
anything = scalars | lists | records
dates = st.dates(date(1900, 1, 1), date(2200, 12, 31)).map(str)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 12, 31)).map(lambda found: found.isoformat(timespec="seconds"))
LETTERS = "aAbBcCdDeFgGhHIjklLmMnNpPrRsStTuUvVwWxXyYzZ%+"  # that Ruby's strftime knows
FLAGS = ["", "-", "_", "0", "^", "#", "-^", "^0", "_^"]
WIDTHS = ["", "3", "10", "12"]
directives = st.builds(
    "%{}{}{}".format, st.sampled_from(["", "", *FLAGS]), st.sampled_from(["", "", *WIDTHS]), st.sampled_from(LETTERS)
)

CODES: dict[str, Callable[[str], str]] = {
    "base64_decode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64_url_safe_decode": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


def inputs(name: str) -> st.SearchStrategy[tuple[Any, ...]]:
    """Values and as many arguments as a filter may take, mostly of the kind that it is for."""
    value, argument = anything, scalars | lists
    if name in TEXT:
        value, argument = words | words | words | numeric | anything, words | words | words | scalars
    elif name in NUMBERS:
        value, argument = numeric | number_texts | anything, numeric | number_texts | scalars
    elif name in PROPERTIES or name in ("concat", "reverse", "join"):
        value, argument = lists | lists | anything, st.sampled_from(["a", "b", "a", "z", None, 1]) | words
    most = {"slice": counts, "truncate": counts, "truncatewords": counts, "round": counts}
    first = most.get(name, lists | argument if name == "concat" else argument)
    second = counts if name == "slice" else argument
    known = FILTERS[name]
    if name == "truncatewords":
        value = st.lists(words | st.just("word"), min_size=3, max_size=20).map(" ".join) | anything
    if name.endswith("_decode"):
        value = value | words.map(CODES.get(name, quote))
    if name == "escape_once":
        value = entities | value
    if name == "date":
        value = st.sampled_from(["March 14, 2016", "14 Mar 2016", "", "soon"]) | dates | moments | moments | anything
        first = st.lists(directives | st.sampled_from([" ", "/", "é", "%%"]), max_size=4).map("".join)
    some = st.tuples(value, *[first, second][: known.most]).flatmap(
        lambda drawn: st.integers(known.fewest, known.most).map(lambda count: drawn[: count + 1])
    )
    hits = st.tuples(alike, st.sampled_from("ab"), few)
    return hits | hits.map(lambda drawn: drawn[:2]) | hits | some if name in SELECT else some


# ---- both ------------------------------------------------------------------------------------------


def ours(name: str, *inputs: Any) -> Any:
    """What our filter makes of its inputs."""
    known = FILTERS[name]
    try:
        return plain(known.function(*([AROUND] if known.surroundings else []), *inputs))
    except (FilterError, LimitReached):
        return CALLED


def theirs(name: str, *inputs: Any) -> Any:
    """What python-liquid's filter makes of them."""
    function = THEIRS.filters[name]
    known = [liquid.Undefined("x", token=None) if x is None else x for x in inputs]
    try:
        return plain(function(*known, **({"environment": THEIRS} if getattr(function, "with_environment", False) else {})))
    except Exception:  # LiquidError, and what Python raises where they did not expect it
        return CALLED


def plain(value: Any) -> Any:
    """A result with its types told apart."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if value is None or type(value).__name__ in ("_Null", "Undefined"):
        return None
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return str(value) if isinstance(value, str) else (type(value).__name__, value)


# ---- the comparison ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STANDARD)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_filter_does_what_python_liquid_does(name: str, data: st.DataObject) -> None:
    drawn = data.draw(inputs(name))
    assume(not any(d.when(*drawn) for d in DIFFERENCES if name in d.names))
    assert ours(name, *drawn) == theirs(name, *drawn)


DAYS = [
    "2024-02-29", "2016-03-14T15:06:07", "2025-01-01T00:00:00", "2024-12-30", "2010-01-03", "2021-01-01T23:59:59",
    "1999-12-31T12:00:00", "2005-01-01",
]  # fmt: skip


@pytest.mark.parametrize("letter", LETTERS)
def test_every_directive_of_a_date_with_flags_and_widths(letter: str) -> None:
    calls = [(day, f"%{flags}{width}{letter}") for day in DAYS for flags in FLAGS for width in WIDTHS]
    same = [call for call in calls if not any(found.when(*call) for found in DIFFERENCES if "date" in found.names)]
    assert same or letter in "LNvzZ+"
    assert [call for call in same if ours("date", *call) != theirs("date", *call)] == []


@pytest.mark.parametrize("name", sorted(SELECT))
def test_much_of_what_is_looked_for_is_found(name: str) -> None:
    """So that the comparison compares more than nothing with nothing."""
    found = []

    @settings(max_examples=200, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs(name))
    def look(drawn: tuple[Any, ...]) -> None:
        assume(not any(d.when(*drawn) for d in DIFFERENCES if name in d.names))
        found.append(ours(name, *drawn))

    look()
    empty: tuple[Any, ...] = {"find": (None, CALLED), "find_index": (None, CALLED), "has": (False, CALLED)}.get(
        name, ([], CALLED)
    )
    assert sum(result not in empty for result in map(untyped, found)) > len(found) / 3


def untyped(result: Any) -> Any:
    """The result of `plain` without its types."""
    return result[1] if isinstance(result, tuple) else result


def test_every_standard_filter_is_held_against_python_liquid() -> None:
    assert set(STANDARD) == set(THEIRS.filters) & set(FILTERS)
    assert set(THEIRS.filters) - set(FILTERS) == {"escapejs", "safe"}


def takes(name: str, count: int) -> bool:
    """Whether a filter may be called with so many arguments."""
    return FILTERS[name].fewest <= count <= FILTERS[name].most


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[d.reason for d in DIFFERENCES])
def test_what_is_listed_as_different_is(difference: Difference) -> None:
    example = difference.example
    assert difference.when(*example)
    assert any(ours(n, *example) != theirs(n, *example) for n in difference.names if takes(n, len(example) - 1))
