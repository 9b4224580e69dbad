"""Files that messages carry: uploaded, taken into content, checked. Their bytes are kept by `core.blobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from channels.contract import Manifest, MessageAttachment
from core import blobs
from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.content.media_types import media_type_of
from core.content.records import Attachment
from core.db import Connection
from core.errors import Conflict, Invalid, NotFound
from core.files import FileKind, Files, StoredFile, Ticket
from render_ext.attachments import content_id_problem, encoded_size, media_type_problem, name_problem

LARGEST = 50 * 1024 * 1024  # bytes of the uploads that are taken in at once, whatever the channel
MOST = 200  # files that are looked for at once, whatever the channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentDraft:
    """A file as somebody adds it: one that was uploaded, or one that is kept already, by its hash."""

    file_id: int | None = None
    sha256: str | None = None
    name: str | None = None  # None: what the upload was called
    media_type: str | None = None  # None: what the name says
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A draft with what it stands for; `content` where the bytes are not kept yet."""

    draft: AttachmentDraft
    name: str
    size: int
    sha256: str
    content: bytes | None

    def attachment(self) -> Attachment:
        """What content says about it."""
        return Attachment(
            name=self.name,
            media_type=self.draft.media_type or media_type_of(self.name),
            size=self.size,
            sha256=self.sha256,
            content_id=self.draft.content_id,
        )


async def create_upload(
    conn: Connection, actor: Actor, files: Files, *, file_name: str, now: datetime
) -> tuple[StoredFile, Ticket]:
    """A file that waits for its bytes, and the right to upload them once. Raises Invalid (BAD_FILE_NAME)."""
    require(actor, Permission.EDIT)
    if problem := name_problem(file_name):
        raise Invalid(problem, code="BAD_FILE_NAME", path="fileName")
    file = await stored_files.create_file(conn, FileKind.ATTACHMENT, file_name, files.new_location(file_name), actor.name)
    await record(conn, actor, "attachment.create_upload", "attachment", file.id)
    return file, await stored_files.issue_ticket(conn, file.id, "write", now)


async def take_in(
    conn: Connection, actor: Actor, files: Files, drafts: Sequence[AttachmentDraft], now: datetime
) -> tuple[Attachment, ...]:
    """Keep the bytes of files for content that is about to name them.

    Raises Invalid (BAD_ATTACHMENT, TOO_MANY_ATTACHMENTS, FILE_TOO_LARGE, ATTACHMENT_NOT_FOUND), Conflict
    (FILE_NOT_UPLOADED), NotFound (also FILE_REMOVED).
    """
    require(actor, Permission.EDIT)
    await blobs.touch(conn, [one.sha256 for one in drafts if one.sha256 is not None and _is_digest(one.sha256)], now)
    found = await _find(conn, files, drafts)
    for one in sorted(found, key=lambda one: one.sha256):  # all lock the same files in the same order
        if one.content is not None:
            await blobs.keep(conn, one.content, now)
    return tuple(one.attachment() for one in found)


async def look_at(
    conn: Connection, files: Files, drafts: Sequence[AttachmentDraft]
) -> tuple[tuple[Attachment, ...], dict[str, bytes]]:
    """What `take_in` would make of them, and the bytes of inline images by their hash. Keeps nothing; raises as it does."""
    found = await _find(conn, files, drafts)
    attachments = tuple(one.attachment() for one in found)
    if sum({one.sha256: one.size for one in attachments if one.content_id is not None}.values()) > LARGEST:
        raise _too_large("the inline images", "attachments")  # before they are read: what is kept came in many uploads
    uploaded = {one.sha256: one.content for one in found if one.content is not None}
    kept = await blobs.read(conn, {one.sha256 for one in attachments if one.content_id is not None} - set(uploaded))
    return attachments, uploaded | kept


def check_attachments(attachments: Sequence[Attachment], parts: Mapping[str, str], manifest: Manifest) -> Iterator[Invalid]:
    """Why a channel cannot send these files with these parts, each problem with its place."""
    limits = manifest.limits
    if len(attachments) > limits.attachments:
        what = f"at most {limits.attachments} files" if limits.attachments else "no files"
        yield Invalid(f"messages of the channel {manifest.name} carry {what}", code="TOO_MANY_ATTACHMENTS", path="attachments")
        return
    ids: set[str] = set()
    for number, one in enumerate(attachments):
        yield from _problems(one, f"attachments/{number}", ids, has_html=bool(parts.get("html", "").strip()))
        ids.add((one.content_id or "").lower())
    size = sum(encoded_size(one.size) for one in attachments)
    if attachments and size + sum(len(source.encode("utf-8", "replace")) for source in parts.values()) > limits.max_bytes:
        yield Invalid(
            f"with its files a message has {size // 1024:,} KB or more; channel or account take {limits.max_bytes // 1024:,}",
            code="ATTACHMENTS_TOO_LARGE", path="attachments", hint="Files grow by a third on their way. Link to large ones.",
        )  # fmt: skip


def message_attachments(attachments: Sequence[Attachment], files: Mapping[str, bytes]) -> tuple[MessageAttachment, ...]:
    """For a channel, each with its bytes."""
    return tuple(
        MessageAttachment(
            name=one.name,
            media_type=one.media_type,
            size=one.size,
            sha256=one.sha256,
            content=files[one.sha256],
            content_id=one.content_id,
        )
        for one in attachments
    )


def _problems(one: Attachment, path: str, ids: set[str], *, has_html: bool) -> Iterator[Invalid]:
    if problem := name_problem(one.name):
        yield Invalid(problem, code="BAD_FILE_NAME", path=f"{path}/name")
    if problem := media_type_problem(one.media_type):
        yield Invalid(problem, code="BAD_MEDIA_TYPE", path=f"{path}/mediaType")
    if one.content_id is None:
        return
    code, problem = "BAD_CONTENT_ID", content_id_problem(one.content_id)
    if problem is None and one.content_id.lower() in ids:
        code, problem = "CONTENT_ID_TWICE", f"another file has the content id {one.content_id!r} too"
    if problem is None and "/" in one.media_type and not one.media_type.lower().startswith("image/"):
        code, problem = "INLINE_NOT_IMAGE", "only images are shown within the HTML"
    if problem is None and not has_html:
        code, problem = "INLINE_WITHOUT_HTML", "there is no HTML that could show the image"
    if problem is not None:
        yield Invalid(problem, code=code, path=f"{path}/contentId", hint="Without a content id a file is an attachment.")


async def _find(conn: Connection, files: Files, drafts: Sequence[AttachmentDraft]) -> list[_Found]:
    if len(drafts) > MOST:
        raise Invalid(f"a message carries at most {MOST} files", code="TOO_MANY_ATTACHMENTS", path="attachments")
    kept = await blobs.sizes(conn, [one.sha256 for one in drafts if one.sha256 is not None and _is_digest(one.sha256)])
    uploads: dict[int, StoredFile] = {}
    for number, draft in enumerate(drafts):
        path = f"attachments/{number}"
        if (draft.file_id is None) == (draft.sha256 is None):
            raise Invalid(
                "give either fileId or sha256", code="BAD_ATTACHMENT", path=path,
                hint="fileId names an upload, sha256 a file that content has already.",
            )  # fmt: skip
        if draft.file_id is not None:
            uploads[number] = await _uploaded(conn, draft.file_id, f"{path}/fileId")
        if sum(file.size or 0 for file in uploads.values()) > LARGEST:
            raise _too_large("the files", f"{path}/fileId")
    return [
        await _read(files, uploads[number], draft, f"attachments/{number}/fileId")
        if number in uploads
        else _kept(kept, draft, f"attachments/{number}")
        for number, draft in enumerate(drafts)
    ]


def _too_large(what: str, path: str) -> Invalid:
    message = f"{what} have more than {LARGEST:,} bytes together"
    return Invalid(message, code="FILE_TOO_LARGE", path=path, hint="Link to large files instead.")


async def _read(files: Files, upload: StoredFile, draft: AttachmentDraft, path: str) -> _Found:
    try:
        content = await asyncio.to_thread(files.path(upload).read_bytes)
    except FileNotFoundError:  # its time is over, and a sweep was faster
        raise NotFound("the file is gone", code="FILE_GONE", path=path, hint="Upload it again.") from None
    digest = await asyncio.to_thread(lambda: sha256(content).hexdigest())
    return _Found(draft=draft, name=draft.name or upload.name, size=len(content), sha256=digest, content=content)


def _kept(kept: Mapping[str, int], draft: AttachmentDraft, path: str) -> _Found:
    digest = (draft.sha256 or "").lower()
    if digest not in kept:
        raise Invalid(f"no file is kept with the SHA-256 {digest[:80]!r}", code="ATTACHMENT_NOT_FOUND", path=f"{path}/sha256")
    if draft.name is None:
        raise Invalid("a kept file needs a name", code="BAD_ATTACHMENT", path=f"{path}/name")
    return _Found(draft=draft, name=draft.name, size=kept[digest], sha256=digest, content=None)


async def _uploaded(conn: Connection, file_id: int, path: str) -> StoredFile:
    file = await stored_files.get_file(conn, file_id, path)
    if file.kind is not FileKind.ATTACHMENT:
        raise Invalid("this file was uploaded for something else", code="BAD_ATTACHMENT", path=path)
    stored_files.check_kept(file, path)
    if file.size is None:
        raise Conflict("the file was not uploaded yet", code="FILE_NOT_UPLOADED", path=path, hint="PUT it to its uploadUrl.")
    return file


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(character in "0123456789abcdefABCDEF" for character in text)
