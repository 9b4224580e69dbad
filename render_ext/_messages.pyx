"""Messages that are one document, natively: fixed bytes, and between them what programs write for a recipient."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memchr

from render_ext._buffer cimport ESCAPE_JSON, ESCAPE_NONE, Buffer
from render_ext._tokens cimport TokenSigner
from render_ext._vm cimport Frame, Message, Program

from decimal import Decimal
from math import isfinite

from render_ext.errors import FilterError, LimitReached, RenderError, row_error
from render_ext.values import DEEPEST, to_text


cpdef enum Kind:
    TEXT = 0  # what the program writes, as it is
    STRING = 1  # the same within a JSON string
    VALUE = 2  # what the program stores in its first slot, as JSON


cdef inline int copy(Buffer out, bytes text) except -1:
    return out.write(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


# ---- JSON ----------------------------------------------------------------------------------------------------------

cdef int write_inner(Buffer out, const char* c_text, Py_ssize_t size) except -1:
    """UTF-8 as it stands within a JSON string: U+2028 and U+2029, which end lines in JavaScript, are escaped too."""
    cdef const char* c_end = c_text + size
    cdef const char* c_from = c_text
    cdef const char* c_at
    while c_from < c_end:
        c_at = <const char*>memchr(c_from, 0xE2, c_end - c_from)
        if c_at == NULL or c_end - c_at < 3:
            break
        c_from = c_at + 3
        if c_at[1] == <char>0x80 and (c_at[2] == <char>0xA8 or c_at[2] == <char>0xA9):
            out.write_utf8(c_text, c_at - c_text, ESCAPE_JSON)
            out.write(b"\\u2028" if c_at[2] == <char>0xA8 else b"\\u2029", 6)
            c_text = c_from
    return out.write_utf8(c_text, c_end - c_text, ESCAPE_JSON)


cdef int write_string(Buffer out, str text) except -1:
    """A text as a JSON string; a lone surrogate becomes U+FFFD."""
    cdef Buffer plain = Buffer()
    plain.start(64)
    plain.write_str(<PyObject*>text, ESCAPE_NONE)
    copy(out, b'"')
    write_inner(out, plain.c_data, plain.size)
    return copy(out, b'"')


cdef int write_value(Buffer out, object value, int depth) except -1:
    """A value as JSON. Raises FilterError for what JSON has no form for."""
    if depth > DEEPEST:
        raise LimitReached("nesting", DEEPEST)
    if value is None:
        return copy(out, b"null")
    if isinstance(value, str):
        return write_string(out, str(value))
    if isinstance(value, (float, Decimal)) and not isfinite(value):
        raise FilterError(f"{to_text(value)} is not a number of JSON")
    if isinstance(value, (bool, int, float, Decimal)):
        return copy(out, to_text(value).encode())
    if isinstance(value, (list, tuple)):
        copy(out, b"[")
        for i, item in enumerate(value):
            if i:
                copy(out, b",")
            write_value(out, item, depth + 1)
        return copy(out, b"]")
    if not isinstance(value, dict):
        return write_string(out, to_text(value))
    copy(out, b"{")
    for i, (key, item) in enumerate(value.items()):
        if not isinstance(key, str):
            raise FilterError(f"a key of type {type(key).__name__} cannot stand in JSON")
        if i:
            copy(out, b",")
        write_string(out, str(key))
        copy(out, b":")
        write_value(out, item, depth + 1)
    return copy(out, b"}")


def json_inner(str text not None):
    """A text as it stands between the quotes of a JSON string."""
    cdef Buffer out = Buffer()
    write_string(out, text)
    return out.take()[1:-1]


# ---- documents -----------------------------------------------------------------------------------------------------

@cython.final
cdef class Slot:
    """A place in a document: the program that fills it, and how."""

    cdef readonly Program program
    cdef readonly int kind

    def __cinit__(self, Program program not None, int kind):
        self.program = program
        self.kind = kind


@cython.final
cdef class Document:
    """Writes the messages of one program: texts[0] slots[0] texts[1] … slots[n - 1] texts[n].

    `finish`, if there is one, makes the result of a row from its bytes and the row, or raises RenderError.
    """

    cdef TokenSigner signer
    cdef tuple slots
    cdef tuple texts
    cdef Py_ssize_t most_bytes
    cdef object finish
    cdef int highest_link
    cdef Py_ssize_t hint

    def __cinit__(
        self, *, TokenSigner signer not None, tuple slots not None, tuple texts not None, Py_ssize_t most_bytes, finish=None
    ):
        cdef Slot slot
        if len(texts) != len(slots) + 1:
            raise ValueError("one text more than slots")
        self.signer = signer
        self.slots = slots
        self.texts = texts
        self.most_bytes = most_bytes
        self.finish = finish
        self.hint = 256
        self.highest_link = -1
        for slot in slots:
            self.highest_link = max(self.highest_link, slot.program.highest_link)

    def render_many(self, rows):
        """The result of each row, or the RenderError that kept it from being made."""
        cdef Writer writer = Writer(self)
        cdef list results = []
        for row in rows:
            try:
                results.append(writer.result(row))
            except MemoryError:
                raise
            except Exception as error:
                results.append(row_error(error))
        return results

    def around(self, row, int index):
        """The message of a row as the bytes before a slot of kind STRING, the text in it, the bytes after it."""
        return Writer(self).around(row, index)

    def resolve_link(self, values, number, occurrence):
        """The target of a tracked link of a message, None where there is none. Raises RenderError."""
        cdef Slot slot
        cdef Message message = Message(None, self.highest_link)
        if not 0 <= number <= self.highest_link or occurrence < 0:
            return None
        message.wanted = number
        message.wanted_occurrence = min(occurrence, 1 << 40)
        for slot in self.slots:
            slot.program.execute(slot.program.frame(), values, Buffer(self.most_bytes), message, False)
            if message.found is not None:
                break
        return message.found


@cython.final
cdef class Writer:
    """The state of a batch: everything that is made once and used for every row."""

    cdef Document document
    cdef Message message
    cdef Buffer scratch
    cdef list frames

    def __cinit__(self, Document document):
        cdef Slot slot
        self.document = document
        self.message = Message(document.signer, document.highest_link)
        self.scratch = Buffer(document.most_bytes)
        self.frames = [slot.program.frame() for slot in document.slots]

    cdef object result(self, row):
        cdef Document document = self.document
        cdef Buffer out = Buffer(document.most_bytes)
        cdef Py_ssize_t i
        values = row.values
        self.message.begin(row.identity)
        out.start(document.hint)
        for i in range(len(document.slots)):
            copy(out, <bytes>document.texts[i])
            self.slot(out, <Slot>document.slots[i], <Frame>self.frames[i], values)
        copy(out, <bytes>document.texts[len(document.slots)])
        document.hint = out.size + 64
        if document.finish is None:
            return out.take()
        return document.finish(out.take(), row)

    cdef tuple around(self, row, Py_ssize_t index):
        cdef Document document = self.document
        cdef Buffer out = Buffer(document.most_bytes)
        cdef Py_ssize_t i, start = 0, end = 0
        cdef str text = ""
        self.message.begin(row.identity)
        for i in range(len(document.slots)):
            copy(out, <bytes>document.texts[i])
            if i == index:
                start = out.size
            self.slot(out, <Slot>document.slots[i], <Frame>self.frames[i], row.values)
            if i == index:
                end = out.size
                text = self.scratch.text()
        copy(out, <bytes>document.texts[len(document.slots)])
        whole = out.take()
        return whole[:start], text, whole[end:]

    cdef int slot(self, Buffer out, Slot slot, Frame frame, object values) except -1:
        cdef Buffer scratch = self.scratch
        if slot.kind == TEXT:
            return slot.program.execute(frame, values, out, self.message, False)
        if slot.kind == VALUE:
            return self.value(out, slot.program, frame, values)
        scratch.start(256)
        slot.program.execute(frame, values, scratch, self.message, False)
        return write_inner(out, scratch.c_data, scratch.size)

    cdef int value(self, Buffer out, Program program, Frame frame, object values) except -1:
        """Run a program that only stores one value, and write that."""
        if not isinstance(values, dict):
            raise TypeError(f"values must be a dict, not {type(values).__name__}")
        try:
            program._run(frame, <PyObject*>values, self.scratch, self.message, False)
            write_value(out, <object>frame.c_slots[0], 0)
        except RenderError:
            raise
        except Exception as error:
            raise program._located(frame, error) from error
        finally:
            frame.clear()
        return 0
