"""Files that a message carries: attachments, and images that its HTML shows (`cid:`).

A source says what they are called and which bytes they have, by SHA-256; the bytes are handed in when it is compiled, as
the keys of DKIM are. They are encoded once for a program. Names in other scripts are written by RFC 2231, beside a plain
one in the Content-Type for mail readers that know nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from unicodedata import category, combining, normalize
from urllib.parse import quote

from render_ext._buffer import base64_lines
from render_ext.errors import BadAttachment, MissingAttachment

LONGEST_NAME = 200  # characters
LINE = 76
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,70}"
_RESTRICTED = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"  # RFC 6838 section 4.2
_PARAMETER = rf"; ?(?!name|boundary){_TOKEN}=(?:{_TOKEN}|\"[ !#-:<-\[\]-~]{{0,70}}\")"
MEDIA_TYPE = re.compile(rf"({_RESTRICTED})/{_RESTRICTED}(?:{_PARAMETER}){{0,5}}", re.IGNORECASE)
CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}(?:@[A-Za-z0-9][A-Za-z0-9.-]{0,189})?")
DIGEST = re.compile(r"[0-9a-f]{64}")
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they make `exe.fdp` of a name
ATTRIBUTE_CHARACTERS = "!#$&+-.^_`{}~"  # of RFC 2231, besides letters and digits
QUOTED_NAME = re.compile(r"[ !#-&(-\[\]-~]{1,60}")  # what every reader takes between quotes: no quote, apostrophe, backslash


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a source says about one file. Plain data; the bytes stay outside.

    - `name`: the file name, in any script. `media_type`: such as `application/pdf` or `text/csv; charset=utf-8`.
    - `size` in bytes; `sha256` of the bytes, in hexadecimal.
    - `content_id`: of an image that the HTML shows as `cid:…`; None: an attachment.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    content_id: str | None = None

    @classmethod
    def of(cls, name: str, media_type: str, content: bytes, content_id: str | None = None) -> Attachment:
        """What to say about these bytes."""
        digest = sha256(content).hexdigest()
        return cls(name=name, media_type=media_type, size=len(content), sha256=digest, content_id=content_id)


def check_attachments(attachments: Sequence[Attachment], *, html: bool) -> None:
    """Raises BadAttachment for what cannot stand in a message; `html`: there is some that shows images."""
    seen: set[str] = set()
    for number, one in enumerate(attachments):
        problem = _problem(one)
        if problem is None and one.content_id is not None:
            if not html:
                problem = "an inline image needs HTML that shows it"
            elif one.content_id.lower() in seen:
                problem = f"another file has the content id {one.content_id!r} too"
            seen.add(one.content_id.lower())
        if problem is not None:
            raise BadAttachment(f"attachment {number + 1}: {problem}", number)


def name_problem(name: str) -> str | None:
    """Why a file cannot have this name, None where it can."""
    if not name or name != name.strip() or len(name) > LONGEST_NAME:
        return f"a file name has 1 to {LONGEST_NAME} characters, no space before or after"
    if name.strip(".") == "" or "/" in name or "\\" in name:
        return f"{name!r} is a path, not a file name"
    if any(character in BIDI or category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        return "a file name has no control characters and no marks that turn the direction of a text"
    return None


def media_type_problem(media_type: str) -> str | None:
    """Why a file cannot be of this type, None where it can."""
    found = MEDIA_TYPE.fullmatch(media_type)
    if found is None:
        return f"not a media type such as application/pdf: {media_type[:80]!r}"
    if found[1].lower() in ("multipart", "message"):  # RFC 2046 forbids to encode them
        return f"a file cannot be of the type {media_type.partition(';')[0]}"
    return None


def content_id_problem(content_id: str) -> str | None:
    """Why a file cannot have this Content-ID, None where it can."""
    if CONTENT_ID.fullmatch(content_id) is None:
        return f"not a content id of letters, digits and ._+-: {content_id[:80]!r}"
    return None


def encode_attachments(attachments: Sequence[Attachment], files: Iterable[bytes]) -> list[tuple[Attachment, bytes]]:
    """Each with its body part: fields, empty line and base64, without the last line end.

    Raises MissingAttachment where no file has the bytes that are asked for.
    """
    wanted = {one.sha256 for one in attachments}
    by_digest = {digest: file for file in files if (digest := sha256(file).hexdigest()) in wanted}
    encoded: dict[str, bytes] = {}
    parts = []
    for number, one in enumerate(attachments):
        content = by_digest.get(one.sha256)
        if content is None or len(content) != one.size:
            text = f"no file was given for {one.name!r} of {one.size} bytes with the SHA-256 {one.sha256}"
            raise MissingAttachment(f"attachment {number + 1}: {text}", number)
        if one.sha256 not in encoded:
            encoded[one.sha256] = base64_lines(content).removesuffix(b"\r\n")
        parts.append((one, _fields(one) + b"\r\n" + encoded[one.sha256]))
    return parts


def encoded_size(size: int) -> int:
    """About how many bytes of a message a file of `size` bytes takes."""
    return (size + 56) // 57 * 78 + 500


def _problem(one: Attachment) -> str | None:
    found = name_problem(one.name) or media_type_problem(one.media_type)
    if found is None and DIGEST.fullmatch(one.sha256) is None:
        found = "sha256 is written with 64 hexadecimal digits"
    return found or (None if one.content_id is None else content_id_problem(one.content_id))


def _fields(one: Attachment) -> bytes:
    kind, *parameters = one.media_type.split(";")
    lines = ["Content-Type: " + ";\r\n ".join([kind, *(each.strip() for each in parameters), f'name="{plain_name(one.name)}"'])]
    lines.append("Content-Transfer-Encoding: base64")
    if one.content_id is not None:
        lines.append(f"Content-ID: <{one.content_id}>")
    lines.append(";\r\n ".join([_disposition(one), *name_parameters(one.name)]))
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _disposition(one: Attachment) -> str:
    return "Content-Disposition: " + ("attachment" if one.content_id is None else "inline")


def plain_name(name: str) -> str:
    """A name for mail readers that know no other scripts: what ASCII and accents left away can say of it."""
    stem, dot, extension = name.rpartition(".")
    plain = _plain(stem if dot else name)
    if not any(character.isalnum() for character in plain):
        plain = "file"
    return f"{plain[:50]}.{_plain(extension)[:9]}" if dot and extension else plain[:60]


def _plain(text: str) -> str:
    decomposed = "".join(character for character in normalize("NFKD", text) if not combining(character))
    return re.sub(r"[^A-Za-z0-9 ()+,.@_-]+", "_", decomposed)


def name_parameters(name: str) -> list[str]:
    """The parameters `filename` of a Content-Disposition: quoted where that is safe, else by RFC 2231, in pieces."""
    if QUOTED_NAME.fullmatch(name) and "=?" not in name:
        return [f'filename="{name}"']
    pieces = ["utf-8''"]
    for character in name:
        written = quote(character, safe=ATTRIBUTE_CHARACTERS)
        if len(pieces[-1]) + len(written) > LINE - len(" filename*999*=;"):
            pieces.append("")
        pieces[-1] += written
    if len(pieces) == 1:
        return [f"filename*={pieces[0]}"]
    return [f"filename*{number}*={piece}" for number, piece in enumerate(pieces)]
