"""JSON as authors write it → a tree that knows where everything stands. Numbers stay as they are written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from render_ext.errors import TemplateSyntaxError
from render_ext.limits import DEEPEST

NAME: Final = "document"
SPACE = re.compile(r"[ \t\n\r]*")
PLAIN = re.compile(r"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![\w.+-])")
INNER = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')


@dataclass(frozen=True, slots=True)
class JsonPlain:
    """A number, true, false or null, as written."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class JsonString:
    """A string, decoded."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class JsonList:
    """A list."""

    items: tuple[JsonNode, ...]
    at: int


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object, in the order written; no key stands in it twice."""

    members: tuple[tuple[JsonString, JsonNode], ...]
    at: int


JsonNode: TypeAlias = JsonPlain | JsonString | JsonList | JsonObject


def read_document(text: str, *, nesting: int) -> JsonNode:
    """The tree of a document. Raises TemplateSyntaxError."""
    reader = _Reader(text, nesting)
    node = reader.node()
    if reader.at < len(text):
        reader.fail("something after the end of the document", expected="nothing more")
    return node


def pointer_of(above: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) of a member of what `above` points to."""
    return f"{above}/{key}" if isinstance(key, int) else f"{above}/{key.replace('~', '~0').replace('/', '~1')}"


class _Reader:
    def __init__(self, text: str, nesting: int):
        self.text = text
        self.left = min(nesting, DEEPEST)
        self.at = 0
        self._space()

    def node(self) -> JsonNode:
        """The value that begins here, and the space after it."""
        at, sign = self.at, self._peek()
        if sign == '"':
            return self._string()
        if sign in ("[", "{"):
            if self.left == 0:
                self.fail("lists and objects nested deeper than the limit nesting")
            self.left -= 1
            found: JsonNode = JsonList(self._items(), at) if sign == "[" else JsonObject(self._members(), at)
            self.left += 1
            return found
        match = PLAIN.match(self.text, at)
        if match is None:
            self.fail(
                "not a value of JSON",
                expected='a string in ", a number, true, false, null, [ or {',
                suggestion='`"`' if sign in ("'", "“", "”", "„") else None,
            )
        self.at = match.end()
        self._space()
        return JsonPlain(match[0], at)

    def fail(
        self, message: str, *, at: int | None = None, expected: str | None = None, suggestion: str | None = None
    ) -> NoReturn:
        """Raise the error for what stands here."""
        at = self.at if at is None else at
        found = f"`{self.text[at : at + 20].splitlines()[0]}`" if at < len(self.text) else "the end of the document"
        raise TemplateSyntaxError(
            message, template=NAME, source=self.text, at=at, found=found, expected=expected, suggestion=suggestion
        )

    def _items(self) -> tuple[JsonNode, ...]:
        items: list[JsonNode] = []
        self._step()
        while self._more("]", bool(items)):
            items.append(self.node())
        return tuple(items)

    def _members(self) -> tuple[tuple[JsonString, JsonNode], ...]:
        members: list[tuple[JsonString, JsonNode]] = []
        keys: set[str] = set()
        self._step()
        while self._more("}", bool(members)):
            key = self._key()
            if key.text in keys:
                self.fail(f"the key `{key.text}` stands here twice", at=key.at, expected="each key once")
            keys.add(key.text)
            if self._peek() != ":":
                self.fail("a key without a value", expected="`:`")
            self._step()
            members.append((key, self.node()))
        return tuple(members)

    def _key(self) -> JsonString:
        if self._peek() != '"':
            liquid = self.text.startswith(("{", "%"), self.at) and self.text.startswith("{", self.at - 1)
            self.fail(
                "Liquid outside a string" if liquid else "not a key",
                expected='a key in "',
                suggestion='`{"$value": "{{ … }}"}`' if liquid else None,
            )
        key = self._string()
        if "{{" in key.text or "{%" in key.text:
            self.fail("Liquid in a key", at=key.at, expected="a fixed key")
        return key

    def _string(self) -> JsonString:
        at = self.at
        match = INNER.match(self.text, at + 1)
        assert match is not None
        self.at = match.end()
        sign = self._peek()
        if sign == "":
            self.fail("a string is never closed", at=at, expected='a closing "')
        if sign == "\\":
            self.fail("not an escape of JSON", expected=r"\", \\, \/, \b, \f, \n, \r, \t or \u and four digits")
        if sign != '"':
            self.fail("a control character in a string", expected=r"an escape such as \n")
        self._step()
        return JsonString(json.loads(f'"{match[0]}"'), at)

    def _more(self, closing: str, begun: bool) -> bool:
        """Whether another item comes; steps over the comma before it, or over the closing sign."""
        sign = self._peek()
        if sign == closing:
            self._step()
            return False
        if begun:
            if sign != ",":
                self.fail("an item that does not end", expected=f"`,` or `{closing}`")
            self._step()
            if self._peek() == closing:
                self.fail("nothing after the last comma", expected="another item, or no comma")
        return True

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _step(self) -> None:
        self.at += 1
        self._space()

    def _space(self) -> None:
        match = SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
