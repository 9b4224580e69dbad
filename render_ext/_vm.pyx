"""The VM: one loop over the steps of a program, once per recipient.

A program is a flat list of steps working on a small stack of values. `a`, `b` and `value` are a step's arguments.

    HALT                           write the notes, if there are any, and end
    TEXT           value           write literal text, already encoded for the part
    PUT_PATH       a b value       look up a path and write it, escaped as b says: the fused LOAD_PATH, PUT
    PUT            b               pop a value and write it; AS_TEXT in b: as the filter `escape` takes it
    LOAD           value           push a constant
    LOAD_PATH      a value         push what a path leads to; a is the slot of its root, -1 for the values given
    LOAD_VALUES                    push the values themselves (for `["name"]`)
    LOAD_LOOP      a b             push a field of the loop that is a loops outwards
    GET            a               pop a key and an object, push the object's item; a=1: `size` and the like count
    RANGE                          pop last and first, push a range
    FILTER         a b value       call a filter with a positional of b arguments in all
    COMPARE        a               pop right and left, push true or false
    JUMP           a               go to step a
    JUMP_IF_FALSE  a               pop a value; go to a if it is false or nothing
    JUMP_IF_TRUE   a               pop a value; go to a if it is anything else
    STORE          a               pop a value into a slot
    FOR            a b value       pop (limit, offset,) items and enter a loop, or go to a if there are none
    NEXT           a               on to the next item and to a, or leave the loop
    LEAVE          a               leave the loop and go to a
    TABLE          a b value       pop (cols, limit, offset,) items and enter a tablerow, or go to a if there are none
    NEXT_CELL      a b             end a cell, begin the next and go to a, or leave the tablerow; markup escaped as b says
    LEAVE_TABLE    a b             end a cell, leave the tablerow and go to a
    LOAD_ROW       a b             push a field of the tablerow around
    CAPTURE                        write into a buffer of its own from here on, up to
    END_CAPTURE    a b             where its text is put into slot a, as trusted HTML if b says so, or
    END_CHANGED    a               where it is written if it differs from slot a, or
    END_FOOTNOTE                   where it becomes the next note, of which only the number is written
    CYCLE          a b value       (pop a group and) go to the target whose turn it is by the turns in slot a, or to b
    COUNT          a b value       move a counter on and write it, escaped as b says
    SET            a b             set register b to a
    JUMP_IF_SET    a b             go to a if register b is set
    GO_SUB         a b             note in register b where this is and go to a, up to
    END_SUB        b               where the way leads back
    SWAP           a               let the value on top and that in slot a change places
    RESTORE        a               pop a value, or nothing, into a slot
    DROP           a               pop so many values
    CALL           a               run the partial at a, which shares the slots
    RENDER         a b value       run the partial at a in slots of its own: parameters from the stack, the item from a slot
    RETURN         b               end of a partial; b is the interrupt that ended it
    JUMP_UNLESS    a b             go to a unless a partial ended with interrupt b
    LEAVE_IF_INTERRUPTED  a        leave the loop and go to a if a partial ended with any
    JUMP_UNLESS_EACH  a b          go to a unless the value on top has items; with b only a list has
    LINK           a b             write the tracked URL of link b and go to a, or capture its target up to
    END_LINK       b               where the target is written instead, escaped as b says
    URL            a               write the system URL of kind a
    DEFAULT                        pop a fallback; put it in place of a value that is nothing, false or empty

A step costs one of Limits.steps, and more where it reads or makes a long text, a list or an object: see `weigh`.
Values are plain data; lookups are key lookups. There is no attribute access, and no call but of registered filters.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from render_ext._buffer cimport (
    ESCAPE_HTML, ESCAPE_NONE, TRANSFER_LF, TRANSFER_NONE, TRANSFER_QP, Buffer,
)
from render_ext._tokens cimport Packed, TokenSigner, pack_identity

from render_ext.errors import FilterError, LimitReached, RenderError, position
from render_ext.places import link_places, variable_places
from render_ext.values import (
    Html, contains, equal, inspect, leading_integer, less, loop_items, make_range, output_text, to_integer, to_text,
    whole_within,
)

from bisect import bisect_right
from decimal import Decimal
from operator import attrgetter

cdef extern from "Python.h":
    PyObject* Py_None
    PyObject* Py_True
    PyObject* Py_False
    PyObject* c_dict_get "PyDict_GetItemWithError"(PyObject* o, PyObject* key)
    PyObject* c_tuple_item "PyTuple_GET_ITEM"(PyObject* o, Py_ssize_t index)
    Py_ssize_t c_tuple_size "PyTuple_GET_SIZE"(PyObject* o)
    PyObject* c_list_item "PyList_GET_ITEM"(PyObject* o, Py_ssize_t index)
    Py_ssize_t c_list_size "PyList_GET_SIZE"(PyObject* o)
    Py_ssize_t c_dict_size "PyDict_Size"(PyObject* o)
    Py_ssize_t c_length "PyObject_Length"(PyObject* o) except -1
    Py_ssize_t c_length_or_error "PyObject_Length"(PyObject* o)
    PyObject* c_item "PySequence_GetItem"(PyObject* o, Py_ssize_t index) except NULL
    PyObject* c_number "PyLong_FromSsize_t"(Py_ssize_t number) except NULL
    bint c_is_dict "PyDict_Check"(PyObject* o)
    bint c_is_exact_dict "PyDict_CheckExact"(PyObject* o)
    bint c_is_list "PyList_Check"(PyObject* o)
    bint c_is_tuple "PyTuple_Check"(PyObject* o)
    bint c_is_range "PyRange_Check"(PyObject* o)
    bint c_dict_next "PyDict_Next"(PyObject* o, Py_ssize_t* at, PyObject** key, PyObject** value)
    bint c_is_str "PyUnicode_Check"(PyObject* o)
    bint c_is_exact_str "PyUnicode_CheckExact"(PyObject* o)
    bint c_is_exact_int "PyLong_CheckExact"(PyObject* o)
    bint c_is_int "PyLong_Check"(PyObject* o)
    bint c_is_exact_float "PyFloat_CheckExact"(PyObject* o)
    Py_ssize_t c_str_length "PyUnicode_GET_LENGTH"(PyObject* o)
    long long c_long_long "PyLong_AsLongLongAndOverflow"(PyObject* o, int* overflow) except? -1
    int c_rich_compare "PyObject_RichCompareBool"(PyObject* left, PyObject* right, int op) except -1
    PyObject* c_vectorcall "PyObject_Vectorcall"(
        PyObject* function, PyObject** arguments, size_t count, PyObject* names) except NULL
    PyObject* c_error "PyErr_Occurred"()
    void c_forget_error "PyErr_Clear"()
    PyObject* c_type "Py_TYPE"(PyObject* o)
    void c_incref "Py_INCREF"(PyObject* o)
    void c_decref "Py_DECREF"(PyObject* o)

from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT


cpdef enum Op:
    HALT = 0
    TEXT = 1
    PUT_PATH = 2
    PUT = 3
    LOAD = 4
    LOAD_PATH = 5
    LOAD_VALUES = 6
    LOAD_LOOP = 7
    GET = 8
    RANGE = 9
    FILTER = 10
    COMPARE = 11
    JUMP = 12
    JUMP_IF_FALSE = 13
    JUMP_IF_TRUE = 14
    STORE = 15
    FOR = 16
    NEXT = 17
    LEAVE = 18
    LINK = 19
    END_LINK = 20
    URL = 21
    DEFAULT = 22
    TABLE = 23
    NEXT_CELL = 24
    LEAVE_TABLE = 25
    LOAD_ROW = 26
    CAPTURE = 27
    END_CAPTURE = 28
    END_CHANGED = 29
    CYCLE = 30
    COUNT = 31
    SET = 32
    JUMP_IF_SET = 33
    GO_SUB = 34
    END_SUB = 35
    SWAP = 36
    RESTORE = 37
    DROP = 38
    CALL = 39
    RENDER = 40
    RETURN = 41
    JUMP_UNLESS = 42
    LEAVE_IF_INTERRUPTED = 43
    JUMP_UNLESS_EACH = 44
    END_FOOTNOTE = 45


cpdef enum Operator:
    EQUAL = 0
    UNEQUAL = 1
    LESS = 2
    LESS_EQUAL = 3
    GREATER = 4
    GREATER_EQUAL = 5
    CONTAINS = 6


cpdef enum Field:
    ALL = 0  # the whole loop object
    INDEX = 1
    INDEX0 = 2
    RINDEX = 3
    RINDEX0 = 4
    FIRST = 5
    LAST = 6
    LENGTH = 7
    NAME = 8
    COL = 9  # from here on of a tablerow only
    COL0 = 10
    COL_FIRST = 11
    COL_LAST = 12
    ROW = 13


cpdef enum LoopKind:
    PLAIN = 0
    TABLE_ROW = 1
    EACH = 2  # `render … for`: its partial sees it as `forloop`, without a parent
    HIDDEN = 3  # `include … for`: nobody sees it


cdef enum:
    HAS_OFFSET = 1
    HAS_LIMIT = 2
    REVERSE = 4
    RESUME = 8
    HAS_COLS = 16
    CLICK = 1
    TRACKED = -1  # what a message wants of its links if not one of them: their tokens,
    SHOWN = -2  # or their targets
    ESCAPES = 7  # the bits of an Escape in the b of PUT and PUT_PATH
    WEIGHT_BITS = 6  # 64 characters cost a step
    ITEM_WEIGHT = 16
    WORD_BITS = 12  # a number of 4,096 bits weighs twice as many characters, one of n times as many n² times as much
    LONGEST_TEXT = 1000  # that zeros make of a Decimal
    DEEPEST = 100

AS_TEXT = 8  # in the b of PUT and PUT_PATH: the value is written as text, trusted HTML and lists too
unit_start = attrgetter("start")
ORDER_SIGNS = {LESS: "<", LESS_EQUAL: "<=", GREATER: ">", GREATER_EQUAL: ">="}
cdef int[6] RICH = [Py_EQ, Py_EQ, Py_LT, Py_LE, Py_GT, Py_GE]
cdef PyObject* c_Html = <PyObject*>Html
cdef long long SIZE_OF_DECIMAL = Decimal(0).__sizeof__()


# ---- state of one rendering ----------------------------------------------------------------------------------------

@cython.final
cdef class Frame:
    """Stack, slots and loops of a program; used again for every row of a batch."""

    def __cinit__(self, Program program not None):
        cdef int slots = program.slots * (program.renders + 1)
        self.slots = program.slots
        self.all_slots = slots + program.prefixes
        self.c_stack = <PyObject**>calloc(program.stack + self.all_slots + 1, sizeof(PyObject*))
        self.c_loops = <Loop*>calloc(program.loops + 1, sizeof(Loop))
        if self.c_stack == NULL or self.c_loops == NULL:
            raise MemoryError()
        if program.calls or program.registers:
            self.c_calls = <Call*>calloc(program.calls + 1, sizeof(Call))
            self.c_registers = <int*>calloc(program.registers + 1, sizeof(int))
            if self.c_calls == NULL or self.c_registers == NULL:
                raise MemoryError()
        self.c_slots = self.c_all_slots = self.c_stack + program.stack
        self.c_prefixes = self.c_slots + slots
        self.c_following = program.c_following

    def __dealloc__(self):
        if self.c_stack != NULL and self.c_loops != NULL and self.c_slots != NULL:
            self.clear()
        free(self.c_stack)
        free(self.c_loops)
        free(self.c_calls)
        free(self.c_registers)

    cdef void clear(self) noexcept:
        """Let go of every value."""
        while self.depth > 0:
            self.depth -= 1
            Py_XDECREF(self.c_stack[self.depth])
        while self.loops > 0:
            self.loops -= 1
            c_decref(self.c_loops[self.loops].c_items)
            Py_XDECREF(self.c_loops[self.loops].c_before)
        self.calls = self.base = self.interrupt = 0
        self.held = None
        self.notes = None
        self.noted = 0
        self.c_slots = self.c_all_slots
        self.clear_slots(self.all_slots)

    cdef void clear_slots(self, int count) noexcept:
        """Empty so many slots from those of the running template on."""
        cdef PyObject* c_old
        cdef int i
        for i in range(count):
            if self.c_slots[i] != NULL:
                c_old = self.c_slots[i]
                self.c_slots[i] = NULL
                c_decref(c_old)


@cython.final
cdef class Message:
    """One message being written: whose it is, and how often each link was written before. Shared by its parts."""

    def __cinit__(self, TokenSigner signer, int highest_link):
        self.signer = signer
        self.links = highest_link + 1
        self.wanted = SHOWN if signer is not None and signer.show_targets else TRACKED
        self.identified = False
        self.c_counts = <uint32_t*>calloc(self.links + 1, sizeof(uint32_t))
        if self.c_counts == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.c_counts)

    cdef int begin(self, object identity) except -1:
        """Begin the message of a ledger row."""
        pack_identity(identity, &self.c_identity)
        self.identified = True
        return self.reset()

    cdef int reset(self) except -1:
        memset(self.c_counts, 0, self.links * sizeof(uint32_t))
        self.found = None
        return 0


# ---- lookups -------------------------------------------------------------------------------------------------------

cdef PyObject* get_item(PyObject* c_object, PyObject* c_key, bint command) except? NULL:
    """A new reference to an object's item; NULL without an error where there is none."""
    cdef PyObject* c_found = NULL
    cdef Py_ssize_t length, index
    cdef int overflow = 0
    cdef bint is_str = c_is_str(c_key)
    if c_is_dict(c_object):
        if is_str or c_is_exact_int(c_key):
            c_found = c_dict_get(c_object, c_key)
            if c_found != NULL:
                c_incref(c_found)
                return c_found
            if c_error() != NULL:
                return NULL
        return dict_command(c_object, c_key) if command else NULL
    if c_is_list(c_object) or c_is_tuple(c_object):
        length = c_length(c_object)
        if c_is_exact_int(c_key):
            index = c_long_long(c_key, &overflow)
            if overflow:
                return NULL
            if index < 0:
                index += length
            return c_item(c_object, index) if 0 <= index < length else NULL
        return sequence_command(c_object, c_key, length) if command else NULL
    if not command:
        return NULL
    if c_is_str(c_object):
        return c_number(c_str_length(c_object)) if <str>c_key == "size" else NULL
    if c_is_range(c_object):
        return sequence_command(c_object, c_key, c_length(c_object))
    return NULL


cdef PyObject* dict_command(PyObject* c_object, PyObject* c_key) except? NULL:
    if <str>c_key == "size":
        return c_number(c_dict_size(c_object))
    if <str>c_key == "first":
        for key, item in (<dict>c_object).items():
            pair = [key, item]
            Py_INCREF(pair)
            return <PyObject*>pair
    return NULL


cdef PyObject* sequence_command(PyObject* c_object, PyObject* c_key, Py_ssize_t length) except? NULL:
    if <str>c_key == "size":
        return c_number(length)
    if length == 0:
        return NULL
    if <str>c_key == "first":
        return c_item(c_object, 0)
    if <str>c_key == "last":
        return c_item(c_object, length - 1)
    return NULL


cdef inline PyObject* find(PyObject* c_values, Frame frame, Step* step) except? NULL:
    """A new reference to what a path leads to; NULL without an error where it leads nowhere."""
    cdef PyObject* c_keys = step.c_value
    cdef Py_ssize_t count = c_tuple_size(c_keys)
    cdef PyObject* c_next
    if step.whole >= 0 and frame.c_prefixes[step.whole] != NULL:
        c_next = frame.c_prefixes[step.whole]
        c_incref(c_next)
        return c_next
    if step.prefix >= 0 and frame.c_prefixes[step.prefix] != NULL:
        c_next = c_dict_get(frame.c_prefixes[step.prefix], c_tuple_item(c_keys, count - 1))
        if c_next != NULL:
            c_incref(c_next)
            keep(frame, step, c_next)
            return c_next
        if c_error() != NULL:
            return NULL
    c_next = find_all(c_values, frame, step)
    if c_next != NULL:
        keep(frame, step, c_next)
    return c_next


cdef inline void keep(Frame frame, Step* step, PyObject* c_found) noexcept:
    """For the next time that the same path is read."""
    if step.whole >= 0:
        c_incref(c_found)
        frame.c_prefixes[step.whole] = c_found


cdef PyObject* find_all(PyObject* c_values, Frame frame, Step* step) except? NULL:
    """`find`, from the root on; notes the object that holds the last key for the next path through it."""
    cdef PyObject* c_keys = step.c_value
    cdef Py_ssize_t i = 1, count = c_tuple_size(c_keys)
    cdef PyObject* c_here = NULL
    cdef PyObject* c_next
    cdef int slot = step.a
    while slot >= 0 and c_here == NULL:
        c_here = frame.c_slots[slot]
        slot = frame.c_following[slot]
    if c_here == NULL:
        c_here = c_dict_get(c_values, c_tuple_item(c_keys, 0))
        if c_here == NULL:
            return NULL
    while i < count and c_is_exact_dict(c_here):  # references are borrowed: nothing runs here that could drop them
        c_next = c_dict_get(c_here, c_tuple_item(c_keys, i))
        if i == count - 1 and step.prefix >= 0 and frame.c_prefixes[step.prefix] == NULL:
            c_incref(c_here)
            frame.c_prefixes[step.prefix] = c_here
        if c_next == NULL:
            if c_error() != NULL:
                return NULL
            break
        c_here = c_next
        i += 1
    c_incref(c_here)
    while i < count:
        c_next = get_item(c_here, c_tuple_item(c_keys, i), step.commands >> i & 1)
        c_decref(c_here)
        if c_next == NULL:
            return NULL
        c_here = c_next
        i += 1
    return c_here


# ---- what a value costs to read ------------------------------------------------------------------------------------

cdef inline bint is_container(PyObject* c_value) noexcept:
    return c_is_list(c_value) or c_is_tuple(c_value) or c_is_dict(c_value)


cdef bint add_weight(PyObject* c_value, int depth, long long* c_weight, long long most) noexcept:
    """Add characters, items and digits, with those within. Returns False where it stops: what is there is too deep to be
    read at all, or weighs `most` or more already."""
    cdef Py_ssize_t i, at = 0
    cdef PyObject* c_key
    cdef PyObject* c_member
    if c_is_str(c_value):
        c_weight[0] += c_str_length(c_value)
        return True
    if depth > DEEPEST or c_weight[0] >= most:
        return False
    if c_is_list(c_value):
        for i in range(c_list_size(c_value)):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_list_item(c_value, i), depth + 1, c_weight, most):
                return False
    elif c_is_tuple(c_value):
        for i in range(c_tuple_size(c_value)):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_tuple_item(c_value, i), depth + 1, c_weight, most):
                return False
    elif c_is_dict(c_value):
        while c_dict_next(c_value, &at, &c_key, &c_member):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_key, depth + 1, c_weight, most) or not add_weight(c_member, depth + 1, c_weight, most):
                return False
    elif c_is_range(c_value):
        c_weight[0] += ITEM_WEIGHT * range_length(c_value)
    else:
        c_weight[0] += number_weight(c_value)
    return True


cdef long long range_length(PyObject* c_range) noexcept:
    cdef Py_ssize_t length = c_length_or_error(c_range)
    if length < 0:  # more than an index can count
        c_forget_error()
        return 1 << 40
    return min(length, 1 << 40)


cdef long long number_weight(PyObject* c_value) noexcept:
    """The digits of a number beyond those that every number may have; 0 for what is none.

    Of whole numbers it grows with the square of their digits, as does the time to print them or compare them with decimals.
    """
    cdef long long bits
    cdef int overflow = 0
    if c_value == Py_None or c_is_exact_float(c_value):
        return 0
    if c_is_int(c_value):
        c_long_long(c_value, &overflow)
        if not overflow:
            return 0
        bits = min((<object>c_value).bit_length(), 1 << 28)
        return bits + (bits * bits >> WORD_BITS)
    if not isinstance(<object>c_value, Decimal):
        return 0
    decimal = <object>c_value
    bits = 8 * (decimal.__sizeof__() - SIZE_OF_DECIMAL)  # 10 bits hold 3 digits, or less
    return (bits >> 2) + min(abs(decimal.adjusted()), LONGEST_TEXT)


cdef inline long long weigh(PyObject* c_value, long long left) noexcept:
    """How much there is to read in a value: its characters and digits, and ITEM_WEIGHT for each item of a list or object.

    It stops counting where `left` steps do not pay for it any more.
    """
    cdef long long weight = 0
    add_weight(c_value, 0, &weight, (left + 1) << WEIGHT_BITS)
    return weight


cdef inline long long weigh_all(PyObject** c_values, int count, long long left) noexcept:
    cdef long long weight = 0
    cdef int i
    for i in range(count):
        add_weight(c_values[i], 0, &weight, (left + 1) << WEIGHT_BITS)
    return weight


cdef inline long long loop_work(Frame frame, Step* step, long long left) noexcept:
    """The steps that entering a loop costs beyond its own: an object becomes a list of pairs, bounds may be long texts."""
    cdef int base = loop_base(frame, step)
    cdef long long weight = weigh_all(frame.c_stack + base + 1, frame.depth - base - 1, left)
    if c_is_dict(frame.c_stack[base]):
        weight += ITEM_WEIGHT * c_dict_size(frame.c_stack[base])
    return weight >> WEIGHT_BITS


cdef inline long long comparison_work(int operator, PyObject* c_left, PyObject* c_right, long long left) noexcept:
    """The steps that a comparison costs beyond its own."""
    cdef long long weight = 0
    if c_is_str(c_left):
        weight += c_str_length(c_left)
    elif operator == CONTAINS and (c_is_list(c_left) or c_is_tuple(c_left)):
        weight += ITEM_WEIGHT * (c_list_size(c_left) if c_is_list(c_left) else c_tuple_size(c_left))
    elif not is_container(c_left):
        weight += number_weight(c_left)
    if c_is_str(c_right):
        weight += c_str_length(c_right)
    elif is_container(c_right):
        weight += weigh(c_left, left) + weigh(c_right, left)
    else:
        weight += number_weight(c_right)
    return weight >> WEIGHT_BITS


# ---- writing and comparing -----------------------------------------------------------------------------------------

cdef inline long long put(Buffer out, PyObject* c_value, int escape, bint as_text, long long left) except -1:
    """Write a value, unless that takes more than `left` steps; returns the steps that it costs beyond its own."""
    if c_is_exact_str(c_value):
        return out.write_str(c_value, escape)
    if c_value == Py_None:
        return 0
    return put_other(out, c_value, escape, as_text, left)


cdef long long put_other(Buffer out, PyObject* c_value, int escape, bint as_text, long long left) except -1:
    cdef long long number, cost = 0
    cdef int overflow = 0
    if c_is_exact_int(c_value):
        number = c_long_long(c_value, &overflow)
        if not overflow:
            return out.write_int(number)
    elif <void*>c_type(c_value) == <void*>c_Html and not as_text:
        return out.write_str(c_value, ESCAPE_NONE if escape == ESCAPE_HTML else escape)
    elif c_is_str(c_value):
        return out.write_str(c_value, escape)
    if not c_is_range(c_value):  # of which only the ends are printed
        cost = weigh(c_value, left) >> WEIGHT_BITS
        if cost > left:
            return cost
    text = to_text(<object>c_value) if as_text else output_text(<object>c_value)
    out.write_str(<PyObject*>text, escape)
    return cost


cdef inline bint is_absent(PyObject* c_value) noexcept:
    """Nothing, false, or empty: what `default` replaces."""
    if c_is_str(c_value):
        return c_str_length(c_value) == 0
    if c_value == Py_None or c_value == Py_False:
        return True
    if c_is_list(c_value):
        return c_list_size(c_value) == 0
    if c_is_tuple(c_value):
        return c_tuple_size(c_value) == 0
    return c_is_dict(c_value) and c_dict_size(c_value) == 0


cdef int compare(int operator, PyObject* c_left, PyObject* c_right) except -1:
    cdef bint holds
    if operator == CONTAINS:
        return contains(<object>c_left, <object>c_right)
    if (c_is_exact_str(c_left) and c_is_exact_str(c_right)) or (c_is_exact_int(c_left) and c_is_exact_int(c_right)):
        holds = c_rich_compare(c_left, c_right, RICH[operator])
        return not holds if operator == UNEQUAL else holds
    if operator == EQUAL:
        return equal(<object>c_left, <object>c_right)
    if operator == UNEQUAL:
        return not equal(<object>c_left, <object>c_right)
    return less(<object>c_left, <object>c_right, ORDER_SIGNS[operator])


# ---- loops ---------------------------------------------------------------------------------------------------------

cdef Py_ssize_t bound(PyObject* c_value, Py_ssize_t absent) except? -1:
    """An offset or limit of a loop, kept within what indexes can hold."""
    if c_value == NULL or c_value == Py_None:
        return absent
    return max(-(1 << 40), min(to_integer(<object>c_value), 1 << 40))


cdef inline int loop_base(Frame frame, Step* step) noexcept:
    """Where on the stack the items of the loop to enter are; offset and limit follow them."""
    return frame.depth - 1 - (step.b & 1) - (step.b >> 1 & 1) - (step.b >> 4 & 1)


cdef inline object items_of(PyObject* c_value):
    """What a loop goes over."""
    return <object>c_value if c_is_list(c_value) else loop_items(<object>c_value)


cdef int enter_loop(Frame frame, Step* step) except -1:
    """Take the items off the stack and set up the loop; returns whether there is any item."""
    cdef PyObject* c_limit = NULL
    cdef PyObject* c_offset = NULL
    cdef PyObject* c_items
    cdef Py_ssize_t offset, limit, length, first, end, record = 0
    cdef Loop* loop
    cdef int base = loop_base(frame, step)
    if step.b & HAS_OFFSET:
        c_offset = frame.c_stack[base + 1]
    if step.b & HAS_LIMIT:
        c_limit = frame.c_stack[frame.depth - 1]
    offset = recorded(frame, step.prefix) if step.b & RESUME else bound(c_offset, 0)
    limit = bound(c_limit, 1 << 41)
    if step.tail == PLAIN and step.prefix >= 0:
        record = offset
    if c_is_str(frame.c_stack[base]):
        offset, limit = 0, 1 << 41
    items = items_of(frame.c_stack[base])
    c_items = <PyObject*>items
    length = len(items)
    end = min(length, max(0, offset + limit))
    first = max(0, offset)
    while frame.depth > base:
        frame.depth -= 1
        c_decref(frame.c_stack[frame.depth])
    if step.prefix >= 0:
        put_in_slot(frame, step.prefix, record + max(0, end - first))
    if first >= end:
        return False
    loop = begin_loop(frame, items, first, end - first)
    loop.reverse = step.b & REVERSE
    loop.slot = step.room
    loop.kind = step.tail
    loop.c_name = step.c_value
    set_first(frame, loop)
    return True


cdef Loop* begin_loop(Frame frame, object items, Py_ssize_t first, Py_ssize_t length) noexcept:
    cdef Loop* loop = &frame.c_loops[frame.loops]
    cdef PyObject* c_items = <PyObject*>items
    c_incref(c_items)
    loop.c_items = c_items
    loop.first = first
    loop.index = 0
    loop.length = length
    loop.c_before = NULL
    frame.loops += 1
    return loop


cdef int set_first(Frame frame, Loop* loop) except -1:
    """Put the first item into the loop's slot, and what was there aside."""
    loop.c_before = frame.c_slots[loop.slot]
    frame.c_slots[loop.slot] = NULL
    return set_item(frame, loop)


cdef Py_ssize_t recorded(Frame frame, int slot) except? -1:
    """Where the last loop of a name stopped."""
    return 0 if frame.c_slots[slot] == NULL else <object>frame.c_slots[slot]


cdef int put_in_slot(Frame frame, int slot, object value) except -1:
    cdef PyObject* c_old = frame.c_slots[slot]
    Py_INCREF(value)
    frame.c_slots[slot] = <PyObject*>value
    Py_XDECREF(c_old)
    return 0


cdef Py_ssize_t whole(PyObject* c_value) except? -1:
    """An option of a tablerow: a text counts as the number it begins with, nothing as 0."""
    value = <object>c_value
    if value is None:
        return 0
    if isinstance(value, str):
        value = leading_integer(value)
    elif isinstance(value, (float, Decimal)):
        return whole_within(value, 1 << 40)
    return max(-(1 << 40), min(to_integer(value), 1 << 40))


cdef int enter_table(Frame frame, Step* step) except -1:
    """Take the items off the stack and set up the tablerow; 0 where there is no list at all, 1 where it is empty."""
    cdef int base = loop_base(frame, step), at = base + 1
    cdef Py_ssize_t offset = 0, limit = 1 << 41, first, end, cols = 0
    cdef Loop* loop
    cdef bint absent = frame.c_stack[base] == Py_None or frame.c_stack[base] == Py_False
    if not absent and step.b & HAS_OFFSET:
        offset = whole(frame.c_stack[at])
        at += 1
    if not absent and step.b & HAS_LIMIT:
        limit = whole(frame.c_stack[at])
        at += 1
    if not absent and step.b & HAS_COLS:
        cols = whole(frame.c_stack[at])
    if c_is_str(frame.c_stack[base]):
        offset, limit = 0, 1 << 41
    items = items_of(frame.c_stack[base])
    end = min(<Py_ssize_t>len(items), max(0, offset + limit))
    first = max(0, offset)
    while frame.depth > base:
        frame.depth -= 1
        c_decref(frame.c_stack[frame.depth])
    if absent:
        return 0
    if first >= end:
        return 1
    loop = begin_loop(frame, items, first, end - first)
    loop.reverse = False
    loop.slot = step.room
    loop.kind = TABLE_ROW
    loop.c_name = NULL
    loop.cols = cols if step.b & HAS_COLS else loop.length
    set_first(frame, loop)
    return 2


cdef int write_markup(Buffer out, bytes markup, int escape) except -1:
    """Write HTML that the engine makes: it is no HTML only where the page is none."""
    return out.write_utf8(markup, len(markup), ESCAPE_NONE if escape == ESCAPE_HTML else escape)


cdef bint next_cell(Frame frame, Buffer out, int escape) except -1:
    """End a cell, and begin the next; returns whether there is one."""
    cdef Loop* loop = &frame.c_loops[frame.loops - 1]
    cdef Py_ssize_t row
    loop.index += 1
    if loop.index >= loop.length:
        leave_loop(frame)
        write_markup(out, b"</td></tr>\n", escape)
        return False
    row = loop.index // loop.cols if loop.cols > 0 else 0
    if loop.cols > 0 and loop.index % loop.cols == 0:
        write_markup(out, b'</td></tr>\n<tr class="row%d">' % (row + 1), escape)
    else:
        write_markup(out, b"</td>", escape)
    write_markup(out, b'<td class="col%d">' % (loop.index - row * max(0, loop.cols) + 1), escape)
    set_item(frame, loop)
    return True


cdef inline int set_item(Frame frame, Loop* loop) except -1:
    """Put the current item into the loop's slot."""
    cdef Py_ssize_t index = loop.first + (loop.length - 1 - loop.index if loop.reverse else loop.index)
    cdef PyObject* c_value
    cdef PyObject* c_old = frame.c_slots[loop.slot]
    if c_is_list(loop.c_items) and index < c_list_size(loop.c_items):
        c_value = c_list_item(loop.c_items, index)
        c_incref(c_value)
    else:
        c_value = c_item(loop.c_items, index)
    frame.c_slots[loop.slot] = c_value
    Py_XDECREF(c_old)
    return 0


cdef inline void leave_loop(Frame frame) noexcept:
    cdef Loop* loop
    cdef PyObject* c_last
    frame.loops -= 1
    loop = &frame.c_loops[frame.loops]
    c_decref(loop.c_items)
    c_last = frame.c_slots[loop.slot]
    frame.c_slots[loop.slot] = loop.c_before
    Py_XDECREF(c_last)


cdef Loop* loop_around(Frame frame, int outwards) noexcept:
    """The loop that `forloop` means, or a parent of it; NULL where there is none."""
    cdef int level = frame.loops - 1
    cdef bint parent = False
    cdef Loop* loop
    while level >= frame.base:
        loop = &frame.c_loops[level]
        if loop.kind == EACH:
            return NULL if parent or outwards else loop
        if loop.kind == PLAIN:
            if outwards == 0:
                return loop
            outwards -= 1
            parent = True
        level -= 1
    return NULL


cdef Loop* row_around(Frame frame) noexcept:
    """The loop that `tablerowloop` means; NULL where there is none."""
    cdef int level = frame.loops - 1
    while level >= frame.base:
        if frame.c_loops[level].kind == TABLE_ROW:
            return &frame.c_loops[level]
        level -= 1
    return NULL


cdef object loop_field(Frame frame, int outwards, int field):
    """One of the things `forloop` tells."""
    cdef Loop* loop = loop_around(frame, outwards)
    if loop == NULL:
        return None
    if field == NAME:
        return <object>loop.c_name
    if field != ALL:
        return place_in_loop(loop, field)
    told = {"name": <object>loop.c_name, "length": loop.length}
    add_places(told, loop)
    told["parentloop"] = loop_field(frame, outwards + 1, ALL)
    return told


cdef object row_field(Frame frame, int field):
    """One of the things `tablerowloop` tells."""
    cdef Loop* loop = row_around(frame)
    cdef Py_ssize_t row, column
    if loop == NULL:
        return None
    row = loop.index // loop.cols if loop.cols > 0 else 0
    column = loop.index - row * max(0, loop.cols)
    if field == COL:
        return column + 1
    if field == COL0:
        return column
    if field == COL_FIRST:
        return column == 0
    if field == COL_LAST:
        return column + 1 == loop.cols
    if field == ROW:
        return row + 1
    if field != ALL:
        return place_in_loop(loop, field)
    told = {"length": loop.length}
    add_places(told, loop)
    told.update(col=column + 1, col0=column, col_first=column == 0, col_last=column + 1 == loop.cols, row=row + 1)
    return told


cdef object place_in_loop(Loop* loop, int field):
    if field == INDEX:
        return loop.index + 1
    if field == INDEX0:
        return loop.index
    if field == RINDEX:
        return loop.length - loop.index
    if field == RINDEX0:
        return loop.length - loop.index - 1
    if field == FIRST:
        return loop.index == 0
    if field == LAST:
        return loop.index == loop.length - 1
    return loop.length


cdef int add_places(dict told, Loop* loop) except -1:
    told.update(
        index=loop.index + 1, index0=loop.index, rindex=loop.length - loop.index, rindex0=loop.length - loop.index - 1,
        first=loop.index == 0, last=loop.index == loop.length - 1,
    )
    return 0


# ---- what is remembered --------------------------------------------------------------------------------------------

cdef object turn_key(PyObject* c_group):
    """What tells the groups of cycles apart: the value, not what it is written as."""
    group = <object>c_group
    if group is None or type(group) is str:
        return group
    if is_container(c_group):
        return "list", inspect(group)
    return type(group).__name__, to_text(group)


cdef int turn(Frame frame, int slot, object key, int count) except -2:
    """Whose turn it is in a cycle of so many; -1 where the group is further on than this cycle is long."""
    cdef dict turns
    cdef int now
    if frame.c_slots[slot] == NULL:
        put_in_slot(frame, slot, {})
    turns = <dict>frame.c_slots[slot]
    now = turns.get(key, 0)
    turns[key] = now + 1 if now + 1 < count else 0
    return now if now < count else -1


cdef object counted(Frame frame, PyObject* c_values, Step* step):
    """Move a counter on, from what the values have under its name if it is the first time; returns what is printed."""
    name, by = <tuple>step.c_value
    cdef PyObject* c_now = frame.c_slots[step.a]
    cdef PyObject* c_given
    if c_now != NULL:
        now = <object>c_now
    else:
        c_given = c_dict_get(c_values, <PyObject*>name) if frame.c_slots == frame.c_all_slots else NULL
        now = None if c_given == NULL else <object>c_given
        if now is None or now is False:
            now = 0
        if now is True or not isinstance(now, (int, float, Decimal)):
            raise FilterError(f"`{name}` is no number to count from")
    after = now + by
    put_in_slot(frame, step.a, after)
    return now if by > 0 else after


# ---- notes ---------------------------------------------------------------------------------------------------------

cdef int add_note(Frame frame, Buffer out, str text, Py_ssize_t most) except -1:
    """Keep one more note as a line, and write its number; what says nothing is no note."""
    cdef bytes mark
    text = " ".join(text.split())
    if not text:
        return 0
    if frame.notes is None:
        frame.notes = Buffer(most)
    frame.noted += 1
    mark = b"[%d]" % frame.noted
    out.write_utf8(mark, len(mark), ESCAPE_NONE)
    frame.notes.write(mark, len(mark))
    frame.notes.write(b" ", 1)
    frame.notes.write_str(<PyObject*>text, ESCAPE_NONE)
    return frame.notes.write(b"\n", 1)


cdef int write_notes(Buffer notes, Buffer out, Py_ssize_t start) except -1:
    """Write the notes after what there is of the text from `start` on, with a blank line between."""
    cdef Py_ssize_t end = out.size
    cdef int owed = 2 if end > start else 0
    while owed and end > start and out.c_data[end - 1] == b"\n":
        owed -= 1
        end -= 2 if end - 1 > start and out.c_data[end - 2] == b"\r" else 1
    out.write_utf8(b"\n\n", owed, ESCAPE_NONE)
    return out.write_utf8(notes.c_data, notes.size, ESCAPE_NONE)


# ---- partials ------------------------------------------------------------------------------------------------------

cdef inline bint has_items(PyObject* c_value, bint lists_only) noexcept:
    if c_is_list(c_value) or c_is_tuple(c_value):
        return True
    return not lists_only and (c_is_dict(c_value) or c_is_range(c_value))


cdef void enter_partial(Frame frame, Py_ssize_t back, bint isolated) noexcept:
    cdef Call* call = &frame.c_calls[frame.calls]
    call.back = back
    call.c_slots = frame.c_slots
    call.base = frame.base
    call.isolated = isolated
    frame.calls += 1


cdef int enter_isolated(Frame frame, Py_ssize_t back, Step* step) except -1:
    """Enter a partial in slots of its own, which get the parameters and the item."""
    slots, item, bound = <tuple>step.c_value
    cdef PyObject** c_outside = frame.c_slots
    cdef int i, count = len(slots)
    enter_partial(frame, back, True)
    frame.base = frame.loops - step.b
    frame.c_slots += frame.slots
    for i in range(count):
        put_in_slot(frame, slots[i], <object>frame.c_stack[frame.depth - count + i])
    if item >= 0 and c_outside[<int>item] != Py_None:
        put_in_slot(frame, bound, <object>c_outside[<int>item])
    return 0


cdef Py_ssize_t leave_partial(Frame frame, int interrupt) noexcept:
    """End a partial; returns the step to go on with."""
    cdef Call* call
    frame.calls -= 1
    call = &frame.c_calls[frame.calls]
    frame.interrupt = interrupt
    if call.isolated:
        frame.interrupt = 0
        frame.clear_slots(frame.slots)
    frame.c_slots = call.c_slots
    frame.base = call.base
    return call.back


# ---- programs ------------------------------------------------------------------------------------------------------

@cython.final
cdef class Program:
    """A compiled template. It holds nothing of a rendering, so one can be used from several threads.

    Made by `compile`; `bind` gives the same program with a signer for its tracked links.
    """

    def __cinit__(self, object layout, *, str name, str source, object limits, bint strict, int transfer, signer=None):
        cdef Py_ssize_t i
        self.name = name
        self.source = source
        self.layout = layout
        self.limits = limits
        self.strict = strict
        self.transfer = transfer
        self.signer = signer
        self.slots = layout.slots
        self.stack = layout.stack
        self.loops = layout.loops
        self.prefixes = layout.prefixes
        self.calls = layout.calls
        self.renders = layout.renders
        self.registers = layout.registers
        self.highest_link = layout.highest_link
        self.most_steps = min(limits.steps, 1 << 50)
        self.most_bytes = min(limits.output_bytes, 1 << 40)
        self.most_value = min(limits.value_bytes, 1 << 40)
        self.count = len(layout.steps)
        self.hint = 256
        self.c_steps = <Step*>calloc(self.count + 1, sizeof(Step))
        self.c_following = <int*>calloc(self.slots + 1, sizeof(int))
        if self.c_steps == NULL or self.c_following == NULL:
            raise MemoryError()
        for i in range(self.slots):
            self.c_following[i] = layout.following[i]
        for i in range(self.count):
            set_step(&self.c_steps[i], layout.steps[i], transfer)

    def __dealloc__(self):
        free(self.c_steps)
        free(self.c_following)

    def bind(self, signer):
        """The same program, its tracked links signed with `signer`."""
        return Program(
            self.layout, name=self.name, source=self.source, limits=self.limits, strict=self.strict,
            transfer=self.transfer, signer=signer,
        )

    @property
    def variables(self):
        """What the template reads of its values, and where."""
        if self._places is None:
            self._places = variable_places(self.layout, self.source), link_places(self.layout, self.source)
        return self._places[0]

    @property
    def links(self):
        """The tracked links: number, target as written, line."""
        if self._places is None:
            self._places = variable_places(self.layout, self.source), link_places(self.layout, self.source)
        return self._places[1]

    def static_text(self):
        """The fixed text, and whether there is nothing else."""
        texts = [step.value[0] for step in self.layout.steps if step.op == TEXT]
        return b"".join(texts).decode(), len(texts) == len(self.layout.steps) - 1

    def render_bytes(self, dict values not None, *, identity=None):
        """One rendering, as UTF-8. Raises RenderError."""
        cdef Buffer out = Buffer(self.most_bytes)
        cdef Message message = None
        if identity is not None:
            message = self.message()
            message.begin(identity)
        out.start(self.hint)
        self.execute(self.frame(), values, out, message, False)
        self.hint = out.size + 512
        return out.take()

    def render(self, dict values not None, *, identity=None):
        """One rendering, as text. Raises RenderError."""
        return self.render_bytes(values, identity=identity).decode()

    def render_many(self, rows, *, identities=None):
        """One rendering for each row, as UTF-8. Raises RenderError for the first row that fails."""
        cdef Frame frame = self.frame()
        cdef Message message = None
        cdef Buffer out = Buffer(self.most_bytes)
        cdef list results = []
        if identities is not None:
            if len(identities) != len(rows):
                raise ValueError("one identity for each row, or none at all")
            message = self.message()
        for values in rows:
            if message is not None:
                message.begin(identities[len(results)])
            out.start(self.hint)
            self.execute(frame, values, out, message, False)
            self.hint = out.size + 512
            results.append(out.take())
        return results

    def resolve_link(self, dict values not None, number, occurrence=0):
        """The target of the tracked link `number`, the `occurrence`-th time it is written; None where it is not."""
        cdef Message message = Message(None, self.highest_link)
        if not 0 <= number <= self.highest_link or occurrence < 0:
            return None
        message.wanted = number
        message.wanted_occurrence = min(occurrence, 1 << 40)
        self.execute(self.frame(), values, Buffer(self.most_bytes), message, False)
        return message.found

    cdef Frame frame(self):
        return Frame(self)

    cdef Message message(self):
        if self.signer is None:
            raise ValueError("an identity needs a signer: bind one first")
        return Message(self.signer, self.highest_link)

    cdef int execute(self, Frame frame, object values, Buffer out, Message message, bint wire) except -1:
        """Write one rendering. With `wire` it goes through the transfer encoding of the program, else `out` says."""
        if not c_is_dict(<PyObject*>values):
            raise TypeError(f"values must be a dict, not {type(values).__name__}")
        try:
            self._run(frame, <PyObject*>values, out, message, wire)
        except RenderError:
            raise
        except Exception as error:
            raise self._located(frame, error) from error
        finally:
            frame.clear()
        return 0

    cdef object _located(self, Frame frame, object error):
        """The RenderError for whatever went wrong in a step."""
        cdef Step* step = &self.c_steps[frame.at]
        unit = self.layout.units[bisect_right(self.layout.units, frame.at, key=unit_start) - 1]
        cdef str source = unit.source
        line, column = position(source, step.at)
        reason = str(error)
        if isinstance(error, ArithmeticError):
            reason = "a number is too large, or is none"
        elif isinstance(error, RecursionError):
            reason = "data nested too deep"
        if step.op == FILTER:
            name = self.layout.steps[frame.at].value[2]
            reason = f"filter `{name}`: {reason or type(error).__name__}"
        elif not isinstance(error, (FilterError, LimitReached, ArithmeticError, RecursionError)):
            reason = f"{type(error).__name__}: {reason}"
        return RenderError(reason, template=unit.name, line=line, column=column, limit=getattr(error, "limit", None))

    cdef int _run(self, Frame frame, PyObject* c_values, Buffer out, Message message, bint wire) except -1:
        # One function on purpose: the loop is the engine.
        cdef Step* c_steps = self.c_steps
        cdef Step* step
        cdef PyObject** c_stack = frame.c_stack
        cdef PyObject* c_value
        cdef PyObject* c_other
        cdef Py_ssize_t at = 0, start = out.size
        cdef long long left = self.most_steps
        cdef int op, i
        cdef bint encoded = wire and self.transfer != TRANSFER_NONE
        cdef bint quoted = encoded and self.transfer == TRANSFER_QP
        cdef bint holds
        cdef Buffer page = out
        cdef Loop* loop

        while True:
            frame.at = at
            step = &c_steps[at]
            at += 1
            op = step.op
            if op == HALT:
                if frame.notes is not None:
                    write_notes(frame.notes, out, start)
                return 0
            left -= 1
            if left < 0:
                self._end()
            if op == TEXT:
                if quoted:
                    out.write_segment(step.c_wire, step.wire_size, step.room, step.tail)
                elif encoded:
                    out.write(step.c_wire, step.wire_size)
                else:
                    out.write(step.c_text, step.size)
            elif op == PUT_PATH:
                c_value = find(c_values, frame, step)
                if c_value != NULL:
                    try:
                        left -= put(out, c_value, step.b, step.room, left)
                    finally:
                        c_decref(c_value)
                    if left < 0:
                        self._end()
                elif self.strict:
                    self._undefined(frame.at)
            elif op == JUMP:
                at = step.a
            elif op == JUMP_IF_FALSE:
                frame.depth -= 1
                c_value = c_stack[frame.depth]
                if c_value == Py_None or c_value == Py_False:
                    at = step.a
                c_decref(c_value)
            elif op == JUMP_IF_TRUE:
                frame.depth -= 1
                c_value = c_stack[frame.depth]
                if c_value != Py_None and c_value != Py_False:
                    at = step.a
                c_decref(c_value)
            elif op == LOAD_PATH:
                c_value = find(c_values, frame, step)
                if c_value == NULL:
                    if self.strict:
                        self._undefined(frame.at)
                    c_value = Py_None
                    c_incref(c_value)
                c_stack[frame.depth] = c_value
                frame.depth += 1
            elif op == LOAD:
                c_incref(step.c_value)
                c_stack[frame.depth] = step.c_value
                frame.depth += 1
            elif op == COMPARE:
                left -= comparison_work(step.a, c_stack[frame.depth - 2], c_stack[frame.depth - 1], left)
                if left < 0:
                    self._end()
                holds = compare(step.a, c_stack[frame.depth - 2], c_stack[frame.depth - 1])
                frame.depth -= 1
                c_decref(c_stack[frame.depth])
                c_other = c_stack[frame.depth - 1]
                c_value = Py_True if holds else Py_False
                c_incref(c_value)
                c_stack[frame.depth - 1] = c_value
                c_decref(c_other)
            elif op == FILTER:
                i = frame.depth - step.b
                if step.room:  # what a filter reads is paid for before it reads
                    left -= weigh_all(c_stack + i, step.b, left) * step.room >> WEIGHT_BITS
                    if left < 0:
                        self._end()
                c_value = c_vectorcall(step.c_value, c_stack + i, step.a, step.c_names)
                while frame.depth > i:
                    frame.depth -= 1
                    c_decref(c_stack[frame.depth])
                c_stack[i] = c_value
                frame.depth = i + 1
                if c_is_str(c_value) and c_str_length(c_value) > self.most_value:
                    raise LimitReached("value_bytes", self.most_value)
                if step.room and c_is_str(c_value):
                    left -= c_str_length(c_value) * step.room >> WEIGHT_BITS
                elif step.room and c_is_list(c_value):
                    left -= ITEM_WEIGHT * c_list_size(c_value) >> WEIGHT_BITS
            elif op == DEFAULT:
                frame.depth -= 1
                c_other = c_stack[frame.depth]
                if is_absent(c_stack[frame.depth - 1]):
                    c_value = c_stack[frame.depth - 1]
                    c_stack[frame.depth - 1] = c_other
                    c_other = c_value
                c_decref(c_other)
            elif op == PUT:
                left -= put(out, c_stack[frame.depth - 1], step.b, step.room, left)
                if left < 0:
                    self._end()
                frame.depth -= 1
                c_decref(c_stack[frame.depth])
            elif op == STORE:
                frame.depth -= 1
                c_other = frame.c_slots[step.a]
                frame.c_slots[step.a] = c_stack[frame.depth]
                Py_XDECREF(c_other)
            elif op == FOR:
                left -= loop_work(frame, step, left)
                if left < 0:
                    self._end()
                if not enter_loop(frame, step):
                    at = step.a
            elif op == NEXT:
                loop = &frame.c_loops[frame.loops - 1]
                loop.index += 1
                if loop.index < loop.length:
                    set_item(frame, loop)
                    at = step.a
                else:
                    leave_loop(frame)
            elif op == LEAVE:
                leave_loop(frame)
                at = step.a
            elif op == LOAD_LOOP:
                if step.b == ALL:
                    left -= frame.loops * ITEM_WEIGHT  # with all its parents
                elif self.strict and loop_around(frame, step.a) == NULL:
                    self._undefined(frame.at)
                made = loop_field(frame, step.a, step.b)
                Py_INCREF(made)
                c_stack[frame.depth] = <PyObject*>made
                frame.depth += 1
            elif op == GET:
                c_value = get_item(c_stack[frame.depth - 2], c_stack[frame.depth - 1], step.a)
                if c_value == NULL:
                    if self.strict:
                        self._undefined(frame.at)
                    c_value = Py_None
                    c_incref(c_value)
                frame.depth -= 1
                c_decref(c_stack[frame.depth])
                c_other = c_stack[frame.depth - 1]
                c_stack[frame.depth - 1] = c_value
                c_decref(c_other)
            elif op == RANGE:
                left -= weigh_all(c_stack + frame.depth - 2, 2, left) >> WEIGHT_BITS
                if left < 0:
                    self._end()
                made = make_range(<object>c_stack[frame.depth - 2], <object>c_stack[frame.depth - 1])
                Py_INCREF(made)
                frame.depth -= 1
                c_decref(c_stack[frame.depth])
                c_other = c_stack[frame.depth - 1]
                c_stack[frame.depth - 1] = <PyObject*>made
                c_decref(c_other)
            elif op == LOAD_VALUES:
                c_incref(c_values)
                c_stack[frame.depth] = c_values
                frame.depth += 1
            elif op == LINK:
                if message is not None and message.wanted == TRACKED:
                    message.signer.write_url(
                        out, CLICK, &message.c_identity, step.b, message.c_counts[step.b]
                    )
                    message.c_counts[step.b] += 1
                    at = step.a
                elif message is not None and message.wanted >= 0 and not is_wanted(message, step.b):
                    out.write(b"#", 1)  # as the address does, it says something: what is captured is not empty
                    at = step.a
                else:
                    page = out
                    out = Buffer(self.most_bytes)
                    encoded = quoted = False
            elif op == END_LINK:
                if message is not None and message.wanted >= 0:
                    message.found = out.text().strip()
                    return 0
                page.write_utf8(out.c_data, out.size, step.b)
                out = page
                encoded = wire and self.transfer != TRANSFER_NONE and not frame.held
                quoted = encoded and self.transfer == TRANSFER_QP
            elif op == URL:
                if message is not None and message.identified and message.wanted == TRACKED:
                    message.signer.write_url(out, step.a, &message.c_identity, 0, 0)
                else:
                    out.write(b"#", 1)
            elif op == CALL:
                enter_partial(frame, at, False)
                at = step.a
            elif op == RENDER:
                left -= frame.slots >> WEIGHT_BITS
                enter_isolated(frame, at, step)
                at = step.a
            elif op == RETURN:
                at = leave_partial(frame, step.b)
            elif op == JUMP_UNLESS:
                if frame.interrupt == step.b:
                    frame.interrupt = 0
                else:
                    at = step.a
            elif op == LEAVE_IF_INTERRUPTED:
                if frame.interrupt:
                    leave_loop(frame)
                    at = step.a
            elif op == JUMP_UNLESS_EACH:
                if not has_items(c_stack[frame.depth - 1], step.b):
                    at = step.a
            elif op == SWAP:
                c_value = frame.c_slots[step.a]
                frame.c_slots[step.a] = c_stack[frame.depth - 1]
                c_stack[frame.depth - 1] = c_value
            elif op == RESTORE:
                frame.depth -= 1
                c_other = frame.c_slots[step.a]
                frame.c_slots[step.a] = c_stack[frame.depth]
                Py_XDECREF(c_other)
            elif op == DROP:
                for i in range(step.a):
                    frame.depth -= 1
                    c_decref(c_stack[frame.depth])
            elif op == CAPTURE:
                if frame.held is None:
                    frame.held = []
                frame.held.append(out)
                out = held_back(out, len(frame.held) == 1, self.most_value)
                encoded = quoted = False
            elif op == END_CAPTURE or op == END_CHANGED or op == END_FOOTNOTE:
                left -= out.size >> WEIGHT_BITS
                made = out.text()
                out = frame.held.pop()
                encoded = wire and self.transfer != TRANSFER_NONE and not frame.held
                quoted = encoded and self.transfer == TRANSFER_QP
                if op == END_CAPTURE:
                    put_in_slot(frame, step.a, Html(made) if step.b else made)
                elif op == END_FOOTNOTE:
                    add_note(frame, out, made, self.most_bytes)
                elif frame.c_slots[step.a] == NULL or <object>frame.c_slots[step.a] != made:
                    put_in_slot(frame, step.a, made)
                    out.write_str(<PyObject*>made, ESCAPE_NONE)
            elif op == CYCLE:
                if (<tuple>step.c_value)[0] is not None:
                    made = (<tuple>step.c_value)[0]
                else:
                    left -= weigh(c_stack[frame.depth - 1], left) >> WEIGHT_BITS
                    if left < 0:
                        self._end()
                    made = turn_key(c_stack[frame.depth - 1])
                    frame.depth -= 1
                    c_decref(c_stack[frame.depth])
                targets = (<tuple>step.c_value)[1]
                i = turn(frame, step.a, made, len(targets))
                at = targets[i] if i >= 0 else step.b
            elif op == COUNT:
                made = counted(frame, c_values, step)
                left -= put(out, <PyObject*>made, step.b, False, left)
                if left < 0:
                    self._end()
            elif op == SET:
                frame.c_registers[step.b] = step.a
            elif op == JUMP_IF_SET:
                if frame.c_registers[step.b]:
                    at = step.a
            elif op == GO_SUB:
                frame.c_registers[step.b] = <int>at
                at = step.a
            elif op == END_SUB:
                at = frame.c_registers[step.b]
            elif op == TABLE:
                left -= loop_work(frame, step, left)
                if left < 0:
                    self._end()
                i = enter_table(frame, step)
                if i:
                    write_markup(out, b'<tr class="row1">\n', step.prefix)
                    write_markup(out, b'<td class="col1">' if i == 2 else b"</tr>\n", step.prefix)
                if i < 2:
                    at = step.a
            elif op == NEXT_CELL:
                if next_cell(frame, out, step.b):
                    at = step.a
            elif op == LEAVE_TABLE:
                leave_loop(frame)
                write_markup(out, b"</td></tr>\n", step.b)
                at = step.a
            elif op == LOAD_ROW:
                if self.strict and row_around(frame) == NULL:
                    self._undefined(frame.at)
                made = row_field(frame, step.b)
                Py_INCREF(made)
                c_stack[frame.depth] = <PyObject*>made
                frame.depth += 1

    cdef int _end(self) except -1:
        """A step costs more than is left."""
        raise LimitReached("steps", self.most_steps)

    def _undefined(self, Py_ssize_t index):
        step = self.layout.steps[index]
        path = step.value if isinstance(step.value, str) else step.value.text
        raise FilterError(f"`{path}` is not defined")


cdef Buffer held_back(Buffer out, bint outermost, Py_ssize_t most):
    """A buffer for what is captured; together with those around it, it holds no more than a value may."""
    cdef Buffer held = Buffer(most if outermost else out.limit - out.size)
    held.bound = most
    return held


cdef bint is_wanted(Message message, int number) noexcept:
    """Count a link; whether it is the one to resolve."""
    cdef uint32_t before = message.c_counts[number]
    message.c_counts[number] += 1
    return number == message.wanted and before == message.wanted_occurrence


cdef int set_step(Step* c_step, object step, int transfer) except -1:
    """Copy one step; the layout keeps the objects that it points to."""
    c_step.op = step.op
    c_step.a = step.a
    c_step.b = step.b
    c_step.at = step.at
    c_step.c_names = NULL
    value = step.value
    if c_step.op == TEXT:
        plain, encoded = value
        c_step.c_text = PyBytes_AS_STRING(plain)
        c_step.size = PyBytes_GET_SIZE(plain)
        c_step.c_wire = PyBytes_AS_STRING(encoded)
        c_step.wire_size = PyBytes_GET_SIZE(encoded)
        if transfer == TRANSFER_QP:
            first = encoded.find(b"\r\n")
            c_step.room = 75 - len(encoded) if first < 0 else 76 - first
            c_step.tail = -1 if first < 0 else len(encoded) - encoded.rfind(b"\r\n") - 2
    elif c_step.op == PUT:
        c_step.b = step.b & ESCAPES
        c_step.room = step.b & AS_TEXT
    elif c_step.op == PUT_PATH or c_step.op == LOAD_PATH:
        c_step.b = step.b & ESCAPES
        c_step.room = step.b & AS_TEXT
        c_step.c_value = <PyObject*>value.keys
        c_step.commands = value.commands
        c_step.prefix = value.prefix
        c_step.whole = value.whole
    elif c_step.op == FILTER:
        c_step.c_value = <PyObject*>value[0]
        c_step.c_names = NULL if value[1] is None else <PyObject*>value[1]
        c_step.room = value[3]
    elif c_step.op == FOR:
        c_step.room = value[0]
        c_step.c_value = <PyObject*>value[1]
        c_step.tail = value[2]
        c_step.prefix = value[3]
    elif c_step.op == TABLE:
        c_step.room = value[0]
        c_step.prefix = value[1]
    else:
        c_step.c_value = <PyObject*>value
    return 0
