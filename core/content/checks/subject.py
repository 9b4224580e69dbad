"""The subject: what recipients see before all else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.content.checks.labels import UNSEEN
from core.content.checks.measured import passed_at
from core.content.checks.part import CheckedPart
from core.content.liquid import SpanKind, pieces
from core.content.records import ContentWarning
from render_ext import estimate, inspect

LONGEST = 78  # characters: where RFC 5322 (2.1.1) wants a line to end, and most lists of messages at the latest
_BREAK = re.compile(r"(?<=\S)[ \t]*[\r\n]\s*(?=\S)")
_OVERRIDES = re.compile("[\u202d\u202e]")


def long_subject(part: CheckedPart) -> Iterator[ContentWarning]:
    """A subject that is too long for everybody, told where it becomes that."""
    least = int(part.estimate.least.characters) if part.name == "subject" else 0
    if least > LONGEST:
        line, column = part.inspection.place(passed_at(part.inspection, part.known, LONGEST, "characters"))
        yield part.told(
            "SUBJECT_LONG",
            f"the subject has {least} characters or more; most mail readers show fewer than {LONGEST}",
            "Say the main thing in the first 40 characters; the preheader has room for more.",
            line=line,
            column=column,
        )


def empty_subject(part: CheckedPart) -> Iterator[ContentWarning]:
    """A subject of which nothing may be left for some."""
    if part.name == "subject" and not _shows_something(part):
        line, column = part.beginning
        yield part.told(
            "SUBJECT_MAY_BE_EMPTY",
            "all that the subject prints may be empty or left out",
            "Write words that everybody gets, a default, or an else.",
            line=line,
            column=column,
        )


def _shows_something(part: CheckedPart) -> bool:
    """Whether something is left for everybody, of which some is to be seen."""
    if not part.estimate.least.shown or not UNSEEN.search(part.source):
        return part.estimate.least.shown
    seen = "".join(UNSEEN.sub(" ", piece) if span is None else piece for piece, span in pieces(part.source))
    return estimate(inspect(seen, name=part.name, links=part.content.tracking), part.known).least.shown


def subject_characters(part: CheckedPart) -> Iterator[ContentWarning]:
    """Line breaks within the words of a subject, and marks that turn the direction of what follows them."""
    if part.name != "subject":
        return
    at = 0
    for piece, span in pieces(part.source):
        if span is None:
            yield from _in_words(part, piece, at)
        elif span.kind is SpanKind.RAW:
            yield from _in_words(part, piece[piece.index("%}") + 2 : piece.rindex("{%")], at + piece.index("%}") + 2)
        at += len(piece)


def _in_words(part: CheckedPart, words: str, at: int) -> Iterator[ContentWarning]:
    for found in _BREAK.finditer(words):
        hint = "Write it in one line."
        offset = at + found.start() + len(found[0]) - len(found[0].lstrip(" \t"))
        yield part.told_at(offset, "SUBJECT_CHARACTER", "a subject is one line: this line break becomes a blank", hint)
    for found in _OVERRIDES.finditer(words):
        yield part.told_at(
            at + found.start(),
            "SUBJECT_CHARACTER",
            f"U+{ord(found[0]):04X} turns the direction of what follows; filters take a message with it for a forgery",
            "Take it out: scripts that are read from the right need no mark.",
        )
