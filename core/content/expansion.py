"""Puts fragments and variants into the sources of parts, before anything else is done with them.

`{% render "footer", title: "Hi" %}` becomes `{% fragment "footer", title: "Hi" %}BODY{% endfragment %}`, which does with a body
in place what `render` does with a partial; `{% dynamic "hero" %}` becomes a `case` of the recipient's variant. So what they say
is checked, styled, tracked and made into text like everything else. Only whole templates are put in: no block of one ends in
another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from html import escape
from itertools import islice
from typing import NamedTuple

from channels.contract import Manifest
from core.content.errors import MOST_TOLD
from core.content.html.text import text_from_html
from core.content.languages import Draft
from core.content.liquid import quoted
from core.content.origins import Authored, Expanded, Origins
from core.content.parameters import NO_ADDRESSES, Addresses, addresses_given, defaults_written
from core.content.placements import Library, Placement, Printed, Reading, read_placements
from core.content.records import DynamicContent, FragmentDraft
from core.errors import Invalid
from render_ext import PartialUse

MAX_CHARACTERS = 1_000_000  # of one part
MAX_DEPTH = 10  # of fragments in fragments


class _Body(NamedTuple):
    """What is put somewhere: in HTML its `html`, elsewhere its `text`, or one made from the HTML."""

    name: str
    html: str
    text: str | None
    told: str = ""


class _Stopped(Exception):
    """The part cannot be finished, and looking on would only take time."""


def expand_parts(parts: Mapping[str, str], dynamic: Sequence[DynamicContent], manifest: Manifest, library: Library) -> Expanded:
    """What is sent of the parts, still with their Liquid; what is wrong has its place in what was written."""
    expander = _Expander(library, dynamic)
    expanded = dict(parts)
    origins: dict[str, Origins] = {}
    templates = {field.name for field in manifest.content if field.template}
    for name, source in parts.items():
        written = expander.part(Authored(name, source), html=name == "html") if name in templates else None
        if written is not None and name not in expander.unfinished:
            expanded[name], origins[name] = "".join(written.written), written
    return Expanded(expanded, origins, expander.wrong(), frozenset(expander.unfinished))


def expanded_content(content: Draft, manifest: Manifest, library: Library) -> Draft:
    """The content with fragments and dynamic content in their places in all languages, as far as that goes."""
    parts = expand_parts(content.parts, content.dynamic, manifest, library).parts
    translations = {
        language: expand_parts(translated, content.dynamic, manifest, library).parts
        for language, translated in content.translations.items()
    }
    return replace(content, parts=parts, translations=translations)


def expand_fragment(fragment: FragmentDraft, library: Library) -> Expanded:
    """The sources of a fragment, as the parts `fragment.html` and `fragment.text`."""
    expander = _Expander(library, ())
    parts: dict[str, str] = {}
    origins: dict[str, Origins] = {}
    for name, source in (("html", fragment.html), ("text", fragment.text)):
        if source is not None:
            authored = Authored(f"fragment.{name}", source)
            written = expander.part(authored, html=name == "html", around=(fragment.name,))
            parts[authored.name] = source if written is None else "".join(written.written)
            origins |= {} if written is None else {authored.name: written}
    return Expanded(parts, origins, expander.wrong(), frozenset(expander.unfinished))


class _Expander:
    """Expands the parts of one content; each fragment and variant is read once."""

    def __init__(self, library: Library, dynamic: Sequence[DynamicContent]):
        self.library = library
        self.dynamic = {place.name: place for place in dynamic}
        self.problems: dict[tuple[str | None, str], Invalid] = {}
        self.unfinished: set[str] = set()
        self.bodies: dict[tuple[str, bool], Reading] = {}

    def part(self, authored: Authored, *, html: bool, around: tuple[str, ...] = ()) -> Origins | None:
        """The part with everything in its place, or None where nothing is put into it."""
        if len(authored.source) > MAX_CHARACTERS or not authored.source.strip():
            return None
        reading = self._read(authored, places=None if around else self.dynamic)
        if not reading.finished:
            self.unfinished.add(authored.name)
        if not reading.placements:
            return None
        out, before = Origins(), len(self.problems)
        with suppress(_Stopped):
            self._write(reading, out, html=html, around=around)
        if out.size > MAX_CHARACTERS:
            at = reading.placements[0].span.start
            message = f"with what is put into it, it is longer than {MAX_CHARACTERS:,} characters"
            self._tell(authored.problem(at, "PART_TOO_LARGE", message, "Use fewer fragments."))
        if len(self.problems) > before:
            self.unfinished.add(authored.name)
        return out

    def wrong(self) -> tuple[Invalid, ...]:
        """The first problems."""
        return tuple(islice(self.problems.values(), MOST_TOLD))

    def _tell(self, problem: Invalid) -> None:
        self.problems.setdefault((problem.path, problem.message), problem)

    def _read(self, authored: Authored, *, places: Mapping[str, DynamicContent] | None = None) -> Reading:
        reading = read_placements(authored, self.library, places)
        for problem in reading.problems:
            self._tell(problem)
        return reading

    # ---- writing

    def _write(
        self, reading: Reading, out: Origins, *, html: bool, around: tuple[str, ...], addresses: Addresses = NO_ADDRESSES
    ) -> None:
        authored, position = reading.authored, 0
        known = {name: one for name, one in addresses.items() if name not in reading.own}
        printed = [one for one in reading.printed if one.name in known]
        pieces: list[Placement | Printed] = [*reading.placements, *printed]
        for found in sorted(pieces, key=lambda one: one.span.start):
            out.copy(authored, position, found.span.start)
            position = found.span.end
            if isinstance(found, Printed):
                address = known[found.name]
                text = escape(address.text).replace("&#x27;", "&#39;") if html else address.text  # as the engine does
                out.put(quoted(text), address.authored, address.at)
            elif found.use is None:
                self._dynamic(authored, found, out, html=html)
            else:
                self._fragment(authored, found, found.use, out, html=html, around=around, addresses=known)
        end = len(authored.source)
        if authored.source.endswith("{"):  # with the brace of a tag after it, it would open another
            out.copy(authored, position, end - 1)
            out.put('{{ "{" }}', authored, end - 1)
        else:
            out.copy(authored, position, end)
        if out.size > MAX_CHARACTERS:
            raise _Stopped

    def _body(self, found: _Body, *, html: bool) -> Reading:
        """What stands in a block that we write: the source for this kind of part."""
        key = found.name, html
        if key not in self.bodies:
            self.bodies[key] = self._reading(found, html=html)
        return self.bodies[key]

    def _reading(self, found: _Body, *, html: bool) -> Reading:
        if not html and found.text is not None:
            return self._read(Authored(f"{found.name}.text", found.text, found.told))
        reading = self._read(Authored(f"{found.name}.html", found.html, found.told))
        if html or reading.problems:
            return reading
        if "<mj-" in found.html.lower():
            message = "no text can be made from pieces of MJML"
            self._tell(reading.authored.problem(0, "TEXT_NOT_MADE", message, "Write their text."))
        made = text_from_html(found.html).removesuffix("\n")
        return self._read(replace(reading.authored, source=made, made=True))

    def _fragment(
        self,
        authored: Authored,
        found: Placement,
        use: PartialUse,
        out: Origins,
        *,
        html: bool,
        around: tuple[str, ...],
        addresses: Addresses,
    ) -> None:
        fragment = self.library.fragments[use.name]
        self._check_way(authored, use, around)
        told = f" (in the fragment {fragment.name!r})"
        body = self._body(_Body(f"fragments.{fragment.name}", fragment.html, fragment.text, told), html=html)
        given = addresses_given(authored, fragment, use, addresses)
        inner = (*around, fragment.name)
        span = found.span
        if _is_plain(body, given) and not use.each and not found.dashed:
            self._write(body, out, html=html, around=inner, addresses=given)
            return
        dash = "-" if authored.source.endswith("-%}", span.start, span.end) else ""
        out.copy(authored, span.start, use.tag_at)
        out.put("fragment", authored, use.tag_at)
        out.copy(authored, use.tag_at + len("render"), span.end - 2 - len(dash))
        out.put(f"{defaults_written(fragment, use)}%}}", authored, use.at)
        self._write(body, out, html=html, around=inner, addresses=given)
        out.put(f"{{% endfragment {dash}%}}", authored, use.at)

    def _check_way(self, authored: Authored, use: PartialUse, around: tuple[str, ...]) -> None:
        """That a fragment neither leads back to itself nor goes too deep."""
        if use.name in around:
            path = " → ".join([*around[around.index(use.name) :], use.name])
            self._tell(authored.problem(use.at, "FRAGMENT_CYCLE", f"fragments that use each other: {path}", "Take one out."))
            raise _Stopped
        if len(around) >= MAX_DEPTH:
            message = f"fragments in fragments deeper than {MAX_DEPTH}: {' → '.join([*around, use.name])}"
            self._tell(authored.problem(use.at, "FRAGMENT_DEPTH", message, "Put one of them into its place."))
            raise _Stopped

    def _dynamic(self, authored: Authored, found: Placement, out: Origins, *, html: bool) -> None:
        place = self.dynamic[found.dynamic]
        start, end = found.span.start, found.span.end
        opening = "{%-" if authored.source.startswith("{%-", start) else "{%"
        out.put(f"{opening} case dynamic.{place.name} %}}", authored, start)
        for index, variant in enumerate(place.variants):
            out.put(f"{{% when {index + 1} %}}", authored, start)
            name = f"dynamic.{place.name}.variants.{index}"
            self._write(self._body(_Body(name, variant.html, variant.text), html=html), out, html=html, around=())
        out.put("{% else %}", authored, start)
        default = self._body(_Body(f"dynamic.{place.name}", place.html, place.text), html=html)
        self._write(default, out, html=html, around=())
        out.put("{% endcase -%}" if authored.source.endswith("-%}", start, end) else "{% endcase %}", authored, start)


def _is_plain(body: Reading, addresses: Addresses) -> bool:
    """Whether a body says the same to everybody, wherever it stands: it needs no scope of its own.

    White space alone does: it would be left out of blocks that print nothing else.
    """
    literal = sum(one.name in addresses and one.name not in body.own for one in body.printed)
    return literal == body.liquid and bool(body.authored.source.strip())
