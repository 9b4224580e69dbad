"""An outside client of Clarion: GraphQL over HTTP and WebSocket, and the addresses that GraphQL hands out. Nothing else."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from api.cli import transfer
from api.cli.client import Client, open_http
from api.cli.demo import documents
from api.cli.demo.checks import DoesNotAddUp, Row, read_row
from api.cli.demo.screen import Screen
from api.cli.demo.subscriptions import subscription

STILL_SECONDS = 120.0  # without any progress, something hangs
REJECTS_TRIES = 300
PAGE = 500
NOT_PREPARED = ("PREPARATION_ERROR", "CANCELLED", "FAILED")
ENDED = ("FINISHED", "CANCELLED", "FAILED")

Answer = dict[str, Any]


class Outside:
    """What the demo asks of Clarion, with bars for what takes time."""

    def __init__(self, client: Client, token: str, screen: Screen):
        self.client = client
        self._token = token
        self._screen = screen

    async def create(self, document: str, **given: Any) -> Answer:
        """Run a mutation that makes something; returns what it made."""
        (payload,) = (await self.client.ask(document, input=given)).values()
        made: Answer = next(value for name, value in payload.items() if name != "userErrors")
        return made

    async def import_file(self, path: Path, size: int) -> tuple[str, Answer]:
        """Upload a file of people, import it by external id, and wait; returns the import's id and its last state."""
        given = {"fileName": path.name, "matchKey": "EXTERNAL_ID"}
        made = (await self.client.ask(transfer.CREATE_IMPORT, input=given))["createImport"]
        async with open_http(made["uploadUrl"], timeout=None) as http:
            (await http.put(made["uploadUrl"], content=transfer.pieces(path))).raise_for_status()
        import_id = str(made["import"]["id"])
        await self.client.ask(transfer.START_IMPORT, id=import_id)
        run: Answer = {}
        with self._screen.bar("importing", size // 1000, " kB") as show:
            async for answer in self._following(documents.IMPORT_PROGRESS, import_id):
                run = answer["importProgress"]
                show(run["bytesRead"] // 1000)
        return import_id, run

    async def rejects(self, import_id: str) -> list[list[str]]:
        """The rows of an import's file of rejects, without its header."""
        for _ in range(REJECTS_TRIES):  # the file is written right after the import has ended
            if (await self.client.ask(transfer.IMPORT, id=import_id))["import"]["hasRejects"]:
                break
            await asyncio.sleep(0.1)
        url = (await self.client.ask(transfer.REJECTS, id=import_id))["createRejectsDownload"]["downloadUrl"]
        async with open_http(url) as http:
            text = (await http.get(url)).raise_for_status().content.decode("utf-8-sig")
        return list(csv.reader(text.splitlines(keepends=True)))[1:]

    async def prepare(self, delivery_id: str, people: int) -> Answer:
        """Have a delivery prepared; returns its counts."""
        await self.client.ask(documents.PREPARE, id=delivery_id)
        with self._screen.bar("preparing", people) as show:
            async for answer in self._following(documents.DELIVERY_PROGRESS, delivery_id):
                now = answer["deliveryProgress"]
                show(int((now["prepared"] or 0) * people))
                if now["state"] in NOT_PREPARED:
                    raise DoesNotAddUp(f"the preparation ended as {now['state']}")
                if now["state"] == "READY":
                    show(people)
                    return dict(now["counts"])
        raise DoesNotAddUp("the delivery ended while it was prepared")

    async def send(self, delivery_id: str, messages: int) -> None:
        """Confirm a prepared delivery and wait until it has finished."""
        await self.client.ask(documents.CONFIRM, id=delivery_id)
        with self._screen.bar("sending", messages) as show:
            async for answer in self._following(documents.DELIVERY_PROGRESS, delivery_id):
                now = answer["deliveryProgress"]
                show(messages - now["counts"]["pending"])
                if now["state"] == "PAUSED":
                    raise DoesNotAddUp(f"the delivery paused: {now['pauseReason']}")
                if now["state"] in ENDED:
                    return

    async def ledger(self, delivery_id: str, known: Mapping[int, str]) -> list[Row]:
        """Every recipient of a delivery, page by page; who they are is asked unless it is `known`."""
        rows: list[Row] = []
        after: str | None = None
        while True:
            answer = await self.client.ask(documents.LEDGER, id=delivery_id, first=PAGE, after=after, named=not known)
            page = answer["delivery"]["ledger"]
            rows.extend(read_row(node, known) for node in page["nodes"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return rows

    async def report(self, delivery_id: str) -> Answer:
        """A delivery with its report."""
        found: Answer = (await self.client.ask(documents.REPORT, id=delivery_id))["delivery"]
        if found["error"] is not None or found["state"] != "FINISHED":
            raise DoesNotAddUp(f"{found['label']} is {found['state']}: {found['error']}")
        return found

    async def _following(self, document: str, subject_id: str) -> AsyncIterator[Answer]:
        """A subscription's answers. Raises DoesNotAddUp when nothing moves any more."""
        async with subscription(self.client.url, self._token, document, id=subject_id) as answers:
            while True:
                try:
                    async with asyncio.timeout(STILL_SECONDS):
                        answer = await anext(answers, None)
                except TimeoutError:
                    raise DoesNotAddUp(f"nothing has moved for {STILL_SECONDS:.0f} seconds") from None
                if answer is None:
                    return
                yield answer
