"""What an author should know of content that could be sent: told when it is saved, previewed and prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from channels.contract import Manifest
from core.content.checks import findings
from core.content.checks.link_values import twice_encoded_parameters
from core.content.checks.part import CheckedContent
from core.content.checks.size import CLIPPED_BYTES, clipped
from core.content.dynamic import unused as unused_places
from core.content.errors import MOST_TOLD, ContentInvalid, TemplateProblem
from core.content.expansion import expanded_content
from core.content.inline_images import unused
from core.content.languages import untranslated, variants
from core.content.links.found import unused_settings
from core.content.links.settings import LinkRules
from core.content.origins import Expanded
from core.content.personalization import COLUMNS, columns_read, dynamic_read, fields_read, linked_key, reads_event
from core.content.placements import Library
from core.content.readable import AUDIENCE, EVENT, OURS, Read, Readable
from core.content.records import (
    Attachment,
    Content,
    ContentDraft,
    ContentWarning,
    WarningLevel,
)
from core.content.validate import check_content, compile_part
from core.errors import Invalid
from render_ext import TemplateSyntaxError, Variable
from render_ext.attachments import encoded_size

HEAVY_BYTES = 10_000_000  # many mailboxes refuse larger messages


def review(
    content: Content | ContentDraft, manifest: Manifest, expanded: Expanded, readable: Readable = OURS
) -> list[ContentWarning]:
    """What there is to say about the sources of one language, whoever the recipient is: the first MOST_TOLD, in the order of
    the parts. `expanded` are those with fragments and variants in place.

    The content must be valid.
    """
    checked = CheckedContent(
        expanded.parts,
        content.data,
        manifest,
        inline_css=content.inline_css,
        elsewhere=tuple(one.value for one in content.campaign_parameters.parameters),
        rules=LinkRules.of(content),
        readable=readable,
    )
    found = [one for part in checked.parts if part.is_html for one in part.built.warnings]
    found += findings(checked)
    found += _columns_of_nobody(expanded.parts, manifest, readable)
    found += _events_of_nobody(expanded.parts, content.data, manifest, readable)
    order = {part.name: number for number, part in enumerate(checked.parts)}
    found.sort(key=lambda one: (order.get(one.part or "", -1), one.line or 0, one.column or 0))
    told = dict.fromkeys(map(expanded.warning, found))  # MJML writes some things several times, and so do fragments
    return list(islice(told, MOST_TOLD))


def _columns_of_nobody(parts: Mapping[str, str], manifest: Manifest, readable: Readable) -> Iterator[ContentWarning]:
    """One warning for each column of the audience that is read before anybody knows which audience that is."""
    if not readable.roots[AUDIENCE].is_open:
        return
    seen: set[str] = set()
    for part, variable in _read_below(AUDIENCE, parts, manifest):
        for path in (one.path for one in columns_read([variable], readable).values() if one.path not in seen):
            seen.add(path)
            yield ContentWarning(
                code="AUDIENCE_NOT_KNOWN", message=f"whether there is '{path}' is known once a delivery sends this content",
                hint="The audience of the delivery must bring that column along.",
                part=part, line=variable.line, column=variable.column,
            )  # fmt: skip


def _events_of_nobody(
    parts: Mapping[str, str], data: Mapping[str, Any], manifest: Manifest, readable: Readable
) -> Iterator[ContentWarning]:
    """One warning for each value of an event that is read before anybody knows of an event."""
    if readable.event is not None:
        return
    seen: set[tuple[str, ...]] = set()
    for part, variable in _read_below(EVENT, parts, manifest):
        if reads_event(variable.path, data) and not variable.assigned and variable.path not in seen:
            seen.add(variable.path)
            yield ContentWarning(
                code="EVENT_NOT_KNOWN", message=f"there is no event to take {'.'.join(variable.path)!r} from",
                hint="Preview it for a test profile that keeps an event. A delivery has none, and refuses this content.",
                part=part, line=variable.line, column=variable.column,
            )  # fmt: skip


def _read_below(root: str, parts: Mapping[str, str], manifest: Manifest) -> Iterator[tuple[str, Variable]]:
    """The variables of the parts in which something below a root is written out."""
    for field in manifest.content:
        source = parts.get(field.name, "")
        if field.template and (f"{root}." in source or f"{root}[" in source):
            for variable in compile_part(field.name, source, tracking=manifest.capabilities.tracking).variables:
                yield field.name, variable


def review_saved(content: Content, manifest: Manifest, library: Library) -> list[ContentWarning]:
    """The same of content that was valid when it was saved, in all its languages: where it no longer is, what is wrong."""
    found: list[ContentWarning] = []
    parts = {field.name for field in manifest.content}
    for variant in variants(content):
        told = _review_or_problems(variant, manifest, library)
        if variant.language != content.language:  # not what languages share, in fragments and dynamic content neither
            own, shared = content.translations[variant.language], set(found)
            told = [one for one in told if one.part in own or (one.part not in parts and one not in shared)]
            told = [replace(one, language=variant.language if one.part in parts else None) for one in told]
            told += untranslated(content, variant.language)
        found += told
    return [*found, *review_whole(content, manifest, library)][:MOST_TOLD]


def review_whole(content: Content | ContentDraft, manifest: Manifest, library: Library) -> list[ContentWarning]:
    """What belongs to the content as a whole: what none of its languages uses, campaign parameters, its files."""
    expanded = expanded_content(content, manifest, library)
    return [
        *_unused_dynamic(expanded, manifest),
        *unused_settings(content, manifest, library),
        *_encoded_parameters(expanded),
        *_files(expanded),
    ]


def _encoded_parameters(content: Content | ContentDraft) -> list[ContentWarning]:
    """Nothing where a value cannot be read: its error is told."""
    try:
        return list(twice_encoded_parameters(content.campaign_parameters.parameters))
    except TemplateSyntaxError:
        return []


def _unused_dynamic(expanded: Content | ContentDraft, manifest: Manifest) -> Iterator[ContentWarning]:
    """Nothing where a part cannot be read: its error is told, and what it would show is not known."""
    if not expanded.dynamic:
        return
    templates = [field.name for field in manifest.content if field.template]
    sources = [(name, parts.get(name, "")) for parts in (expanded.parts, *expanded.translations.values()) for name in templates]
    sources += [(one.name, one.value) for one in expanded.campaign_parameters.parameters]
    used: set[str] = set()
    for name, source in sources:
        try:
            used |= dynamic_read(compile_part(name, source, tracking=True).variables)
        except TemplateProblem:
            return
    yield from unused_places(expanded.dynamic, used)


def _review_or_problems(content: Content, manifest: Manifest, library: Library) -> list[ContentWarning]:
    try:
        expanded = check_content(content, manifest, library)
    except ContentInvalid as invalid:
        return [_as_told(problem) for problem in invalid.problems]
    return review(content, manifest, expanded, library.readable)


def _as_told(problem: Invalid) -> ContentWarning:
    told = ContentWarning(code=problem.code, message=problem.message, level=WarningLevel.ERROR, hint=problem.hint)
    if isinstance(problem, TemplateProblem):
        return replace(told, part=problem.part, line=problem.line, column=problem.column)
    path = (problem.path or "").partition(":")[0]  # such as a condition's, `dynamic.hero.variants.0.condition:1:5`
    return replace(told, part=path.removeprefix("parts.") if path.startswith(("parts.", "dynamic.")) else None)


def missing_values(
    manifest: Manifest, expanded: Expanded, row_values: Mapping[str, Any], readable: Readable = OURS
) -> Iterator[ContentWarning]:
    """One warning for every field and column that is read and empty for this recipient, at its first place."""
    seen: set[str] = set()
    for field in manifest.content:
        source = expanded.parts.get(field.name, "")
        if not field.template or not source.strip():
            continue
        for variable in compile_part(field.name, source, tracking=manifest.capabilities.tracking).variables:
            for read in _read_of_reader(variable, readable):
                if read.path in seen or _held(read, row_values) not in (None, ""):
                    continue
                seen.add(read.path)
                found = ContentWarning(
                    code="MISSING_VALUE",
                    message=f"{read.told} is empty for this profile",
                    hint=f'Write {{{{ {read.path} | default: "…" }}}} where others may have nothing either.',
                    part=field.name,
                    line=variable.line,
                    column=variable.column,
                )
                yield expanded.warning(found)


def _read_of_reader(variable: Variable, readable: Readable) -> Iterator[Read]:
    """The field of the profile, or the column of the audience, that a variable is. Which columns there are may not be known."""
    yield from fields_read([variable], readable).values()
    if not readable.roots[AUDIENCE].is_open:
        yield from columns_read([variable], readable).values()


def _held(read: Read, row_values: Mapping[str, Any]) -> Any:
    """The value in a row of the ledger."""
    if read.root == AUDIENCE:
        return (row_values.get(COLUMNS) or {}).get(read.field.name)
    path, _, last = read.name.rpartition(".")
    return ((row_values.get(linked_key(path)) or {}) if path else row_values).get(last)


def review_rendered(subject: str | None, html: str | None, text: str | None) -> Iterator[ContentWarning]:
    """Warnings about one finished message; None stands for a part that the channel has not."""
    if subject is not None and not subject.strip():
        hint = "Write words that everybody gets, a default, or an else."
        yield ContentWarning(code="EMPTY_SUBJECT", message="the subject is empty", hint=hint, part="subject")
    size = len(html.encode()) if html is not None else 0
    if size > CLIPPED_BYTES:
        yield clipped(size, "html")
    if text is not None and not text.strip():
        hint = "Write words that everybody gets, or leave the text part out: one is made from the HTML."
        yield ContentWarning(code="EMPTY_TEXT", message="the text part is empty", hint=hint, part="text")


def _files(expanded: Content | ContentDraft) -> Iterator[ContentWarning]:
    attachments: Sequence[Attachment] = expanded.attachments
    size = sum(encoded_size(one.size) for one in attachments)
    for parts in (expanded.parts, *expanded.translations.values()):
        attachments = unused(parts.get("html", ""), attachments)
    for one in attachments:
        yield ContentWarning(
            code="INLINE_IMAGE_UNUSED", message=f"nothing shows the image {one.name!r}",
            hint=f"Write cid:{one.content_id} where it belongs, or leave the image out.", part="html",
        )  # fmt: skip
    if size > HEAVY_BYTES:
        text = f"with its files a message has {size // 1_000_000} MB; many mailboxes take no more than 10"
        yield ContentWarning(code="MESSAGE_HEAVY", message=text, hint="Put large files on a page, and link to it.")
