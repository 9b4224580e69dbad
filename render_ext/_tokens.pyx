"""Tokens, natively: keyed BLAKE2s (RFC 7693), LEB128 and base64url without a Python object between.

The state after the key's block is kept, so that a token costs one compression.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import re

from render_ext.tokens import Identity, Token, TokenKey, TokenKind

cdef enum:
    VERSION = 1
    MAC_BYTES = 10
    KEY_BYTES = 32
    BLOCK = 64
    BOUNCE = 15  # the kind of an envelope sender
    MESSAGE = 14  # the kind of a Message-ID

cdef const char* BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef const char* BASE32 = b"abcdefghijklmnopqrstuvwxyz234567"
cdef uint8_t FROM_BASE64URL[256]
cdef uint8_t FROM_BASE32[256]

cdef uint32_t[8] IV = [
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
]
cdef uint8_t[10][16] SIGMA = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]


def _set_up():
    cdef int i
    memset(FROM_BASE64URL, 255, 256)
    memset(FROM_BASE32, 255, 256)
    for i in range(64):
        FROM_BASE64URL[<uint8_t>BASE64URL[i]] = i
    for i in range(32):
        FROM_BASE32[<uint8_t>BASE32[i]] = i


_set_up()


# ---- BLAKE2s -------------------------------------------------------------------------------------------------------

cdef inline uint32_t turned(uint32_t word, int bits) noexcept nogil:
    return word >> bits | word << (32 - bits)


cdef inline void mix(uint32_t* v, int a, int b, int c, int d, uint32_t x, uint32_t y) noexcept nogil:
    v[a] = v[a] + v[b] + x
    v[d] = turned(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = turned(v[b] ^ v[c], 12)
    v[a] = v[a] + v[b] + y
    v[d] = turned(v[d] ^ v[a], 8)
    v[c] = v[c] + v[d]
    v[b] = turned(v[b] ^ v[c], 7)


cdef void compress(uint32_t* h, const uint8_t* c_block, uint64_t count, bint last) noexcept nogil:
    """One block of BLAKE2s; `count` is the bytes hashed so far, this block included."""
    cdef uint32_t m[16]
    cdef uint32_t v[16]
    cdef const uint8_t* s
    cdef int i
    for i in range(16):
        m[i] = (
            <uint32_t>c_block[4 * i]
            | <uint32_t>c_block[4 * i + 1] << 8
            | <uint32_t>c_block[4 * i + 2] << 16
            | <uint32_t>c_block[4 * i + 3] << 24
        )
    for i in range(8):
        v[i] = h[i]
        v[i + 8] = IV[i]
    v[12] ^= <uint32_t>count
    v[13] ^= <uint32_t>(count >> 32)
    if last:
        v[14] = ~v[14]
    for i in range(10):
        s = SIGMA[i]
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for i in range(8):
        h[i] ^= v[i] ^ v[i + 8]


cdef int start_state(uint32_t* h, bytes secret) except -1:
    """The state of BLAKE2s keyed with 32 bytes, digest of MAC_BYTES, after the key's block."""
    cdef uint8_t c_block[BLOCK]
    if PyBytes_GET_SIZE(secret) != KEY_BYTES:
        raise ValueError("a token key has 32 bytes")
    memcpy(h, IV, 32)
    h[0] ^= 0x01010000 ^ (KEY_BYTES << 8) ^ MAC_BYTES
    memset(c_block, 0, BLOCK)
    memcpy(c_block, PyBytes_AS_STRING(secret), KEY_BYTES)
    compress(h, c_block, BLOCK, False)
    return 0


cdef void authenticate(const uint32_t* c_state, const uint8_t* c_message, Py_ssize_t size, uint8_t* c_mac) noexcept:
    """The MAC of a message of at least one byte, from the state after the key's block."""
    cdef uint32_t h[8]
    cdef uint8_t c_block[BLOCK]
    cdef uint64_t count = BLOCK
    cdef int i
    memcpy(h, c_state, 32)
    while size > BLOCK:
        count += BLOCK
        compress(h, c_message, count, False)
        c_message += BLOCK
        size -= BLOCK
    memset(c_block, 0, BLOCK)
    memcpy(c_block, c_message, size)
    compress(h, c_block, count + <uint64_t>size, True)
    for i in range(MAC_BYTES):
        c_mac[i] = <uint8_t>(h[i >> 2] >> (8 * (i & 3)))


def blake2s_mac(bytes secret, bytes message):
    """Keyed BLAKE2s with a digest of 10 bytes, of at least one byte; for the tests that compare it with hashlib's."""
    cdef uint32_t c_state[8]
    cdef uint8_t c_mac[MAC_BYTES]
    if not message:
        raise ValueError("the message is empty")
    start_state(c_state, secret)
    authenticate(c_state, <const uint8_t*>PyBytes_AS_STRING(message), len(message), c_mac)
    return (<char*>c_mac)[:MAC_BYTES]


# ---- numbers and alphabets -----------------------------------------------------------------------------------------

cdef inline int put_number(uint8_t* c_out, uint64_t number) noexcept:
    """Unsigned LEB128; returns the bytes written (at most 9 for 63 bits)."""
    cdef int size = 0
    while number >= 0x80:
        c_out[size] = <uint8_t>(number | 0x80)
        number >>= 7
        size += 1
    c_out[size] = <uint8_t>number
    return size + 1


cdef inline int take_number(const uint8_t* c_in, Py_ssize_t size, uint64_t* c_number) noexcept:
    """Read one canonical LEB128 number below 2**63; returns the bytes read, 0 where there is none."""
    cdef int i
    cdef uint64_t number = 0
    for i in range(9):
        if i >= size:
            return 0
        number |= <uint64_t>(c_in[i] & 0x7F) << (7 * i)
        if not c_in[i] & 0x80:
            if i > 0 and c_in[i] == 0:
                return 0  # a longer spelling of a shorter number
            c_number[0] = number
            return i + 1
    return 0


cdef int put_base64url(const uint8_t* c_in, int size, char* c_out) noexcept:
    cdef int i = 0, at = 0
    cdef uint32_t word
    while i + 2 < size:
        word = <uint32_t>c_in[i] << 16 | <uint32_t>c_in[i + 1] << 8 | c_in[i + 2]
        c_out[at] = BASE64URL[word >> 18]
        c_out[at + 1] = BASE64URL[word >> 12 & 63]
        c_out[at + 2] = BASE64URL[word >> 6 & 63]
        c_out[at + 3] = BASE64URL[word & 63]
        i += 3
        at += 4
    if i < size:
        word = <uint32_t>c_in[i] << 16
        if i + 1 < size:
            word |= <uint32_t>c_in[i + 1] << 8
        c_out[at] = BASE64URL[word >> 18]
        c_out[at + 1] = BASE64URL[word >> 12 & 63]
        at += 2
        if i + 1 < size:
            c_out[at] = BASE64URL[word >> 6 & 63]
            at += 1
    return at


cdef int put_base32(const uint8_t* c_in, int size, char* c_out) noexcept:
    cdef int i, at = 0, bits = 0
    cdef uint32_t word = 0
    for i in range(size):
        word = word << 8 | c_in[i]
        bits += 8
        while bits >= 5:
            bits -= 5
            c_out[at] = BASE32[word >> bits & 31]
            at += 1
        word &= (1 << bits) - 1
    if bits:
        c_out[at] = BASE32[word << (5 - bits) & 31]
        at += 1
    return at


cdef int from_alphabet(const uint8_t* c_values, int width, bytes text, uint8_t* c_out) noexcept:
    """Decode text of `width` bits per character; returns the size, or -1 where it is not the canonical spelling."""
    cdef Py_ssize_t i, size = PyBytes_GET_SIZE(text)
    cdef const uint8_t* c_text = <const uint8_t*>PyBytes_AS_STRING(text)
    cdef int at = 0, bits = 0
    cdef uint32_t word = 0
    cdef uint8_t value
    for i in range(size):
        value = c_values[c_text[i]]
        if value == 255:
            return -1
        word = word << width | value
        bits += width
        if bits >= 8:
            bits -= 8
            c_out[at] = <uint8_t>(word >> bits)
            at += 1
            word &= (1 << bits) - 1
    return -1 if bits >= width or word != 0 else at


# ---- tokens --------------------------------------------------------------------------------------------------------

cdef uint64_t number_of(object value) except? 0xFFFFFFFFFFFFFFFF:
    """A number a token can carry. Raises ValueError outside 0 to 2**63 - 1."""
    cdef long long number
    try:
        number = value
    except OverflowError:
        number = -1
    if number < 0:
        raise ValueError("a number in a token is 0 to 2**63 - 1")
    return <uint64_t>number


cdef int pack_identity(object identity, Packed* c_packed) except -1:
    """The four numbers of a ledger row, as they stand in its tokens."""
    cdef int size
    size = put_number(c_packed.data, number_of(identity.delivery_id))
    size += put_number(c_packed.data + size, number_of(identity.recipient_kind))
    size += put_number(c_packed.data + size, number_of(identity.recipient_id))
    size += put_number(c_packed.data + size, number_of(identity.occurrence))
    c_packed.size = size
    return 0


cdef inline char path_letter(int kind) noexcept:
    """The path of each kind of URL."""
    if kind == 1:
        return c'c'
    if kind == 2:
        return c'o'
    if kind == 3:
        return c'u'
    return c'm'


@cython.final
cdef class TokenSigner:
    """Makes the URLs of one installation with one key.

    `base_url` is scheme, host and path without a slash at the end, of characters that are safe in HTML, headers and
    text alike. `show_targets`: for messages to look at. Links in them are written as where they lead and the message's own
    pages as `#`, so that no visit counts. Raises ValueError.
    """

    def __cinit__(self, str base_url, key, *, bint show_targets=False):
        if not isinstance(key, TokenKey):
            raise TypeError("key must be a TokenKey")
        if re.fullmatch(r"https?://[A-Za-z0-9._~:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?", base_url) is None:
            raise ValueError(f"not a base URL of plain characters: {base_url!r}")
        if len(base_url) > 500:
            raise ValueError("a base URL has at most 500 characters")
        self.base_url = base_url.rstrip("/")
        self.base = self.base_url.encode()
        self.key = key
        self.key_id = key.key_id
        self.show_targets = show_targets
        start_state(self.c_state, key.secret)

    def __reduce__(self):
        raise TypeError("a signer holds a key and is not pickled")

    cdef int _body(self, uint8_t* c_body, int kind, Packed* c_identity) noexcept:
        c_body[0] = <uint8_t>(VERSION << 4 | kind)
        c_body[1] = self.key_id
        memcpy(c_body + 2, c_identity.data, c_identity.size)
        return 2 + c_identity.size

    cdef int write_token(self, char* c_out, int kind, Packed* c_identity, uint64_t link, uint64_t occurrence) noexcept:
        """Write a token (at most TOKEN_CHARACTERS); returns its length."""
        cdef uint8_t c_body[2 + IDENTITY_BYTES + 20 + MAC_BYTES]
        cdef int size = self._body(c_body, kind, c_identity)
        size += put_number(c_body + size, link)
        size += put_number(c_body + size, occurrence)
        authenticate(self.c_state, c_body, size, c_body + size)
        return put_base64url(c_body, size + MAC_BYTES, c_out)

    cdef int write_local_part(self, char* c_out, int kind, Packed* c_identity) noexcept:
        """Write the base32 text of a ledger row, for addresses and message ids; returns its length."""
        cdef uint8_t c_body[2 + IDENTITY_BYTES + MAC_BYTES]
        cdef int size = self._body(c_body, kind, c_identity)
        authenticate(self.c_state, c_body, size, c_body + size)
        return put_base32(c_body, size + MAC_BYTES, c_out)

    cdef int write_url(self, Buffer out, int kind, Packed* c_identity, uint64_t link, uint64_t occurrence) except -1:
        """Write a whole URL into a message."""
        cdef char c_url[512 + TOKEN_CHARACTERS]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.base)
        memcpy(c_url, PyBytes_AS_STRING(self.base), size)
        c_url[size] = c'/'
        c_url[size + 1] = path_letter(kind)
        c_url[size + 2] = c'/'
        size += 3
        size += self.write_token(c_url + size, kind, c_identity, link, occurrence)
        return out.write_url(c_url, size)

    def url(self, kind, identity, link=0, link_occurrence=0):
        """The URL of a token. Raises ValueError for numbers out of range."""
        cdef Packed c_identity
        cdef Buffer out = Buffer()
        pack_identity(identity, &c_identity)
        self.write_url(out, TokenKind(kind), &c_identity, number_of(link), number_of(link_occurrence))
        return out.take().decode()

    def local_part(self, identity, *, bint bounce):
        """The local part of a row's envelope sender (`bounce`) or Message-ID."""
        cdef Packed c_identity
        cdef char c_text[TOKEN_CHARACTERS]
        cdef int size
        pack_identity(identity, &c_identity)
        size = self.write_local_part(c_text, BOUNCE if bounce else MESSAGE, &c_identity)
        return ("b-" if bounce else "") + c_text[:size].decode()


def mint(key, token):
    """The text of a token. Raises ValueError where the token names another key or a number is out of range."""
    cdef Packed c_identity
    cdef char c_text[TOKEN_CHARACTERS]
    cdef int size
    cdef TokenSigner signer
    if token.key_id != key.key_id:
        raise ValueError(f"the token names key {token.key_id}, not {key.key_id}")
    signer = TokenSigner("http://-", key)
    pack_identity(token, &c_identity)
    size = signer.write_token(
        c_text, TokenKind(token.kind), &c_identity, number_of(token.link), number_of(token.link_occurrence)
    )
    return c_text[:size].decode()


cdef bint is_authentic(const uint8_t* c_data, int size, object keys) except -1:
    """The last bytes are the MAC of the others, with the key that the second byte names. Compared in constant time."""
    cdef uint32_t c_state[8]
    cdef uint8_t c_mac[MAC_BYTES]
    cdef uint8_t difference = 0
    cdef int i
    key = keys.get(c_data[1])
    if key is None:
        return False
    start_state(c_state, key.secret)
    authenticate(c_state, c_data, size - MAC_BYTES, c_mac)
    for i in range(MAC_BYTES):
        difference |= c_mac[i] ^ c_data[size - MAC_BYTES + i]
    return difference == 0


cdef list numbers(const uint8_t* c_data, int size, int wanted):
    """Exactly so many LEB128 numbers, or None."""
    cdef uint64_t number = 0
    cdef int read
    found = []
    for _ in range(wanted):
        read = take_number(c_data, size, &number)
        if read == 0:
            return None
        found.append(number)
        c_data += read
        size -= read
    return found if size == 0 else None


def verify(text, keys):
    """The token a text carries, or None for anything forged, altered, misspelt or made with an unknown key."""
    cdef uint8_t c_data[TOKEN_CHARACTERS]
    cdef int size
    if not isinstance(text, str) or not text.isascii() or not 20 <= len(text) <= TOKEN_CHARACTERS:
        return None
    size = from_alphabet(FROM_BASE64URL, 6, text.encode(), c_data)
    if size < 2 + 6 + MAC_BYTES or c_data[0] >> 4 != VERSION or not is_authentic(c_data, size, keys):
        return None
    found = numbers(c_data + 2, size - 2 - MAC_BYTES, 6)
    if found is None or c_data[0] & 15 not in (1, 2, 3, 6):
        return None
    return Token(
        kind=TokenKind(c_data[0] & 15),
        key_id=c_data[1],
        delivery_id=found[0],
        recipient_kind=found[1],
        recipient_id=found[2],
        occurrence=found[3],
        link=found[4],
        link_occurrence=found[5],
    )


cdef object read_local_part(str text, int kind, object keys):
    cdef uint8_t c_data[TOKEN_CHARACTERS]
    cdef int size
    if not text.isascii() or not 20 <= len(text) <= TOKEN_CHARACTERS:
        return None
    size = from_alphabet(FROM_BASE32, 5, text.lower().encode(), c_data)
    if size < 2 + 4 + MAC_BYTES or c_data[0] != (VERSION << 4 | kind) or not is_authentic(c_data, size, keys):
        return None
    found = numbers(c_data + 2, size - 2 - MAC_BYTES, 4)
    return None if found is None else Identity(*found)


def read_envelope_sender(address, keys):
    """The ledger row of an envelope sender that we made (`b-…@domain`, in any case), or None."""
    if not isinstance(address, str) or address[:2] not in ("b-", "B-"):
        return None
    return read_local_part(address[2:].partition("@")[0], BOUNCE, keys)


def read_message_id(text, keys):
    """The ledger row of a Message-ID that we made, with or without its angle brackets, or None."""
    if not isinstance(text, str):
        return None
    return read_local_part(text.strip().removeprefix("<").partition("@")[0], MESSAGE, keys)
