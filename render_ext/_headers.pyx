"""Header fields as RFC 5322 wants them: folded at 76 characters, other scripts as encoded words (RFC 2047).

The text given is UTF-8 without control characters (`trimmed`, or the escape "header", has replaced them), so nothing in a
value can end a field. A text that plain ASCII words can carry is folded between them; any other is written as encoded words
throughout, base64 or Q, whichever is shorter, never cutting a character in two.
Structured fields have no encoded words: what would need them is left out.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from render_ext._buffer cimport ESCAPE_HEADER, Buffer

cdef enum:
    LINE = 76
    WORD = 75  # characters of one encoded word
    FRAME = 12  # of which `=?utf-8?B?` and `?=`
    SUBJECT = 9  # of `Subject: `
    LONGEST_LINE = 700  # of plain text that cannot be folded and that programs may read: a line has at most 998
    LONGEST_QUOTED = 60

cdef const char* HEXADECIMAL = b"0123456789ABCDEF"
cdef const char* BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
cdef uint8_t IS_Q[256]  # stands for itself in a Q word, also within a phrase
cdef uint8_t IS_ATOM[256]
cdef uint8_t IN_LOCAL[256]
cdef uint8_t IN_DOMAIN[256]


def _set_up():
    cdef int byte
    for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789":
        IS_Q[byte] = IS_ATOM[byte] = IN_LOCAL[byte] = IN_DOMAIN[byte] = 1
    for byte in b"!*+-/":
        IS_Q[byte] = 1
    for byte in b"!#$%&'*+-/=?^_`{|}~":
        IS_ATOM[byte] = IN_LOCAL[byte] = 1
    IN_LOCAL[46] = 1
    for byte in range(128, 256):
        IN_LOCAL[byte] = 1
    for byte in b"-._":
        IN_DOMAIN[byte] = 1


_set_up()


cdef Py_ssize_t trimmed(char* c_text, Py_ssize_t size, Py_ssize_t* c_start) noexcept:
    """Turn control characters into spaces, in place; sets the start of the text without outer spaces, returns its size."""
    cdef Py_ssize_t i, start = 0
    for i in range(size):
        if <uint8_t>c_text[i] < 32 or c_text[i] == 127:
            c_text[i] = c' '
    while start < size and c_text[start] == c' ':
        start += 1
    while size > start and c_text[size - 1] == c' ':
        size -= 1
    c_start[0] = start
    return size - start


cdef bint has_encoded_word(const char* c_text, Py_ssize_t size) noexcept:
    """The text could be mistaken for one that holds an encoded word."""
    cdef Py_ssize_t i
    for i in range(size - 1):
        if c_text[i] == c'=' and c_text[i + 1] == c'?':
            return True
    return False


cdef inline bint can_fold(const char* c_text, Py_ssize_t size, Py_ssize_t i) noexcept:
    """There is one single space here, between two words."""
    return c_text[i] == c' ' and 0 < i < size - 1 and c_text[i - 1] != c' ' and c_text[i + 1] != c' '


cdef bint is_foldable(const char* c_text, Py_ssize_t size, int column, int longest) noexcept:
    """Printable ASCII that can be folded into lines of at most `longest` characters, the first of which has `column` already."""
    cdef Py_ssize_t i, line = column
    for i in range(size):
        if <uint8_t>c_text[i] < 32 or <uint8_t>c_text[i] > 126:
            return False
        line = 1 if can_fold(c_text, size, i) else line + 1
        if line > longest:
            return False
    return True


cdef int write_unstructured(Buffer out, const char* c_text, Py_ssize_t size, int column) except -1:
    """Write the text of a field of which `column` characters are written; returns the column after it."""
    return write_text(out, c_text, size, column, LONGEST_LINE)


cdef int write_subject(Buffer out, const char* c_text, Py_ssize_t size) except -1:
    """Write the text of a Subject, whose name is written. People read it: longer words than a line has are encoded words."""
    return write_text(out, c_text, size, SUBJECT, LINE)


cdef int write_text(Buffer out, const char* c_text, Py_ssize_t size, int column, int longest) except -1:
    if not is_foldable(c_text, size, column, longest) or has_encoded_word(c_text, size):
        return write_words(out, c_text, size, column)
    return write_folded(out, c_text, size, column)


cdef int write_field(Buffer out, bytes label, const char* c_text, Py_ssize_t size, bint structured) except -1:
    """Write a whole field, its name with colon and space first; nothing without a text.

    A structured field has no encoded words (RFC 2047, 5): where its text would need them, nothing is written either.
    """
    if not size or (structured and not is_foldable(c_text, size, <int>PyBytes_GET_SIZE(label), LONGEST_LINE)):
        return 0
    out.write(PyBytes_AS_STRING(label), PyBytes_GET_SIZE(label))
    if structured:
        write_folded(out, c_text, size, <int>PyBytes_GET_SIZE(label))
    else:
        write_unstructured(out, c_text, size, <int>PyBytes_GET_SIZE(label))
    return out.write(b"\r\n", 2)


cdef int write_folded(Buffer out, const char* c_text, Py_ssize_t size, int column) except -1:
    cdef Py_ssize_t start = 0, end
    while start < size:
        end = start + 1
        while end < size and not can_fold(c_text, size, end):
            end += 1
        if start > 0 and column + end - start > LINE:
            out.write(b"\r\n", 2)
            column = 0
        out.write(c_text + start, end - start)
        column += <int>(end - start)
        start = end
    return column


cdef inline int character_size(uint8_t lead) noexcept:
    if lead < 0x80:
        return 1
    if lead < 0xE0:
        return 2
    return 3 if lead < 0xF0 else 4


cdef int write_words(Buffer out, const char* c_text, Py_ssize_t size, int column) except -1:
    """Write the text as encoded words; returns the column after the last."""
    cdef Py_ssize_t i, quoted = 0, start = 0, end
    cdef int room, width, used, character
    cdef bint q
    for i in range(size):
        quoted += 1 if IS_Q[<uint8_t>c_text[i]] or c_text[i] == c' ' else 3
    q = quoted <= (size + 2) // 3 * 4
    while start < size:
        room = min(WORD, LINE - column) - FRAME
        end = start
        used = 0
        while end < size:
            character = min(character_size(<uint8_t>c_text[end]), <int>(size - end))
            if q:
                width = used + character_width(c_text + end, character)
            else:
                width = <int>((end - start + character + 2) // 3 * 4)
            if width > room:
                break
            used = width
            end += character
        if end > start:
            write_word(out, c_text + start, end - start, q)
            column += used + FRAME
            start = end
        if start < size:
            out.write(b"\r\n ", 3)
            column = 1
    return column


cdef inline int character_width(const char* c_text, int size) noexcept:
    if size == 1 and (IS_Q[<uint8_t>c_text[0]] or c_text[0] == c' '):
        return 1
    return 3 * size


cdef int write_word(Buffer out, const char* c_text, Py_ssize_t size, bint q) except -1:
    """One encoded word of at most 63 characters."""
    cdef char c_word[96]
    cdef int at = 10
    cdef Py_ssize_t i
    cdef uint8_t byte
    cdef unsigned int group
    memcpy(c_word, b"=?utf-8?Q?" if q else b"=?utf-8?B?", 10)
    if q:
        for i in range(size):
            byte = <uint8_t>c_text[i]
            if IS_Q[byte] or byte == c' ':
                c_word[at] = c'_' if byte == c' ' else <char>byte
                at += 1
            else:
                c_word[at] = c'='
                c_word[at + 1] = HEXADECIMAL[byte >> 4]
                c_word[at + 2] = HEXADECIMAL[byte & 15]
                at += 3
    else:
        i = 0
        while i < size:
            group = <unsigned int><uint8_t>c_text[i] << 16
            if i + 1 < size:
                group |= <unsigned int><uint8_t>c_text[i + 1] << 8
            if i + 2 < size:
                group |= <uint8_t>c_text[i + 2]
            c_word[at] = BASE64[group >> 18]
            c_word[at + 1] = BASE64[group >> 12 & 63]
            c_word[at + 2] = BASE64[group >> 6 & 63] if i + 1 < size else c'='
            c_word[at + 3] = BASE64[group & 63] if i + 2 < size else c'='
            at += 4
            i += 3
    memcpy(c_word + at, b"?=", 2)
    return out.write(c_word, at + 2)


cdef int write_phrase(Buffer out, const char* c_text, Py_ssize_t size, int column) except -1:
    """Write a display name: atoms, a quoted string, or encoded words."""
    cdef Py_ssize_t i
    cdef bint atoms = True
    cdef char c_quoted[2 * LONGEST_QUOTED + 2]
    cdef int at = 1
    if size > LONGEST_QUOTED or has_encoded_word(c_text, size):
        return write_words(out, c_text, size, column)
    for i in range(size):
        if <uint8_t>c_text[i] > 126:
            return write_words(out, c_text, size, column)
        if not IS_ATOM[<uint8_t>c_text[i]] and not can_fold(c_text, size, i):
            atoms = False
    if atoms:
        out.write(c_text, size)
        return column + <int>size
    c_quoted[0] = c'"'
    for i in range(size):
        if c_text[i] == c'"' or c_text[i] == c'\\':
            c_quoted[at] = c'\\'
            at += 1
        c_quoted[at] = c_text[i]
        at += 1
    c_quoted[at] = c'"'
    out.write(c_quoted, at + 1)
    return column + at + 1


cdef int write_mailbox(Buffer out, object name, bytes address, int column) except -1:
    """Write `name <address>`, or the address alone; the address is a checked one. Returns the column after it."""
    cdef Buffer scratch
    cdef Py_ssize_t start = 0, size = 0
    if name is None:
        return write_named(out, NULL, 0, address, column)
    if not isinstance(name, str):
        raise TypeError("a display name is a str")
    scratch = Buffer()
    scratch.write_str(<PyObject*>name, ESCAPE_HEADER)
    size = trimmed(scratch.c_data, scratch.size, &start)
    return write_named(out, scratch.c_data + start, size, address, column)


cdef int write_named(Buffer out, const char* c_name, Py_ssize_t size, bytes address, int column) except -1:
    """The same with a name that is trimmed already; the address alone where it is empty."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(address)
    if size:
        column = write_phrase(out, c_name, size, column)
        if column + length + 3 > LINE:
            out.write(b"\r\n", 2)
            column = 0
        out.write(b" <", 2)
        out.write(PyBytes_AS_STRING(address), length)
        out.write(b">", 1)
        return column + <int>length + 3
    out.write(PyBytes_AS_STRING(address), length)
    return column + <int>length


cdef bint is_address(bytes address) noexcept:
    """A dot-atom at a domain name; UTF-8 may stand before the @."""
    cdef const uint8_t* c_text = <const uint8_t*>PyBytes_AS_STRING(address)
    cdef Py_ssize_t i, at = -1, size = PyBytes_GET_SIZE(address)
    for i in range(size):
        if c_text[i] == c'@':
            at = i
            break
        if not IN_LOCAL[c_text[i]]:
            return False
    if at < 1 or at > 64 or size - at < 2 or size > 254:
        return False
    for i in range(at + 1, size):
        if not IN_DOMAIN[c_text[i]]:
            return False
    for i in range(size - 1):
        if c_text[i] == c'.' and c_text[i + 1] == c'.':
            return False
    return (
        c_text[0] != c'.' and c_text[at - 1] != c'.' and c_text[at + 1] != c'.' and c_text[at + 1] != c'-'
        and c_text[size - 1] != c'.' and c_text[size - 1] != c'-'
    )


cdef bytes checked_address(object address):
    """The bytes of an address as it stands in a header (RFC 6532: in UTF-8). Raises ValueError for one that cannot.

    Whether the next server takes an address that is not ASCII, the envelope has to find out.
    """
    if not isinstance(address, str):
        raise TypeError(f"an address is a str, not {type(address).__name__}")
    if not address.isascii():
        address = with_ascii_domain(address)
    encoded = address.encode()
    if not is_address(encoded):
        raise ValueError("not an email address that can be written to")
    return encoded


def with_ascii_domain(str address):
    """The address with its domain in the ASCII form of IDNA. Raises ValueError for what cannot be printed before the @."""
    local, _, domain = address.rpartition("@")
    if not local.isprintable():
        raise ValueError("the address has a character before the @ that cannot be written")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise ValueError("the domain is not one") from None


# ---- for compile time and tests ------------------------------------------------------------------------------------

cdef bytes field_text(str text):
    """What of a text is written into a field, before it is folded or encoded."""
    cdef Buffer scratch = Buffer()
    cdef Py_ssize_t start = 0, size
    scratch.write_str(<PyObject*>text, ESCAPE_HEADER)
    size = trimmed(scratch.c_data, scratch.size, &start)
    return scratch.c_data[start:start + size]


def unstructured_field(str name, str text):
    """A whole field `name: text`, with its line end."""
    cdef Buffer out = Buffer()
    cdef bytes label = name.encode() + b": ", written = field_text(text)
    out.write(PyBytes_AS_STRING(label), len(label))
    write_unstructured(out, PyBytes_AS_STRING(written), len(written), len(label))
    out.write(b"\r\n", 2)
    return out.take()


def subject_field(str text):
    """The same of the Subject."""
    cdef Buffer out = Buffer()
    cdef bytes written = field_text(text)
    out.write(b"Subject: ", SUBJECT)
    write_subject(out, PyBytes_AS_STRING(written), len(written))
    out.write(b"\r\n", 2)
    return out.take()


def structured_field(str name, str text):
    """The same of a structured field; nothing where the text would need encoded words."""
    cdef Buffer out = Buffer()
    cdef bytes written = field_text(text)
    write_field(out, name.encode() + b": ", PyBytes_AS_STRING(written), len(written), True)
    return out.take()


def mailbox_field(str name, display_name, str address):
    """A whole field with one mailbox, of ASCII: every server has to take what all messages carry.

    Raises ValueError for a bad address.
    """
    cdef Buffer out = Buffer()
    cdef bytes label = name.encode() + b": "
    cdef bytes checked = checked_address(address)
    if not checked.isascii():
        raise ValueError("the part before the @ is not ASCII")
    out.write(PyBytes_AS_STRING(label), len(label))
    write_mailbox(out, display_name, checked, len(label))
    out.write(b"\r\n", 2)
    return out.take()
