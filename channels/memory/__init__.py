"""The memory channel and its stores: `store(name).messages` is what was sent."""

from channels.memory.channel import MemoryChannel
from channels.memory.stores import MemoryStore, store

__all__ = ["MemoryChannel", "MemoryStore", "store"]
