"""The templates that one program is made of: the message's own and the partials it uses, each read once.

Which partial uses which is known before anything is rendered, so partials that use each other are refused here, and a rendering
cannot go deeper than what was compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from render_ext.errors import TemplateSyntaxError, nearest
from render_ext.limits import DEEPEST, DEFAULT_LIMITS, Limits
from render_ext.nodes import Node
from render_ext.parser import Parser
from render_ext.walk import PartialUse


@dataclass(frozen=True, slots=True)
class Template:
    """One template that was read: its nodes, and the partials that they use."""

    name: str
    source: str
    nodes: tuple[Node, ...]
    uses: tuple[PartialUse, ...]
    deepest: int  # how deep its own blocks go


@dataclass(frozen=True, slots=True)
class Templates:
    """A template and, by name, the partials it uses, themselves or through others."""

    main: Template
    partials: Mapping[str, Template]

    def all(self) -> tuple[Template, ...]:
        """Every template, the main one first."""
        return (self.main, *self.partials.values())


def partials_used(source: str, *, name: str = "template", links: bool = False) -> tuple[PartialUse, ...]:
    """Where a template uses partials, whether there are any of these names or not. Raises TemplateSyntaxError.

    What is read here without an error is a whole template: no block in it begins or ends outside.
    """
    return _read(source, name, DEFAULT_LIMITS, links=links, partial=False).uses


def read_templates(
    source: str, name: str, partials: Mapping[str, str], *, limits: Limits, links: bool, notes: bool = True
) -> Templates:
    """Read a template and its partials. Raises TemplateSyntaxError, located in the template that is wrong.

    `links` and `notes`: whether it may have tracked links and footnotes.
    """
    main = _read(source, name, limits, links=links, notes=notes, partial=False)
    found: dict[str, Template] = {}
    waiting = [main]
    for template in waiting:
        for use in template.uses:
            if use.name not in partials:
                _unknown(template, use, partials)
            if use.name not in found:
                found[use.name] = _read(partials[use.name], use.name, limits, links=links, notes=notes, partial=True)
                waiting.append(found[use.name])
    _check_isolated(waiting, found)
    _Depths(found, limits).check(main)
    return Templates(main, found)


def _read(source: str, name: str, limits: Limits, *, links: bool, notes: bool = True, partial: bool) -> Template:
    parser = Parser(source, name, limits.nesting, links=links, notes=notes, partial=partial)
    nodes = parser.parse()
    return Template(name, source, nodes, tuple(parser.uses), parser.deepest)


def _check_isolated(templates: list[Template], partials: Mapping[str, Template]) -> None:
    """What is rendered sees nothing of its surroundings, so it cannot include: Liquid does not have it either."""
    for rendered in dict.fromkeys(use.name for template in templates for use in template.uses if use.isolated):
        for use in partials[rendered].uses:
            if not use.isolated:
                message = "`include` inside a partial that is used by `render`"
                _fail(message, partials[rendered], use, found=f"`include {use.name!r}`", expected="`render`")


class _Depths:
    """How deep partials and blocks go, counted through every partial once."""

    def __init__(self, partials: Mapping[str, Template], limits: Limits):
        self.partials = partials
        self.nesting = limits.nesting
        self.most = min(limits.partials, DEEPEST)
        self.path: list[str] = []
        self.known: dict[str, tuple[int, int]] = {}  # partials and blocks below a partial, itself included

    def check(self, template: Template) -> tuple[int, int]:
        """Partials and blocks below a template. Raises TemplateSyntaxError at the use that goes too deep or in a circle."""
        partials, blocks = 0, template.deepest
        for use in template.uses:
            below = self._use(template, use)
            partials, blocks = max(partials, below[0]), max(blocks, use.depth + below[1])
            if len(self.path) + below[0] > self.most:
                self._too_deep(template, use)
            if blocks > self.nesting:
                message = f"blocks nested deeper than the limit nesting={self.nesting}, with those of the partial"
                _fail(message, template, use, expected=f"at most {self.nesting} blocks within each other")
        return partials, blocks

    def _use(self, template: Template, use: PartialUse) -> tuple[int, int]:
        if use.name in self.path:
            circle = " → ".join([*self.path[self.path.index(use.name) :], use.name])
            _fail(f"partials that use each other: {circle}", template, use, expected="a partial that does not lead back here")
        if use.name not in self.known:
            if len(self.path) >= self.most:
                self._too_deep(template, use)
            self.path.append(use.name)
            partials, blocks = self.check(self.partials[use.name])
            self.path.pop()
            self.known[use.name] = partials + 1, blocks + 1
        return self.known[use.name]

    def _too_deep(self, template: Template, use: PartialUse) -> NoReturn:
        message = f"partials within partials deeper than the limit partials={self.most}"
        _fail(message, template, use, expected=f"at most {self.most} partials within each other")


def _unknown(template: Template, use: PartialUse, partials: Mapping[str, str]) -> NoReturn:
    expected = "the name of a partial" if partials else "no partial: there are none"
    _fail(f"unknown partial `{use.name}`", template, use, expected=expected, suggestion=nearest(use.name, partials))


def _fail(
    message: str,
    template: Template,
    use: PartialUse,
    *,
    found: str | None = None,
    expected: str | None = None,
    suggestion: str | None = None,
) -> NoReturn:
    raise TemplateSyntaxError(
        message,
        template=template.name,
        source=template.source,
        at=use.at,
        width=use.width,
        found=found or f"`{use.name}`",
        expected=expected,
        suggestion=suggestion,
    )
