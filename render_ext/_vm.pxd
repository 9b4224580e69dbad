"""C-level face of the VM; see _vm.pyx."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from render_ext._buffer cimport Buffer
from render_ext._tokens cimport Packed, TokenSigner


cdef struct Step:
    int op
    int a
    int b
    int room  # of a TEXT in quoted-printable: the column up to which its first line fits; of a FILTER its price; of a PUT AS_TEXT
    int prefix  # number of the object that holds the last key of a path, -1 for none
    int tail  # and the column after it, -1 where it has no line break
    Py_ssize_t at
    const char* c_text
    Py_ssize_t size
    const char* c_wire  # the text in the transfer encoding of the program
    Py_ssize_t wire_size
    PyObject* c_value
    PyObject* c_names
    unsigned long long commands


cdef struct Loop:
    PyObject* c_items
    Py_ssize_t first  # index of the first item taken
    Py_ssize_t index  # of the current item among those taken
    Py_ssize_t length
    bint reverse
    int slot
    PyObject* c_name


@cython.final
cdef class Frame:
    cdef PyObject** c_stack
    cdef PyObject** c_slots
    cdef PyObject** c_prefixes
    cdef Loop* c_loops
    cdef int depth
    cdef int slots  # with the prefixes after them
    cdef int loops
    cdef Py_ssize_t at  # index of the step being executed
    cdef void clear(self) noexcept


@cython.final
cdef class Message:
    cdef TokenSigner signer
    cdef Packed c_identity
    cdef bint identified
    cdef uint32_t* c_counts
    cdef int links
    cdef int wanted  # the link to resolve; TRACKED or SHOWN for none
    cdef unsigned long long wanted_occurrence
    cdef str found
    cdef int begin(self, object identity) except -1
    cdef int reset(self) except -1


@cython.final
cdef class Program:
    cdef readonly str name
    cdef readonly str source
    cdef readonly object layout
    cdef readonly object limits
    cdef readonly TokenSigner signer
    cdef readonly int transfer
    cdef readonly bint strict
    cdef Step* c_steps
    cdef Py_ssize_t count
    cdef int slots
    cdef int stack
    cdef int loops
    cdef int prefixes
    cdef int highest_link
    cdef Py_ssize_t hint  # size of the last result, where the next one starts
    cdef long long most_steps
    cdef Py_ssize_t most_bytes
    cdef Py_ssize_t most_value
    cdef object _places

    cdef Frame frame(self)
    cdef Message message(self)
    cdef int execute(self, Frame frame, object values, Buffer out, Message message, bint wire) except -1
    cdef int _run(self, Frame frame, PyObject* c_values, Buffer out, Message message, bint wire) except -1
    cdef object _located(self, Frame frame, object error)
