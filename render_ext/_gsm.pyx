"""Characters of short messages, natively: what a text takes in GSM 03.38 and in UCS-2, where it is cut, its septets.

A message of one part has 160 septets or 70 UTF-16 code units; in a longer one each part has 153 or 67, since a header of
6 bytes with an 8-bit reference takes the rest. A pair that belongs together (escape and extension, two surrogates) is
never cut in two.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from render_ext.gsm_tables import DEFAULT, ESCAPE, EXTENSION, HARMLESS

cdef extern from "Python.h":
    int PyUnicode_Kind "PyUnicode_KIND"(PyObject* o)
    void* PyUnicode_Data "PyUnicode_DATA"(PyObject* o)
    uint32_t PyUnicode_Read "PyUnicode_READ"(int kind, void* data, Py_ssize_t index)

cdef enum:
    WIDTH = 3  # the bits of CLASS that say how many septets; 0 for what is not in the alphabet
    UNCLEAN = 4

cdef uint8_t CLASS[0x10000]
cdef uint8_t SEPTET[0x10000]
cdef int[2] SINGLE = [70, 160]  # units of a message of one part, in UCS-2 and in GSM
cdef int[2] EACH = [67, 153]  # of each part of a longer one


def _set_up():
    cdef int code
    memset(CLASS, 0, sizeof(CLASS))
    for code, character in enumerate(DEFAULT):
        if code != ESCAPE:
            CLASS[ord(character)] = 1
            SEPTET[ord(character)] = code
    for character, code in EXTENSION.items():
        CLASS[ord(character)] = 2
        SEPTET[ord(character)] = code
    for code in HARMLESS:
        CLASS[code] |= UNCLEAN


_set_up()


cdef inline int width(uint32_t c, bint gsm) noexcept:
    """Septets or code units of a character."""
    if gsm:
        return CLASS[c] & WIDTH if c < 0x10000 else 0
    return 1 if c < 0x10000 else 2


cdef Py_ssize_t walk(str text, bint gsm, list cuts) except -1:
    """How many parts a text takes; the offsets at which parts after the first begin are added to `cuts`."""
    cdef PyObject* c_text = <PyObject*>text
    cdef int kind = PyUnicode_Kind(c_text), each = EACH[gsm], used = 0, size
    cdef void* c_data = PyUnicode_Data(c_text)
    cdef Py_ssize_t i, parts = 1, total = 0, length = len(text)
    for i in range(length):
        total += width(PyUnicode_Read(kind, c_data, i), gsm)
        if total > SINGLE[gsm]:
            break
    else:
        return 1
    for i in range(length):
        size = width(PyUnicode_Read(kind, c_data, i), gsm)
        if used + size > each:
            parts += 1
            used = 0
            if cuts is not None:
                cuts.append(i)
        used += size
    return parts


def survey(str text not None):
    """Septets, code units, and whether nothing has to be made harmless.

    Where a character is not in the alphabet, the first number is -1 less the offset of the first such.
    """
    cdef PyObject* c_text = <PyObject*>text
    cdef int kind = PyUnicode_Kind(c_text), known
    cdef void* c_data = PyUnicode_Data(c_text)
    cdef Py_ssize_t i, length = len(text), septets = 0, units = length, outside = -1
    cdef uint32_t c
    cdef uint8_t seen = 0
    for i in range(length):
        c = PyUnicode_Read(kind, c_data, i)
        known = 0
        if c < 0x10000:
            known = CLASS[c]
        else:
            units += 1
        seen |= known
        septets += known & WIDTH
        if known & WIDTH == 0 and outside < 0:
            outside = i
    return (septets if outside < 0 else -1 - outside), units, not seen & UNCLEAN


def count_parts(str text not None, bint gsm):
    """How many parts a text takes, at least 1."""
    return walk(text, gsm, None)


def split(str text not None, bint gsm):
    """The parts of a text."""
    cdef list cuts = []
    walk(text, gsm, cuts)
    return tuple([text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)])


def septets(str text not None):
    """A text in GSM 03.38, a septet in each byte. Raises ValueError for a character that is not in the alphabet."""
    cdef PyObject* c_text = <PyObject*>text
    cdef int kind = PyUnicode_Kind(c_text), size
    cdef void* c_data = PyUnicode_Data(c_text)
    cdef Py_ssize_t i, length = len(text)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, 2 * length)
    cdef char* c_out = PyBytes_AS_STRING(result)
    cdef char* c_start = c_out
    cdef uint32_t c
    for i in range(length):
        c = PyUnicode_Read(kind, c_data, i)
        size = width(c, True)
        if size == 0:
            raise ValueError(f"U+{c:04X} is not in the alphabet of GSM 03.38")
        if size == 2:
            c_out[0] = <char>0x1B
            c_out += 1
        c_out[0] = <char>SEPTET[c]
        c_out += 1
    return result[:c_out - c_start]


def pack(bytes data not None, int fill=0):
    """Septets, one in each byte, as a stream of bits from the lowest on (3GPP TS 23.038 section 6.1.2.1).

    `fill` zero bits come first: 1 after a header of 6 bytes, so that the septets begin on a septet.
    """
    cdef Py_ssize_t i, length = len(data)
    cdef const uint8_t* c_in = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef bytes result
    cdef uint8_t* c_out
    cdef uint32_t bits = 0
    cdef int have = fill
    if not 0 <= fill < 8:
        raise ValueError("fill is 0 to 7 bits")
    result = PyBytes_FromStringAndSize(NULL, (length * 7 + fill + 7) // 8)
    c_out = <uint8_t*>PyBytes_AS_STRING(result)
    for i in range(length):
        bits |= <uint32_t>(c_in[i] & 0x7F) << have
        have += 7
        if have >= 8:
            c_out[0] = <uint8_t>(bits & 0xFF)
            c_out += 1
            bits >>= 8
            have -= 8
    if have > 0:
        c_out[0] = <uint8_t>bits
    return result
