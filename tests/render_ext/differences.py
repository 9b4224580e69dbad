"""Where our filters and python-liquid's differ: for which filters, why, when, and for example.

Two kinds: python-liquid does what Python does where Ruby's Liquid does something else, which is the most of them; and what
it does as an older Liquid did. Nothing here is a difference between us and Ruby.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import unquote

from render_ext.values import flat_items, to_number, to_text

TEXT = set(
    re.findall(
        r"\w+",
        """append base64_decode base64_encode base64_url_safe_decode base64_url_safe_encode capitalize downcase escape
        escape_once lstrip newline_to_br prepend remove remove_first remove_last replace replace_first replace_last rstrip
        slice split squish strip strip_html strip_newlines truncate truncatewords upcase url_decode url_encode""",
    )
)
NUMBERS = {"abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round", "times"}
PROPERTIES = {"compact", "find", "find_index", "has", "map", "reject", "sort", "sort_natural", "sum", "uniq", "where"}


class Difference(NamedTuple):
    """What differs for some filters, why, when, and for example."""

    names: set[str]
    reason: str
    when: Callable[..., bool]
    example: tuple[Any, ...]


def shown_otherwise(*inputs: Any) -> bool:
    """Whether Python and Ruby write one of the inputs differently."""
    return any(x is not None and str(x) != to_text(x) for x in inputs)


def number_otherwise(*inputs: Any) -> bool:
    """Whether one of the inputs is a text that is no number, or true or false."""
    return any(isinstance(x, bool) or (isinstance(x, str) and not NUMBER.fullmatch(x)) for x in inputs)


def items(value: Any) -> list[Any]:
    """The items that an array filter sees."""
    return list(flat_items(value))


def halves(value: Any, places: Any = 0) -> bool:
    """Whether a number is as near to the one above as to the one below."""
    number, at = Decimal(str(to_number(value))), int(to_number(places))
    return number.is_finite() and abs(at) < 400 and Fraction(number) * Fraction(10) ** at * 2 % 2 == 1


def is_fraction(*inputs: Any) -> bool:
    """Whether one of the numbers is none of the whole ones."""
    return any(isinstance(to_number(x), Decimal) for x in inputs)


def far_apart(*inputs: Any) -> bool:
    """Whether a sum of the numbers has more digits than Python's decimals keep."""
    numbers = [Decimal(str(to_number(leaf))) for x in inputs for leaf in leaves(x)]
    ends = [(number.adjusted(), int(number.as_tuple().exponent)) for number in numbers if number.is_finite() and number]
    return bool(ends) and max(ends)[0] - min(end for _, end in ends) >= 27


def begins_with(value: Any, gone: Any, *put: Any) -> bool:
    """Whether the last place of a text in another is the first one."""
    return to_text(value).find(to_text(gone)) >= 0 == to_text(value).rfind(to_text(gone))


def propertyless(value: Any, name: Any = None, *target: Any) -> bool:
    """Whether an item is neither text nor object, or the property no name."""
    return name is not None and not (isinstance(name, str) and all(isinstance(item, (str, dict)) for item in items(value)))


def leaves(value: Any) -> list[Any]:
    """The items of a list, and the properties of those that are objects."""
    return [x for item in items(value) for x in (item.values() if isinstance(item, dict) else [item])]


def words_otherwise(value: Any, name: Any = None) -> bool:
    """Whether Python and Ruby write what is sorted differently."""
    return shown_otherwise(*(items(value) if name is None else leaves(value)))


def far_away(value: Any, form: Any) -> bool:
    """Whether seconds lead to another age."""
    return isinstance(value, int) and not 0 <= value < 10**10


def nameless(value: Any, *names: Any) -> bool:
    """Whether the property that is asked for is nothing."""
    return bool(names) and names[0] is None


def unordered(value: Any, *names: Any) -> bool:
    """Whether there are items that Python has no order for."""
    return not names and any(item is None or isinstance(item, (dict, bool)) for item in items(value))


def same_to_python(value: Any, *names: Any) -> bool:
    """Whether 1, 1.0 and true may stand for each other."""
    return len({type(leaf) for leaf in leaves(value)}) > 1


def zero_or_one(value: Any, name: Any, target: Any = None) -> bool:
    """Whether a property or the target is a number that Python takes for a truth value, or the other way round."""
    found = [item.get(name) for item in items(value) if isinstance(item, dict)]
    return any(x in (0, 1) for x in [target, *found] if isinstance(x, (int, float)))


def absent(value: Any, name: Any = None) -> bool:
    """Whether an item has nothing under a name."""
    return name is not None and any(isinstance(item, dict) and item.get(name) is None for item in items(value))


def textual(value: Any, name: Any = None) -> bool:
    """Whether a property is asked of a text."""
    return name is not None and any(isinstance(item, str) for item in items(value))


def before(value: Any, offset: Any, *length: Any) -> bool:
    """Whether an offset is before the beginning."""
    return to_number(offset) < -len(value if isinstance(value, (list, str)) else to_text(value))


def tight(value: Any, length: Any = 50, mark: Any = "...") -> bool:
    """Whether a bound is exactly met, or shorter than the mark."""
    return to_number(length) == len(to_text(value)) or to_number(length) < len(to_text(mark))


def few_words(value: Any, count: Any = 15, *mark: Any) -> bool:
    """Whether there are not more words than the bound."""
    return len(to_text(value).split()) <= max(1, to_number(count)) or to_text(value)[-1:].isspace()


def entity(value: Any) -> bool:
    """Whether there is a reference to a character in a text, but for those that are written again as they were."""
    rest = re.sub("&(amp|lt|gt|quot);", " ", to_text(value))
    return rest != unescape(rest) or re.search("&([a-zA-Z]+|#[0-9]+);", rest) is not None


def directed(letters: str, flags: str = "", width: str = "[0-9]*") -> Callable[..., bool]:
    """Whether a date's format has one of some directives, with all of some flags, and with a width or without."""
    return lambda value, form="": any(
        letter in letters and set(flags) <= set(found) and re.fullmatch(width, size)
        for found, size, letter in re.findall("%([-0^#_]*)([0-9]*)([a-zA-Z%+])", to_text(form))
    )


def loose_date(value: Any) -> bool:
    """Whether a text is one that only a reader of anything takes for a date."""
    return isinstance(value, str) and bool(re.search("[0-9]|[A-Za-z]{3}", value)) and not re.fullmatch(DATES, value)


ALL = string.ascii_letters + "%"
DATES = r"[0-9]+|[0-9]{4}-.*|[A-Z][a-z]+ [0-9]+, [0-9]{4}|[0-9]+ [A-Z][a-z]{2} [0-9]{4}|soon"
BASE64 = {"base64_decode", "base64_url_safe_decode"}
BASE = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-][AQgw]==|[A-Za-z0-9+/_-]{2}[AEIMQUYcgkosw048]=)?")
NUMBER = re.compile(r"\s*[+-]?[0-9]+(_[0-9]+)*\s*|\s*-?[0-9]+\.[0-9]+\s*")
NOTHING = {"escape", "squish", "truncate", "truncatewords", "url_decode", "url_encode"}
SELECT = {"find", "find_index", "has", "reject", "where"}
DIFFERENCES = [
    Difference(TEXT, "Python's words for lists, objects, true, false and infinity", shown_otherwise, (True, "x")),
    Difference({"join"}, "Python's words, in a list", lambda v, *a: shown_otherwise(*items(v), *a), ([True],)),
    Difference({"sort_natural"}, "in the order of Python's words", words_otherwise, ([{"b": "!"}, {"b": "'"}],)),
    Difference(NOTHING, "nothing stays nothing", lambda v, *a: v is None, (None,)),
    Difference(NUMBERS, "true counts as 1, a text counts only if it is a number as a whole", number_otherwise, ("4x", "1")),
    Difference(
        {"ceil", "floor", "round"},
        "a float is the binary number, not the decimal one that it is written as",
        lambda v, *a: not -(10**15) <= to_number(v) <= 10**15,
        (5.289097220265815e16,),
    ),
    Difference({"minus", "plus", "sum"}, "28 digits of a sum are kept", far_apart, ([8.57e-230, -5.779928479016814e16],)),
    Difference({"divided_by"}, "fractions are divided in binary", is_fraction, (-543.344, -7)),
    Difference({"modulo"}, "between fractions the sign is that of the value", is_fraction, (-1.9, 12)),
    Difference({"round"}, "a negative number of places makes 0", lambda v, p=0: to_number(p) < 0, (15, -1)),
    Difference({"escape", "escape_once"}, "' becomes &#x27;", lambda v: "'" in to_text(v), ("'",)),
    Difference({"escape_once"}, "an entity is read, not left as it is", entity, ("&copy;",)),
    Difference(
        BASE64, "other kinds of values, and whatever is not quite Base64", lambda v: not BASE.fullmatch(to_text(v)), ("YQ",)
    ),
    Difference({"remove_last", "replace_last"}, "not at the very beginning", begins_with, ("abc", "a", "")),
    Difference({"join"}, "nothing in a list is written as None", lambda v, *a: None in items(v), ([None],)),
    Difference(SELECT, "0 is taken for false, 1 for true", zero_or_one, ([{"a": 0}], "a")),
    Difference(SELECT, "the empty text has not itself for a property", lambda v, n, *a: n == "", ("", "")),
    Difference({"sort"}, "by a property, nothing is no longer last", absent, ([{}, {"a": 1}], "a")),
    Difference({"compact", "sum", "uniq"}, "a text has no properties", textual, ("x", "x")),
    Difference({"compact"}, "an object without the property is refused", absent, ([{}], "a")),
    Difference({"slice"}, "a beginning before the text is its beginning", before, ("abc", -4, 2)),
    Difference({"split"}, "empty parts at the end stay", lambda v, by: to_text(v).endswith(to_text(by)), ("a,,", ",")),
    Difference({"truncate"}, "a text as long as the bound is cut, a mark longer than it cuts from the end", tight, ("a", 1)),
    Difference({"truncatewords"}, "as many words as the bound get a mark, white space is squeezed", few_words, ("a", 1)),
    Difference({"date"}, "what is no date is an error", lambda v, f: not isinstance(v, (str, int)), ([], "%Y")),
    Difference(PROPERTIES, "items with no properties, or with bits", propertyless, ([1], "a")),
    Difference(PROPERTIES, "a property that is nothing", nameless, ([{}, {}], None)),
    Difference({"sort"}, "objects, true, false and nothing are refused", unordered, ([None, 1],)),
    Difference({"uniq"}, "1, 1.0 and true are the same", same_to_python, ([1, True],)),
    Difference({"uniq"}, "an object without a property is another than one with nothing", absent, ([{}, {"a": None}], "a")),
    Difference({"sum"}, "what is no number is refused", lambda v, *a: number_otherwise(*leaves(v)), (["x"],)),
    Difference({"sort_natural"}, "nothing is no longer last", lambda v, *a: None in leaves(v), (["x", None],)),
    Difference({"sort", "sort_natural"}, "an empty property is none", lambda v, n=None: n == "", (["b", "a"], "")),
    Difference({"slice"}, "a negative length counts from the end", lambda v, at, n=1: to_number(n) < 0, ("abc", 0, -1)),
    Difference(
        {"strip_html"}, "a reader of HTML, not of brackets", lambda v: "<" in re.sub("</?[a-z]+>", "", to_text(v)), ("<>",)
    ),
    Difference({"url_decode"}, "what is no text becomes U+FFFD", lambda v: "\ufffd" in unquote(to_text(v)), ("%ff",)),
    Difference({"date"}, "%L, %N, %v and %+ are no directives", directed("LNv+"), ("2020-01-01", "%v")),
    Difference({"date"}, "what names no zone has none, not UTC", directed("zZ"), ("2020-01-01", "%z")),
    Difference({"date"}, "after a dash the width counts", directed(ALL, "-", "[0-9]+"), ("2020-01-01", "%-9d")),
    Difference({"date"}, "seconds since 1970 are filled with blanks", directed("s", "", "[0-9]+"), ("2020-01-01", "%12s")),
    Difference({"date"}, "am and pm are never in capitals with %P", directed("P", "^"), ("2020-01-01", "%^P")),
    Difference({"date"}, "nor with %#P", directed("P", "#"), ("2020-01-01", "%#P")),
    Difference({"date"}, "far away from today", far_away, (10**16, "%Y")),
    Difference({"truncate", "truncatewords"}, "2.5 counts as 2", lambda v, n=0, *a: isinstance(n, float), ("abcdef", 4.5)),
    Difference({"date"}, "true and false are 1970", lambda v, f: isinstance(v, bool), (True, "%Y")),
    Difference({"date"}, "a number at the beginning is a time", lambda v, f: loose_date(v), ("5a", "%H")),
    Difference({"date"}, "without a format the date is none", lambda v, f: not f, ("2020-01-01", "")),
    Difference({"round"}, "halves go to the even side, of the binary number", halves, (2.5,)),
]
