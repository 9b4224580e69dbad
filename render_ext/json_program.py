"""Payloads for push services, web hooks and HTTP APIs: JsonSource (plain data that can be stored) → JsonProgram
(compiled) → JSON in UTF-8.

The document is JSON with Liquid in its string values. What is fixed is encoded once; what a recipient's templates print
is encoded as a whole, whatever they print, so that the result is always JSON of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NoReturn

from render_ext._buffer import Escape, Transfer
from render_ext._messages import Document, Kind, Slot, json_inner
from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.compiler import lay_out
from render_ext.errors import RenderError, TemplateSyntaxError
from render_ext.json_document import NAME, JsonList, JsonNode, JsonObject, JsonPlain, JsonString, pointer_of, read_document
from render_ext.messages import MessageRow, Source
from render_ext.nodes import Assign, Output, Text
from render_ext.partials import read_templates
from render_ext.places import Link, Variable
from render_ext.shortening import shortened
from render_ext.template import Options, build
from render_ext.tokens import Identity

VALUE = "$value"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSource(Source):
    """Everything a payload depends on, besides the recipient and the signer; plain data.

    - `document`: JSON; string values are templates, keys are fixed. An object `{"$value": "{{ … }}"}` becomes the value
      of that one output, with its type. Where `tracked`, templates hold the tags of `compile(links=True)`.
    - `max_bytes`: a recipient whose payload is larger fails; None: no bound but that of `limits`.
    - `shorten`: JSON pointer of a string that is shortened first, with an ellipsis, where the payload is too large.
    - `date` (aware): `now` of the templates. `engine`: the version that the source was made for.
    """

    WHAT: ClassVar[str] = "a payload's source"

    document: str
    max_bytes: int | None = None
    shorten: str | None = None

    def compile(self, signer: TokenSigner) -> JsonProgram:
        """The program; its tokens are made by `signer`.

        Raises TemplateSyntaxError: of `document` for a mistake in the JSON, of the string's JSON pointer for one in a
        template. Raises ValueError for an option that does not fit the document and a source of another engine version.
        """
        return JsonProgram(self, signer)


class JsonProgram:
    """A compiled payload. Pure: the same row always becomes the same bytes. Threads may share one."""

    def __init__(self, source: JsonSource, signer: TokenSigner):
        options = source.options()
        compiler = _Compiler(source, signer, options)
        compiler.node(read_document(source.document, nesting=source.limits.nesting), "")
        texts = (*compiler.texts, bytes(compiler.fixed))
        self.source = source
        self.signer = signer
        self.programs: Mapping[str, Program] = compiler.programs  # the templates, by JSON pointer
        self._shorten = compiler.shorten
        self._check(sum(map(len, texts)))
        self._document = Document(
            signer=signer,
            slots=tuple(compiler.slots),
            texts=texts,
            most_bytes=min(source.limits.output_bytes, 1 << 40),
            finish=None if source.max_bytes is None else self._within_limit,
        )

    def render_many(self, rows: Sequence[MessageRow]) -> list[bytes | RenderError]:
        """For each row its payload, or the RenderError that kept it from being made."""
        return self._document.render_many(rows)

    def render(self, values: dict[str, Any], identity: Identity) -> bytes:
        """The payload of one row. Raises RenderError."""
        (result,) = self.render_many([MessageRow(identity=identity, values=values)])
        if isinstance(result, RenderError):
            raise result
        return result

    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int = 0) -> str | None:
        """The target of a tracked link, the `occurrence`-th time it is there. Raises RenderError."""
        return self._document.resolve_link(values, number, occurrence)

    @property
    def links(self) -> tuple[Link, ...]:
        """The tracked links of all strings."""
        return tuple(link for program in self.programs.values() for link in program.links)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the strings read of the values; lines and columns are those within the string."""
        return tuple(variable for program in self.programs.values() for variable in program.variables)

    def _check(self, fixed: int) -> None:
        most, pointer = self.source.max_bytes, self.source.shorten
        if most is not None and fixed > most:
            raise ValueError(f"the fixed text alone has {fixed} bytes, more than max_bytes={most}")
        if pointer is not None and most is None:
            raise ValueError("shorten needs max_bytes")
        if pointer is not None and self._shorten is None:
            raise ValueError(f"shorten: the document has no string at {pointer!r}")

    def _within_limit(self, payload: bytes, row: MessageRow) -> bytes:
        most = self.source.max_bytes
        if most is None or len(payload) <= most:
            return payload
        if self._shorten is not None:
            before, text, after = self._document.around(row, self._shorten)
            short = shortened(text, most - len(before) - len(after), lambda start: len(json_inner(start)))
            if short is not None:
                return before + json_inner(short) + after
        raise RenderError(f"the payload has {len(payload)} bytes, more than max_bytes={most}", limit="max_bytes")


class _Compiler:
    """Cuts a document into fixed bytes and the slots between them: texts[0] slots[0] texts[1] … fixed."""

    def __init__(self, source: JsonSource, signer: TokenSigner, options: Options):
        self.source = source
        self.signer = signer
        self.options = options
        self.texts: list[bytes] = []
        self.slots: list[Slot] = []
        self.fixed = bytearray()
        self.programs: dict[str, Program] = {}
        self.shorten: int | None = None

    def node(self, node: JsonNode, pointer: str) -> None:
        """Add a value and all within it."""
        if isinstance(node, JsonPlain):
            self.fixed += node.text.encode()
        elif isinstance(node, JsonString):
            self._string(node, pointer)
        elif isinstance(node, JsonList):
            for index, item in enumerate(node.items):
                self.fixed += b"," if index else b"["
                self.node(item, pointer_of(pointer, index))
            self.fixed += b"]" if node.items else b"[]"
        elif any(key.text == VALUE for key, _ in node.members):
            self._value(node, pointer)
        else:
            for index, (key, member) in enumerate(node.members):
                self.fixed += b'%c"%b":' % (b"," if index else b"{", json_inner(key.text))
                self.node(member, pointer_of(pointer, key.text))
            self.fixed += b"}" if node.members else b"{}"

    def _string(self, node: JsonString, pointer: str) -> None:
        links, signer = self.source.tracked, self.signer
        program = build(node.text, pointer or NAME, Escape.ESCAPE_NONE, self.options, links=links, signer=signer, notes=False)
        text, is_fixed = program.static_text()
        is_shortened = pointer == self.source.shorten
        self.fixed += b'"'
        if is_fixed and not is_shortened:
            self.fixed += json_inner(text)
        else:
            if is_shortened:
                self.shorten = len(self.slots)
            self._slot(program, Kind.STRING, pointer)
        self.fixed += b'"'

    def _value(self, node: JsonObject, pointer: str) -> None:
        template = node.members[0][1]
        if len(node.members) > 1 or not isinstance(template, JsonString):
            at = next(key.at for key, _ in node.members if key.text == VALUE)
            self._fail("`$value` stands alone in an object and is a string", NAME, self.source.document, at)
        name = pointer_of(pointer, VALUE)
        limits, strict = self.options.limits, self.options.strict_variables
        templates = read_templates(template.text, name, self.options.partials, limits=limits, links=False)
        outputs = [part for part in templates.main.nodes if not isinstance(part, Text) or part.text.strip()]
        output = outputs[0] if len(outputs) == 1 else None
        if not isinstance(output, Output) or output.expression is None:
            other = next((part for part in outputs if not isinstance(part, Output)), outputs[-1] if outputs else None)
            self._fail("not one output", name, template.text, other.at if other is not None else 0)
        kept = Assign(VALUE, output.expression, output.at)  # in the first slot, where the native side takes it from
        layout = lay_out(
            replace(templates, main=replace(templates.main, nodes=(kept,))),
            escape=Escape.ESCAPE_NONE,
            transfer=Transfer.TRANSFER_NONE,
            around=self.options.surroundings(),
        )
        transfer = Transfer.TRANSFER_NONE
        program = Program(layout, name=name, source=template.text, limits=limits, strict=strict, transfer=transfer)
        self._slot(program, Kind.VALUE, name)

    def _slot(self, program: Program, kind: Kind, pointer: str) -> None:
        self.texts.append(bytes(self.fixed))
        self.fixed.clear()
        self.slots.append(Slot(program, kind))
        self.programs[pointer] = program

    def _fail(self, message: str, name: str, source: str, at: int) -> NoReturn:
        expected = '{"$value": "{{ … }}"}, with nothing else'
        raise TemplateSyntaxError(message, template=name, source=source, at=at, expected=expected)
