"""What a process hands to its jobs and requests: settings, pool, keys, clock, files, the way out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from channels.contract import ChannelIO
from core.clock import Clock, system_clock
from core.config import Settings
from core.db import Pool
from core.files import Files
from core.secrets import Keyring


@dataclass(slots=True, kw_only=True)
class Runtime:
    """One per process. Opened at a door, closed with it."""

    settings: Settings
    pool: Pool
    keyring: Keyring
    files: Files
    io: ChannelIO
    clock: Clock = system_clock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set when the process must end: finish at a safe point
    worker_id: str = ""
    resources: dict[str, Any] = field(default_factory=dict)  # what rooms keep per process, such as open senders
