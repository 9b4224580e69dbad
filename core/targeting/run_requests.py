"""What was asked of a worker, as JSON and back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from core.targeting.enrichment import ComputedColumn
from core.targeting.json_form import to_json
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression
from core.targeting.records import RowKey
from core.targeting.segments import Segment, Segmentation


def asked_columns(columns: Sequence[ComputedColumn]) -> list[Any]:
    """As they are kept."""
    return [
        {"name": one.name, "label": one.label, "expression": to_json(one.expression), "personal": one.personal}
        for one in columns
    ]


def read_columns(told: Sequence[Any]) -> list[ComputedColumn]:
    """As they were asked for."""
    return [ComputedColumn(**{**one, "expression": read_stored(one["expression"])}) for one in told]


def asked_segments(wanted: Segmentation) -> Any:
    """As it is kept."""
    segments = [
        {
            "code": one.code, "label": one.label, "where": _told(one.where), "by": _told(one.by), "per": _told(one.per),
            "share": None if one.share is None else str(one.share), "size": one.size, "lowest": one.lowest,
        }
        for one in wanted.segments
    ]  # fmt: skip
    return {"segments": segments, "overlap": wanted.overlap, "complement": wanted.complement, "seed": wanted.seed}


def read_segments(told: Any) -> Segmentation:
    """As it was asked for."""
    segments = [
        Segment(
            **{
                **one,
                **{name: _read(one[name]) for name in ("where", "by", "per")},
                "share": None if one["share"] is None else Decimal(one["share"]),
            }
        )
        for one in told["segments"]
    ]
    return Segmentation(**{**told, "segments": tuple(segments)})


def _told(expression: Expression | None) -> Any:
    return None if expression is None else to_json(expression)


def _read(told: Any) -> Expression | None:
    return None if told is None else read_stored(told)


def read_keys(told: Any) -> list[RowKey]:
    """The keys by which rows find their profiles, as they were asked for."""
    return [_key(one) for one in told["keys"]]


def _key(told: Any) -> RowKey:
    return RowKey(**{**told, "also": tuple(_key(one) for one in told.get("also", ()))})
