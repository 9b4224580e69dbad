"""Files of content through GraphQL: announced, uploaded, named, kept, previewed."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.content.test_content import parts

UPLOAD = """
mutation ($name: String!) { createAttachmentUpload(fileName: $name) { fileId uploadUrl userErrors { code path message } } }"""
FILES = "attachments { name mediaType size sha256 contentId }"
CREATE = f"""
mutation ($input: CreateContentInput!) {{
  createContent(input: $input) {{ content {{ id version {FILES} }} userErrors {{ code path message hint }} }}
}}"""
UPDATE = f"""
mutation ($input: UpdateContentInput!) {{
  updateContent(input: $input) {{ content {{ version {FILES} }} userErrors {{ code path message }} }}
}}"""
PREVIEW = f"query ($input: PreviewInput!) {{ preview(input: $input) {{ html {FILES} warnings {{ code }} }} }}"
LOGO = b"\x89PNG\r\n\x1a\n" + bytes(64)
PDF = b"%PDF-1.7 \x00"
HTML = '<p>Hi <img alt="" src="cid:logo"> <a href="{% unsubscribe_url %}">Leave</a></p>'


async def upload(gql: Gql, name: str, content: bytes) -> str:
    """A file, uploaded; returns its id."""
    made = await gql.do(UPLOAD, name=name)
    response = await gql.http.put(urlsplit(made["uploadUrl"]).path, content=content)
    assert response.status_code == 201, response.text
    file_id: str = made["fileId"]
    return file_id


async def a_mail(gql: Gql, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    given = {"name": fresh("mail"), "label": "Mail", "parts": parts(html=HTML), "attachments": attachments}
    content: dict[str, Any] = (await gql.do(CREATE, input=given))["content"]
    return content


def told(name: str, kind: str, content: bytes, content_id: str | None = None) -> dict[str, Any]:
    """What the API says about a file."""
    digest = sha256(content).hexdigest()
    return {"name": name, "mediaType": kind, "size": len(content), "sha256": digest, "contentId": content_id}


async def test_from_upload_to_content(gql: Gql) -> None:
    # Given two uploads
    pdf, logo = await upload(gql, "Preisliste Мая.pdf", PDF), await upload(gql, "l.png", LOGO)

    # When content names them, in this order
    content = await a_mail(gql, [{"fileId": pdf}, {"fileId": logo, "name": "logo.png", "contentId": "logo"}])
    expected = [
        told("Preisliste Мая.pdf", "application/pdf", PDF),
        told("logo.png", "image/png", LOGO, "logo"),
    ]
    assert content["attachments"] == expected

    # Then a change keeps what it does not name, and names what it keeps by its hash
    changed = (await gql.do(UPDATE, input={"id": content["id"], "label": "New"}))["content"]
    assert (changed["attachments"], changed["version"]) == (expected, 2)
    keep = [{"sha256": expected[1]["sha256"], "name": "logo.png", "contentId": "logo"}]
    changed = (await gql.do(UPDATE, input={"id": content["id"], "attachments": keep}))["content"]
    assert (changed["attachments"], changed["version"]) == (expected[1:], 3)
    changed = (await gql.do(UPDATE, input={"id": content["id"], "attachments": keep}))["content"]
    assert changed["version"] == 3
    (error,) = await gql.refused(UPDATE, input={"id": content["id"], "attachments": []})
    assert (error["code"], error["path"]) == ("INLINE_IMAGE_UNKNOWN", "parts.html:1:24")
    none = {"id": content["id"], "attachments": [], "parts": [{"name": "html", "source": HTML.replace("cid:logo", "x.png")}]}
    assert (await gql.do(UPDATE, input=none))["content"]["attachments"] == []


async def test_what_is_wrong_with_files_is_told_with_places(gql: Gql) -> None:
    pdf = await upload(gql, "a.pdf", PDF)
    base = {"name": fresh("mail"), "label": "x", "parts": parts(html=HTML)}
    bad = [{"fileId": pdf, "name": "a/b"}, {"fileId": pdf, "contentId": "logo"}, {"fileId": pdf, "mediaType": "message/rfc822"}]
    errors = await gql.refused(CREATE, input={**base, "attachments": bad})
    assert [(error["code"], error["path"]) for error in errors] == [
        ("BAD_FILE_NAME", "attachments/0/name"),
        ("INLINE_NOT_IMAGE", "attachments/1/contentId"),
        ("BAD_MEDIA_TYPE", "attachments/2/mediaType"),
    ]
    (error,) = await gql.refused(CREATE, input={**base, "attachments": [{}]})
    assert (error["code"], error["path"]) == ("BAD_ATTACHMENT", "attachments/0")
    (error,) = await gql.refused(CREATE, input={**base, "attachments": [{"fileId": "x"}]})
    assert (error["code"], error["path"]) == ("BAD_ID", "attachments/0/fileId")
    awaited = (await gql.do(UPLOAD, name="b.pdf"))["fileId"]
    (error,) = await gql.refused(CREATE, input={**base, "attachments": [{"fileId": awaited}]})
    assert (error["code"], error["path"]) == ("FILE_NOT_UPLOADED", "attachments/0/fileId")
    (error,) = await gql.refused(UPLOAD, name="../a")
    assert (error["code"], error["path"]) == ("BAD_FILE_NAME", "fileName")
    memory = {"name": fresh("mail"), "label": "x", "channel": "memory", "parts": [{"name": "text", "source": "x"}]}
    (error,) = await gql.refused(CREATE, input={**memory, "attachments": [{"fileId": pdf}]})
    assert (error["code"], error["path"]) == ("TOO_MANY_ATTACHMENTS", "attachments")


async def test_previews_show_images_and_tell_files(gql: Gql) -> None:
    logo, pdf = await upload(gql, "logo.png", LOGO), await upload(gql, "a.pdf", PDF)
    profile_id = await create_profile(gql, firstName="Bob")
    files = [{"fileId": logo, "contentId": "logo"}, {"fileId": pdf}]
    expected = [told("logo.png", "image/png", LOGO, "logo"), told("a.pdf", "application/pdf", PDF)]

    # Before it is saved, and after
    draft = {"parts": parts(html=HTML), "attachments": files, "profileId": profile_id}
    content = await a_mail(gql, files)
    for asked in (draft, {"contentId": content["id"], "profileId": profile_id}):
        shown = (await gql.ask(PREVIEW, input=asked))["preview"]
        assert 'src="data:image/png;base64,iVBOR' in shown["html"]
        assert shown["attachments"] == expected
        assert not {"INLINE_IMAGE_UNUSED", "RENDERING_FAILED"} & {warning["code"] for warning in shown["warnings"]}


async def test_channels_say_how_many_files_they_carry(gql: Gql) -> None:
    channels = (await gql.ask("{ channels { name mostAttachments content { name } } }"))["channels"]
    most = {channel["name"]: channel["mostAttachments"] for channel in channels}
    assert most["email"] == 20
    assert most["memory"] == 0
    (email,) = (channel for channel in channels if channel["name"] == "email")
    assert {"headers", "feedback_id", "to_name"} <= {part["name"] for part in email["content"]}
