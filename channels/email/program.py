"""Compiled email content: the engine's program with this account's envelope."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import (
    MessageContent,
    OutgoingMessage,
    RecipientRow,
    RenderedParts,
    RenderFailure,
)
from channels.email.headers import FEEDBACK_ID, HEADERS, check_feedback_id, check_structured, read_headers
from render_ext import Attachment, EmailProgram, EmailRow, EmailSource, RenderError


class EmailMessages:
    """See `channels.contract.Program`."""

    __slots__ = ("_program",)

    def __init__(self, program: EmailProgram) -> None:
        self._program = program

    def render(self, rows: Sequence[RecipientRow]) -> list[OutgoingMessage | RenderFailure]:
        """One result per row, in order."""
        program = self._program
        bodies = program.render_many(
            [EmailRow(address=row.address, identity=row.identity, values=dict(row.values)) for row in rows]
        )
        return [
            RenderFailure(identity=row.identity, message=str(body))
            if isinstance(body, RenderError)
            else OutgoingMessage(
                identity=row.identity,
                address=row.address,
                body=body,
                reference=program.message_id(row.identity),
                sender=program.envelope_sender(row.identity),
                wire_ready=row.address.isascii(),  # an address in To is all that the engine writes in UTF-8
            )
            for row, body in zip(rows, bodies, strict=True)
        ]

    def parts(self, row: RecipientRow) -> RenderedParts:
        """What this recipient sees. Raises render_ext.RenderError."""
        parts = self._program.render_parts(dict(row.values), row.identity)
        return RenderedParts(subject=parts.subject, html=parts.html, text=parts.text)

    def link_target(self, row: RecipientRow, link: int, occurrence: int) -> str | None:
        """The address behind a tracked link; None where there is no such link."""
        return self._program.resolve_link(dict(row.values), link, occurrence)


def compile_email(content: MessageContent, sender_domain: str) -> EmailMessages:
    """Raises TemplateSyntaxError, ContentRefused, ValueError for addresses and files that cannot stand in a message."""
    parts = content.parts
    headers = read_headers(parts.get(HEADERS, ""), parts.get(FEEDBACK_ID, ""))
    check_feedback_id(headers, content)
    check_structured(headers, content)
    source = EmailSource(
        subject=parts["subject"],
        html=parts.get("html") or None,
        text=parts.get("text") or None,
        from_address=parts["from_address"],
        from_name=parts.get("from_name") or None,
        reply_to=parts.get("reply_to") or None,
        to_name=parts.get("to_name") or None,
        headers=tuple((line.name, line.value) for line in headers),
        attachments=tuple(
            Attachment(name=one.name, media_type=one.media_type, size=one.size, sha256=one.sha256, content_id=one.content_id)
            for one in content.attachments
        ),
        message_id_domain=sender_domain,
        envelope_domain=sender_domain,
        date=content.date,
        seed=content.seed,
        tracked=content.tracked,
        list_unsubscribe=content.tracked,
        partials=dict(content.partials),
        locale=content.locale,
        zone=content.zone,
    )
    return EmailMessages(source.compile(content.signer, files=[one.content for one in content.attachments]))
