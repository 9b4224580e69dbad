from enum import IntEnum

class Escape(IntEnum):
    ESCAPE_NONE = 0
    ESCAPE_HTML = 1
    ESCAPE_URL = 2
    ESCAPE_URI = 3
    ESCAPE_JSON = 4
    ESCAPE_HEADER = 5

class Transfer(IntEnum):
    TRANSFER_NONE = 0
    TRANSFER_LF = 1
    TRANSFER_CRLF = 2
    TRANSFER_QP = 3

def encode(text: str, escape: int, transfer: int, limit: int = ...) -> bytes: ...
def retain_memory(size: int) -> bool: ...
def base64_lines(data: bytes) -> bytes: ...
def dot_stuffed(message: bytes) -> bytes: ...
