"""Any text compiles or is a mistake with a place; any program renders any value, or says why not, within its limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import Identity, Limits, Program, RenderError, TemplateSyntaxError, TokenKey, TokenSigner, compile
from render_ext.errors import FilterError, LimitReached
from render_ext.filters import FILTERS
from render_ext.template import EscapeName
from tests.fuzz import hostile
from tests.fuzz.budget import fuzz, rounds
from tests.fuzz.corpus import SMALL, mutated, real_templates
from tests.render_ext.test_properties import PARTIALS, templates

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
LIMITS = Limits(steps=3_000, output_bytes=20_000, value_bytes=3_000)
SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))
IDENTITY = Identity(9, 1, 77)
ESCAPES: tuple[EscapeName, ...] = ("none", "html", "url", "json", "header")
ZONES = ("UTC", "Europe/Paris", "Pacific/Apia", "America/St_Johns")
LOCALES = ("en", "de", "ar", "hi", "th")
FORESEEN = (FilterError, LimitReached, ArithmeticError, ValueError)  # the last two for numbers that are none


def compiled(source: str, chance: Random, partials: dict[str, str] = PARTIALS) -> Program | None:
    """The program, or None for a mistake that stands at a place of the source or of a partial."""
    try:
        return compile(
            source,
            escape=chance.choice(ESCAPES),
            partials=partials,
            strict_variables=chance.random() < 0.1,
            now=NOW,
            zone=chance.choice(ZONES),
            locale=chance.choice(LOCALES),
            limits=LIMITS,
            links=True,
            signer=SIGNER,
        )
    except TemplateSyntaxError as error:
        check_mistake(error, partials.get(error.template, source).split("\n"))
        return None


def check_mistake(error: TemplateSyntaxError, lines: list[str]) -> None:
    """The error stands at a place of the template."""
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.message
    assert str(error).startswith(f"{error.template}:{error.line}:{error.column}: ")


def outcome(program: Program, values: dict[str, Any]) -> bytes | str:
    """What was rendered, or the reason why not: the same each time, in a batch as alone."""
    try:
        found = program.render_bytes(values, identity=IDENTITY)
    except RenderError as error:
        return failure(error, program, values)
    assert len(found) <= LIMITS.output_bytes
    assert found.decode() == program.render(values, identity=IDENTITY)
    assert program.render_many([values, values], identities=[IDENTITY] * 2) == [found] * 2
    return found


def failure(error: RenderError, program: Program, values: dict[str, Any]) -> str:
    """The reason, which is one that was thought of, and the same in a batch."""
    assert error.__cause__ is None or isinstance(error.__cause__, FORESEEN), error
    assert not isinstance(error.__cause__, UnicodeError), error
    with pytest.raises(RenderError) as again:
        program.render_many([values, values], identities=[IDENTITY] * 2)
    assert str(again.value) == str(error)
    return str(error)


def everything(program: Program, chance: Random) -> dict[str, Any]:
    """A value for each name that the program reads."""
    roots = sorted({variable.path[0] for variable in program.variables})
    return {root: hostile.value(chance) for root in roots}


def check(program: Program, chance: Random) -> None:
    """Render hostile values; whatever happens in between, the same values give the same."""
    assert isinstance(program.static_text(), tuple)
    assert program.links is not None
    values = everything(program, chance)
    first = outcome(program, values)
    for _ in range(2):
        outcome(program, everything(program, chance))
    assert outcome(program, values) == first
    for link in program.links[:2]:
        try:
            target = program.resolve_link(values, link.number)
        except RenderError:
            continue
        assert target is None or "\n" not in target


@pytest.mark.parametrize("chance", rounds(40), ids=repr)
def test_broken_templates(chance: Random) -> None:
    for _ in range(30):
        partials = {name: mutated(chance, text) for name, text in PARTIALS.items()} if chance.random() < 0.2 else PARTIALS
        program = compiled(mutated(chance, chance.choice(SMALL)), chance, partials)
        if program is not None:
            check(program, chance)


@pytest.mark.parametrize("chance", rounds(6), ids=repr)
def test_broken_pages(chance: Random) -> None:
    for source in chance.sample(real_templates(), 3):
        for _ in range(2):
            program = compiled(mutated(chance, mutated(chance, source)), chance)
            if program is not None:
                check(program, chance)


@fuzz(80)
@given(source=templates, chance=st.randoms(use_true_random=False), data=st.data())
def test_templates_of_the_grammar(source: str, chance: Random, data: st.DataObject) -> None:
    program = compile(
        source, escape=chance.choice(ESCAPES), now=NOW, limits=LIMITS, partials=PARTIALS, links=True, signer=SIGNER
    )
    values = {root: data.draw(hostile.values) for root in sorted({variable.path[0] for variable in program.variables})}
    assert outcome(program, values) == outcome(program, values)


SPECIAL: list[Any] = [
    *hostile.NUMBERS, *hostile.DATES, *hostile.NO_DATA, hostile.TOO_LONG, hostile.circle(), hostile.deep(50), hostile.deep(101),
    None, "", "x", "12", [1, 2], {"a": 1}, "%", "\ud800", "a\r\nb" * 99,
]  # fmt: skip
PLACES = ["a OP b", "l OP b", "a OP blank", "b OP empty"]
TAGS = [
    *(
        f"{{% if {place.replace('OP', sign)} %}}1{{% endif %}}"
        for place in PLACES
        for sign in ("==", "!=", "<", ">=", "contains")
    ),
    "{% case a %}{% when b, 1 %}1{% endcase %}",
    "{% cycle a: b, 2 %}",
    "{% for i in (a..b) limit: 2 %}{{ i }}{{ forloop.rindex }}{% endfor %}",
    "{% for i in l limit: a offset: b %}{{ i }}{% endfor %}",
    "{% for i in a limit: b %}{{ i }}{% endfor %}",
    "{% tablerow i in l limit: a offset: b %}{{ i }}{% endtablerow %}",
    "{% tablerow i in l cols: a %}{{ i }}{% endtablerow %}",
    "{% assign r = (1..a) %}{{ r.size }}{{ r.first }}{{ r.last }}{{ r }}",
    "{% assign r = (a..b) %}{{ r | size }}{{ r | last }}{{ r | join }}",
    "{% increment a %}{% decrement b %}",
    "{% ifchanged %}{{ a }}{% endifchanged %}{% capture c %}{{ b }}{% endcapture %}{{ c }}",
    "{{ l[a] }}{{ d[a].b }}{{ l.first[b] }}{{ [a] }}",
    "{% render 'p' for a, i: b %}{% include 'p' for l, a: b %}",
]


@pytest.mark.parametrize("work", [*FILTERS, *TAGS])
def test_filters_and_tags_take_anything(work: str) -> None:
    """Each with each odd value as what it works on, within a list, and as an argument."""
    sources = [work]
    if work in FILTERS:
        calls = (work, f"{work}: a", f"{work}: a, b")
        sources = ["{{ " + f"{place} | {call}" + " }}" for place in "ald" for call in calls]
    for source in sources:
        try:
            program = compile(source, escape="html", now=NOW, limits=LIMITS, partials=PARTIALS, links=True, signer=SIGNER)
        except TemplateSyntaxError:
            continue
        for a in SPECIAL:
            for b in SPECIAL[:: 7 if "b" in source else 99]:
                outcome(program, {"a": a, "b": b, "l": [{"a": a, "b": b}, a, 1], "d": {"a": a, "b": [b]}})


LONG = [
    "a" * hostile.LONG,
    "é<\r\n" * (hostile.LONG // 4),
    "\ud800" * (hostile.LONG // 10),
    " " * hostile.LONG,
    "9" * hostile.LONG,
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_ten_megabytes(escape: EscapeName) -> None:
    reasons: set[str] = set()
    sources = ["{{ x }}", "{{ x | upcase | strip | size }}", "{% for i in (1..9) %}{{ x }}{% endfor %}", "{{ x | plus: 1 }}"]
    for source in sources:
        program = compile(source, escape=escape, now=NOW)
        for text in LONG:
            try:
                size = len(program.render_bytes({"x": text}))
            except RenderError as error:
                reasons.add(error.limit or error.message)
            else:
                assert size <= Limits().output_bytes
    assert reasons == {"output_bytes", "filter `plus`: a number of more than 1000 digits"}


def test_hostile_values_get_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among what fails are limits, filters that refuse and values that are no data; and not everything fails."""
    reasons: set[str] = set()
    kept = RenderError.__init__

    def noted(error: RenderError, message: str, **more: Any) -> None:
        kept(error, message, **more)
        reasons.add(error.limit or re.sub("`[^`]*`", "``", message))

    monkeypatch.setattr(RenderError, "__init__", noted)
    chance = Random(7)
    programs = [compiled(mutated(chance, source), chance) for source in SMALL * 4]
    outcomes = [outcome(program, everything(program, chance)) for program in programs if program is not None]
    assert {"steps", "nesting", "value_bytes"} <= reasons
    assert len([one for one in reasons if one.startswith("filter")]) > 10
    assert any("is not plain data" in one for one in reasons)
    assert len([one for one in outcomes if isinstance(one, bytes)]) > len(SMALL) // 2


def test_a_rendering_may_end_at_any_step() -> None:
    """Wherever the limit stops it, nothing of it stays: the frame is good for the next row."""
    chance = Random(8)
    for source in SMALL[::5]:
        program = compiled(source, chance)
        for steps in range(0, 40, 3) if program is not None else ():
            limited = compile(source, partials=PARTIALS, now=NOW, limits=Limits(steps=steps), links=True, signer=SIGNER)
            outcome(limited, everything(limited, chance))


def test_a_number_that_is_none_is_told_as_such() -> None:
    """Not with the words of the host language."""
    program = compile("{% increment a %}")
    with pytest.raises(RenderError, match="template:1: a number is too large, or is none"):
        program.render({"a": Decimal("sNaN")})
