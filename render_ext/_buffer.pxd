"""C-level face of the output buffer; see _buffer.pyx."""

cimport cython
from cpython.object cimport PyObject


cpdef enum Escape:
    ESCAPE_NONE = 0
    ESCAPE_HTML = 1
    ESCAPE_URL = 2  # everything but the unreserved characters of RFC 3986
    ESCAPE_URI = 3  # keeps the reserved ones too: what `raw` means inside a URL
    ESCAPE_JSON = 4
    ESCAPE_HEADER = 5  # control characters become spaces


cpdef enum Transfer:
    TRANSFER_NONE = 0
    TRANSFER_LF = 1  # line ends become LF
    TRANSFER_CRLF = 2  # line ends become CRLF
    TRANSFER_QP = 3  # quoted-printable, RFC 2045 section 6.7


@cython.final
cdef class Buffer:
    cdef PyObject* c_bytes  # a bytes object that only we know of; handed out by take()
    cdef char* c_data
    cdef readonly Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef Py_ssize_t limit
    cdef Py_ssize_t bound  # the value_bytes of what is captured, -1 for a page
    cdef public int transfer
    cdef public int column  # of the quoted-printable line being written

    cdef int start(self, Py_ssize_t capacity) except -1
    cdef int grow(self, Py_ssize_t extra) except -1
    cdef int full(self) except -1
    cdef int write(self, const char* c_text, Py_ssize_t size) except -1
    cdef int write_segment(self, const char* c_text, Py_ssize_t size, int room, int tail) except -1
    cdef int write_url(self, const char* c_text, Py_ssize_t size) except -1
    cdef int write_utf8(self, const char* c_text, Py_ssize_t size, int escape) except -1
    cdef int write_str(self, PyObject* c_str, int escape) except -1
    cdef int write_int(self, long long number) except -1
    cdef int write_base64(self, const char* c_text, Py_ssize_t size) except -1
    cdef bytes take(self)
    cdef str text(self)

    cdef int _chunk(self, const char* c_text, Py_ssize_t size, int escape) except -1
    cdef int _chunk_qp(self, const char* c_text, Py_ssize_t size, int escape) except -1
