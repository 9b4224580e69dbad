"""Short messages to pagers, for Clarion."""

from .channel import PagerChannel

__all__ = ["PagerChannel"]
