"""The subject: what recipients see before all else."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning

LONGEST = 78  # characters: where RFC 5322 (2.1.1) wants a line to end, and most lists of messages at the latest


def long_subject(part: CheckedPart) -> Iterator[ContentWarning]:
    """A subject that is too long for everybody."""
    least = int(part.estimate.least.characters) if part.name == "subject" else 0
    if least > LONGEST:
        yield part.told(
            "SUBJECT_LONG",
            f"the subject has {least} characters or more; most mail readers show fewer than {LONGEST}",
            "Say the main thing in the first 40 characters; the preheader has room for more.",
        )


def empty_subject(part: CheckedPart) -> Iterator[ContentWarning]:
    """A subject of which nothing may be left for some."""
    if part.name == "subject" and not part.estimate.least.shown:
        yield part.told(
            "SUBJECT_MAY_BE_EMPTY",
            "all that the subject prints may be empty or left out",
            "Write words that everybody gets, a default, or an else.",
        )
