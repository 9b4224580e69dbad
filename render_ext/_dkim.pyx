"""DKIM signatures (RFC 6376, relaxed/relaxed), natively: one pass over the body, one over the header.

A body that the relaxed form leaves as it is, the usual case, is hashed where it lies; any other is written out in that form
first. The header is read from its last field to its first, which is the order in which a verifier pairs names with fields.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy

from render_ext._buffer cimport Buffer

from binascii import b2a_base64
from hashlib import sha256

from render_ext.dkim import UNSIGNED, date_of, find_signatures, signature_start

cdef enum:
    BLOCK = 256  # bytes looked at together
    WORDS = 32  # of 8 bytes, in a block
    AHEAD = 2  # bytes after a block that are looked at too
    LINE = 72  # characters of a signature on one line

cdef extern from *:
    """
    /* Sets, for each of 256 bytes, whether the relaxed form leaves it out: a space or tab before another one, or before
       CRLF. `c_spaced` gets the bytes with spaces for tabs. Returns whether anything changes, which a kept tab does too.
       Reads two bytes more. Has no branches, so that compilers make vector instructions of it. */
    static int look_at_block(const unsigned char *c_text, unsigned char *c_dropped, unsigned char *c_spaced) {
        unsigned char changes = 0;
        for (int i = 0; i < 256; i++) {
            unsigned char tab = c_text[i] == 9, blank = tab | (c_text[i] == 32);
            unsigned char more = (c_text[i + 1] == 32) | (c_text[i + 1] == 9);
            unsigned char ends = (c_text[i + 1] == 13) & (c_text[i + 2] == 10);
            c_dropped[i] = blank & (more | ends);
            c_spaced[i] = tab ? 32 : c_text[i];
            changes |= c_dropped[i] | tab;
        }
        return changes;
    }
    """
    int look_at_block(const uint8_t* c_text, uint8_t* c_dropped, uint8_t* c_spaced) noexcept nogil


# ---- the body ------------------------------------------------------------------------------------------------------

cdef inline bint is_blank(uint8_t byte) noexcept:
    return byte == c' ' or byte == c'\t'


cdef inline bint is_dropped(const uint8_t* c_text, Py_ssize_t size, Py_ssize_t i) noexcept:
    """The same as `look_at_block`, of one byte and careful at the end, where the last line may lack its CRLF."""
    if not is_blank(c_text[i]):
        return False
    if i + 1 == size or is_blank(c_text[i + 1]):
        return True
    return c_text[i + 1] == c'\r' and i + 2 < size and c_text[i + 2] == c'\n'


cdef Py_ssize_t unchanged(const uint8_t* c_text, Py_ssize_t size) noexcept:
    """How many bytes at the start no rule about blanks changes."""
    cdef uint8_t c_dropped[BLOCK]
    cdef uint8_t c_spaced[BLOCK]
    cdef Py_ssize_t i = 0
    while i + BLOCK + AHEAD <= size and not look_at_block(c_text + i, c_dropped, c_spaced):
        i += BLOCK
    while i < size and c_text[i] != c'\t' and not is_dropped(c_text, size, i):
        i += 1
    return i


cdef int reduce_blanks(const uint8_t* c_text, Py_ssize_t size, Py_ssize_t i, Buffer out) except -1:
    """Write the text with its blanks reduced; of its first `i` bytes it is known that they stay."""
    cdef uint64_t c_dropped[WORDS]
    cdef uint8_t c_spaced[BLOCK]
    cdef uint8_t* c_out
    cdef int j, k
    out.start(size + 8)
    out.write(<const char*>c_text, i)
    c_out = <uint8_t*>out.c_data + i
    while i + BLOCK + AHEAD <= size:
        look_at_block(c_text + i, <uint8_t*>c_dropped, c_spaced)
        for j in range(WORDS):
            if c_dropped[j] == 0:
                memcpy(c_out, c_spaced + 8 * j, 8)
                c_out += 8
            else:
                for k in range(8 * j, 8 * j + 8):
                    c_out[0] = c_spaced[k]
                    c_out += 1 - (<uint8_t*>c_dropped)[k]
        i += BLOCK
    while i < size:
        if not is_dropped(c_text, size, i):
            c_out[0] = c' ' if c_text[i] == c'\t' else c_text[i]
            c_out += 1
        i += 1
    out.size = c_out - <uint8_t*>out.c_data
    return 0


cdef inline bint ends_line(const char* c_text, Py_ssize_t size) noexcept:
    return size >= 2 and c_text[size - 2] == c'\r' and c_text[size - 1] == c'\n'


cdef Py_ssize_t without_empty_lines(const char* c_text, Py_ssize_t size) noexcept:
    """The size without the empty lines at the end; 0 where there is nothing else."""
    while ends_line(c_text, size) and ends_line(c_text, size - 2):
        size -= 2
    return 0 if size == 2 and ends_line(c_text, size) else size


cdef object relaxed_view(const char* c_text, Py_ssize_t size, Buffer scratch):
    """A look at the relaxed form of a body: at the body itself, or at `scratch`; to be dropped before either changes."""
    cdef Py_ssize_t same = unchanged(<const uint8_t*>c_text, size)
    if same < size or size and not ends_line(c_text, size):
        reduce_blanks(<const uint8_t*>c_text, size, same, scratch)
        if scratch.size and not ends_line(scratch.c_data, scratch.size):
            scratch.write(b"\r\n", 2)
        c_text = scratch.c_data
        size = scratch.size
    return PyMemoryView_FromMemory(<char*>c_text, without_empty_lines(c_text, size), PyBUF_READ)


def relaxed_body(bytes body not None):
    """The relaxed form of a body; for the tests that compare it with others'."""
    cdef Buffer scratch = Buffer()
    return bytes(relaxed_view(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), scratch))


# ---- the header ----------------------------------------------------------------------------------------------------

cdef Py_ssize_t header_size(const char* c_text, Py_ssize_t size) except -1:
    """The size of all fields, with the last one's line end. Raises ValueError where no empty line follows them."""
    cdef Py_ssize_t at = 0
    cdef const char* c_found
    while at < size:
        c_found = <const char*>memchr(c_text + at, c'\n', size - at)
        if c_found == NULL:
            break
        at = c_found - c_text + 1
        if at + 2 <= size and c_text[at] == c'\r' and c_text[at + 1] == c'\n':
            return at
    raise ValueError("the message has no empty line after its header")


cdef Py_ssize_t field_start(const char* c_text, Py_ssize_t end) noexcept:
    """Where the field begins that ends before `end`."""
    cdef Py_ssize_t start = end - 1
    while start > 0 and (c_text[start - 1] != c'\n' or is_blank(<uint8_t>c_text[start])):
        start -= 1
    return start


cdef inline char lower(char byte) noexcept:
    return byte + 32 if c'A' <= byte <= c'Z' else byte


cdef int write_relaxed(Buffer out, const char* c_field, Py_ssize_t colon, Py_ssize_t size) except -1:
    """Write the relaxed form of a field: the name small, the value on one line with single spaces in it."""
    cdef Py_ssize_t i
    cdef bint blank = False
    cdef char* c_out
    cdef char* c_value
    if out.size + size + 3 > out.capacity:
        out.grow(size + 3)
    c_out = out.c_data + out.size
    for i in range(colon):
        if not is_blank(<uint8_t>c_field[i]):
            c_out[0] = lower(c_field[i])
            c_out += 1
    c_out[0] = c':'
    c_out += 1
    c_value = c_out
    for i in range(colon + 1, size):
        if is_blank(<uint8_t>c_field[i]):
            blank = True
        elif c_field[i] != c'\r' and c_field[i] != c'\n':
            if blank and c_out != c_value:
                c_out[0] = c' '
                c_out += 1
            blank = False
            c_out[0] = c_field[i]
            c_out += 1
    c_out[0] = c'\r'
    c_out[1] = c'\n'
    out.size = c_out + 2 - out.c_data
    return 0


# ---- signatures ----------------------------------------------------------------------------------------------------

@cython.final
cdef class DkimSigner:
    """Signs messages for some selectors, with a field for each. Raises MissingDkimKey and BadDkimKey.

    The same message always gets the same fields: nothing in them is of chance, and the time is the message's. Threads may
    share a signer.
    """

    def __cinit__(self, selectors, keys):
        self.signatures = find_signatures(selectors, keys)
        self.last = (None, None, None)

    def __reduce__(self):
        raise TypeError("a signer holds keys and is not pickled")

    def sign(self, bytes message not None):
        """The message with its DKIM-Signature fields before it. Raises ValueError where it is none, or has no Date."""
        return self.fields_of(PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message), date_of(message)) + message

    cdef bytes fields_of(self, const char* c_message, Py_ssize_t size, long long at):
        """The signatures' fields of a message that is signed `at` (seconds since 1970)."""
        cdef Buffer header = Buffer()
        cdef Buffer scratch = Buffer()
        cdef Py_ssize_t end = header_size(c_message, size)
        cdef bytes names = self._signed_fields(c_message, end, header)
        cdef list found = []
        end += 2
        body_hash = b2a_base64(sha256(relaxed_view(c_message + end, size - end, scratch)).digest(), newline=False)
        fixed = header.take()
        for signature, start, relaxed in self._starts(names, at):
            signed = signature.sign(b"".join((fixed, relaxed, body_hash, b"; b=")))
            found += (start, body_hash, b";\r\n b=", wrapped(b2a_base64(signed, newline=False)))
        return b"".join(found)

    cdef bytes _signed_fields(self, const char* c_message, Py_ssize_t end, Buffer header):
        """Write the relaxed form of every field to sign, the last one first; returns their names, with a colon after each."""
        cdef Py_ssize_t start, colon, at
        cdef const char* c_colon
        cdef Buffer names = Buffer()
        header.start(end + 64)
        names.start(256)
        while end > 0:
            start = field_start(c_message, end)
            c_colon = <const char*>memchr(c_message + start, c':', end - start)
            if c_colon == NULL:
                raise ValueError("a line of the header is no field")
            colon = c_colon - c_message - start
            at = header.size
            write_relaxed(header, c_message + start, colon, end - start)
            colon = <const char*>memchr(header.c_data + at, c':', header.size - at) - (header.c_data + at)
            name = PyBytes_FromStringAndSize(header.c_data + at, colon)
            if name in UNSIGNED or b";" in name:  # a semicolon cannot stand in the list of names
                header.size = at
            else:
                names.write(header.c_data + at, colon + 1)
            end = start
        return names.take()

    cdef list _starts(self, bytes names, long long at):
        """Each signature, and how its field begins, up to the body hash: as it is written and in relaxed form."""
        last_names, last_at, starts = self.last
        if last_names != names or last_at != at:
            listed = names.decode().split(":")[:-1]
            starts = []
            for signature in self.signatures:
                start = signature_start(signature, listed, at)
                label, _, value = start.partition(b": ")
                starts.append((signature, start, label.lower() + b":" + value.replace(b"\r\n", b"")))
            self.last = (names, at, starts)
        return starts


cdef bytes wrapped(bytes text):
    """A signature's base64 in lines, with the line end of the field."""
    return b"\r\n ".join([text[i:i + LINE] for i in range(0, len(text), LINE)]) + b"\r\n"
