"""Bounds on one rendering, so that a template can neither hang nor eat memory."""

from __future__ import annotations

from dataclasses import dataclass

DEEPEST = 120  # blocks and partials that are read, whatever the limit: the compiler calls itself for each


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use. Reaching a bound is fine; passing it is a RenderError that names it.

    steps         instructions executed; a loop costs its body once per item, a filter, a comparison or a list that is
                  printed one more for every 64 characters read or made (an item of a list or range counts as 16 and a
                  long number as its digits, `date` 32 times); what costs more than is left is not begun
    output_bytes  bytes written
    nesting       depth of the blocks of a template, 120 at most; more is a TemplateSyntaxError
    value_bytes   characters of any text that a filter makes, bytes of what `capture` and `ifchanged` hold at once
    partials      depth of partials that use others, 120 at most; more is a TemplateSyntaxError
    """

    steps: int = 1_000_000
    output_bytes: int = 32_000_000
    nesting: int = 100
    value_bytes: int = 16_000_000
    partials: int = 20


DEFAULT_LIMITS = Limits()
