"""Bounds on one rendering, so that a template can neither hang nor eat memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use. Reaching a bound is fine; passing it is a RenderError that names it.

    steps         instructions executed; a loop costs its body once per item, a filter or comparison one more for
                  every 64 characters that it reads or makes (an item of a list counts as 16, `date` 32 times)
    output_bytes  bytes written
    nesting       depth of the blocks of a template; more is a TemplateSyntaxError
    value_bytes   characters of any text that a filter makes, bytes of what `capture` and `ifchanged` hold at once
    partials      depth of partials that use others; more is a TemplateSyntaxError
    """

    steps: int = 1_000_000
    output_bytes: int = 32_000_000
    nesting: int = 100
    value_bytes: int = 16_000_000
    partials: int = 20


DEFAULT_LIMITS = Limits()
