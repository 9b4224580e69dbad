"""What the unsubscribe page of a delivery offers to leave: its service, else its purpose, and the whole channel."""

from __future__ import annotations

from dataclasses import dataclass

from channels.contract import AddressKind
from core.channel_registry import ChannelRegistry
from core.consent.purposes import find_purposes
from core.consent.services import find_services
from core.db import Connection
from core.planning.deliveries import find_delivery
from core.profiles.records import Channel
from core.tracking.recent import Recent
from core.tracking.sent import KEEP_SECONDS, KEPT_DELIVERIES, SentMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What can be left. A delivery that names both a service and a purpose offers the service, the narrower of them."""

    channel: Channel
    service_id: int | None = None
    purpose_id: int | None = None
    label: str | None = None  # what subscribers read of the service or the purpose; None: there is the channel alone


class Offers:
    """Reads offers for one process, and keeps them for some seconds."""

    def __init__(self, sent: SentMessages, registry: ChannelRegistry):
        self._sent = sent
        self._registry = registry
        self._recent: Recent[int, Offer] = Recent(size=KEPT_DELIVERIES, seconds=KEEP_SECONDS)

    async def get(self, conn: Connection, delivery_id: int) -> Offer:
        """The offer of a delivery; of one that is gone, email alone."""
        offer = self._recent.get(delivery_id)
        if offer is None:
            offer = await self._read(conn, delivery_id)
            self._recent.put(delivery_id, offer)
        return offer

    async def _read(self, conn: Connection, delivery_id: int) -> Offer:
        name = await self._sent.channel(conn, delivery_id)
        kind = AddressKind.EMAIL if name is None else self._registry.manifest(name).address_kind
        channel = Channel(kind.value)
        delivery = await find_delivery(conn, delivery_id)
        if delivery is None:
            return Offer(channel=channel)
        if delivery.service_id is not None:
            (service,) = await find_services(conn, [delivery.service_id])
            return Offer(channel=channel, service_id=service.id, label=service.public_label or service.label)
        if delivery.purpose_id is not None:
            (purpose,) = await find_purposes(conn, [delivery.purpose_id])
            return Offer(channel=channel, purpose_id=purpose.id, label=purpose.label)
        return Offer(channel=channel)
