"""Header fields that authors add: one `name: value` per line (feature map 4.36), and Gmail's Feedback-ID.

Each value is a template of its own, so no value and no block can reach into the next field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from channels.contract import ContentProblem, ContentRefused, MessageContent
from render_ext import Program, RenderError, TemplateSyntaxError
from render_ext import compile as compile_template
from render_ext.email_fields import header_name_problem, is_structured

HEADERS = "headers"
FEEDBACK_ID = "feedback_id"
MOST_LINES = 50
LONGEST_FEEDBACK_ID = 127
_SERVERS = frozenset({"authentication-results", "delivered-to", "dkim-signature", "received", "received-spf"})
_SERVERS_START = ("arc-", "resent-")
_LIQUID = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
_LINES = re.compile(r"\r\n|\r|\n")
_FORM = "Write campaign:customer:type:sender; the first three may be left out."
_SAFE = "Write {{ … | url_encode }}, or change the value that Liquid prints."
_NOT_PERSONAL = (
    "a Feedback-ID is the same for all recipients: Gmail adds up complaints by it",
    "Use what the delivery or the content's data says.",
)
_OWN_COLON = "\ue000"  # stands for a colon that the author wrote between fields: the others come out of values


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLine:
    """One field and where its value stands: the part, the line and the column."""

    name: str
    value: str
    part: str
    line: int
    column: int

    def problem(self, message: str, hint: str | None = None, *, column: int | None = None) -> ContentProblem:
        """A problem of the field, of its value where no other column is given."""
        at = self.column if column is None else column
        return ContentProblem(part=self.part, line=self.line, column=at, message=message, hint=hint)


def read_headers(headers: str, feedback_id: str) -> list[HeaderLine]:
    """The fields of both parts, the Feedback-ID last. Raises ContentRefused with every problem."""
    lines = list(_lines(headers))
    problems = [problem for line in lines for problem in _problems(line)]
    if len(lines) > MOST_LINES:
        problems.append(lines[MOST_LINES].problem(f"there are more than {MOST_LINES} header fields", column=1))
    if feedback_id.strip():
        one = _feedback_line(feedback_id)
        problems += _feedback_problems(one)
        lines.append(one)
    if problems:
        raise ContentRefused(problems)
    return lines


def _lines(source: str) -> Iterator[HeaderLine]:
    for number, text in enumerate(_LINES.split(source), 1):
        if not text.strip():
            continue
        name, _, value = text.partition(":")
        column = len(text) - len(value.lstrip()) + 1
        yield HeaderLine(name=name, value=value.strip(), part=HEADERS, line=number, column=column)


def _problems(line: HeaderLine) -> Iterator[ContentProblem]:
    lower = line.name.lower()
    if line.name[:1].isspace():
        yield line.problem("a header field begins at the start of its line", "Write each field on one line.", column=1)
    elif not line.value:
        yield line.problem(f"{line.name[:80]!r} has no value", "Write `Name: value`.", column=1)
    elif "{{" in line.name or "{%" in line.name:
        yield line.problem(
            f"the name of a header field has no Liquid: {line.name[:80]!r}", "Only values are templates.", column=1
        )
    elif problem := header_name_problem(line.name):
        yield line.problem(problem, "Names are letters, digits and dashes, such as X-Campaign.", column=1)
    elif lower in _SERVERS or lower.startswith(_SERVERS_START):
        yield line.problem(f"the header field {line.name} is written by mail servers", column=1)
    elif lower == "feedback-id":
        yield line.problem("Feedback-ID has a part of its own", f"Write its value in the part {FEEDBACK_ID}.", column=1)
    else:
        yield from _template_problems(line)


def _template_problems(line: HeaderLine) -> Iterator[ContentProblem]:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line.value):
        yield line.problem(f"the header field {line.name} holds a control character")
        return
    try:
        compile_template(line.value, name=line.part, escape="header")
    except TemplateSyntaxError as error:
        hint = "A value is a template of its own: a block begins and ends in it."
        column = line.column + error.column - 1 if error.line == 1 else line.column
        yield line.problem(error.message, hint, column=column)


def _feedback_line(source: str) -> HeaderLine:
    before = source[: len(source) - len(source.lstrip())]
    number = len(_LINES.findall(before)) + 1
    column = len(_LINES.split(before)[-1]) + 1
    return HeaderLine(name="Feedback-ID", value=source.strip(), part=FEEDBACK_ID, line=number, column=column)


def check_feedback_id(lines: Sequence[HeaderLine], content: MessageContent) -> None:
    """That the Feedback-ID is one for Gmail with what the delivery and the data say, where that is known.

    What was checked once is made again as it is, also by rules of today: its links must lead on. Raises ContentRefused.
    """
    if content.shared is None:
        return
    found = (_value_problem(line, content, content.shared) for line in lines if line.part == FEEDBACK_ID)
    if problems := [problem for problem in found if problem is not None]:
        raise ContentRefused(problems)


def check_structured(lines: Sequence[HeaderLine], content: MessageContent) -> None:
    """That fields of addresses and ids are written in ASCII; values that are not leave their field out. Raises ContentRefused.

    As with the Feedback-ID, what was prepared once is not looked at again.
    """
    if content.shared is None:
        return
    problems = []
    for line in lines:
        literal = _LIQUID.sub(lambda liquid: " " * len(liquid[0]), line.value)
        if is_structured(line.name) and (foreign := re.search(r"[^\x00-\x7f]", literal)):
            hint = "Write addresses and ids only, in ASCII."
            message = f"{line.name} takes no {foreign[0]!r}: other scripts have no place in this header field"
            problems.append(line.problem(message, hint, column=line.column + foreign.start()))
    if problems:
        raise ContentRefused(problems)


def _value_problem(line: HeaderLine, content: MessageContent, shared: Mapping[str, Any]) -> ContentProblem | None:
    liquid = _LIQUID.search(line.value)
    if liquid is None:
        return None
    column = line.column + liquid.start()
    program = _template(line.value, content)
    if any(variable.path[0] == "dynamic" for variable in program.variables):
        return line.problem(*_NOT_PERSONAL, column=column)
    try:
        value = program.render(dict(shared)).strip()
        marked = _template(_with_own_colons(line.value), content).render(dict(shared))
    except RenderError as error:
        return line.problem(f"the Feedback-ID cannot be made: {error.message}", _SAFE, column=column)
    problem = _form_problem(value) or ("has a colon within a field" if ":" in marked else None)
    return line.problem(f"the Feedback-ID {value[:80]!r} {problem}", _SAFE, column=column) if problem else None


def _form_problem(value: str) -> str | None:
    """What Gmail would not understand of a finished Feedback-ID."""
    *identifiers, sender = value.split(":")
    if re.search(r"[^!-~]", value):
        return "is not one line of ASCII without spaces"
    if len(value) > LONGEST_FEEDBACK_ID:
        return f"is longer than {LONGEST_FEEDBACK_ID} characters"
    if len(identifiers) > 3:
        return "has more than four fields"
    if not 5 <= len(sender) <= 15:
        return "does not end with a sender of 5 to 15 characters"
    return None


def _template(source: str, content: MessageContent) -> Program:
    return compile_template(
        source, name=FEEDBACK_ID, escape="header", partials=content.partials, now=content.date, locale=content.locale,
        zone=content.zone,
    )  # fmt: skip


def _with_own_colons(source: str) -> str:
    """The source with its colons outside of Liquid marked."""
    pieces = _LIQUID.split(source)
    between = _LIQUID.findall(source)
    marked = [piece.replace(":", _OWN_COLON) for piece in pieces]
    return "".join(chain.from_iterable(zip_longest(marked, between, fillvalue="")))


def _feedback_problems(line: HeaderLine) -> Iterator[ContentProblem]:
    """Gmail's rules: up to three identifiers and a sender of 5 to 15 characters, the same for a whole mailing."""
    literal = _LIQUID.sub("\0", line.value)
    *identifiers, sender = literal.split(":")
    if len(_LINES.split(line.value)) > 1 or re.search(r"[^!-~\0]", literal):
        yield line.problem("a Feedback-ID is one line of ASCII without spaces", _FORM)
    elif len(literal) > LONGEST_FEEDBACK_ID:
        yield line.problem(f"the Feedback-ID is longer than {LONGEST_FEEDBACK_ID} characters", _FORM)
    elif len(identifiers) > 3:
        yield line.problem("a Feedback-ID has at most four fields", _FORM)
    elif "\0" in sender or not 5 <= len(sender) <= 15:
        yield line.problem("the last field of a Feedback-ID, the sender, is 5 to 15 characters without Liquid", _FORM)
    else:
        yield from _template_problems(line)
        yield from _personal(line)


def _personal(line: HeaderLine) -> Iterator[ContentProblem]:
    try:
        variables = compile_template(line.value, name=line.part, escape="header").variables
    except TemplateSyntaxError:
        return  # told already
    for variable in variables:
        if variable.path[0] == "profile":
            column = line.column + variable.column - 1 if variable.line == 1 else line.column
            yield line.problem(*_NOT_PERSONAL, column=column)
