"""What is checked of a fragment by itself; what depends on the content that uses it is checked with that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from core.content.data import LARGEST_NUMBER, is_storable
from core.content.data_paths import EVERY
from core.content.errors import MOST_TOLD, ContentInvalid, TemplateProblem
from core.content.expansion import MAX_CHARACTERS, expand_fragment
from core.content.links.rewriting import rewrite_html
from core.content.personalization import HOUSE_NAMES, RESERVED_NAMES, check_variables
from core.content.placements import Library
from core.content.readable import Read
from core.content.records import ContentWarning, FragmentDraft, FragmentParameter
from core.content.validate import compile_part
from core.errors import Invalid

MOST_PARAMETERS = 50
MOST_CHARACTERS = 10_000  # of a default
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def check_fragment(draft: FragmentDraft, library: Library) -> list[Read]:
    """What it reads besides its parameters and the data of contents.

    Raises ContentInvalid with the problems found, those in templates at places such as `fragment.html:3:5`.
    """
    problems = [*_check_parameters(draft.parameters), *_check_sources(draft)]
    read: list[Read] = []
    if not problems:
        problems = list(_check_templates(draft, library, read))
    if problems:
        raise ContentInvalid(problems[:MOST_TOLD])
    return read


def fragment_warnings(draft: FragmentDraft, library: Library) -> list[ContentWarning]:
    """What there is to say about a fragment that can be saved."""
    expanded = expand_fragment(draft, library)
    read: set[str] = set()
    for name, source in expanded.parts.items():
        try:
            read |= {found.path[0] for found in compile_part(name, source, tracking=True).variables}
        except TemplateProblem:  # it uses a fragment that became wrong: what it reads is not known
            return []
    return [] if EVERY in read else [_unused(index, one) for index, one in enumerate(draft.parameters) if one.name not in read]


def _unused(index: int, parameter: FragmentParameter) -> ContentWarning:
    return ContentWarning(
        code="PARAMETER_UNUSED",
        message=f"the fragment never reads its parameter {parameter.name!r}",
        hint="Take it out, or write the name where it is meant to stand.",
        part=f"parameters.{index}",
    )


def _check_parameters(parameters: tuple[FragmentParameter, ...]) -> Iterator[Invalid]:
    if len(parameters) > MOST_PARAMETERS:
        yield _invalid("parameters", "BAD_PARAMETER", f"a fragment has at most {MOST_PARAMETERS} parameters")
    seen: set[str] = set()
    for index, parameter in enumerate(parameters[:MOST_PARAMETERS]):
        path, name = f"parameters.{index}", parameter.name[:80]
        if not _NAME.fullmatch(parameter.name):
            yield _invalid(f"{path}.name", "BAD_PARAMETER", f"{name!r} is not a name of letters, digits, '_' and '-'")
        elif parameter.name in RESERVED_NAMES:
            yield _invalid(f"{path}.name", "RESERVED_NAME", f"the name {name!r} belongs to Clarion")
        elif parameter.name in seen:
            yield _invalid(f"{path}.name", "BAD_PARAMETER", f"there are two parameters {name!r}")
        seen.add(parameter.name)
        if len(parameter.description) > MOST_CHARACTERS or not is_storable(parameter.description):
            yield _invalid(
                f"{path}.description", "BAD_TEXT", "the description is too long, or contains NUL or half a character"
            )
        yield from _check_default(f"{path}.default", parameter.default)


def _check_default(path: str, default: str | int | float | bool | None) -> Iterator[Invalid]:
    """That Liquid can write it: a text there has no escapes."""
    if isinstance(default, str):
        if len(default) > MOST_CHARACTERS or not is_storable(default):
            yield _invalid(path, "BAD_TEXT", "the default is too long, or contains NUL or half a character")
        elif "%}" in default or ('"' in default and "'" in default):
            yield _invalid(path, "BAD_PARAMETER", "a default holds no `%}`, and not both kinds of quotes")
    elif default is not None and not -LARGEST_NUMBER <= default <= LARGEST_NUMBER:
        yield _invalid(path, "BAD_PARAMETER", "a number must lie between -2^53 and 2^53")


def _check_sources(draft: FragmentDraft) -> Iterator[Invalid]:
    for name, source in (("html", draft.html), ("text", draft.text or "")):
        if len(source) > MAX_CHARACTERS:
            yield _invalid(name, "PART_TOO_LARGE", f"{name} is longer than {MAX_CHARACTERS:,} characters")
        elif not is_storable(source):
            yield _invalid(name, "BAD_TEXT", f"{name} contains NUL or half a character")
    if not draft.html.strip() and not (draft.text or "").strip():
        yield _invalid("html", "PART_MISSING", "the fragment says nothing")


def _check_templates(draft: FragmentDraft, library: Library, fields: list[Read]) -> Iterator[Invalid]:
    """Syntax, the fragments it uses, and fields, which are added to `fields`; what else it reads are parameters, or data."""
    expanded = expand_fragment(draft, library)
    yield from expanded.wrong
    found: list[Invalid] = []
    for name, source in expanded.parts.items():
        if name in expanded.unfinished:
            continue
        try:
            read = compile_part(name, source, tracking=True, html=name == "fragment.html").variables
        except TemplateProblem as problem:
            found.append(problem)
            continue
        ours = [variable for variable in read if variable.path[0] in HOUSE_NAMES - {"dynamic"}]
        fields += (one for variable in ours if (one := library.readable.find(variable.path)) is not None)
        found += islice(check_variables(ours, {}, name, readable=library.readable), MOST_TOLD)
        if name == "fragment.html":
            links = rewrite_html(source, part=name).problems  # what an address begins with may be a parameter
            found += [one for one in links if one.code != "LINK_NOT_LITERAL"]
    yield from expanded.problems(found)


def _invalid(path: str, code: str, message: str) -> Invalid:
    return Invalid(message, code=code, path=path)
