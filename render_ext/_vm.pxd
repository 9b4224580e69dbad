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
    int whole  # number of the value itself, for a path that stands several times; -1 for others
    int prefix  # number of the object that holds the last key of a path, -1 for none; of a FOR the slot of its record
    int tail  # and the column after it, -1 where it has no line break; of a FOR its kind
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
    int kind
    Py_ssize_t cols  # of a tablerow
    PyObject* c_before  # what the slot held before the loop
    PyObject* c_name


cdef struct Call:
    Py_ssize_t back  # the step to go on with
    PyObject** c_slots  # of the template that called
    int base
    bint isolated


@cython.final
cdef class Frame:
    cdef PyObject** c_stack
    cdef PyObject** c_slots  # of the template that runs
    cdef PyObject** c_all_slots  # those of each isolated partial after those of its caller, and the prefixes
    cdef PyObject** c_prefixes
    cdef const int* c_following
    cdef Loop* c_loops
    cdef Call* c_calls
    cdef int* c_registers
    cdef list held  # the buffers that wait while something is captured
    cdef Buffer notes  # the lines of the notes so far, None where there are none
    cdef Py_ssize_t noted  # how many they are
    cdef int depth
    cdef int slots  # of one template
    cdef int all_slots  # with the prefixes after them
    cdef int loops
    cdef int calls
    cdef int base  # the first loop that the running template may know of
    cdef int interrupt  # what the last partial ended with: 1 for break, 2 for continue
    cdef Py_ssize_t at  # index of the step being executed
    cdef void clear(self) noexcept
    cdef void clear_slots(self, int count) noexcept


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
    cdef int calls
    cdef int renders
    cdef int registers
    cdef int* c_following
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
    cdef int _end(self) except -1
    cdef object _located(self, Frame frame, object error)
