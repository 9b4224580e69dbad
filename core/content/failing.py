"""Where a rendering fails in what was written: what is sent has links numbered, styles moved, and MJML made into HTML."""

from __future__ import annotations

from typing import Any, Literal

from channels.contract import RecipientRow
from core.content.compile import FrozenContent
from core.content.origins import Expanded
from core.content.records import ContentWarning, WarningLevel
from render_ext import RenderError, TokenSigner
from render_ext import compile as compile_template

_MADE_OF = {"html": ("html", "preheader"), "text": ("text", "html", "preheader"), "headers": ("headers", "feedback_id")}


def rendering_failed(
    error: RenderError, frozen: FrozenContent, expanded: Expanded, signer: TokenSigner, row: RecipientRow
) -> ContentWarning:
    """The error of one profile's message, at its place in the source where that fails in the same way."""
    told, _, _ = error.template.partition("/")  # the engine names header fields `headers/0`
    failed = ContentWarning(
        code="RENDERING_FAILED", message=error.message, level=WarningLevel.ERROR, part=told or None,
        hint="This profile would get no message: change what fails, or put a condition around it.",
    )  # fmt: skip
    for name in _MADE_OF.get(told, (told,)):
        found = _failure(expanded.parts.get(name, ""), name, frozen, signer, row)
        if found is not None and found.message == error.message:
            at = ContentWarning(
                code=failed.code, message=failed.message, level=failed.level, hint=failed.hint,
                part=name, line=found.line, column=found.column,
            )  # fmt: skip
            return expanded.warning(at)
    return failed


def _failure(source: str, name: str, frozen: FrozenContent, signer: TokenSigner, row: RecipientRow) -> RenderError | None:
    """What comes of rendering a source as it was written, None where it does not fail."""
    escape: Literal["html", "none"] = "html" if name == "html" else "none"
    program = compile_template(
        source, name=name, escape=escape, now=frozen.date, locale=frozen.locale, zone=frozen.zone, links=True, signer=signer
    )
    values: dict[str, Any] = dict(row.values)
    try:
        program.render(values, identity=row.identity)
    except RenderError as error:
        return error
    return None
