"""Lines of a text with Liquid in it: which line ends and gaps are still owed, also where a loop or a condition decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.content.liquid import BRANCHES, Span, SpanKind, is_opener

LOOPS = frozenset({"for", "tablerow"})
_ALWAYS = frozenset({"fragment", "footnote"})  # blocks whose body is run once, whatever the values are


@dataclass(slots=True)
class Block:
    """A block that is open; `branch` is another number in each of its branches."""

    name: str
    branch: int
    newlines: int  # of the text before it
    fresh: bool = True  # nothing has been written in it yet
    printed: bool = False  # words in the branch
    complete: bool = False  # there is an `else`
    ends: list[int] = field(default_factory=list)  # the newlines at the end of each branch
    spaces: list[int] = field(default_factory=list)  # where there is white space in a branch without words
    lines: int = 0  # what a round begins with, but for the first one, which found it there
    gap: str = ""
    said: bool = False  # words before it
    says: bool = False  # words before it or in one of its branches


class TextLines:
    """Text being written. Newlines, a gap and a bullet are owed until the next word or Liquid tag."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.newlines = 2  # at the end of what is written; at the start none are wanted
        self.breaks = 0
        self.gap = ""
        self.indent = ""  # of the next line
        self.bullet = ""
        self.wrote = False
        self.said = False  # words on the way here: not in another branch
        self.cell_filled = self.row_filled = False
        self.blocks: list[Block] = []
        self.branches = 0

    def put(self, text: str) -> None:
        """Write words, or Liquid that prints some."""
        self.settle()
        self.out.append(text)
        self.newlines = len(text) - len(text.rstrip("\n"))
        if text.isspace():
            return
        self.wrote = self.said = self.cell_filled = self.row_filled = True
        for block in reversed(self.blocks):
            if block.name == "capture" or (block.printed and not block.fresh):
                break
            block.printed, block.fresh = True, False

    def beside(self, text: str) -> None:
        """Write something right after the last word, before what is owed."""
        owed = self.breaks, self.gap, self.indent, self.bullet
        self.breaks, self.gap, self.indent, self.bullet = 0, "", "", ""
        self.put(text)
        self.breaks, self.gap, self.indent, self.bullet = owed

    def owe(self, breaks: int) -> None:
        """Line ends before what comes next."""
        self.breaks = max(self.breaks, breaks)
        self.gap = self.indent = ""

    def settle(self) -> None:
        """Write what is owed."""
        owed = max(0, self.breaks - self.newlines)
        space = "\n" * owed or ("" if self.newlines or self.breaks else self.gap)
        self._note_missing(self.breaks - owed, "" if self.breaks or space else self.gap)
        self.newlines += owed
        if space:
            self._space(space)
        if self.newlines and (line := self.indent + self.bullet):
            self.out.append(line)
        if self.bullet:
            self.newlines = 2  # an item's own paragraphs begin beside its bullet
        self.breaks, self.gap, self.indent, self.bullet = 0, "", "", ""

    def _space(self, space: str) -> None:
        if self.blocks:
            self.blocks[-1].fresh = False
            if not self.blocks[-1].printed:
                self.blocks[-1].spaces.append(len(self.out))
        self.out.append(space)

    def _note_missing(self, lines: int, gap: str) -> None:
        """What was not written because it was there before the blocks around here began."""
        for block in reversed(self.blocks):
            if not block.fresh:
                return
            block.lines = max(block.lines, lines)
            block.gap = block.gap or gap

    # ---- blocks

    def tag(self, text: str, span: Span) -> None:
        """Write a tag that prints nothing. What is owed stands before it, and so outside of the body that it opens."""
        self.settle()
        self.silent_tag(text, span)

    def silent_tag(self, text: str, span: Span) -> None:
        """The same where HTML is dropped: what is owed goes on being owed."""
        if span.kind is SpanKind.TAG and self.blocks and (span.name in BRANCHES or span.name.startswith("end")):
            self._end_branch(self.blocks[-1], span.name)
        elif is_opener(span):
            self._begin(span.name)
        self.out.append(text)

    def _begin(self, name: str) -> None:
        self.branches += 1
        self.blocks.append(Block(name, self.branches, self.newlines, said=self.said))
        if name == "capture":  # a text of its own
            self.newlines = 2

    def _end_branch(self, block: Block, name: str) -> None:
        if not block.printed:
            for at in block.spaces:  # Liquid leaves it out of a block that prints nothing else
                self.out[at] = _raw(self.out[at])
        if block.name in LOOPS and not block.complete and not block.fresh:
            self._between_rounds(block)
        block.ends.append(self.newlines)
        block.says = block.says or self.said
        if name in BRANCHES:
            self.branches += 1
            block.branch, block.printed, block.spaces = self.branches, False, []
            block.complete = name == "else"
            self.newlines, self.said = block.newlines, block.said
            return
        self.blocks.pop()
        self.said = block.says
        self.newlines = _after(block)
        if self.blocks and not block.fresh and block.name != "capture":
            self.blocks[-1].fresh = False

    def _between_rounds(self, block: Block) -> None:
        lines = max(0, block.lines - self.newlines)
        gap = "" if self.newlines or (self.out and self.out[-1].endswith(" ")) else block.gap
        if space := "\n" * lines or gap:
            self.out.append(f"{{% unless forloop.last %}}{_raw(space)}{{% endunless %}}")


def _after(block: Block) -> int:
    """The newlines that there are after a block, whichever of its branches was taken."""
    if block.name == "capture":
        return block.newlines
    whole = block.complete or block.name in _ALWAYS
    return min(block.ends if whole else [block.newlines, *block.ends])


def _raw(space: str) -> str:
    return f"{{% raw %}}{space}{{% endraw %}}"
