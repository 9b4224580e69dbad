"""Zip files: which entry is meant, looked at before anything of it is read."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from core.errors import Invalid

LARGEST_DIRECTORY = 1 << 24  # bytes that name the entries
LONGEST_COMMENT = 1 << 16  # bytes
NAMES_SHOWN = 5

# What opening an entry may fail with: of another method, locked, or said to begin where no entry is, even before the file.
UNREADABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, OverflowError, struct.error)

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"


def open_archive(path: Path) -> zipfile.ZipFile:
    """Raises Invalid (BROKEN_ARCHIVE, TOO_MANY_ENTRIES)."""
    _check_directory(path)
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error):
        raise Invalid(
            "the archive is damaged", code="BROKEN_ARCHIVE", path="file", hint="Upload it again.",
        ) from None  # fmt: skip


def choose_entry(archive: zipfile.ZipFile, name: str | None) -> zipfile.ZipInfo:
    """The entry of a name, or the first file.

    Raises Invalid (NO_ENTRY, ENCRYPTED_ARCHIVE, PACKED_TWICE).
    """
    files = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith(("__MACOSX/", "."))]
    found = next((one for one in files if name is None or one.filename == name), None)
    if found is None:
        names = ", ".join(repr(one.filename[:60]) for one in files[:NAMES_SHOWN])
        what = "the archive holds no file" if name is None else f"the archive has no file {name[:80]!r}"
        raise Invalid(what, code="NO_ENTRY", path="options.file.entry", hint=f"It has {names}." if names else None)
    if found.flag_bits & 1:
        raise Invalid(
            "the archive is encrypted", code="ENCRYPTED_ARCHIVE", path="file", hint="Pack the file without a password."
        )
    return found


def unpack_entry(entry: zipfile.ZipInfo) -> Callable[[BinaryIO], BinaryIO]:
    """How one entry is opened."""

    def unpack(file: BinaryIO) -> BinaryIO:
        try:
            return zipfile.ZipFile(file).open(entry)  # type: ignore[return-value]
        except UNREADABLE as error:
            raise Invalid(
                f"the archive cannot be read: {str(error)[:100]}", code="BROKEN_ARCHIVE", path="file",
                hint="Pack the file with the usual method, deflate.",
            ) from None  # fmt: skip

    return unpack


def _check_directory(path: Path) -> None:
    """Of an archive with millions of entries the mere list would fill the memory."""
    with path.open("rb") as file:
        size = path.stat().st_size
        start = max(0, size - LONGEST_COMMENT - 22)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) < at + 22:
            return  # not an archive, as opening it will tell
        length = struct.unpack_from("<L", tail, at + 12)[0]
        if length == 0xFFFFFFFF and tail[at - 20 : at - 16] == _END_64:
            place = struct.unpack_from("<Q", tail, at - 12)[0]
            file.seek(min(place, size))
            record = file.read(56)
            length = struct.unpack_from("<Q", record, 40)[0] if len(record) == 56 else 0
    if length > LARGEST_DIRECTORY:
        raise Invalid(
            f"the archive's list of files has {length} bytes", code="TOO_MANY_ENTRIES", path="file",
            hint="Pack the one file that is to be imported.",
        )  # fmt: skip
