"""Templates to begin with, and what becomes of them: cut, doubled, mixed with each other, broken."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from tests.fuzz.hostile import BITS
from tests.render_ext.test_cases import FILES, read
from tests.render_ext.test_properties import PARTIALS

TEMPLATES = Path(__file__).parents[1] / "core" / "content" / "templates"
LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
WORDS = [
    "{{", "}}", "{%", "%}", "{%-", "-%}", "{{-", "|", ":", ",", "..", "(1..9)", "(1..99999999)", "[", "]", "'", '"', "\\",
    ".", "-1", "1e9", "99999999999999999999", "0.0000001", "nil", "empty", "blank", "contains", "<>", "reversed",
    "offset: continue", "limit: -1", "limit: 1.5", "cols: 0", "forloop.parentloop", "endfor", "endif", "break", "continue",
    "liquid\n", "echo", "{% raw %}", "{% endraw %}", "{% comment %}", "{% endcomment %}", "{% include 'p' %}",
    "{% render 'q' for x %}", "{% if x %}", "{% endif %}", "{% for i in (1..3) %}", "{% endfor %}",
    "{% link 1 %}https://x.example/{% endlink %}", "{% doc %}", "{% mirror_url %}", "{% capture x %}", "{% endcapture %}",
    "{% case x %}", "{% when 1 %}", "| size", "| date: '%1000Y'", "| replace: '', x", "| times: 99999999999", "| round: -999",
    "| split: ''", "| slice: -1, 99", "| truncate: -5", "| money: 'X'", "| sort: 'a'", "| json", "| raw", "| base64_decode",
    "| url_decode", "| localdate: 'yyyy'", "| number: '#'", "\ufffd", "{% footnote %}", "{% endfootnote %}",
]  # fmt: skip


def real_templates() -> list[str]:
    """HTML and MJML of the families that content is tested with."""
    return [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*/*")) if path.suffix in (".html", ".mjml")]


SMALL = [case.template for path in FILES for case in read(path)] + list(PARTIALS.values())
PIECES: list[str] = [piece for template in SMALL for piece in LIQUID.findall(template)]


def mutated(chance: Random, source: str) -> str:
    """The source with a few things done to it."""
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8])):
        start = chance.randrange(len(source) + 1)
        end = min(len(source), start + chance.choice([0, 1, 2, 5, 20, 100]))
        source = source[:start] + _instead(chance, source[start:end], source) + source[end:]
    return source


def _instead(chance: Random, old: str, source: str) -> str:
    kind = chance.randrange(8)
    if kind == 0:
        return ""
    if kind == 1:
        return old * chance.choice([2, 3, 50])
    if kind == 2:
        return old + chance.choice(WORDS)
    if kind == 3:
        return f"{old} {chance.choice(WORDS)} "
    if kind == 4:
        return old + chance.choice(PIECES)
    if kind == 5:
        return chance.choice(BITS) + old
    if kind == 6:
        return old[::-1]
    at = chance.randrange(len(source) + 1)
    return old + source[at : at + chance.choice([5, 50, 200])]
