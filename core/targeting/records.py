"""What the room hands out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.targeting.language import Expression


class AudienceKind(StrEnum):
    """How the members are known."""

    QUERY = "query"  # asked anew at each use


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A saved question. `version` grows with every change of it."""

    id: int
    name: str
    label: str
    kind: AudienceKind
    expression: Any  # the JSON spelling
    expression_text: str  # as its author typed it, or as the JSON spelling reads
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDraft:
    """What a new audience needs. The name is its handle: letters, digits, `_` and `-`, at most 64."""

    name: str
    label: str
    expression: Expression
