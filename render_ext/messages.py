"""What short messages and payloads share: the recipient of a batch, and how a source's options reach its templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from render_ext.limits import Limits
from render_ext.template import Options
from render_ext.tokens import Identity
from render_ext.version import ENGINE_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One recipient of a batch: the ledger row, and what templates see."""

    identity: Identity
    values: dict[str, Any]


class Source(Protocol):
    """The fields of a source that all its templates depend on."""

    @property
    def date(self) -> datetime: ...
    @property
    def partials(self) -> Mapping[str, str]: ...
    @property
    def locale(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def strict_variables(self) -> bool: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def engine(self) -> int: ...


def options_of(source: Source) -> Options:
    """What the templates of a source share. Raises ValueError for another engine's source and for a naive date."""
    if source.engine != ENGINE_VERSION:
        raise ValueError(f"the source is for engine version {source.engine}, this is {ENGINE_VERSION}")
    if source.date.tzinfo is None:
        raise ValueError("date must be an aware datetime")
    return Options(
        strict_variables=source.strict_variables,
        now=source.date,
        locale=source.locale,
        zone=source.zone,
        limits=source.limits,
        partials=source.partials,
    )
