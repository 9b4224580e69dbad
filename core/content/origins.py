"""Where the text of an expanded part comes from: parts, fragments and variants, each with its own lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from core.content.errors import TemplateProblem
from core.content.liquid import offset_of, place
from core.content.records import ContentWarning
from core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Authored:
    """A text that somebody wrote, as a template is told of it."""

    name: str  # of a part, or a path such as `fragments.footer.html`
    source: str
    told: str = ""  # in words, where the name alone may not be understood
    made: bool = False  # made from the HTML of this name: it has no places of its own

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        return (1, 1) if self.made else place(self.source, offset)

    def problem(self, offset: int, code: str, message: str, hint: str | None = None) -> TemplateProblem:
        """A problem at an offset."""
        return self.problem_at(TemplateProblem(message, code=code, part=self.name, line=1, column=1, hint=hint), offset)

    def problem_at(self, found: TemplateProblem, offset: int) -> TemplateProblem:
        """A problem found elsewhere, at an offset of this."""
        line, column = self.place(offset)
        problem = found.moved(line, column, part=self.name, told=self.told)
        return problem if self.made else problem.shown_in(self.source)


class _Stretch(NamedTuple):
    """A piece of the expanded text: from where on, and what it is made from."""

    start: int
    authored: Authored
    origin: int
    copied: bool  # character by character; else all of it comes from one place


class Origins:
    """Writes a text piece by piece and knows where each comes from."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.size = 0
        self._stretches: list[_Stretch] = []

    def copy(self, authored: Authored, start: int, end: int) -> None:
        """What an author wrote, as it is."""
        self._write(authored.source[start:end], authored, start, copied=True)

    def put(self, text: str, authored: Authored, origin: int) -> None:
        """What stands for something at a place that an author wrote."""
        self._write(text, authored, origin, copied=False)

    def _write(self, text: str, authored: Authored, origin: int, *, copied: bool) -> None:
        if text:
            self._stretches.append(_Stretch(self.size, authored, origin, copied))
            self.written.append(text)
            self.size += len(text)

    def find(self, offset: int) -> tuple[Authored, int]:
        """What the text at an offset was made from, and the place in it."""
        index = bisect_right(self._stretches, offset, key=lambda one: one.start) - 1
        found = self._stretches[max(index, 0)]
        return found.authored, found.origin + (offset - found.start if found.copied else 0)


@dataclass(frozen=True, slots=True)
class Expanded:
    """Parts with their fragments and variants in place, and the way back to what was written."""

    parts: dict[str, str]
    origins: dict[str, Origins]  # of the parts that hold anything else
    wrong: tuple[Invalid, ...] = ()
    unfinished: frozenset[str] = frozenset()  # parts that lack something, because of what is wrong

    def problems(self, found: Iterable[Invalid]) -> list[Invalid]:
        """Problems of these parts at their places in what was written, each once."""
        return _once(self._problem(one) if isinstance(one, TemplateProblem) else one for one in found)

    def _problem(self, found: TemplateProblem) -> TemplateProblem:
        origins = self.origins.get(found.part)
        if found.part not in self.parts:
            return found
        if origins is None:
            return found.shown_in(self.parts[found.part])
        authored, offset = origins.find(_nearest_offset(self.parts[found.part], found.line, found.column))
        return authored.problem_at(found, offset)

    def refused(self, found: Iterable[Invalid], sent: Mapping[str, str]) -> list[Invalid]:
        """Problems that a channel has with the parts that are `sent`, where those are as they were expanded, at their places
        in what was written; of others, such as HTML with its links numbered, nobody knows the way back.
        """
        same = {name for name, source in sent.items() if source == self.parts.get(name)}
        return _once(self._problem(one) if isinstance(one, TemplateProblem) and one.part in same else one for one in found)

    def warning(self, found: ContentWarning) -> ContentWarning:
        """A warning about these parts at its place in what was written."""
        origins = self.origins.get(found.part or "")
        if origins is None or found.part is None or found.line is None or found.column is None:
            return found
        authored, offset = origins.find(offset_of(self.parts[found.part], found.line, found.column))
        line, column = authored.place(offset)
        return replace(found, message=found.message + authored.told, part=authored.name, line=line, column=column)

    def origin(self, part: str, offset: int) -> tuple[Authored, int]:
        """Where something of these parts was written: a part or a text such as `fragments.footer.html`, and where in it."""
        origins = self.origins.get(part)
        return (Authored(part, self.parts[part]), offset) if origins is None else origins.find(offset)


def _once(found: Iterable[Invalid]) -> list[Invalid]:
    return list({(one.code, one.path, one.message): one for one in found}.values())


def _nearest_offset(source: str, line: int, column: int) -> int:
    """The offset of a place that a channel told, which may count lines otherwise."""
    lines = source.split("\n")
    line = min(max(line, 1), len(lines))
    return offset_of(source, line, min(max(column, 1), len(lines[line - 1]) + 1))
