"""Whole messages, natively: the fixed bytes of a program copied, what differs per recipient encoded between them."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcpy

from render_ext._buffer cimport TRANSFER_CRLF, TRANSFER_LF, TRANSFER_NONE, TRANSFER_QP, Buffer
from render_ext._dkim cimport DkimSigner
from render_ext._headers cimport checked_address, trimmed, write_field, write_mailbox, write_named, write_subject
from render_ext._tokens cimport TOKEN_CHARACTERS, Packed, TokenSigner, pack_identity
from render_ext._vm cimport Frame, Message, Program

from render_ext.errors import RenderError, row_error

cdef enum:
    UNSUBSCRIBE = 3
    MESSAGE_KIND = 14


cpdef enum Encoding:
    SEVEN_BIT = 0
    QUOTED_PRINTABLE = 1
    BASE64 = 2


cdef inline int copy(Buffer out, bytes text) except -1:
    return out.write(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


@cython.final
cdef class Part:
    """One body part: the program, the bytes before it (boundary and fields), and how it is encoded."""

    cdef readonly Program program
    cdef readonly bytes head
    cdef readonly int encoding

    def __cinit__(self, Program program not None, bytes head not None, int encoding):
        self.program = program
        self.head = head
        self.encoding = encoding


@cython.final
cdef class Assembler:
    """Writes the messages of one program.

    `fields` are the fixed fields before To, `tail` those after List-Unsubscribe up to the first part, `closing` what
    follows the last part. `headers` are further fields, each its name with colon and space and its program; `to_name`, if any,
    writes the name in To. `parts` are in the order of the message. `dkim`, if any, signs as of `signed_at`.
    """

    cdef TokenSigner signer
    cdef Program subject
    cdef Program to_name
    cdef tuple headers
    cdef tuple parts
    cdef bytes fields
    cdef bytes tail
    cdef bytes closing
    cdef bytes domain
    cdef bint unsubscribe
    cdef DkimSigner dkim
    cdef long long signed_at
    cdef Py_ssize_t most_bytes
    cdef Py_ssize_t hint
    cdef Py_ssize_t room  # for signatures before the message: what the last message's took

    def __cinit__(
        self, *, TokenSigner signer not None, Program subject not None, Program to_name, tuple headers not None,
        tuple parts not None, bytes fields not None, bytes tail not None, bytes closing not None, bytes domain not None,
        bint unsubscribe, DkimSigner dkim, long long signed_at, Py_ssize_t most_bytes,
    ):
        self.signer = signer
        self.subject = subject
        self.to_name = to_name
        self.headers = headers
        self.parts = parts
        self.fields = fields
        self.tail = tail
        self.closing = closing
        self.domain = domain
        self.unsubscribe = unsubscribe
        self.dkim = dkim
        self.signed_at = signed_at
        self.most_bytes = most_bytes
        self.hint = 4096
        self.room = 0

    def render_many(self, rows):
        """One message, or the RenderError that kept it from being written, for each row."""
        cdef Writer writer = Writer(self)
        cdef list results = []
        for row in rows:
            try:
                results.append(writer.message_bytes(row))
            except MemoryError:
                raise
            except Exception as error:
                results.append(row_error(error))
        return results

    def render_parts(self, values, identity):
        """Subject, and the text of each part as a recipient would read it, with LF line ends. Raises RenderError."""
        return Writer(self).texts(values, identity)

    def resolve_link(self, values, number, occurrence):
        """The target of a tracked link of a message, None where there is none. Raises RenderError."""
        cdef Part part
        cdef Message message = Message(None, highest_link(self.parts))
        if not 0 <= number <= highest_link(self.parts) or occurrence < 0:
            return None
        message.wanted = number
        message.wanted_occurrence = min(occurrence, 1 << 40)
        for part in self.parts:
            part.program.execute(part.program.frame(), values, Buffer(self.most_bytes), message, False)
            if message.found is not None:
                break
        return message.found


cdef int highest_link(tuple parts) except -2:
    cdef int highest = -1
    cdef Part part
    for part in parts:
        highest = max(highest, part.program.highest_link)
    return highest


@cython.final
cdef class Writer:
    """The state of a batch: everything that is made once and used for every row."""

    cdef Assembler assembler
    cdef Message message
    cdef Buffer scratch
    cdef Frame subject_frame
    cdef Frame name_frame
    cdef list header_frames
    cdef list frames

    def __cinit__(self, Assembler assembler):
        cdef Part part
        self.assembler = assembler
        self.message = Message(assembler.signer, highest_link(assembler.parts))
        self.scratch = Buffer(assembler.most_bytes)
        self.subject_frame = assembler.subject.frame()
        self.name_frame = None if assembler.to_name is None else assembler.to_name.frame()
        self.header_frames = [(<Program>program).frame() for _, program, _ in assembler.headers]
        self.frames = [part.program.frame() for part in assembler.parts]

    cdef bytes message_bytes(self, row):
        """The whole message of a row, ready for the wire."""
        cdef Assembler assembler = self.assembler
        cdef Buffer out = Buffer(assembler.most_bytes)
        cdef Py_ssize_t room = assembler.room
        cdef bytes address = checked_address(row.address)
        values = row.values
        self.message.begin(row.identity)
        out.start(max(assembler.hint, room + 256))
        out.size = room
        self._message_id(out)
        copy(out, assembler.fields)
        copy(out, b"To: ")
        self._to(out, row.name, address, values)
        self._subject(out, values)
        for i in range(len(assembler.headers)):
            self._header(out, <tuple>assembler.headers[i], <Frame>self.header_frames[i], values)
        if assembler.unsubscribe:
            copy(out, b"List-Unsubscribe: <")
            self.message.signer.write_url(out, UNSUBSCRIBE, &self.message.c_identity, 0, 0)
            copy(out, b">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
        copy(out, assembler.tail)
        for i in range(len(assembler.parts)):
            self._part(out, <Part>assembler.parts[i], <Frame>self.frames[i], values)
        copy(out, assembler.closing)
        if out.c_data[out.size - 1] != c'\n':
            copy(out, b"=\r\n")  # a single quoted-printable part: ends the line, not the text
        assembler.hint = out.size + 256
        return out.take() if assembler.dkim is None else self._signed(out, room)

    cdef bytes _signed(self, Buffer out, Py_ssize_t room):
        """The message that stands after `room` bytes, with its signatures before it."""
        cdef Assembler assembler = self.assembler
        cdef bytes fields = assembler.dkim.fields_of(out.c_data + room, out.size - room, assembler.signed_at)
        cdef Buffer whole
        if PyBytes_GET_SIZE(fields) == room:  # as always but for the first message
            memcpy(out.c_data, PyBytes_AS_STRING(fields), room)
            return out.take()
        assembler.room = PyBytes_GET_SIZE(fields)
        whole = Buffer(assembler.most_bytes)
        copy(whole, fields)
        whole.write(out.c_data + room, out.size - room)
        return whole.take()

    cdef int _message_id(self, Buffer out) except -1:
        cdef char c_text[TOKEN_CHARACTERS]
        cdef int size = self.message.signer.write_local_part(c_text, MESSAGE_KIND, &self.message.c_identity)
        copy(out, b"Message-ID: <")
        out.write(c_text, size)
        copy(out, b"@")
        copy(out, self.assembler.domain)
        return copy(out, b">\r\n")

    cdef Py_ssize_t _line(self, Program program, Frame frame, object values, Py_ssize_t* c_start) except -1:
        """Run the template of a field into `scratch`; the size of its text, which begins at `c_start`."""
        self.scratch.start(256)
        self.scratch.transfer = TRANSFER_NONE
        program.execute(frame, values, self.scratch, None, False)
        return trimmed(self.scratch.c_data, self.scratch.size, c_start)

    cdef int _to(self, Buffer out, object name, bytes address, object values) except -1:
        cdef Py_ssize_t start = 0, size
        if self.assembler.to_name is not None:
            size = self._line(self.assembler.to_name, self.name_frame, values, &start)
            if size:
                return write_named(out, self.scratch.c_data + start, size, address, 4)
        return write_mailbox(out, name, address, 4)

    cdef int _subject(self, Buffer out, object values) except -1:
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t size = self._line(self.assembler.subject, self.subject_frame, values, &start)
        copy(out, b"\r\nSubject: ")
        write_subject(out, self.scratch.c_data + start, size)
        return copy(out, b"\r\n")

    cdef int _header(self, Buffer out, tuple header, Frame frame, object values) except -1:
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t size = self._line(<Program>header[1], frame, values, &start)
        return write_field(out, <bytes>header[0], self.scratch.c_data + start, size, <bint>header[2])

    cdef int _part(self, Buffer out, Part part, Frame frame, object values) except -1:
        cdef Buffer scratch = self.scratch
        copy(out, part.head)
        if part.encoding == BASE64:
            scratch.start(256)
            scratch.transfer = TRANSFER_CRLF
            part.program.execute(frame, values, scratch, self.message, True)
            out.write_base64(scratch.c_data, scratch.size)
            if scratch.size:
                out.size -= 2  # the line end belongs to what follows
            return 0
        out.column = 0
        out.transfer = part.program.transfer
        part.program.execute(frame, values, out, self.message, True)
        out.transfer = TRANSFER_NONE
        return 0

    def texts(self, values, identity):
        """Subject and parts as text; what else would keep the message from being written is run too."""
        cdef Buffer scratch = self.scratch
        cdef Part part
        cdef Py_ssize_t start = 0, size
        try:
            self.message.begin(identity)
        except (ValueError, TypeError, AttributeError) as error:
            raise RenderError(str(error)) from error
        size = self._line(self.assembler.subject, self.subject_frame, values, &start)
        found = [scratch.c_data[start:start + size].decode() if size else ""]
        if self.assembler.to_name is not None:
            self._line(self.assembler.to_name, self.name_frame, values, &start)
        for i in range(len(self.assembler.headers)):
            self._line(<Program>(<tuple>self.assembler.headers[i])[1], <Frame>self.header_frames[i], values, &start)
        for i, part in enumerate(self.assembler.parts):
            scratch.start(256)
            scratch.transfer = TRANSFER_LF
            part.program.execute(<Frame>self.frames[i], values, scratch, self.message, False)
            found.append(scratch.text())
        return found
