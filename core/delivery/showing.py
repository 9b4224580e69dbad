"""Messages of chosen recipients as a delivery holds them: the values that were frozen for each, in the variant of each.

It is how people of the target stand in for test profiles (feature map 3.10, 5.01). What is shown is what is sent, but for
links, which show where they lead, or lead nowhere, and pictures that count an opening. Nothing is sent, and nothing is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.contract import Program, RecipientRow
from core import blobs
from core.content.inline_images import show_images
from core.content.preview import NOBODY, showing
from core.db import Connection
from core.delivery import reading
from core.delivery.programs import LoadedProgram, Programs, row_of
from core.delivery.records import LedgerRow, RecipientKind, ShownMessage
from core.errors import Invalid, NotFound
from render_ext import RenderError

MOST_SHOWN = 20  # messages at once
_PROFILE = int(RecipientKind.PROFILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    rows: Sequence[LedgerRow]  # in the order asked for
    programs: Mapping[int, LoadedProgram]
    files: Mapping[str, bytes]  # of inline images, by SHA-256


async def show_messages(
    conn: Connection, programs: Programs, delivery_id: int, profile_ids: Sequence[int]
) -> list[ShownMessage]:  # fmt: skip
    """What these people get, or got, in the order asked for. Of whoever gets nothing, or was erased, there is the row alone.

    Raises Invalid (TOO_MANY_RECIPIENTS), NotFound (RECIPIENT_NOT_FOUND), Unavailable as `Programs.get`.
    """
    wanted = list(dict.fromkeys(profile_ids))
    if len(wanted) > MOST_SHOWN:
        raise Invalid(f"up to {MOST_SHOWN} people can be shown at once", code="TOO_MANY_RECIPIENTS", path="profileIds")
    found = await reading.get_rows(conn, [(delivery_id, _PROFILE, one, 0) for one in wanted])
    if gone := [one for one in wanted if (delivery_id, _PROFILE, one, 0) not in found]:
        raise NotFound(
            f"the delivery is not prepared for the profile {gone[0]}", code="RECIPIENT_NOT_FOUND", path="profileIds",
            hint="Prepare it, and choose among those whom `ledger` lists.",
        )  # fmt: skip
    loaded = {one.stored.id: one for one in await programs.list_of(conn, delivery_id)}
    inline = {file.sha256 for one in loaded.values() for file in one.frozen.attachments if file.content_id is not None}
    rows = [found[(delivery_id, _PROFILE, one, 0)] for one in wanted]
    chosen = _Chosen(rows=rows, programs=loaded, files=await blobs.read(conn, inline) if inline else {})
    return await asyncio.to_thread(_show, chosen)  # templates may compute for seconds, and the loop serves everybody


def _show(chosen: _Chosen) -> list[ShownMessage]:
    wanted = {row.program_id for row in chosen.rows}
    made = {
        number: showing(one.frozen, one.signer, one.channel) for number, one in chosen.programs.items() if number in wanted
    }  # fmt: skip
    return [_shown(chosen, row, made) for row in chosen.rows]


def _shown(chosen: _Chosen, row: LedgerRow, made: Mapping[int, Program]) -> ShownMessage:
    loaded = None if row.program_id is None else chosen.programs.get(row.program_id)
    recipient = None if loaded is None else row_of(loaded, row)
    if loaded is None or recipient is None:
        return ShownMessage(row=row)
    # Whoever looks at the message must not be able to act as the person.
    nobody = RecipientRow(address=recipient.address, identity=NOBODY, values=recipient.values)
    frozen = loaded.frozen
    try:
        parts = made[loaded.stored.id].parts(nobody)
    except RenderError as error:
        return ShownMessage(row=row, language=frozen.locale, failure=str(error))
    html = None if parts.html is None else show_images(parts.html, frozen.attachments, chosen.files)
    return ShownMessage(row=row, language=frozen.locale, subject=parts.subject, html=html, text=parts.text)
