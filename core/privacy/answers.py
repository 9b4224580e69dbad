"""Answers that are kept for clients who send a request again: those that name somebody are dropped."""

from __future__ import annotations

from core import idempotency
from core.datamodel.physical import PREFIX
from core.db import Connection
from core.ids import to_global_id
from core.personal import Person
from core.privacy.places import NODES, PROFILE
from core.privacy.words import quoted_in
from core.rows.identities import row_id
from core.secrets import Keyring

PORTION = 200


async def forget_answers(conn: Connection, keyring: Keyring, person: Person) -> int:
    """Open every stored answer and drop those that quote the person or lead to their rows; returns how many."""
    rows = {PROFILE: person.profile_ids, **person.nobodys}
    ids = [_global_id(table, one) for table, found in rows.items() for one in found]
    after, forgotten = ("", ""), 0
    while portion := await idempotency.list_answers(conn, keyring, after, PORTION):
        naming = [(actor, key) for actor, key, answer in portion if answer is None or _names(answer, person, ids)]
        forgotten += await idempotency.forget_answers(conn, naming) if naming else 0
        after = portion[-1][:2]
    return forgotten


def _global_id(table: str, key: int) -> str:
    return to_global_id(NODES[table], key) if table in NODES else row_id(table.removeprefix(PREFIX), key)


def _names(answer: bytes, person: Person, ids: list[str]) -> bool:
    text = answer.decode(errors="replace")
    return any(one in text for one in ids) or quoted_in(text, person)
