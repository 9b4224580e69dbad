"""The delivery reports as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

Answer = Mapping[str, Any]

_COUNTS = ("targeted", "excluded", "accepted", "failed", "unknown", "withdrawn", "expired", "cancelled", "pending")
_METRICS = (
    "delivered_rate", "hard_bounce_rate", "opens", "unique_opens", "unique_open_rate", "clicks", "unique_clicks",
    "click_through_rate", "unsubscribes", "unsubscribe_rate", "mirror_views",
)  # fmt: skip
_WHY = {
    "ADDRESS_NOT_SPECIFIED": "no address",
    "DENYLISTED_ADDRESS": "opted out",
    "QUARANTINED_ADDRESS": "in quarantine",
    "SUPPRESSED_ADDRESS": "on a suppression list",
    "ERASED": "erased",
    "CONTROL_GROUP": "control group",
    "GLOBAL_HOLDOUT": "held out of all",
    "DUPLICATE": "address of somebody else too",
    "USER_UNKNOWN": "no such mailbox",
}


def reports(deliveries: Sequence[Answer]) -> Table:
    """Deliveries side by side."""
    table = Table(title="Delivery reports", title_justify="left", title_style="bold")
    table.add_column("")
    for delivery in deliveries:
        table.add_column(delivery["label"], justify="right")
    for name in _COUNTS:
        table.add_row(name.capitalize(), *(f"{delivery['report']['counts'][name]:,}" for delivery in deliveries))
        for reason in _reasons(deliveries, name):
            table.add_row(f"  {why(reason)}", *(_reason_count(one, name, reason) for one in deliveries), style="dim")
    table.add_section()
    for name in _METRICS:
        found = [next(m for m in delivery["report"]["metrics"] if m["name"] == name) for delivery in deliveries]
        table.add_row(found[0]["label"], *map(_value, found))
    return table


def links(delivery: Answer) -> Table:
    """Clicks by link."""
    table = Table(title=f"Links of “{delivery['label']}”", title_justify="left", title_style="bold")
    for title in ("", "Link", "Address"):
        table.add_column(title)
    table.add_column("Clicks", justify="right")
    table.add_column("People", justify="right")
    for link in delivery["report"]["links"]:
        url = link["url"] if len(link["url"]) < 60 else f"{link['url'][:57]}…"
        table.add_row(str(link["number"]), link["label"] or "", url, f"{link['total']:,}", f"{link['unique']:,}")
    return table


def why(reason: str) -> str:
    """A reason in words."""
    return _WHY.get(reason, reason.replace("_", " ").lower())


def _reasons(deliveries: Sequence[Answer], name: str) -> list[str]:
    found = [one["reason"] for delivery in deliveries for one in delivery["report"].get(name, ())]
    return list(dict.fromkeys(found))


def _reason_count(delivery: Answer, name: str, reason: str) -> str:
    found = [one["count"] for one in delivery["report"][name] if one["reason"] == reason]
    return f"{found[0]:,}" if found else ""


def _value(metric: Answer) -> str:
    value = metric["value"]
    if value is None:
        return "–"
    return f"{value:.2%}" if metric["unit"] == "SHARE" else f"{value:,.0f}"
