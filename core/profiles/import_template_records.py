"""What a template of imports keeps (feature map 2.73)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.profiles.run_records import ImportOptions


class TemplateStatus(StrEnum):
    """Whether new imports can be made from it."""

    AVAILABLE = "available"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTemplateDraft:
    """What people write of it."""

    name: str
    label: str
    description: str = ""
    match_key: str
    options: ImportOptions
    sample: str = ""  # a small file that loads
    status: TemplateStatus = TemplateStatus.AVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTemplate:
    """How files of one kind are imported, for whoever has such a file."""

    id: int
    name: str
    label: str
    description: str
    match_key: str
    options: ImportOptions
    sample: str
    status: TemplateStatus
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
