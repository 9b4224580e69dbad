"""C-level face of the tokens; see _tokens.pyx."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from render_ext._buffer cimport Buffer

cdef enum:
    IDENTITY_BYTES = 36  # four LEB128 numbers of up to 63 bits
    TOKEN_CHARACTERS = 96  # of the longest token, and a few more


cdef struct Packed:
    uint8_t data[IDENTITY_BYTES]
    int size


cdef int pack_identity(object identity, Packed* c_packed) except -1


@cython.final
cdef class TokenSigner:
    cdef readonly str base_url
    cdef readonly object key
    cdef readonly bint show_targets
    cdef bytes base
    cdef uint32_t c_state[8]  # BLAKE2s after the block of the key
    cdef uint8_t key_id

    cdef int _body(self, uint8_t* c_body, int kind, Packed* c_identity) noexcept
    cdef int write_token(self, char* c_out, int kind, Packed* c_identity, uint64_t link, uint64_t occurrence) noexcept
    cdef int write_url(self, Buffer out, int kind, Packed* c_identity, uint64_t link, uint64_t occurrence) except -1
    cdef int write_local_part(self, char* c_out, int kind, Packed* c_identity) noexcept
