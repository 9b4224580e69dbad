"""C-level face of the header writer; see _headers.pyx."""

from render_ext._buffer cimport Buffer

cdef int write_subject(Buffer out, const char* c_text, Py_ssize_t size) except -1
cdef int write_field(Buffer out, bytes label, const char* c_text, Py_ssize_t size, bint structured) except -1
cdef int write_mailbox(Buffer out, object name, bytes address, int column) except -1
cdef int write_named(Buffer out, const char* c_name, Py_ssize_t size, bytes address, int column) except -1
cdef bytes checked_address(object address)
cdef Py_ssize_t trimmed(char* c_text, Py_ssize_t size, Py_ssize_t* c_start) noexcept
