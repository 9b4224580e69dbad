"""One running house per file of stories, with a mail server beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.flows.client import Client
from tests.flows.house import House, house
from tests.flows.post import sink_process


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A house, a user of its API, and the mail server that its accounts point at."""

    house: House
    client: Client
    sink_port: int
    mail: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Shared by the stories of a file: each brings people of its own."""
    folder = tmp_path_factory.mktemp("house")
    mail = folder / "mail"
    async with (
        sink_process(mail) as port,
        house(folder, reconcile_seconds=0.5, retry_first_seconds=1, worker_processes=1) as made,
        Client(made.settings.base_url, made.token) as client,
    ):
        yield Place(house=made, client=client, sink_port=port, mail=mail)
