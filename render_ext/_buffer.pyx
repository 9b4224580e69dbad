"""Buffer: growing bytes that a message is written into.

What is written passes two stages, done together byte by byte: the *escape* of the place in the document
(HTML, URL, …) and the *transfer* encoding of the part (line ends, quoted-printable). Static text comes already encoded
and is copied (`write_segment`); only values are encoded here.

Quoted-printable keeps every line at 76 characters or less wherever a value lands: the buffer knows the column, and a
segment or a value that does not fit starts after a soft line break. A dot, or the F of "From ", at the start of a line is
written as hex, so that no byte of the message is ever changed on its way.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcpy, memset

from render_ext.errors import LimitReached

cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject** c_bytes, Py_ssize_t size) except -1
    PyObject* PyBytes_New "PyBytes_FromStringAndSize"(const char* text, Py_ssize_t size) except NULL
    char* PyBytes_Data "PyBytes_AS_STRING"(PyObject* o)
    Py_ssize_t PyUnicode_Length "PyUnicode_GET_LENGTH"(PyObject* o)
    int PyUnicode_Kind "PyUnicode_KIND"(PyObject* o)
    void* PyUnicode_Data "PyUnicode_DATA"(PyObject* o)
    bint PyUnicode_Ascii "PyUnicode_IS_ASCII"(PyObject* o)
    uint32_t PyUnicode_Read "PyUnicode_READ"(int kind, void* data, Py_ssize_t index)

cdef extern from *:
    """
    #ifdef __GLIBC__
    #include <malloc.h>
    static int keep_freed(int size) {
        return mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, size) && mallopt(M_TOP_PAD, 1 << 20);
    }
    #else
    static int keep_freed(int size) { (void)size; return 0; }
    #endif
    """
    int keep_freed(int size)

# How one byte is treated, by transfer, escape and byte.
cdef enum:
    COPY = 0
    ESCAPED  # the escape replaces it
    HEX  # quoted-printable writes =XX
    CARRIAGE_RETURN
    LINE_FEED
    BLANK  # a space or tab: hex at the end of a line
    LINE_START  # hex at the start of a line

cdef enum:
    CHUNK = 1024  # bytes of a value encoded between two looks at capacity and limit
    WORST = 8  # bytes one byte can become: an entity, and soft line breaks
    LINE = 75  # characters on a quoted-printable line before the "=" of a soft break

cdef uint8_t CLASS[4][6][256]
cdef const char* HEXADECIMAL = b"0123456789ABCDEF"
cdef const char* BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
RESERVED = b":/?#[]@!$&'()*+,;=%"


def _escaped_bytes(int escape):
    """The bytes that an escape replaces."""
    if escape == ESCAPE_HTML:
        return set(b"&<>\"'")
    if escape == ESCAPE_URL:
        return set(range(256)) - set(UNRESERVED)
    if escape == ESCAPE_URI:
        return set(range(256)) - set(UNRESERVED + RESERVED)
    if escape == ESCAPE_JSON:
        return set(range(32)) | set(b"\"\\<>&\x7f")
    if escape == ESCAPE_HEADER:
        return set(range(32)) | {127}
    return set()


def _set_up():
    cdef int transfer, escape, byte
    for transfer in range(4):
        for escape in range(6):
            memset(CLASS[transfer][escape], COPY, 256)
            if transfer == TRANSFER_QP:
                for byte in range(256):
                    if byte < 32 or byte > 126 or byte == 61:
                        CLASS[transfer][escape][byte] = HEX
                for byte in b" \t":
                    CLASS[transfer][escape][byte] = BLANK
                for byte in b".F":
                    CLASS[transfer][escape][byte] = LINE_START
            if transfer != TRANSFER_NONE:
                CLASS[transfer][escape][13] = CARRIAGE_RETURN
                CLASS[transfer][escape][10] = LINE_FEED
            for byte in _escaped_bytes(escape):
                CLASS[transfer][escape][byte] = ESCAPED


_set_up()


cdef inline int expand(int escape, uint8_t byte, char* c_out) noexcept:
    """Write what an escape makes of a byte (at most 6 bytes); returns how many."""
    cdef const char* c_entity
    cdef int size
    if escape == ESCAPE_HTML:
        if byte == c'&':
            c_entity = b"&amp;"
            size = 5
        elif byte == c'<':
            c_entity = b"&lt;"
            size = 4
        elif byte == c'>':
            c_entity = b"&gt;"
            size = 4
        elif byte == c'"':
            c_entity = b"&quot;"
            size = 6
        else:
            c_entity = b"&#39;"
            size = 5
        memcpy(c_out, c_entity, size)
        return size
    if escape == ESCAPE_HEADER:
        c_out[0] = c' '
        return 1
    if escape == ESCAPE_JSON:
        c_out[0] = c'\\'
        if byte == c'"' or byte == c'\\':
            c_out[1] = byte
            return 2
        if byte == c'\n' or byte == c'\r' or byte == c'\t':
            c_out[1] = c'n' if byte == c'\n' else (c'r' if byte == c'\r' else c't')
            return 2
        memcpy(c_out + 1, b"u00", 3)
        c_out[4] = HEXADECIMAL[byte >> 4]
        c_out[5] = HEXADECIMAL[byte & 15]
        return 6
    c_out[0] = c'%'
    c_out[1] = HEXADECIMAL[byte >> 4]
    c_out[2] = HEXADECIMAL[byte & 15]
    return 3


cdef inline bint plain(const uint8_t* c_class, const char* c_text) noexcept:
    """Whether eight bytes stay as they are."""
    cdef const uint8_t* c = <const uint8_t*>c_text
    return (c_class[c[0]] | c_class[c[1]] | c_class[c[2]] | c_class[c[3]]
            | c_class[c[4]] | c_class[c[5]] | c_class[c[6]] | c_class[c[7]]) == COPY


cdef inline int encode_utf8(uint32_t c, char* c_out) noexcept:
    """UTF-8 of one character; a lone surrogate becomes U+FFFD. Returns how many bytes (1 to 4)."""
    if c < 0x80:
        c_out[0] = <char>c
        return 1
    if c < 0x800:
        c_out[0] = <char>(0xC0 | (c >> 6))
        c_out[1] = <char>(0x80 | (c & 0x3F))
        return 2
    if 0xD800 <= c <= 0xDFFF:
        c = 0xFFFD
    if c < 0x10000:
        c_out[0] = <char>(0xE0 | (c >> 12))
        c_out[1] = <char>(0x80 | ((c >> 6) & 0x3F))
        c_out[2] = <char>(0x80 | (c & 0x3F))
        return 3
    c_out[0] = <char>(0xF0 | (c >> 18))
    c_out[1] = <char>(0x80 | ((c >> 12) & 0x3F))
    c_out[2] = <char>(0x80 | ((c >> 6) & 0x3F))
    c_out[3] = <char>(0x80 | (c & 0x3F))
    return 4


@cython.final
@cython.freelist(16)
cdef class Buffer:
    """Bytes being written. Going over `limit` raises LimitReached("output_bytes")."""

    def __cinit__(self, Py_ssize_t limit=0x7FFFFFFFFFFF, int transfer=TRANSFER_NONE):
        self.c_bytes = NULL
        self.c_data = NULL
        self.size = 0
        self.capacity = 0
        self.limit = limit
        self.bound = -1
        self.transfer = transfer
        self.column = 0

    def __dealloc__(self):
        Py_XDECREF(self.c_bytes)

    cdef int start(self, Py_ssize_t capacity) except -1:
        """Begin anew, with room for so many bytes."""
        self.size = 0
        self.column = 0
        if self.capacity < capacity:
            self.grow(capacity)
        return 0

    cdef int grow(self, Py_ssize_t extra) except -1:
        cdef Py_ssize_t capacity = self.size + extra
        if capacity < self.capacity + self.capacity // 2:
            capacity = self.capacity + self.capacity // 2
        if self.c_bytes == NULL:
            self.c_bytes = PyBytes_New(NULL, capacity)
        else:
            self.capacity = 0  # on failure the resize has freed it
            self.c_data = NULL
            _PyBytes_Resize(&self.c_bytes, capacity)
        self.c_data = PyBytes_Data(self.c_bytes)
        self.capacity = capacity
        return 0

    cdef int full(self) except -1:
        if self.bound >= 0:
            raise LimitReached("value_bytes", self.bound)
        raise LimitReached("output_bytes", self.limit)

    cdef int write(self, const char* c_text, Py_ssize_t size) except -1:
        """Copy bytes that need no encoding."""
        if self.size + size > self.limit:
            self.full()
        if self.size + size > self.capacity:
            self.grow(size)
        memcpy(self.c_data + self.size, c_text, size)
        self.size += size
        return 0

    cdef int write_segment(self, const char* c_text, Py_ssize_t size, int room, int tail) except -1:
        """Copy pre-encoded quoted-printable text.

        `room` is the column up to which its first line still fits; `tail` the column after it, or -1 when it has no
        line break and only moves the column on.
        """
        if self.column > room:
            self.write(b"=\r\n", 3)
            self.column = 0
        self.write(c_text, size)
        if tail < 0:
            self.column += <int>size
        else:
            self.column = tail
        return 0

    cdef int write_url(self, const char* c_text, Py_ssize_t size) except -1:
        """Copy a URL of ours: no character in it needs an escape, only the line length counts."""
        if self.transfer == TRANSFER_QP:
            if size > LINE:
                return self.write_utf8(c_text, size, ESCAPE_NONE)
            if self.column + size > LINE:
                self.write(b"=\r\n", 3)
                self.column = 0
            self.column += <int>size
        return self.write(c_text, size)

    cdef int write_utf8(self, const char* c_text, Py_ssize_t size, int escape) except -1:
        """Encode UTF-8 bytes of a value. They need not be whole characters."""
        cdef Py_ssize_t chunk
        while size > CHUNK:
            chunk = CHUNK - 1 if c_text[CHUNK - 1] == c'\r' else CHUNK  # keeps CR LF together
            self._chunk(c_text, chunk, escape)
            c_text += chunk
            size -= chunk
        return self._chunk(c_text, size, escape)

    cdef int write_str(self, PyObject* c_str, int escape) except -1:
        """Encode a str (the caller has checked that it is one)."""
        cdef Py_ssize_t length = PyUnicode_Length(c_str), i
        cdef void* c_data = PyUnicode_Data(c_str)
        cdef char c_chunk[CHUNK]
        cdef int kind, kept, used = 0
        if PyUnicode_Ascii(c_str):
            return self.write_utf8(<const char*>c_data, length, escape)
        kind = PyUnicode_Kind(c_str)
        for i in range(length):
            if used > CHUNK - 4:
                kept = 1 if c_chunk[used - 1] == c'\r' else 0  # keeps CR LF together
                self._chunk(c_chunk, used - kept, escape)
                c_chunk[0] = c'\r'
                used = kept
            used += encode_utf8(PyUnicode_Read(kind, c_data, i), c_chunk + used)
        return self._chunk(c_chunk, used, escape)

    cdef int write_int(self, long long number) except -1:
        """Decimal digits."""
        cdef char c_digits[24]
        cdef int at = 24
        cdef unsigned long long rest = -<unsigned long long>number if number < 0 else <unsigned long long>number
        while True:
            at -= 1
            c_digits[at] = c'0' + <char>(rest % 10)
            rest = rest // 10
            if rest == 0:
                break
        if number < 0:
            at -= 1
            c_digits[at] = c'-'
        if self.transfer == TRANSFER_QP:
            return self._chunk(c_digits + at, 24 - at, ESCAPE_NONE)
        return self.write(c_digits + at, 24 - at)

    cdef int _chunk(self, const char* c_text, Py_ssize_t size, int escape) except -1:
        cdef const uint8_t* c_class = CLASS[self.transfer][escape]
        cdef Py_ssize_t i = 0
        cdef char* c_out
        cdef uint8_t kind, byte
        cdef bint crlf = self.transfer == TRANSFER_CRLF
        if self.transfer == TRANSFER_QP:
            return self._chunk_qp(c_text, size, escape)
        if self.size + size * WORST > self.capacity:
            self.grow(size * WORST)
        c_out = self.c_data + self.size
        while True:
            while i + 8 <= size and plain(c_class, c_text + i):
                memcpy(c_out, c_text + i, 8)
                c_out += 8
                i += 8
            while i < size and c_class[<uint8_t>c_text[i]] == COPY:
                c_out[0] = c_text[i]
                c_out += 1
                i += 1
            if i >= size:
                break
            byte = <uint8_t>c_text[i]
            kind = c_class[byte]
            if kind == ESCAPED:
                c_out += expand(escape, byte, c_out)
            elif kind != CARRIAGE_RETURN or i + 1 == size or c_text[i + 1] != c'\n':
                if crlf:
                    c_out[0] = c'\r'
                    c_out += 1
                c_out[0] = c'\n'
                c_out += 1
            i += 1
        self.size = c_out - self.c_data
        if self.size > self.limit:
            self.full()
        return 0

    cdef int _chunk_qp(self, const char* c_text, Py_ssize_t size, int escape) except -1:
        cdef const uint8_t* c_class = CLASS[<int>TRANSFER_QP][escape]
        cdef Py_ssize_t i = 0
        cdef int column = self.column, width
        cdef char c_entity[8]
        cdef char* c_out
        cdef uint8_t kind, byte
        if self.size + size * WORST + 8 > self.capacity:
            self.grow(size * WORST + 8)
        c_out = self.c_data + self.size
        while i < size:
            while column + 8 <= LINE and i + 8 <= size and plain(c_class, c_text + i):
                memcpy(c_out, c_text + i, 8)
                c_out += 8
                column += 8
                i += 8
            while column < LINE and i < size and c_class[<uint8_t>c_text[i]] == COPY:
                c_out[0] = c_text[i]
                c_out += 1
                column += 1
                i += 1
            if i >= size:
                break
            byte = <uint8_t>c_text[i]
            kind = c_class[byte]
            if kind == COPY:  # and the line is full
                memcpy(c_out, b"=\r\n", 3)
                c_out += 3
                column = 0
                continue
            i += 1
            if kind == ESCAPED:
                width = expand(escape, byte, c_entity)
                if column + width > LINE:
                    memcpy(c_out, b"=\r\n", 3)
                    c_out += 3
                    column = 0
                memcpy(c_out, c_entity, width)
                c_out += width
                column += width
                continue
            if kind == CARRIAGE_RETURN or kind == LINE_FEED:
                if kind == LINE_FEED or i == size or c_text[i] != c'\n':
                    memcpy(c_out, b"\r\n", 2)
                    c_out += 2
                    column = 0
                continue
            width = 3
            if kind == BLANK:
                if i < size and c_text[i] != c'\r' and c_text[i] != c'\n':
                    width = 1
            elif kind == LINE_START and 0 < column < LINE:
                width = 1
            if column + width > LINE:
                memcpy(c_out, b"=\r\n", 3)
                c_out += 3
                column = 0
            if width == 1:
                c_out[0] = <char>byte
            else:
                c_out[0] = c'='
                c_out[1] = HEXADECIMAL[byte >> 4]
                c_out[2] = HEXADECIMAL[byte & 15]
            c_out += width
            column += width
        self.size = c_out - self.c_data
        self.column = column
        if self.size > self.limit:
            self.full()
        return 0

    cdef int write_base64(self, const char* c_text, Py_ssize_t size) except -1:
        """Base64 in lines of 76 characters, each ended by CRLF (RFC 2045 section 6.8)."""
        cdef Py_ssize_t i = 0, line
        cdef const uint8_t* c_in = <const uint8_t*>c_text
        cdef char* c_out
        cdef Py_ssize_t needed = (size + 56) // 57 * 78
        if self.size + needed > self.limit:
            self.full()
        if self.size + needed > self.capacity:
            self.grow(needed)
        c_out = self.c_data + self.size
        while i < size:
            line = i + 57 if i + 57 < size else size
            while i + 2 < line:
                c_out[0] = BASE64[c_in[i] >> 2]
                c_out[1] = BASE64[(c_in[i] & 3) << 4 | c_in[i + 1] >> 4]
                c_out[2] = BASE64[(c_in[i + 1] & 15) << 2 | c_in[i + 2] >> 6]
                c_out[3] = BASE64[c_in[i + 2] & 63]
                c_out += 4
                i += 3
            if i < line:
                c_out[0] = BASE64[c_in[i] >> 2]
                c_out[3] = c'='
                if i + 1 < line:
                    c_out[1] = BASE64[(c_in[i] & 3) << 4 | c_in[i + 1] >> 4]
                    c_out[2] = BASE64[(c_in[i + 1] & 15) << 2]
                else:
                    c_out[1] = BASE64[(c_in[i] & 3) << 4]
                    c_out[2] = c'='
                c_out += 4
                i = line
            memcpy(c_out, b"\r\n", 2)
            c_out += 2
        self.size = c_out - self.c_data
        return 0

    cdef bytes take(self):
        """The bytes written; the buffer is empty afterwards."""
        cdef bytes result
        if self.c_bytes == NULL:
            return b""
        if self.size != self.capacity:
            self.capacity = 0
            self.c_data = NULL
            _PyBytes_Resize(&self.c_bytes, self.size)
        result = <bytes>self.c_bytes
        Py_XDECREF(self.c_bytes)
        self.c_bytes = NULL
        self.c_data = NULL
        self.capacity = 0
        self.size = 0
        self.column = 0
        return result

    cdef str text(self):
        """What was written, as text; the buffer keeps it."""
        return PyUnicode_DecodeUTF8(self.c_data, self.size, NULL) if self.size else ""


def encode(str text, int escape, int transfer, Py_ssize_t limit=0x7FFFFFFFFFFF):
    """A text as the buffer writes it from column 0; for static text at compile time, and for tests."""
    cdef Buffer buffer = Buffer(limit, transfer)
    buffer.write_str(<PyObject*>text, escape)
    return buffer.take()


def retain_memory(int size):
    """Let the allocator keep up to `size` bytes of freed memory for the next batch (glibc; returns whether it does).

    Rendered batches are megabytes that are freed at once. Given back to the system each time, they cost more page faults
    than the rendering itself. For processes that render all day; for the whole process, so theirs to decide.
    """
    return bool(keep_freed(size))


def base64_lines(bytes data):
    """Base64 in lines of 76 characters."""
    cdef Buffer buffer = Buffer()
    buffer.write_base64(PyBytes_AS_STRING(data), len(data))
    return buffer.take()


def dot_stuffed(bytes message):
    """The message with a dot before each line that begins with one (RFC 5321 §4.5.2); itself where no line does."""
    cdef const char* at = PyBytes_AS_STRING(message)
    cdef const char* end = at + len(message)
    while at != NULL and at < end and at[0] != b".":
        at = <const char*>memchr(at, b"\n", end - at)
        if at != NULL:
            at += 1
    if at == NULL or at >= end:
        return message
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if message.startswith(b".") else stuffed
