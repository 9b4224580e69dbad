"""From content to a frozen description that renders the same bytes for ever, and back to a program."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from channels.contract import Channel, ContentRefused, Manifest, MessageContent, Program
from core.content.attachments import message_attachments
from core.content.building import build_html
from core.content.dynamic import VARIANTS, Definitions, written_out
from core.content.errors import ContentInvalid, TemplateProblem, syntax_problem
from core.content.html.insertions import PIXEL, hidden_link, insert_at_end, insert_preheader
from core.content.html.text import message_text
from core.content.links.checks import check_links
from core.content.links.numbers import LinkNumbers
from core.content.links.rewriting import Rewritten, rewrite_html, rewrite_text
from core.content.links.settings import LinkRules
from core.content.personalization import COLUMNS, brought, columns_read, dynamic_read, fields_read, linked_key, seen, shown
from core.content.placements import NO_FRAGMENTS, Library
from core.content.readable import AUDIENCE, Read
from core.content.records import Attachment, Content, ContentDraft, TrackedLink
from core.content.validate import check_content, compile_part
from core.errors import Invalid
from render_ext import TemplateSyntaxError, TokenSigner, Variable

FORMAT = 1
FACTS = ("delivery", "campaign")  # what templates read besides the profile, alike for all recipients
Facts: TypeAlias = Mapping[str, Mapping[str, Any]]  # by those, and by field
NO_FACTS: Facts = MappingProxyType({})
SOME_LABEL = "Delivery"  # where content is checked before there is a delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenContent:
    """Everything a rendering depends on besides recipient, account and token key. Plain data."""

    parts: Mapping[str, str]  # MJML made into HTML, links numbered, preheader and pixel in place, text made from the html
    data: Mapping[str, Any]
    label: str  # of the delivery
    date: datetime  # of the message, and "now" of every template
    seed: str
    locale: str  # the language of this variant
    zone: str
    tracked: bool
    links: tuple[TrackedLink, ...]
    fields: tuple[str, ...]  # the profile fields that a ledger row must carry
    hidden_link: int | None
    columns: tuple[str, ...] = ()  # of the audience, which it must carry, too
    dynamic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # conditions of the variants, by place
    attachments: tuple[Attachment, ...] = ()
    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of what is read of a team's, by root and name
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as rows hold values, by root
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return msgspec.json.decode(msgspec.json.encode(self), type=dict[str, Any])

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> FrozenContent:
        """What `to_json` gave. Raises msgspec.ValidationError."""
        return msgspec.convert(plain, cls)


@dataclass(slots=True, kw_only=True)
class _Work:
    """Parts on their way."""

    parts: dict[str, str]
    numbers: LinkNumbers
    rules: LinkRules
    links: list[TrackedLink] = field(default_factory=list)
    hidden: int | None = None


def freeze(
    content: Content | ContentDraft,
    manifest: Manifest,
    *,
    label: str,
    date: datetime,
    seed: str,
    base_url: str,
    zone: str = "UTC",
    tracked: bool | None = None,
    hidden: bool = True,
    numbers: LinkNumbers | None = None,
    library: Library = NO_FRAGMENTS,
    facts: Facts = NO_FACTS,
) -> FrozenContent:
    """Check content once more and bring one variant, that of its own parts, into its final form.

    `label` and `date` are the delivery's; the hidden link leads to `base_url`; `tracked` defaults to what the
    channel can do; `numbers` are shared by all variants of a delivery, `library` holds the fragments
    that are used, `facts` what the delivery and its campaign have in their fields. Raises ContentInvalid.
    """
    if problems := list(check_links(content, manifest, library.readable)):
        raise ContentInvalid(problems)
    expanded = check_content(content, manifest, library)
    tracking = manifest.capabilities.tracking if tracked is None else tracked
    work = _Work(
        parts={name: source for name, source in expanded.parts.items() if source.strip()},
        numbers=numbers or LinkNumbers(),
        rules=LinkRules.of(content),
    )
    if work.parts.get("html") is not None:
        built = build_html(work.parts["html"], inline=content.inline_css)
        if tracking and (found := rewrite_html(built.plain, rules=work.rules).problems):
            raise ContentInvalid(expanded.problems(built.problem(one) for one in found))
        work.parts["html"] = built.html
        _html(work, base_url, tracking=tracking, hidden=hidden)
    work.parts.pop("preheader", None)
    if "html" not in work.parts and tracking and "text" in work.parts:
        _keep(work, "text", rewrite_text(work.parts["text"], numbers=work.numbers, rules=work.rules))
    read = _variables(work.parts, manifest)
    fields = fields_read(read, library.readable)
    columns = columns_read(read, library.readable)
    told = {root: library.readable.read((one.path for one in read), root) for root in FACTS}
    roots = {"profile": fields, AUDIENCE: columns, **told}
    return FrozenContent(
        parts=work.parts,
        data=content.data,
        label=label,
        date=date,
        seed=seed,
        locale=content.language,
        zone=zone,
        tracked=tracking,
        links=tuple(work.links),
        fields=tuple(sorted(fields)),
        hidden_link=work.hidden,
        columns=tuple(sorted(columns)),
        dynamic=_conditions(content, dynamic_read(read), library.readable.definitions),
        attachments=content.attachments,
        kinds={root: _kinds(found) for root, found in roots.items()},
        facts={root: {name: facts.get(root, {}).get(name) for name in sorted(found)} for root, found in told.items()},
    )


def _kinds(read: Mapping[str, Read]) -> dict[str, str]:
    """Of which kind each field of a team, or of a linked row, is; empty for one of ours."""
    found = sorted(read.items())
    return {name: one.field.kind or "" for name, one in found if one.field.kind is not None or one.steps}


def _conditions(
    content: Content | ContentDraft, read: Collection[str], definitions: Definitions
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    return {
        place.name: tuple(written_out(variant.condition, definitions) for variant in place.variants)
        for place in content.dynamic
        if place.name in read
    }


def _html(work: _Work, base_url: str, *, tracking: bool, hidden: bool) -> None:
    """Number the links of both bodies, then put in what readers do not see."""
    if tracking:
        _keep(work, "html", rewrite_html(work.parts["html"], numbers=work.numbers, rules=work.rules))
    if "text" not in work.parts:
        wordless = "{% mirror_url %}\n" if tracking else ""
        text = message_text(work.parts["html"], work.parts.get("preheader", ""), wordless=wordless)
        work.parts |= {"text": text} if text else {}
    elif tracking:
        _keep(work, "text", rewrite_text(work.parts["text"], numbers=work.numbers, rules=work.rules))
    work.parts["html"] = insert_preheader(work.parts["html"], work.parts.pop("preheader", ""))
    if not tracking:
        return
    if hidden:
        work.hidden = work.numbers.give_hidden()
        work.links.append(TrackedLink(number=work.hidden, url=base_url, target=base_url, label=None, part="html", hidden=True))
        work.parts["html"] = insert_at_end(work.parts["html"], hidden_link(work.hidden, base_url))
    work.parts["html"] = insert_at_end(work.parts["html"], PIXEL)


def _keep(work: _Work, part: str, rewritten: Rewritten) -> None:
    if rewritten.problems:
        raise ContentInvalid(rewritten.problems)
    work.parts[part] = rewritten.source
    work.links += rewritten.links


def _variables(parts: Mapping[str, str], manifest: Manifest) -> list[Variable]:
    return [
        variable
        for one in manifest.content
        if one.template and one.name in parts
        for variable in compile_part(one.name, parts[one.name], tracking=True).variables
    ]


def thaw(
    frozen: FrozenContent,
    signer: TokenSigner,
    channel: Channel,
    files: Mapping[str, bytes] | None = None,
    *,
    shared: Mapping[str, Any] | None = None,
) -> Program:
    """The channel's program of a frozen description; the same one, byte for byte, after any restart.

    `files` are the bytes of the attachments, by SHA-256; without, the program makes parts and links but no messages to send.
    `shared` are the `shared_values`, where content is checked: the channel looks at what becomes of them too.

    Raises TemplateProblem, ContentInvalid, and Invalid (CONTENT_REFUSED) where the channel cannot use a part; its path names
    the part where the channel's error says which it is (`part`).
    """
    content = MessageContent(
        parts=frozen.parts,
        tracked=frozen.tracked,
        date=frozen.date,
        seed=frozen.seed,
        signer=signer,
        locale=frozen.locale,
        zone=frozen.zone,
        attachments=() if files is None else message_attachments(frozen.attachments, files),
        shared=shared,
    )
    try:
        return channel.compile(content)
    except ContentRefused as refusal:
        raise ContentInvalid(
            [
                TemplateProblem(
                    found.message,
                    code="CONTENT_REFUSED",
                    part=found.part,
                    line=found.line,
                    column=found.column,
                    hint=found.hint,
                )
                for found in refusal.problems
            ]
        ) from None
    except TemplateSyntaxError as error:
        raise syntax_problem(error, error.template) from None
    except (ValueError, KeyError) as error:
        part = getattr(error, "part", None)
        path = f"parts.{part}" if part in frozen.parts else "parts"
        raise Invalid(f"the channel refuses this content: {error}", code="CONTENT_REFUSED", path=path) from None


def shared_values(frozen: FrozenContent) -> dict[str, Any]:
    """What every recipient's template sees alike. Make it once per program, pass it to `values`."""
    told = {root: _facts(frozen, root) for root in frozen.facts}  # an old program has none, and may have data of that name
    delivery = {**told.get("delivery", {}), "label": frozen.label, "date": frozen.date}
    return {**frozen.data, **told, "delivery": delivery}


def _facts(frozen: FrozenContent, root: str) -> dict[str, Any]:
    kinds = frozen.kinds.get(root, {})
    return {name: seen(kinds.get(name, ""), stored) for name, stored in frozen.facts.get(root, {}).items()}


def carried_by(frozen: FrozenContent, row_values: Mapping[str, Any]) -> dict[str, Any]:
    """What a ledger row carries for a program, of values that may be more."""
    linked = {linked_key(name.rpartition(".")[0]) for name in frozen.fields if "." in name}
    names = [name for name in frozen.fields if "." not in name] + sorted(linked)
    names += [key for key, is_read in ((VARIANTS, frozen.dynamic), (COLUMNS, frozen.columns)) if is_read]
    return {name: row_values.get(name) for name in names}


def values(frozen: FrozenContent, row_values: Mapping[str, Any], shared: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What one recipient's template sees; `row_values` are the fields, columns and variants that its ledger row carries."""
    around = shared_values(frozen) if shared is None else shared
    profile = shown(row_values, frozen.fields, frozen.kinds.get("profile", {}))
    made = {**around, "profile": profile, "dynamic": row_values.get(VARIANTS)}
    if frozen.columns:  # an old program has none, and may have data of that name
        made[AUDIENCE] = brought(row_values, frozen.columns, frozen.kinds.get(AUDIENCE, {}))
    return made
