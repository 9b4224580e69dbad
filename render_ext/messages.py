"""What messages share: the recipient of a batch, how a source is stored, and how its options reach its templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct

from render_ext.limits import DEFAULT_LIMITS, Limits
from render_ext.template import Options
from render_ext.tokens import Identity
from render_ext.version import ENGINE_VERSION


class MessageRow(Struct, frozen=True, kw_only=True, gc=False):
    """One recipient of a batch: the ledger row, and what templates see."""

    identity: Identity
    values: dict[str, Any]


class Stored:
    """A source that can be kept as JSON; `WHAT` is what a reader of an error calls it."""

    __slots__ = ()
    WHAT: ClassVar[str]

    def to_json(self) -> bytes:
        """The source as JSON; `from_json` gives an equal one. Raises ValueError for halves of characters."""
        try:
            return msgspec.json.encode(self)
        except UnicodeEncodeError as error:
            raise ValueError(f"{self.WHAT} with half of a character (U+{ord(error.object[error.start]):04X})") from None

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise ValueError(f"not {cls.WHAT}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Stored):
    """What all the templates of a source depend on.

    `date` (aware): `now` of the templates. `engine`: the version that the source was made for; another one refuses it.
    """

    date: datetime
    tracked: bool = True
    partials: Mapping[str, str] = field(default_factory=dict)
    locale: str = "en"
    zone: str = "UTC"
    strict_variables: bool = False
    limits: Limits = DEFAULT_LIMITS
    engine: int = ENGINE_VERSION

    def options(self) -> Options:
        """What its templates share. Raises ValueError as `check_made_for`."""
        check_made_for(self.engine, self.date)
        return Options(
            strict_variables=self.strict_variables,
            now=self.date,
            locale=self.locale,
            zone=self.zone,
            limits=self.limits,
            partials=self.partials,
        )


def check_made_for(engine: int, date: datetime) -> None:
    """Raises ValueError for another engine's source and for a naive date."""
    if engine != ENGINE_VERSION:
        raise ValueError(f"the source is for engine version {engine}, this is {ENGINE_VERSION}")
    if date.tzinfo is None:
        raise ValueError("date must be an aware datetime")
