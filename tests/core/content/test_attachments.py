"""Files of content: taken in from uploads, checked with their places, frozen, sent, and shown on pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from channels.contract import OutgoingMessage, RecipientRow
from channels.email import EmailChannel
from channels.memory import MemoryChannel
from core import blobs
from core import files as stored_files
from core.access import Actor
from core.content import contents
from core.content.attachments import AttachmentDraft, create_upload, look_at, take_in
from core.content.compile import FrozenContent, freeze, shared_values, thaw, values
from core.content.errors import ContentInvalid
from core.content.inline_images import references, show_images, unused
from core.content.media_types import media_type_of
from core.content.placements import NO_FRAGMENTS
from core.content.preview import preview
from core.content.records import Attachment, ContentDraft, DynamicContent, DynamicVariant
from core.content.review import review_whole
from core.content.validate import check_content
from core.content.variants import freeze_variants
from core.db import Connection
from core.errors import ClarionError, NotFound
from core.files import FileKind, Files, StoredFile
from render_ext import Identity, TokenKey, TokenSigner
from tests.channels.conftest import complete
from tests.core.authors import PARTS, REGISTRY

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LOGO = b"\x89PNG\r\n\x1a\n" + bytes(100)
PDF = b"%PDF-1.7 " + bytes(range(256))
HTML = '<body><p>{{ profile.first_name }}</p><img alt="" src="cid:logo"><a href="{% unsubscribe_url %}">Bye</a></body>'
SIGNER = TokenSigner("https://t.example.com", TokenKey(1, bytes(32)))


def attachment(name: str, content: bytes, content_id: str | None = None, media_type: str | None = None) -> Attachment:
    digest = sha256(content).hexdigest()
    kind = media_type or media_type_of(name)
    return Attachment(name=name, media_type=kind, size=len(content), sha256=digest, content_id=content_id)


FILES = (attachment("preise.pdf", PDF), attachment("logo.png", LOGO, "logo"))
BYTES = {one.sha256: content for one, content in zip(FILES, (PDF, LOGO), strict=True)}
DRAFT = ContentDraft(name="spring", label="Spring", channel="email", parts={**PARTS, "html": HTML}, attachments=FILES)


def channel() -> EmailChannel:
    return EmailChannel(complete(EmailChannel.manifest.config, host="127.0.0.1", sender_domain="news.example.com"))


def problems(*attachments: Attachment, html: str = HTML, **parts: str) -> list[tuple[str, str | None]]:
    """Code and place of everything that is wrong."""
    try:
        check_content(replace(DRAFT, parts={**PARTS, "html": html, **parts}, attachments=attachments), EmailChannel.manifest)
    except ContentInvalid as found:
        return [(problem.code, problem.path) for problem in found.problems]
    return []


def frozen(draft: ContentDraft = DRAFT, **options: Any) -> FrozenContent:
    return freeze(draft, EmailChannel.manifest, label="Spring", date=NOW, seed="7", base_url=SIGNER.base_url, **options)


def sent(content: FrozenContent, files: dict[str, bytes] | None) -> bytes:
    row = RecipientRow(address="zoe@example.com", identity=Identity(1, 1, 2), values=values(content, {"first_name": "Zoë"}))
    (message,) = thaw(content, SIGNER, channel(), files).render([row])
    assert isinstance(message, OutgoingMessage)
    return message.body


# taking in


async def an_upload(
    conn: Connection, actor: Actor, files: Files, name: str, content: bytes | None, kind: FileKind = FileKind.ATTACHMENT
) -> StoredFile:
    """A file that somebody uploaded, or did not yet."""
    if kind is FileKind.ATTACHMENT:
        file, ticket = await create_upload(conn, actor, files, file_name=name, now=NOW)
        assert ticket.file_id == file.id
    else:
        file = await stored_files.create_file(conn, kind, name, files.new_location(name), "anna")
    if content is not None:
        files.path(file).write_bytes(content)
        await stored_files.complete_file(conn, file.id, len(content), NOW)
    return await stored_files.get_file(conn, file.id)


async def test_content_keeps_its_files_whatever_becomes_of_the_upload(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    files = Files(tmp_path)
    uploads = [await an_upload(conn, actor, files, name, data) for name, data in (("preise.pdf", PDF), ("logo.png", LOGO))]
    drafts = [AttachmentDraft(file_id=uploads[0].id), AttachmentDraft(file_id=uploads[1].id, content_id="logo")]
    taken = await take_in(conn, actor, files, drafts, NOW)
    assert taken == FILES
    content = await contents.create_content(conn, actor, REGISTRY, replace(DRAFT, attachments=taken))
    assert (await contents.get_content(conn, content.id)).attachments == FILES

    # When the uploads are gone, and unused bytes too
    await stored_files.mark_removed(conn, NOW + timedelta(days=400), timedelta(days=30), 10)
    for upload in uploads:
        files.path(upload).unlink()
    await blobs.forget_unused(conn, NOW + timedelta(days=400))

    # Then the bytes are there, and content can be changed by naming them
    assert await blobs.read(conn, set(BYTES)) == BYTES
    again = [AttachmentDraft(sha256=FILES[1].sha256.upper(), name="other.png", content_id="logo")]
    kept = await take_in(conn, actor, files, again, NOW)
    changed = await contents.update_content(conn, actor, REGISTRY, content.id, {"attachments": kept})
    assert (changed.attachments[0].name, changed.version) == ("other.png", 2)
    assert await blobs.forget_unused(conn, NOW + timedelta(days=400)) == 1
    assert await blobs.sizes(conn, set(BYTES)) == {FILES[1].sha256: len(LOGO)}


async def test_the_audit_tells_that_a_file_was_renamed(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    files = Files(tmp_path)
    uploaded = await an_upload(conn, actor, files, "preise.pdf", PDF)
    taken = await take_in(conn, actor, files, [AttachmentDraft(file_id=uploaded.id)], NOW)
    content = await contents.create_content(conn, actor, REGISTRY, replace(DRAFT, parts=PARTS, attachments=taken))
    renamed = (replace(taken[0], name="anna.pdf"),)
    await contents.update_content(conn, actor, REGISTRY, content.id, {"attachments": renamed})
    told = await conn.fetchval("SELECT changes FROM audit_entry WHERE action = 'content.update'")
    assert told == {"version": {"from": 1, "to": 2}, "parts": [], "fields": ["attachments"]}


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({}, "BAD_ATTACHMENT", "attachments/0"),
        ({"file_id": 1, "sha256": "0" * 64}, "BAD_ATTACHMENT", "attachments/0"),
        ({"sha256": "0" * 64, "name": "x"}, "ATTACHMENT_NOT_FOUND", "attachments/0/sha256"),
        ({"sha256": "zz", "name": "x"}, "ATTACHMENT_NOT_FOUND", "attachments/0/sha256"),
        ({"file_id": 999_999}, "FILE_NOT_FOUND", "attachments/0/fileId"),
    ],
)
async def test_drafts_that_name_nothing(
    conn: Connection, actor: Actor, tmp_path: Path, given: dict[str, Any], code: str, path: str | None
) -> None:
    for way in (take_in(conn, actor, Files(tmp_path), [AttachmentDraft(**given)], NOW),
                look_at(conn, Files(tmp_path), [AttachmentDraft(**given)])):  # fmt: skip
        with pytest.raises(ClarionError) as caught:
            await way
        assert (caught.value.code, caught.value.path) == (code, path)


async def test_uploads_that_cannot_be_attached(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    files = Files(tmp_path)
    awaited = await an_upload(conn, actor, files, "a.pdf", None)
    people = await an_upload(conn, actor, files, "people.csv", b"email\n", FileKind.UPLOAD)
    huge = await an_upload(conn, actor, files, "b.bin", b"x")
    await conn.execute("UPDATE stored_file SET size = 52428801 WHERE id = $1", huge.id)
    removed = await an_upload(conn, actor, files, "c.pdf", PDF)
    await conn.execute("UPDATE stored_file SET removed_at = now() WHERE id = $1", removed.id)
    gone = await an_upload(conn, actor, files, "d.pdf", PDF)
    files.path(gone).unlink()
    told = {}
    for file in (awaited, people, huge, removed, gone):
        with pytest.raises(ClarionError) as caught:
            await take_in(conn, actor, files, [AttachmentDraft(file_id=file.id)], NOW)
        told[file.name] = (caught.value.code, caught.value.path)
    assert told == {
        "a.pdf": ("FILE_NOT_UPLOADED", "attachments/0/fileId"),
        "people.csv": ("BAD_ATTACHMENT", "attachments/0/fileId"),
        "b.bin": ("FILE_TOO_LARGE", "attachments/0/fileId"),
        "c.pdf": ("FILE_REMOVED", "attachments/0/fileId"),
        "d.pdf": ("FILE_GONE", "attachments/0/fileId"),
    }
    assert await conn.fetchval("SELECT count(*) FROM blob") == 0


async def test_kept_images_are_not_read_where_they_are_too_large_together(
    conn: Connection, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (LOGO, PDF):
        await blobs.keep(conn, content, NOW)
    drafts = [
        AttachmentDraft(sha256=sha256(content).hexdigest(), name=f"{number}.png", content_id=f"image{number}")
        for number, content in enumerate((LOGO, LOGO, PDF))
    ]
    monkeypatch.setattr("core.content.attachments.LARGEST", len(LOGO) + len(PDF))
    _, read = await look_at(conn, Files(tmp_path), drafts)
    assert sorted(map(len, read.values())) == sorted((len(LOGO), len(PDF)))
    monkeypatch.setattr("core.content.attachments.LARGEST", len(LOGO) + len(PDF) - 1)
    with pytest.raises(ClarionError, match="the inline images have more than") as caught:
        await look_at(conn, Files(tmp_path), drafts)
    assert (caught.value.code, caught.value.path) == ("FILE_TOO_LARGE", "attachments")


async def test_more_files_than_any_message_carries_are_not_looked_for(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    with pytest.raises(ClarionError) as caught:
        await take_in(conn, actor, Files(tmp_path), [AttachmentDraft(file_id=1)] * 201, NOW)
    assert (caught.value.code, caught.value.path) == ("TOO_MANY_ATTACHMENTS", "attachments")


async def test_looking_keeps_nothing(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    files = Files(tmp_path)
    logo, pdf = await an_upload(conn, actor, files, "logo.png", LOGO), await an_upload(conn, actor, files, "preise.pdf", PDF)
    await blobs.keep(conn, PDF, NOW)
    drafts = [
        AttachmentDraft(sha256=FILES[0].sha256, name="preise.pdf"),
        AttachmentDraft(file_id=logo.id, content_id="logo"),
        AttachmentDraft(file_id=pdf.id, name="nochmal.pdf", media_type="application/x-pdf"),
    ]
    attachments, images = await look_at(conn, files, drafts)
    assert attachments == (*FILES, replace(FILES[0], name="nochmal.pdf", media_type="application/x-pdf"))
    assert images[FILES[1].sha256] == LOGO
    assert await conn.fetchval("SELECT count(*) FROM blob") == 1


async def test_names_of_uploads(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    with pytest.raises(ClarionError) as caught:
        await create_upload(conn, actor, Files(tmp_path), file_name="../x", now=NOW)
    assert caught.value.code == "BAD_FILE_NAME"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PDF", "application/pdf"),
        ("b.png", "image/png"),
        ("c.csv.gz", "application/gzip"),
        ("x.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (".png", "image/png"),
        ("d", "application/octet-stream"),
        ("e.ics", "text/calendar"),
    ],
)
def test_what_a_name_says_of_a_file(name: str, kind: str) -> None:
    assert media_type_of(name) == kind


# checks


def test_files_that_fit_are_no_problem() -> None:
    assert problems(*FILES) == []
    assert problems(html=PARTS["html"]) == []


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"name": "a/b"}, "BAD_FILE_NAME", "attachments/1/name"),
        ({"media_type": "png"}, "BAD_MEDIA_TYPE", "attachments/1/mediaType"),
        ({"media_type": "text/html"}, "INLINE_NOT_IMAGE", "attachments/1/contentId"),
        ({"content_id": "lo go"}, "BAD_CONTENT_ID", "attachments/1/contentId"),
    ],
)
def test_each_problem_has_its_place(change: dict[str, str], code: str, path: str) -> None:
    fields: dict[str, Any] = {**change}
    found = problems(FILES[0], replace(FILES[1], **fields), html=HTML if "content_id" not in change else PARTS["html"])
    assert found == [(code, path)]


def test_content_ids_meet_the_html() -> None:
    other = replace(FILES[1], content_id="Logo")
    assert problems(FILES[1], other) == [("CONTENT_ID_TWICE", "attachments/1/contentId")]
    assert problems(FILES[1], html="", text="Hi {% unsubscribe_url %}") == [("INLINE_WITHOUT_HTML", "attachments/0/contentId")]
    html = '<p>cid:text</p>\n<td background="cid:logo"><img src=cid:loga>\n<style>p { background: url(cid:bg) }</style>'
    assert problems(FILES[1], html=html) == [
        ("INLINE_IMAGE_UNKNOWN", "parts.html:2:36"),
        ("INLINE_IMAGE_UNKNOWN", "parts.html:3:28"),
    ]
    mjml = (
        '<mjml><mj-body><mj-section><mj-column>\n<mj-image alt="" src="cid:nope" /></mj-column></mj-section></mj-body></mjml>'
    )
    ((code, path),) = problems(html=mjml)
    assert (code, str(path).rpartition(":")[0]) == ("INLINE_IMAGE_UNKNOWN", "parts.html:2")


def test_how_many_and_how_large() -> None:
    assert problems(*[FILES[0]] * 21, html=PARTS["html"]) == [("TOO_MANY_ATTACHMENTS", "attachments")]
    large = replace(FILES[0], size=20_000_000)
    assert problems(large, html=PARTS["html"]) == [("ATTACHMENTS_TOO_LARGE", "attachments")]
    with pytest.raises(ContentInvalid) as caught:
        check_content(replace(DRAFT, parts={"text": "x"}, attachments=FILES), MemoryChannel.manifest)
    assert caught.value.code == "TOO_MANY_ATTACHMENTS"
    assert "carry no files" in caught.value.message


def test_warnings() -> None:
    draft = replace(DRAFT, parts=PARTS, attachments=(FILES[1], replace(FILES[0], size=9_000_000)))
    found = {(one.code, one.part) for one in review_whole(draft, EmailChannel.manifest, NO_FRAGMENTS)}
    assert found == {("INLINE_IMAGE_UNUSED", "html"), ("MESSAGE_HEAVY", None)}
    german = replace(draft, translations={"de": {"html": f'<img alt="" src="cid:{FILES[1].content_id}">'}})
    assert {one.code for one in review_whole(german, EmailChannel.manifest, NO_FRAGMENTS)} == {"MESSAGE_HEAVY"}


# headers


def test_header_fields_are_checked_with_their_places() -> None:
    parts = {**PARTS, "headers": "X-A: {{ profile.city }}\nSubject: no\nX-B", "feedback_id": "x"}
    with pytest.raises(ContentInvalid) as caught:
        contents.check_sendable(REGISTRY, replace(DRAFT, parts=parts, attachments=()))
    assert [(one.code, one.path) for one in caught.value.problems] == [
        ("CONTENT_REFUSED", "parts.headers:2:1"),
        ("CONTENT_REFUSED", "parts.headers:3:1"),
        ("CONTENT_REFUSED", "parts.feedback_id:1:1"),
    ]
    unknown = {**PARTS, "headers": "X-A: b\nX-B: {{ profile.ctiy }}"}
    with pytest.raises(ContentInvalid) as caught:
        contents.check_sendable(REGISTRY, replace(DRAFT, parts=unknown, attachments=()))
    assert (caught.value.code, caught.value.path) == ("UNKNOWN_VARIABLE", "parts.headers:2:9")


def test_fields_of_addresses_and_ids_are_written_in_ascii() -> None:
    lines = ["References: <1@a.example>", "errors-to: {{ 'é' }} <é@a.example>", "X-City: Köln", "List-Id: Bücher <b.a.example>"]
    headers = "\n".join([*lines, "In-Reply-To: {{ profile.city }}"])
    draft = replace(DRAFT, parts={**PARTS, "headers": headers}, attachments=())
    with pytest.raises(ContentInvalid) as caught:
        contents.check_sendable(REGISTRY, draft)
    assert [(one.code, one.path) for one in caught.value.problems] == [
        ("CONTENT_REFUSED", "parts.headers:2:23"),
        ("CONTENT_REFUSED", "parts.headers:4:11"),
    ]

    message = parsed(sent(frozen(draft), {}))  # as what was prepared once
    assert [name for name in message if name in ("References", "errors-to", "X-City", "List-Id")] == ["References", "X-City"]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("Spring sale", "is not one line of ASCII without spaces"),
        ("Früh", "is not one line of ASCII without spaces"),
        ("a\r\nBcc: x@example.com", "is not one line of ASCII without spaces"),
        ("sale:fr", "has a colon within a field"),
        ("x" * 122, "is longer than 127 characters"),
    ],
)
def test_a_feedback_id_is_one_with_what_the_delivery_says(label: str, told: str) -> None:
    parts = {**PARTS, "feedback_id": "{{ delivery.label }}:shop1"}
    draft = replace(DRAFT, parts=parts, attachments=())
    contents.check_sendable(REGISTRY, draft)  # what the delivery will be called is not known yet
    with pytest.raises(ContentInvalid) as caught:
        checked(draft, label)
    assert (caught.value.code, caught.value.path) == ("CONTENT_REFUSED", "parts.feedback_id:1:1")
    assert told in caught.value.message
    assert "url_encode" in (caught.value.hint or "")

    checked(draft, "Spring-sale")
    safe = replace(draft, parts={**parts, "feedback_id": "{{ delivery.label | url_encode | slice: 0, 50 }}:shop1"})
    checked(safe, label)


def checked(draft: ContentDraft, label: str) -> None:
    """As a preparation does."""
    freeze_variants(
        draft, EmailChannel.manifest, label=label, date=NOW, seed="1", base_url=SIGNER.base_url,
        check=lambda frozen: thaw(frozen, SIGNER, channel(), shared=shared_values(frozen)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("feedback_id", "path", "told"),
    [
        ("{{ shop.name }}:shop1", "parts.feedback_id:1:1", "'Tea & Co:shop1' is not one line"),
        ("a:{{ shop.ids }}:shop1", "parts.feedback_id:1:3", "a colon within a field"),
        ("a:{{ 1 | divided_by: delivery.label }}:shop1", "parts.feedback_id:1:3", "cannot be made: filter `divided_by`"),
        ("a:{% if shop.none %}b{% endif %}:shop1", None, ""),
        ("a:{% raw %}b:c{% endraw %}:shop1", None, ""),
        ('{% dynamic "hero" %}:shop1', "parts.feedback_id:1:1", "the same for all recipients"),
    ],
)
def test_a_feedback_id_is_one_with_what_the_data_says(feedback_id: str, path: str | None, told: str) -> None:
    variant = DynamicVariant(label="x", condition="country = 'FR'", html="", text="fr")
    draft = replace(
        DRAFT,
        parts={**PARTS, "feedback_id": feedback_id},
        data={"shop": {"name": "Tea & Co", "ids": "7:8", "none": ""}},
        dynamic=(DynamicContent(name="hero", variants=(variant,), html="", text="all"),),
        attachments=(),
    )
    if path is None:
        contents.check_sendable(REGISTRY, draft)
        return
    with pytest.raises(ContentInvalid, match=told) as caught:
        contents.check_sendable(REGISTRY, draft)
    assert caught.value.path == path


def test_what_was_prepared_with_a_feedback_id_of_old_goes_on_working() -> None:
    draft = replace(DRAFT, parts={**PARTS, "feedback_id": "{{ delivery.label }}:shop1"}, attachments=())
    content = replace(frozen(draft), label="Früh\r\nBcc: x@example.com")
    message = parsed(sent(content, {}))
    assert message["feedback-id"] == "Früh  Bcc: x@example.com:shop1"
    assert message["bcc"] is None


def test_header_fields_carry_values() -> None:
    parts = {
        **PARTS,
        "html": HTML,
        "headers": "X-Customer: {{ profile.first_name }}\r\nX-Campaign: {{ delivery.label }}",
        "feedback_id": "{{ delivery.label }}:shop1",
        "to_name": "{{ profile.first_name }} {{ profile.last_name }}",
    }
    content = frozen(replace(DRAFT, parts=parts))
    assert content.fields == ("first_name", "last_name")
    message = parsed(sent(content, BYTES))
    assert (message["x-customer"], message["x-campaign"], message["feedback-id"]) == ("Zoë", "Spring", "Spring:shop1")
    assert message["to"].addresses[0].display_name == "Zoë"


# frozen, sent, shown


def parsed(message: bytes) -> EmailMessage:
    found: EmailMessage = BytesParser(policy=policy.default).parsebytes(message)
    assert not [defect for part in found.walk() for defect in part.defects]
    return found


def test_a_stored_description_makes_the_same_message_and_holds_no_bytes() -> None:
    content = frozen()
    stored = content.to_json()
    assert stored["attachments"] == [
        {
            "name": "preise.pdf",
            "media_type": "application/pdf",
            "size": len(PDF),
            "sha256": FILES[0].sha256,
            "content_id": None,
        },
        {"name": "logo.png", "media_type": "image/png", "size": len(LOGO), "sha256": FILES[1].sha256, "content_id": "logo"},
    ]
    first = sent(content, BYTES)
    assert sent(FrozenContent.from_json(stored), BYTES) == first
    files = {part.get_filename(): part.get_content() for part in parsed(first).walk() if part.get_filename()}
    assert files == {"preise.pdf": PDF, "logo.png": LOGO}


def test_descriptions_from_before_have_no_files() -> None:
    stored = frozen(replace(DRAFT, parts=PARTS, attachments=())).to_json()
    del stored["attachments"]
    assert FrozenContent.from_json(stored).attachments == ()


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ClarionError, match=r"no file was given for 'preise\.pdf'") as caught:
        thaw(frozen(), SIGNER, channel(), {one.sha256: b"other" for one in FILES})
    assert caught.value.code == "CONTENT_REFUSED"


def test_pages_show_images_out_of_the_message() -> None:
    uri = "data:image/png;base64,"
    html = (
        '<p>cid:logo</p><img src="cid:logo" alt="cid:logo"><img src=\'CID:logo\'><td background=cid:logo style="'
        'background:url( \'cid:logo\' )"><img src="cid:other"><style>p{background:url(cid:logo)}</style>'
        '<img src="https://x.example/acid:logo">'
    )
    shown = show_images(html, FILES, BYTES)
    assert shown.startswith("<p>cid:logo</p>")
    assert shown.count(uri) == 6  # the alt text too: nobody reads it where the image is there
    assert '"cid:other"' in shown
    assert "acid:logo" in shown
    assert show_images(html, FILES[:1], {}) == html


@pytest.mark.parametrize(
    "tag",
    [
        '<img alt="a > b" src="cid:logo">',
        "<img alt=don't src=cid:logo>",
        '<img alt=\'say "hi\' src="cid:logo" title="it\'s">',
    ],
)
def test_pages_show_images_of_odd_tags(tag: str) -> None:
    assert "src=data:image/png" in show_images(tag, FILES, BYTES).replace('"', "")


def test_odd_markup_takes_no_longer_than_its_length() -> None:
    for piece in ("<a ", '<a "', "<a '\"", "\"'", '<a ="x" \''):
        source = piece * (300_000 // len(piece)) + "cid:logo"
        assert show_images(source, FILES, BYTES) == source


def test_images_whose_names_liquid_makes_are_for_the_message_to_know() -> None:
    one_of_two = '<img src="{% if x %}cid:b{% else %}cid:c{% endif %}">'
    html = f'<img src="cid:logo-{{{{ brand }}}}"><img src="cid:a{{% if dark %}}-dark{{% endif %}}">{one_of_two}'
    assert [name for _, name in references(html)] == ["b", "c"]
    images = [attachment("i.png", LOGO, name) for name in ("logo-x", "a", "a-dark", "b", "other")]
    assert [one.content_id for one in unused(html, images)] == ["other"]
    assert unused('<img src="cid:{{ image }}">', images) == []


def test_references_are_found_in_attributes_and_style_sheets() -> None:
    html = '<img src="cid:a" alt="cid:no"><!-- cid:no --><p style="background:url(cid:b.c@d)">cid:no</p>'
    html += "<style>x{y:url(cid:e)}</style>"
    assert [name for _, name in references(html)] == ["a", "b.c@d", "e"]


def test_a_preview_shows_its_images_and_tells_its_files() -> None:
    shown = preview(DRAFT, channel(), SIGNER, row_values={"first_name": "Zoë"}, address="z@example.com", date=NOW, files=BYTES)
    assert shown.html is not None
    assert 'src="data:image/png;base64,' in shown.html
    assert shown.attachments == FILES
    assert not {"INLINE_IMAGE_UNUSED", "RENDERING_FAILED"} & {one.code for one in shown.warnings}


async def test_removed_content_lets_go(conn: Connection, actor: Actor) -> None:
    for data in (PDF, LOGO):
        await blobs.keep(conn, data, NOW)
    content = await contents.create_content(conn, actor, REGISTRY, DRAFT)
    await contents.delete_content(conn, actor, content.id)
    assert await blobs.forget_unused(conn, NOW + timedelta(days=2)) == 2
    with pytest.raises(NotFound):
        await contents.get_content(conn, content.id)
