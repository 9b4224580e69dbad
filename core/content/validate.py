"""Everything that is checked when content is saved, and again when it is prepared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Literal

from channels.contract import ContentField, Manifest
from core.content.attachments import check_attachments
from core.content.building import build_html
from core.content.checks import errors
from core.content.checks.part import CheckedContent
from core.content.data import check_data, is_storable
from core.content.dynamic import check_dynamic
from core.content.errors import MOST_TOLD, ContentInvalid, TemplateProblem, syntax_problem
from core.content.expansion import MAX_CHARACTERS, expand_parts
from core.content.html.text import message_text
from core.content.inline_images import check_references
from core.content.links.rewriting import rewrite_html, rewrite_text
from core.content.liquid import place, spans
from core.content.origins import Expanded
from core.content.personalization import check_variables
from core.content.placements import NO_FRAGMENTS, Library
from core.content.readable import Readable
from core.content.records import Attachment, ContentDraft, ContentWarning
from core.content.suggestions import nearest
from core.errors import Invalid
from render_ext import Program, TemplateSyntaxError
from render_ext import compile as compile_template

_NOW = datetime(2000, 1, 1, tzinfo=UTC)  # nothing is rendered here; only `"now" | date` wants to know that there is one
BODIES = ("html", "text")
MOST_LIQUID = 10_000  # outputs and tags of a part, each of which is checked in several ways: seconds for all of them,
TAGS_FOR_LIQUID = 5  # and as much time for five times as many of HTML
_HAVE_NOTES = ("text", "fragment.text")


def check_content(content: ContentDraft, manifest: Manifest, library: Library = NO_FRAGMENTS) -> Expanded:
    """The content's own parts with fragments and variants in place.

    Raises ContentInvalid with the problems found (the first MOST_TOLD of them), each at its place in what was written.
    """
    readable = library.readable
    expanded = expand_parts(content.parts, content.dynamic, manifest, library)
    found = chain(
        _problems(content, expanded, manifest, readable),
        check_files(content.attachments, expanded.parts, manifest, inline_css=content.inline_css),
    )
    conditions = check_dynamic(content.dynamic, readable.catalogue, readable.definitions, readable.audiences)
    problems = [*conditions, *expanded.problems(islice(found, MOST_TOLD)), *expanded.wrong]
    if not problems:
        checked = CheckedContent(expanded.parts, content.data, manifest, inline_css=content.inline_css, readable=readable)
        problems = expanded.problems(_refusal(found) for found in islice(errors(checked), MOST_TOLD))
    if problems:
        raise ContentInvalid(problems[:MOST_TOLD])
    return expanded


def _problems(content: ContentDraft, expanded: Expanded, manifest: Manifest, readable: Readable) -> Iterator[Invalid]:
    parts = expanded.parts
    dynamic = [place.name for place in content.dynamic]
    tracking = manifest.capabilities.tracking
    yield from check_data(content.data)
    yield from _check_fields(parts, manifest)
    fields = {field.name: field for field in manifest.content}
    for name, source in parts.items():
        is_template = name in fields and fields[name].template and name not in expanded.unfinished
        if is_template and not _size_problems(name, source):
            found = _check_part(name, source, content.data, dynamic, readable, tracking=tracking)
            yield from found
            if name == "html" and not found:
                yield from _check_html(source, parts, tracking=tracking, inline=content.inline_css)


def check_files(
    attachments: Sequence[Attachment], parts: Mapping[str, str], manifest: Manifest, *, inline_css: bool = False
) -> Iterator[Invalid]:
    """That the channel can carry the files, and that the images are there which the HTML shows out of the message."""
    yield from check_attachments(attachments, parts, manifest)
    html = parts.get("html", "")
    if "cid:" not in html.lower() or not manifest.limits.attachments:
        return
    try:
        built = build_html(html, inline=inline_css)
    except TemplateProblem:
        return  # told already
    known = [one.content_id for one in attachments if one.content_id is not None]
    yield from map(built.problem, check_references(built.plain, known))


def _refusal(found: ContentWarning) -> TemplateProblem:
    part, line, column = found.part or "html", found.line or 1, found.column or 1
    return TemplateProblem(found.message, code=found.code, part=part, line=line, column=column, hint=found.hint)


def compile_part(name: str, source: str, *, tracking: bool, html: bool | None = None) -> Program:
    """One part on its own, for its variables and its errors; `html`: whether it is HTML. Raises TemplateProblem."""
    is_html = name == "html" if html is None else html
    escape: Literal["html", "none"] = "html" if is_html else "none"
    try:
        return compile_template(source, name=name, escape=escape, now=_NOW, links=tracking, notes=name in _HAVE_NOTES)
    except TemplateSyntaxError as error:
        raise syntax_problem(error, name) from None


def _check_fields(parts: Mapping[str, str], manifest: Manifest) -> Iterator[Invalid]:
    known = {field.name: field for field in manifest.content}
    for name, source in parts.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"Did you mean {near!r}?" if near else f"Parts of this channel: {', '.join(known)}."
            yield Invalid(f"there is no part {name[:80]!r}", code="UNKNOWN_PART", path=f"parts.{name[:80]}", hint=hint)
        else:
            yield from _size_problems(name, source)
            if not known[name].template:
                yield from _liquid_problems(name, source)
    for field in manifest.content:
        if field.required and not parts.get(field.name, "").strip():
            yield _missing(field)
    bodies = [name for name in BODIES if name in known]
    if len(bodies) > 1 and not any(parts.get(name, "").strip() for name in bodies):
        yield Invalid(
            "there is neither html nor text",
            code="PART_MISSING",
            path="parts.html",
            hint="Write one of them.",
        )


def _liquid_problems(name: str, source: str) -> Iterator[Invalid]:
    """Everybody would read the Liquid itself."""
    if found := spans(source):
        line, column = place(source, found[0].start)
        yield TemplateProblem(
            f"{name} is no template: everybody would see this Liquid as it stands",
            code="LIQUID_NOT_READ", part=name, line=line, column=column, hint="Write out what is the same for all recipients.",
        )  # fmt: skip


def _missing(field: ContentField) -> Invalid:
    return Invalid(f"{field.name} is missing", code="PART_MISSING", path=f"parts.{field.name}", hint=field.description)


def _size_problems(name: str, source: str) -> list[Invalid]:
    path = f"parts.{name}"
    if len(source) > MAX_CHARACTERS:
        return [Invalid(f"{name} is longer than {MAX_CHARACTERS:,} characters", code="PART_TOO_LARGE", path=path)]
    if max(source.count("{{") + source.count("{%"), source.count("<") // TAGS_FOR_LIQUID) > MOST_LIQUID:
        message = f"{name} has more than {MOST_LIQUID:,} outputs and tags of Liquid, or {MOST_LIQUID * TAGS_FOR_LIQUID:,} tags"
        return [Invalid(message, code="PART_TOO_LARGE", path=path, hint="Write what repeats in a loop.")]
    if not is_storable(source):
        return [Invalid(f"{name} contains NUL or half a character", code="BAD_TEXT", path=path)]
    return []


def _check_part(
    name: str, source: str, data: Mapping[str, Any], dynamic: Collection[str], readable: Readable, *, tracking: bool
) -> list[Invalid]:
    problems: list[Invalid] = []
    try:
        program = compile_part(name, source, tracking=tracking)
        problems += islice(check_variables(program.variables, data, name, dynamic, readable), MOST_TOLD)
    except Invalid as problem:
        return [problem]
    if name == "text" and tracking:
        problems += rewrite_text(source).problems
    return problems


def _check_html(source: str, parts: Mapping[str, str], *, tracking: bool, inline: bool) -> Sequence[Invalid]:
    """That HTML can be made, its links, and that what is made of it is a template again."""
    try:
        built = build_html(source, inline=inline)
        if too_large := _size_problems("html", built.html):
            return too_large
        links = rewrite_html(built.plain)
        if found := [built.problem(one) for one in links.problems if tracking or one.code == "LINK_SCRIPT"]:
            return found
        rewritten = rewrite_html(built.html)
        compile_part("html", rewritten.source, tracking=True)
    except TemplateProblem as problem:
        return [problem]
    try:
        compile_part("text", message_text(rewritten.source), tracking=True)
    except TemplateProblem as problem:
        if parts.get("text", "").strip():
            return []
        return [
            TemplateProblem(
                f"no text part can be made from this HTML: {problem.message}",
                code="TEXT_NOT_MADE", part="html", line=1, column=1,
                hint="A block of Liquid begins or ends within an address; change that, or write a text part.",
            )
        ]  # fmt: skip
    return []
