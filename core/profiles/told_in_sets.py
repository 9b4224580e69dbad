"""What calls that tell many rows at once have in common, as those on devices and visitors. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from core.errors import Invalid

MOST_AT_ONCE = 10_000  # rows of one call

T = TypeVar("T")


def check_number(rows: Sequence[object], path: str) -> None:
    """Raises Invalid (BAD_VALUE) for none or too many; `path`: what the call has them in."""
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        raise Invalid(f"one call takes 1 to {MOST_AT_ONCE:,} rows, not {len(rows):,}", code="BAD_VALUE", path=path)


def by_person(found: Iterable[tuple[int, T]]) -> Mapping[int, Sequence[T]]:
    """Rows under whom they are of, in their order."""
    told: dict[int, list[T]] = defaultdict(list)
    for person, one in found:
        told[person].append(one)
    return told
