"""C-level face of DKIM signatures; see _dkim.pyx."""

cimport cython

from render_ext._buffer cimport Buffer


@cython.final
cdef class DkimSigner:
    cdef tuple signatures
    cdef tuple last  # names of fields and time of the last message, and how its signatures began: mostly the next one's too

    cdef bytes fields_of(self, const char* c_message, Py_ssize_t size, long long at)
    cdef bytes _signed_fields(self, const char* c_message, Py_ssize_t end, Buffer header)
    cdef list _starts(self, bytes names, long long at)
