"""Ids of rows as they leave the house: of a dataset's, and of the rows that links lead to."""

from __future__ import annotations

import base64
import binascii

from core.datamodel.physical import BUILT_IN
from core.errors import Invalid
from core.ids import from_global_id, to_global_id

KIND = "DatasetRow"


def row_id(dataset: str, key: int) -> str:
    """The id of a row."""
    return to_global_id(KIND, f"{dataset}:{key}")


def read_row_id(text: str, path: str | None = None) -> tuple[str, int]:
    """The dataset and the number in the id of a row. Raises Invalid (BAD_ID)."""
    try:
        padded = text + "=" * (-len(text) % 4)
        kind, dataset, key = base64.urlsafe_b64decode(padded.encode("ascii")).decode().split(":")
        number = int(key)
        if kind != KIND or not 0 <= number < 2**63:
            raise ValueError
    except (ValueError, binascii.Error, UnicodeError):
        raise Invalid(
            f"{text[:80]!r} is not the id of a row", code="BAD_ID", path=path, hint="Use the id that the API gave for it."
        ) from None
    return dataset, number


def linked_id(entity: str, key: int) -> str:
    """The id of a row of any entity that links lead to."""
    return to_global_id(_ours(entity), key) if entity in BUILT_IN else row_id(entity, key)


def read_linked_id(entity: str, text: str, path: str | None = None) -> int:
    """The number in it. Raises Invalid (BAD_ID)."""
    if entity in BUILT_IN:
        return from_global_id(_ours(entity), text, path)
    dataset, key = read_row_id(text, path)
    if dataset != entity:
        raise Invalid(f"this is the id of a row of {dataset[:80]}, not of {entity}", code="BAD_ID", path=path)
    return key


def _ours(entity: str) -> str:
    return "".join(word.capitalize() for word in entity.split("_"))
