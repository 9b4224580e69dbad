"""The tables of GSM 03.38 (3GPP TS 23.038), of what is near its alphabet, and of what no message may hold."""

from __future__ import annotations

from typing import Final

ESCAPE: Final = 0x1B  # the septet before one of the extension table

# 3GPP TS 23.038 section 6.2.1, by septet; \x1b stands at its own place and is no character.
DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)  # fmt: skip

# Section 6.2.1.1: two septets, ESCAPE and this one.
EXTENSION: Final = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip

# What never reaches a phone: line ends become LF, control characters a space; marks that turn the direction of a text,
# byte order marks and non-characters go.
HARMLESS: Final[dict[int, str]] = {
    **{code: " " for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x0A},
    **dict.fromkeys((0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), "\n"),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x2070)), ""),
    **dict.fromkeys((0xFEFF, *range(0xFFF9, 0xFFFC), 0xFFFE, 0xFFFF), ""),
}

# Signs that have a neighbour in the alphabet, beyond those that Unicode decomposes (™, ½, ², ①, full width …).
SIGNS: Final[dict[str, str]] = {
    **dict.fromkeys("‘’‚‛′ʹʻʼʽˈ`´‹›", "'"),
    **dict.fromkeys("“”„‟″«»〝〞", '"'),
    **dict.fromkeys("‐‑‒–—―⁃−﹘", "-"),
    **dict.fromkeys("•‣◦●▪", "*"),
    **dict.fromkeys("·∙⋅", "."),
    **dict.fromkeys("⁄∕÷", "/"),
    **dict.fromkeys("\u1680\u2800", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f", ""),
    "…": "...", "×": "x", "¦": "|", "©": "(c)", "®": "(R)", "←": "<-", "→": "->", "≤": "<=", "≥": ">=", "≠": "<>",
}  # fmt: skip

# Letters that have one, beyond those that are a letter of the alphabet with an accent.
LETTERS: Final[dict[str, str]] = {
    "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Ð": "D", "ð": "d", "Ħ": "H", "ħ": "h", "Ŧ": "T", "ŧ": "t", "Þ": "Th", "þ": "th",
    "Œ": "OE", "œ": "oe", "ı": "i", "ĸ": "k", "Ŋ": "N", "ŋ": "n", "ẞ": "SS", "Ə": "E", "ə": "e",
}  # fmt: skip
