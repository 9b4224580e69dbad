"""Test profiles: nobody, with a person's fields. They are no profiles: no audience, count or report has them (2.32)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.profiles.records import Profile


class TestProfileUse(StrEnum):
    """What a test profile is for."""

    PROOF = "proof"  # gets test sends before the real one
    TRAP = "trap"  # gets the real message together with a delivery's target
    PREVIEW = "preview"  # content is shown as it would get it
    RENDERING = "rendering"  # looks at messages in mail programs; built in, nobody gives this use


@dataclass(frozen=True, slots=True, kw_only=True)
class TestProfileDraft:
    """What a test profile has besides a person's fields."""

    label: str
    uses: tuple[TestProfileUse, ...]
    app_token: str | None = None  # where an app of a phone is reached
    event_type: str | None = None  # of a business event that is kept with it (2.33), which previews of contents read
    event_payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestProfile:
    """A test profile. `person` has its fields; its id is no profile's."""

    person: Profile
    label: str
    uses: tuple[TestProfileUse, ...]  # in their order
    app_token: str | None
    event_type: str | None
    event_payload: Mapping[str, Any] | None
    built_in: bool  # ours: people read it, and do not change it
    version: int
    created_by: str

    @property
    def id(self) -> int:
        """Its number, above those of all profiles."""
        return self.person.id
