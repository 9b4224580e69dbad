"""SQL that writes down whom an audience finds that ranks everybody: for each range it would be others."""

from __future__ import annotations

from dataclasses import replace

from core.targeting.sql import Statement


def keeping(delivery_id: int, found: Statement) -> Statement:
    """Write down the ids that a statement finds."""
    text = f"INSERT INTO prepare_target (delivery_id, profile_id) SELECT {delivery_id:d}, f.* FROM ({found.text}) AS f"
    return replace(found, text=text)
