"""Where an authored text uses fragments and dynamic content, and whether it may."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from core.content.errors import MOST_TOLD, TemplateProblem, syntax_problem
from core.content.liquid import Span, SpanKind, offset_of, spans
from core.content.liquid_names import bound_by
from core.content.origins import Authored
from core.content.readable import OURS, Readable
from core.content.records import Fragment
from core.content.reserved import reserved_words
from core.content.suggestions import nearest
from render_ext import PartialUse, TemplateSyntaxError, partials_used

_DYNAMIC = re.compile(r"\{%-?\s*dynamic\s*(?:\"([^\"]*)\"|'([^']*)')\s*-?%\}")
_BLANKS = " \t\n\v\f\r"
_NAME = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")
_RENDERED = re.compile(r"\{%-?\s*render\s*(?:\"([^\"]*)\"|'([^']*)')")


@dataclass(frozen=True, slots=True)
class Library:
    """What a content may use: fragments, and what there is to read."""

    fragments: Mapping[str, Fragment] = field(default_factory=dict)  # by name; all that are used, also by one another
    names: tuple[str, ...] = ()  # of those that there are besides, for suggestions
    readable: Readable = OURS


NO_FRAGMENTS = Library()


@dataclass(frozen=True, slots=True)
class Placement:
    """A tag in the place of which something is put: a fragment, or the dynamic content of a name."""

    span: Span
    use: PartialUse | None
    dynamic: str = ""
    dashed: bool = False  # whether white space control reaches it, its own or that of a neighbour


@dataclass(frozen=True, slots=True)
class Printed:
    """`{{ name }}`."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An authored text, the tags in it in order, and what is wrong with it."""

    authored: Authored
    placements: tuple[Placement, ...] = ()  # none where something is wrong with any
    printed: tuple[Printed, ...] = ()
    liquid: int = 0  # how many pieces of Liquid there are in it, those included
    own: frozenset[str] = frozenset()  # names to which the text itself gives values
    problems: tuple[TemplateProblem, ...] = ()
    finished: bool = True  # whether the text with its placements is Liquid that the engine can read


def names_rendered(sources: Iterable[str]) -> set[str]:
    """The names of the fragments that texts use."""
    found: set[str] = set()
    for source in sources:
        for span in spans(source) if "render" in source else []:
            named = _RENDERED.match(source, span.start, span.end) if span.name == "render" else None
            if named:
                found.add(named[1] or named[2] or "")
    return found


def read_placements(authored: Authored, library: Library, places: Collection[str] | None) -> Reading:
    """Read one text by itself; it must be a whole template. `places`: the dynamic content it may show; None: it may not."""
    reserved = islice(reserved_words(authored.source, authored.name), MOST_TOLD)
    problems = [authored.problem_at(one, offset_of(authored.source, one.line, one.column)) for one in reserved]
    found = spans(authored.source)
    shown = [span for span in found if span.kind is SpanKind.TAG and span.name == "dynamic"]
    try:
        uses = partials_used(_without(authored.source, shown), name=authored.name, links=True)
    except TemplateSyntaxError as error:
        return Reading(authored, problems=tuple(problems or [_syntax(authored, error)]), finished=False)
    placements: list[Placement] = []
    for span in shown:
        named = _DYNAMIC.fullmatch(authored.source, span.start, span.end)
        name = (named[1] or named[2] or "") if named else ""
        problems += _wrong_place(authored, span, name, places)
        placements.append(Placement(span, None, name))
    starts = [span.start for span in found]
    for use in uses:
        span = found[bisect_right(starts, use.tag_at) - 1]
        problems += _wrong_use(authored, span, use, library)
        placements.append(Placement(span, use, dashed=_dashed(authored.source, span)))
    if problems:
        return Reading(authored, problems=tuple(problems[:MOST_TOLD]), finished=not placements)
    placements.sort(key=lambda one: one.span.start)
    printed = tuple(_printed(authored.source, found))
    return Reading(authored, tuple(placements), printed, len(found), _own_names(authored.source))


def _own_names(source: str) -> frozenset[str]:
    """Names to which it gives values itself. Those in a `render` are the other template's."""
    return frozenset(name for span in spans(source) if span.name != "render" for name in bound_by(source, span))


def _printed(source: str, found: list[Span]) -> Iterator[Printed]:
    for span in found:
        named = _NAME.fullmatch(source, span.start, span.end) if span.kind is SpanKind.OUTPUT else None
        if named:
            yield Printed(span, named[1])


def _dashed(source: str, span: Span) -> bool:
    before, after = span.start, span.end
    while before > 0 and source[before - 1] in _BLANKS:
        before -= 1
    while after < len(source) and source[after] in _BLANKS:
        after += 1
    own = source[span.start + 2] == "-" or source[span.end - 3] == "-"
    return own or source[max(0, before - 3) : before] in ("-%}", "-}}") or source.startswith(("{%-", "{{-"), after)


def _without(source: str, shown: list[Span]) -> str:
    """The source with tags that the engine knows in the place of those that show dynamic content, at the same places."""
    written: list[str] = []
    position = 0
    for span in shown:
        tag = source[span.start : span.end].replace("dynamic", "echo   ", 1)
        written += [source[position : span.start], tag]
        position = span.end
    return "".join([*written, source[position:]])


def _syntax(authored: Authored, error: TemplateSyntaxError) -> TemplateProblem:
    problem = syntax_problem(error, authored.name)
    if error.found == "`dynamic`":  # within `liquid`: elsewhere it is known
        problem.hint = 'Write {% dynamic "name" %} in a tag of its own.'
    return authored.problem_at(problem, offset_of(authored.source, error.line, error.column))


def _wrong_place(authored: Authored, span: Span, name: str, places: Collection[str] | None) -> Iterator[TemplateProblem]:
    if places is None:
        message = "dynamic content has no place in a fragment or in other dynamic content"
        yield authored.problem(span.start, "DYNAMIC_PLACE", message, "Write it into a part of the content.")
    elif not name:
        message = "`dynamic` takes the name of dynamic content and nothing else"
        yield authored.problem(span.start, "DYNAMIC_TAG", message, 'Write {% dynamic "name" %}.')
    elif name not in places:
        near = nearest(name, places)
        listed = f"There are {', '.join(list(places)[:10])}." if places else "This content has none."
        hint = f"Did you mean {near!r}?" if near else listed
        yield authored.problem(span.start, "UNKNOWN_DYNAMIC", f"there is no dynamic content {name[:80]!r}", hint)


def _wrong_use(authored: Authored, span: Span, use: PartialUse, library: Library) -> Iterator[TemplateProblem]:
    if span.name != "render":
        message = f"a fragment cannot be used by {span.name!r}"
        yield authored.problem(use.tag_at, "FRAGMENT_TAG", message, f'Write {{% render "{use.name}" %}} in a tag of its own.')
        return
    fragment = library.fragments.get(use.name)
    if fragment is None:
        near = nearest(use.name, [*library.fragments, *library.names])
        hint = f"Did you mean {near!r}?" if near else "Create it first."
        yield authored.problem(use.at, "UNKNOWN_FRAGMENT", f"there is no fragment {use.name[:80]!r}", hint)
        return
    known = {parameter.name: parameter for parameter in fragment.parameters}
    given = [one.name for one in use.given]
    for name in given:
        if name not in known:
            near = nearest(name, known)
            listed = f"It has {', '.join(known)}." if known else "It has none."
            message = f"the fragment {use.name!r} has no parameter {name[:80]!r}"
            yield authored.problem(use.at, "UNKNOWN_PARAMETER", message, f"Did you mean {near!r}?" if near else listed)
    for name, parameter in known.items():
        if name not in given and parameter.default is None and not parameter.optional:
            message = f"the fragment {use.name!r} needs the parameter {name!r}"
            yield authored.problem(use.at, "MISSING_PARAMETER", message, parameter.description or f"Add {name}: value.")
