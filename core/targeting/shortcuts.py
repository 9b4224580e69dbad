"""The filters that come with Clarion: what people ask most, under a name that reads well (feature map 2.10, 3.11, 3.19)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core.targeting.catalogue import Kind
from core.targeting.expansion import Definition
from core.targeting.language import Literal
from core.targeting.parse import parse_text
from core.targeting.records import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """A filter of ours, as it is listed."""

    name: str
    label: str
    parameters: tuple[Parameter, ...]
    text: str
    formerly: str  # what the reference calls it

    @property
    def definition(self) -> Definition:
        """What a call of it stands for."""
        return Definition(name=self.name, parameters=self.parameters, root=parse_text(self.text).root)


def _text(name: str, label: str) -> Parameter:
    return Parameter(name=name, label=label, kind=Kind.TEXT)


def _number(name: str, label: str, default: int | None = None) -> Parameter:
    return Parameter(name=name, label=label, kind=Kind.INTEGER, default=None if default is None else Literal(default))


_DELIVERY = _text("delivery", "Name of a delivery")
_SINCE = "at > add_days(now, 0 - parameter('days'))"

_ALL = (
    Shortcut(
        name="has_birthday", label="Has a birthday in so many days; today if not said", formerly="birthday",
        parameters=(_number("in_days", "Days from today", 0),),
        text="anniversary_within(birth_date, parameter('in_days'), parameter('in_days'))",
    ),
    Shortcut(
        name="birthday_within", label="Has a birthday today or in the next so many days; in the last ones if it is negative",
        formerly="birthday", parameters=(_number("days", "Days from today"),),
        text="anniversary_within(birth_date, 0, parameter('days'))",
    ),
    Shortcut(
        name="has_email", label="Has this address, however it is spelled", formerly="byEmail",
        parameters=(_text("email", "Address"),), text="email = parameter('email')",
    ),
    Shortcut(
        name="has_text", label="Has this text in a name or in the address", formerly="byText",
        parameters=(_text("text", "A piece of a name or an address"),),
        text="first_name contains parameter('text') or last_name contains parameter('text') "
        "or email contains parameter('text')",
    ),
    Shortcut(
        name="is_profile", label="Is the profile of this number", formerly="profile",
        parameters=(_number("id", "Number of the profile"),), text="id = parameter('id')",
    ),
    Shortcut(
        name="subscribes_to", label="Is subscribed to a service", formerly="subscribers",
        parameters=(_text("service", "Name of a service"),),
        text="exists(subscriptions where state = 'active' and (expires_at is_null or expires_at > now) "
        "and service.name = parameter('service'))",
    ),
    Shortcut(
        name="has_received", label="Got the message of a delivery", formerly="hasReceivedDelivery", parameters=(_DELIVERY,),
        text="exists(received where delivery.name = parameter('delivery'))",
    ),
    Shortcut(
        name="has_opened", label="Opened the message of a delivery", formerly="hasOpenedDelivery", parameters=(_DELIVERY,),
        text="exists(opens where delivery.name = parameter('delivery'))",
    ),
    Shortcut(
        name="has_clicked", label="Clicked in the message of a delivery", formerly="hasClickedDelivery",
        parameters=(_DELIVERY,), text="exists(clicks where delivery.name = parameter('delivery'))",
    ),
    Shortcut(
        name="has_clicked_label", label="Clicked a link, by its label", formerly="clicked link by label",
        parameters=(_text("label", "Label of the link"),), text="exists(clicks where label = parameter('label'))",
    ),
    Shortcut(
        name="has_clicked_link", label="Clicked a link, by its address as it was written", formerly="",
        parameters=(_text("url", "Address of the link, or a piece of it"),),
        text="exists(clicks where url contains parameter('url'))",
    ),
    Shortcut(
        name="has_failed", label="A message failed for a reason", formerly="delivery log failure reason",
        parameters=(_text("reason", "Name of a reason, as `message.reason` has it"),),
        text="exists(messages where state = 'failed' and reason = parameter('reason'))",
    ),
    Shortcut(
        name="was_contacted", label="Got a message within so many days", formerly="",
        parameters=(_number("days", "Days up to now"),), text=f"exists(received where {_SINCE})",
    ),
    Shortcut(
        name="not_contacted", label="Got no message within so many days", formerly="not contacted in N days",
        parameters=(_number("days", "Days up to now"),), text=f"not exists(received where {_SINCE})",
    ),
    Shortcut(
        name="is_active", label="Opened or clicked within so many days", formerly="",
        parameters=(_number("days", "Days up to now"),), text=f"exists(reactions where {_SINCE} and kind in ('open', 'click'))",
    ),
)  # fmt: skip
SHORTCUTS: Mapping[str, Shortcut] = MappingProxyType({one.name: one for one in _ALL})


@cache
def definition_of(name: str) -> Definition:
    """What a call of a shortcut stands for; it is read once."""
    return SHORTCUTS[name].definition


SHORTCUT_DEFINITIONS: Mapping[str, Definition] = MappingProxyType({name: definition_of(name) for name in SHORTCUTS})


def as_markdown() -> str:
    """The table of docs/targeting.md."""
    lines = ["| shortcut | finds who | stands for | once called |", "|---|---|---|---|"]
    for one in _ALL:
        cells = [f"`{definition_of(one.name).signature}`", one.label, f"`{one.text}`", one.formerly]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
