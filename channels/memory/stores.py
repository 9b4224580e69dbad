"""Where the memory channel keeps messages: stores of this process, by name."""

from __future__ import annotations

from channels.contract import InboundEvent, OutgoingMessage


class MemoryStore:
    """The messages of one name, in the order in which they came."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []
        self.count = 0
        self.keeps = True
        self.news: list[InboundEvent] = []  # what the provider would tell: `poll` gives it out

    def keep(self, message: OutgoingMessage) -> None:
        """Take one more."""
        self.count += 1
        if self.keeps:
            self.messages.append(message)

    def clear(self) -> None:
        """Forget them all."""
        self.messages.clear()
        self.news.clear()
        self.count = 0


_stores: dict[str, MemoryStore] = {}


def store(name: str) -> MemoryStore:
    """The store of this name, made when first asked for."""
    return _stores.setdefault(name, MemoryStore())
