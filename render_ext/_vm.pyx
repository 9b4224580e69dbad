"""The VM: one loop over the steps of a program, once per recipient.

A program is a flat list of steps working on a small stack of values. `a`, `b` and `value` are a step's arguments.

    HALT                           end
    TEXT           value           write literal text, already encoded for the part
    PUT_PATH       a b value       look up a path and write it, escaped as b says: the fused LOAD_PATH, PUT
    PUT            b               pop a value and write it; AS_TEXT in b: as the filter `escape` takes it
    LOAD           value           push a constant
    LOAD_PATH      a value         push what a path leads to; a is the slot of its root, -1 for the values given
    LOAD_VALUES                    push the values themselves (for `["name"]`)
    LOAD_LOOP      a b             push a field of the loop at level a
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

from render_ext.errors import FilterError, LimitReached, RenderError
from render_ext.places import link_places, variable_places
from render_ext.values import Html, contains, equal, less, loop_items, make_range, output_text, to_integer, to_text

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
    bint c_is_exact_float "PyFloat_CheckExact"(PyObject* o)
    Py_ssize_t c_str_length "PyUnicode_GET_LENGTH"(PyObject* o)
    long long c_long_long "PyLong_AsLongLongAndOverflow"(PyObject* o, int* overflow) except? -1
    int c_rich_compare "PyObject_RichCompareBool"(PyObject* left, PyObject* right, int op) except -1
    PyObject* c_vectorcall "PyObject_Vectorcall"(
        PyObject* function, PyObject** arguments, size_t count, PyObject* names) except NULL
    PyObject* c_error "PyErr_Occurred"()
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


cdef enum:
    HAS_OFFSET = 1
    HAS_LIMIT = 2
    REVERSE = 4
    CLICK = 1
    TRACKED = -1  # what a message wants of its links if not one of them: their tokens,
    SHOWN = -2  # or their targets
    ESCAPES = 7  # the bits of an Escape in the b of PUT and PUT_PATH
    WEIGHT_BITS = 6  # 64 characters cost a step
    ITEM_WEIGHT = 16
    DEEPEST = 100

AS_TEXT = 8  # in the b of PUT and PUT_PATH: the value is written as text, trusted HTML and lists too
ORDER_SIGNS = {LESS: "<", LESS_EQUAL: "<=", GREATER: ">", GREATER_EQUAL: ">="}
cdef int[6] RICH = [Py_EQ, Py_EQ, Py_LT, Py_LE, Py_GT, Py_GE]
cdef PyObject* c_Html = <PyObject*>Html


# ---- state of one rendering ----------------------------------------------------------------------------------------

@cython.final
cdef class Frame:
    """Stack, slots and loops of a program; used again for every row of a batch."""

    def __cinit__(self, int stack, int slots, int prefixes, int loops):
        self.slots = slots + prefixes
        self.c_stack = <PyObject**>calloc(stack + slots + prefixes + 1, sizeof(PyObject*))
        self.c_loops = <Loop*>calloc(loops + 1, sizeof(Loop))
        if self.c_stack == NULL or self.c_loops == NULL:
            raise MemoryError()
        self.c_slots = self.c_stack + stack
        self.c_prefixes = self.c_slots + slots
        self.depth = 0
        self.loops = 0

    def __dealloc__(self):
        if self.c_stack != NULL and self.c_loops != NULL:
            self.clear()
        free(self.c_stack)
        free(self.c_loops)

    cdef void clear(self) noexcept:
        """Let go of every value."""
        cdef int i
        while self.depth > 0:
            self.depth -= 1
            c_decref(self.c_stack[self.depth])
        while self.loops > 0:
            self.loops -= 1
            c_decref(self.c_loops[self.loops].c_items)
        for i in range(self.slots):
            if self.c_slots[i] != NULL:
                c_decref(self.c_slots[i])
                self.c_slots[i] = NULL


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
    if step.prefix >= 0 and frame.c_prefixes[step.prefix] != NULL:
        c_next = c_dict_get(frame.c_prefixes[step.prefix], c_tuple_item(c_keys, count - 1))
        if c_next != NULL:
            c_incref(c_next)
            return c_next
        if c_error() != NULL:
            return NULL
    return find_all(c_values, frame, step)


cdef PyObject* find_all(PyObject* c_values, Frame frame, Step* step) except? NULL:
    """`find`, from the root on; notes the object that holds the last key for the next path through it."""
    cdef PyObject* c_keys = step.c_value
    cdef Py_ssize_t i = 1, count = c_tuple_size(c_keys)
    cdef PyObject* c_here = NULL
    cdef PyObject* c_next
    if step.a >= 0:
        c_here = frame.c_slots[step.a]
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


cdef bint add_weight(PyObject* c_value, int depth, long long* c_weight) noexcept:
    """Add characters and items, with those within; returns False where it is too deep to be read at all."""
    cdef Py_ssize_t i, at = 0
    cdef PyObject* c_key
    cdef PyObject* c_member
    if c_is_str(c_value):
        c_weight[0] += c_str_length(c_value)
        return True
    if depth > DEEPEST:
        return False
    if c_is_list(c_value):
        for i in range(c_list_size(c_value)):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_list_item(c_value, i), depth + 1, c_weight):
                return False
    elif c_is_tuple(c_value):
        for i in range(c_tuple_size(c_value)):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_tuple_item(c_value, i), depth + 1, c_weight):
                return False
    elif c_is_dict(c_value):
        while c_dict_next(c_value, &at, &c_key, &c_member):
            c_weight[0] += ITEM_WEIGHT
            if not add_weight(c_key, depth + 1, c_weight) or not add_weight(c_member, depth + 1, c_weight):
                return False
    return True


cdef long long weigh(PyObject* c_value) noexcept:
    """How much there is to read in a value: its characters, and ITEM_WEIGHT for each item of a list or object."""
    cdef long long weight = 0
    add_weight(c_value, 0, &weight)
    return weight


cdef inline long long weigh_all(PyObject** c_values, int count) noexcept:
    cdef long long weight = 0
    cdef int i
    for i in range(count):
        add_weight(c_values[i], 0, &weight)
    return weight


cdef inline long long loop_work(Frame frame, Step* step) noexcept:
    """The steps that entering a loop costs beyond its own: an object becomes a list of pairs, bounds may be long texts."""
    cdef int base = loop_base(frame, step)
    cdef long long weight = weigh_all(frame.c_stack + base + 1, frame.depth - base - 1)
    if c_is_dict(frame.c_stack[base]):
        weight += ITEM_WEIGHT * c_dict_size(frame.c_stack[base])
    return weight >> WEIGHT_BITS


cdef inline long long comparison_work(int operator, PyObject* c_left, PyObject* c_right) noexcept:
    """The steps that a comparison costs beyond its own."""
    cdef long long weight = 0
    if c_is_str(c_left):
        weight += c_str_length(c_left)
    elif operator == CONTAINS and (c_is_list(c_left) or c_is_tuple(c_left)):
        weight += ITEM_WEIGHT * (c_list_size(c_left) if c_is_list(c_left) else c_tuple_size(c_left))
    if c_is_str(c_right):
        weight += c_str_length(c_right)
    elif is_container(c_right):
        weight += weigh(c_left) + weigh(c_right)
    return weight >> WEIGHT_BITS


# ---- writing and comparing -----------------------------------------------------------------------------------------

cdef inline int put(Buffer out, PyObject* c_value, int escape, bint as_text) except -1:
    """Write a value; returns the steps that this costs beyond its own."""
    if c_is_exact_str(c_value):
        return out.write_str(c_value, escape)
    if c_value == Py_None:
        return 0
    return put_other(out, c_value, escape, as_text)


cdef int put_other(Buffer out, PyObject* c_value, int escape, bint as_text) except -1:
    cdef long long number
    cdef int overflow = 0
    cdef int cost = 0
    if c_is_exact_int(c_value):
        number = c_long_long(c_value, &overflow)
        if not overflow:
            return out.write_int(number)
    elif <void*>c_type(c_value) == <void*>c_Html and not as_text:
        return out.write_str(c_value, ESCAPE_NONE if escape == ESCAPE_HTML else escape)
    elif c_is_str(c_value):
        return out.write_str(c_value, escape)
    elif is_container(c_value):
        cost = <int>min(weigh(c_value) >> WEIGHT_BITS, 1 << 30)
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
    return frame.depth - 1 - (step.b & 1) - (step.b >> 1 & 1)


cdef int enter_loop(Frame frame, Step* step) except -1:
    """Take the items off the stack and set up the loop; returns whether there is any item."""
    cdef PyObject* c_limit = NULL
    cdef PyObject* c_offset = NULL
    cdef PyObject* c_items
    cdef Py_ssize_t offset, limit, length, first, end
    cdef Loop* loop
    cdef int base = loop_base(frame, step)
    if step.b & HAS_OFFSET:
        c_offset = frame.c_stack[base + 1]
    if step.b & HAS_LIMIT:
        c_limit = frame.c_stack[frame.depth - 1]
    offset = bound(c_offset, 0)
    limit = bound(c_limit, 1 << 41)
    if c_is_str(frame.c_stack[base]):
        offset, limit = 0, 1 << 41
    items = loop_items(<object>frame.c_stack[base])
    c_items = <PyObject*>items
    length = len(items)
    end = min(length, max(0, offset + limit))
    first = max(0, offset)
    while frame.depth > base:
        frame.depth -= 1
        c_decref(frame.c_stack[frame.depth])
    if first >= end:
        return False
    loop = &frame.c_loops[frame.loops]
    c_incref(c_items)
    loop.c_items = c_items
    loop.first = first
    loop.index = 0
    loop.length = end - first
    loop.reverse = step.b & REVERSE
    loop.slot = step.room
    loop.c_name = step.c_value
    frame.loops += 1
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
    frame.loops -= 1
    loop = &frame.c_loops[frame.loops]
    c_decref(loop.c_items)
    if frame.c_slots[loop.slot] != NULL:
        c_decref(frame.c_slots[loop.slot])
        frame.c_slots[loop.slot] = NULL


cdef object loop_field(Frame frame, int level, int field):
    """One of the things `forloop` tells."""
    cdef Loop* loop = &frame.c_loops[level]
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
    if field == LENGTH:
        return loop.length
    if field == NAME:
        return <object>loop.c_name
    return {
        "name": <object>loop.c_name,
        "length": loop.length,
        "index": loop.index + 1,
        "index0": loop.index,
        "rindex": loop.length - loop.index,
        "rindex0": loop.length - loop.index - 1,
        "first": loop.index == 0,
        "last": loop.index == loop.length - 1,
        "parentloop": loop_field(frame, level - 1, ALL) if level else None,
    }


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
        self.highest_link = layout.highest_link
        self.most_steps = min(limits.steps, 1 << 60)
        self.most_bytes = min(limits.output_bytes, 1 << 40)
        self.most_value = min(limits.value_bytes, 1 << 40)
        self.count = len(layout.steps)
        self.hint = 256
        self.c_steps = <Step*>calloc(self.count + 1, sizeof(Step))
        if self.c_steps == NULL:
            raise MemoryError()
        for i in range(self.count):
            set_step(&self.c_steps[i], layout.steps[i], transfer)

    def __dealloc__(self):
        free(self.c_steps)

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
        for i, values in enumerate(rows):
            if message is not None:
                message.begin(identities[i])
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
        return Frame(self.stack, self.slots, self.prefixes, self.loops)

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
        cdef Py_ssize_t line = self.source.count("\n", 0, step.at) + 1
        reason = str(error)
        if step.op == FILTER:
            name = self.layout.steps[frame.at].value[2]
            reason = f"filter `{name}`: {reason or type(error).__name__}"
        elif not isinstance(error, (FilterError, LimitReached)):
            reason = f"{type(error).__name__}: {reason}"
        return RenderError(reason, template=self.name, line=line, limit=getattr(error, "limit", None))

    cdef int _run(self, Frame frame, PyObject* c_values, Buffer out, Message message, bint wire) except -1:
        # One function on purpose: the loop is the engine.
        cdef Step* c_steps = self.c_steps
        cdef Step* step
        cdef PyObject** c_stack = frame.c_stack
        cdef PyObject* c_value
        cdef PyObject* c_other
        cdef Py_ssize_t at = 0
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
                return 0
            left -= 1
            if left < 0:
                raise LimitReached("steps", self.most_steps)
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
                        left -= put(out, c_value, step.b, step.room)
                    finally:
                        c_decref(c_value)
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
                left -= comparison_work(step.a, c_stack[frame.depth - 2], c_stack[frame.depth - 1])
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
                    left -= weigh_all(c_stack + i, step.b) * step.room >> WEIGHT_BITS
                    if left < 0:
                        raise LimitReached("steps", self.most_steps)
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
            elif op == DEFAULT:
                frame.depth -= 1
                c_other = c_stack[frame.depth]
                if is_absent(c_stack[frame.depth - 1]):
                    c_value = c_stack[frame.depth - 1]
                    c_stack[frame.depth - 1] = c_other
                    c_other = c_value
                c_decref(c_other)
            elif op == PUT:
                left -= put(out, c_stack[frame.depth - 1], step.b, step.room)
                frame.depth -= 1
                c_decref(c_stack[frame.depth])
            elif op == STORE:
                frame.depth -= 1
                c_other = frame.c_slots[step.a]
                frame.c_slots[step.a] = c_stack[frame.depth]
                Py_XDECREF(c_other)
            elif op == FOR:
                left -= loop_work(frame, step)
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
                field = loop_field(frame, step.a, step.b)
                Py_INCREF(field)
                c_stack[frame.depth] = <PyObject*>field
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
                left -= weigh_all(c_stack + frame.depth - 2, 2) >> WEIGHT_BITS
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
                encoded = wire and self.transfer != TRANSFER_NONE
                quoted = encoded and self.transfer == TRANSFER_QP
            elif op == URL:
                if message is not None and message.identified and message.wanted == TRACKED:
                    message.signer.write_url(out, step.a, &message.c_identity, 0, 0)
                else:
                    out.write(b"#", 1)

    def _undefined(self, Py_ssize_t index):
        step = self.layout.steps[index]
        path = step.value if isinstance(step.value, str) else step.value.text
        raise FilterError(f"`{path}` is not defined")


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
    elif c_step.op == FILTER:
        c_step.c_value = <PyObject*>value[0]
        c_step.c_names = NULL if value[1] is None else <PyObject*>value[1]
        c_step.room = value[3]
    elif c_step.op == FOR:
        c_step.room = value[0]
        c_step.c_value = <PyObject*>value[1]
    else:
        c_step.c_value = <PyObject*>value
    return 0
