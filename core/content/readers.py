"""Who gets which of the languages of a content.

Somebody's language is looked up as RFC 4647 (3.4) says: `pt-BR-x` is served by `pt-BR`, else by `pt`. A region says the
script too that is mostly written there (likely subtags of the CLDR; UTS 35, part 1, 4.3): `zh-TW` is served by `zh-Hant`,
never by `zh-Hans`. Who says no more than `pt` or `zh-Hant` may be given any that goes on so: the default, else the one of the
region that the CLDR takes to be meant, else the first. All others get the default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import chain

from babel.core import get_global

# Norwegian is one name for two written languages, mostly for the first; who wants the one can read the other.
_READ_TOO: Mapping[str, tuple[str, ...]] = {"no": ("nb", "nn"), "nb": ("no",), "nn": ("no", "nb")}


class Reach(Enum):
    """Which languages of readers a tag stands for."""

    EXACT = auto()
    NARROWER = auto()  # `tag-…` too
    REGIONS = auto()  # `tag-XX` and `tag-XX-…`, with a region of two letters


@dataclass(frozen=True, slots=True)
class Preference:
    """Whom a variant is for."""

    tag: str
    reach: Reach
    index: int  # of the variant

    def is_for(self, wanted: str) -> bool:
        """Whether somebody of this language is meant."""
        if self.reach is Reach.EXACT:
            return wanted == self.tag
        if self.reach is Reach.NARROWER:
            return wanted == self.tag or wanted.startswith(f"{self.tag}-")
        return wanted.startswith(f"{self.tag}-") and len(wanted[len(self.tag) + 1 :].split("-")[0]) == 2


def choose(languages: Sequence[str], wanted: str | None) -> int:
    """The index of the variant for somebody's language; the first is the default."""
    if wanted is None:
        return 0
    return next((one.index for one in preferences(languages) if one.is_for(wanted)), 0)


def preferences(languages: Sequence[str]) -> list[Preference]:
    """Whom each variant is for, in the order in which to ask; who is in none of them gets the first variant."""
    found = _preferences({tag: index for index, tag in enumerate(languages)})
    for reader, others in _READ_TOO.items():
        for other in others:
            alike = {reader + tag.removeprefix(other): index for index, tag in enumerate(languages) if _base(tag) == other}
            found += _preferences(alike)
    return found


def _preferences(variants: Mapping[str, int]) -> list[Preference]:
    """The same for variants by their tags: the most precise first, what is written before what is implied."""
    levels: defaultdict[int, list[Preference]] = defaultdict(list)
    for tag, index in variants.items():
        levels[_with_script(tag).count("-")].append(Preference(tag, Reach.NARROWER, index))
    for tag, index in variants.items():
        levels[_with_script(tag).count("-")] += (Preference(one, Reach.NARROWER, index) for one in _spelled_otherwise(tag))
    for tag, index in variants.items():
        base, _, script = tag.partition("-")
        if script and script == _likely_script(base):
            otherwise = variants.get(base, 0)
            levels[1] += (Preference(f"{base}-{region}", Reach.NARROWER, otherwise) for region in _exceptions(base))
            levels[1].append(Preference(base, Reach.REGIONS, index))
    for prefix in _shorter(variants):
        levels[prefix.count("-")].append(Preference(prefix, Reach.EXACT, _most_likely(prefix, variants)))
    return list(chain.from_iterable(levels[level] for level in sorted(levels, reverse=True)))


def _spelled_otherwise(tag: str) -> Iterator[str]:
    """Other tags of the same meaning: with the script that the region implies, and without it."""
    base, script, rest = _parts(tag)
    if script and rest:
        if _with_script(f"{base}-{rest}") == tag:
            yield f"{base}-{rest}"
    elif script:
        yield from (f"{base}-{region}" for region, other in _exceptions(base).items() if other == script)
    elif _with_script(tag) != tag:
        yield _with_script(tag)


def _with_script(tag: str) -> str:
    """The tag with the script that its region implies."""
    base, script, rest = _parts(tag)
    region = rest.split("-")[0]
    if script or not (len(region) == 2 or (len(region) == 3 and region.isdigit())):
        return tag
    likely = _exceptions(base).get(region, _likely_script(base))
    return f"{base}-{likely}-{rest}" if likely else tag


def _parts(tag: str) -> tuple[str, str, str]:
    """Language, script and what follows, empty where there is none."""
    base, _, rest = tag.partition("-")
    first, _, after = rest.partition("-")
    return (base, first, after) if len(first) == 4 and first.isalpha() else (base, "", rest)


def _base(tag: str) -> str:
    return tag.split("-")[0]


def _likely_script(base: str) -> str:
    likely = str(get_global("likely_subtags").get(base, "")).split("_")
    return likely[1] if len(likely) == 3 else ""


@lru_cache(maxsize=1)
def _all_exceptions() -> Mapping[str, Mapping[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for tag, likely in get_global("likely_subtags").items():
        base, _, region = str(tag).partition("_")
        if len(region) == 2:
            found[base][region] = str(likely).split("_")[1]
    return found


def _exceptions(base: str) -> Mapping[str, str]:
    """The regions in which a language is mostly written in another script than elsewhere, with that."""
    return _all_exceptions().get(base, {})


def _shorter(variants: Mapping[str, int]) -> list[str]:
    """What somebody may say who leaves the region open, or all but the language, where no variant says just that."""
    found: set[str] = set()
    for tag in variants:
        base, script, rest = _parts(_with_script(tag))
        found |= {base, f"{base}-{script}"} if script and rest else {base}
    return sorted(found - set(variants))


def _most_likely(prefix: str, variants: Mapping[str, int]) -> int:
    """Which of the variants is meant by a tag that says less."""
    likely = set(str(get_global("likely_subtags").get(prefix.replace("-", "_"), "")).split("_"))
    candidates = [(tag, index) for tag, index in variants.items() if f"{_with_script(tag)}-".startswith(f"{prefix}-")]
    return max(candidates, key=lambda one: (one[1] == 0, set(one[0].split("-")) <= likely, -one[1]))[1]
