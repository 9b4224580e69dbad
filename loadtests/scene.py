"""Sets the scene for the locust scenarios, through GraphQL alone: people, an audience, content, a delivery that was sent.

`python -m loadtests.scene URL [PEOPLE]` prints it as one line of JSON: ids, and the real links of the mails that were sent (to
a sink that runs meanwhile). It takes the API's token from CLARION_TOKEN.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from api.cli.client import Client
from api.cli.demo import documents, newsletter
from api.cli.demo.checks import DoesNotAddUp
from api.cli.demo.mails import Mail, read_mails
from api.cli.demo.outside import Outside
from api.cli.demo.people import make_people, write_file
from api.cli.demo.screen import Screen
from core.errors import ClarionError
from loadtests.operations import LIST_IDS

PEOPLE = 500
SINK_SECONDS = 20.0


@contextmanager
def sink(folder: Path) -> Iterator[int]:
    """A mail sink that keeps its mails below `folder`; gives its port. Raises SystemExit."""
    log = folder / "sink.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "api.cli.sink", "--port", "0", "--directory", str(folder / "mails")]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + SINK_SECONDS
        while (found := re.search(r"listening on \S+:(\d+)", log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the sink does not start: {log.read_text()}")
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()


async def set_up(url: str, token: str, folder: Path, port: int, people: int) -> dict[str, Any]:
    """Import, target, compose, send; returns what the scenarios work on. Raises ClarionError, DoesNotAddUp."""
    name = f"load-{secrets.token_hex(4)}"
    async with Client(url, token) as client:
        outside = Outside(client, token, Screen(Console(stderr=True, highlight=False)))
        made = make_people(people)
        _, size = write_file(folder / "people.csv", made)
        await outside.import_file(folder / "people.csv", size)
        ids = await _compose(outside, name, port)
        counts = await outside.prepare(ids["delivery"], people)
        await outside.send(ids["delivery"], counts["pending"])
        profiles = (await client.ask(LIST_IDS))["profiles"]["nodes"]
    mails = [mail for mail, _ in read_mails(folder / "mails")]
    return {**ids, "profiles": [profile["id"] for profile in profiles], "name": name, **_links(mails)}


async def _compose(outside: Outside, name: str, port: int) -> dict[str, str]:
    config = {"host": "127.0.0.1", "port": port, "security": "none", "sender_domain": "bounces.mail.example"}
    parts = [{"name": part, "source": source} for part, source in newsletter.PARTS.items()]
    labelled = {"name": name, "label": "Load test"}
    account = await outside.create(documents.CREATE_ACCOUNT, **labelled, channel="email", config=config)
    content = await outside.create(documents.CREATE_CONTENT, **labelled, parts=parts, data=newsletter.DATA)
    audience = await outside.create(
        documents.CREATE_AUDIENCE, **labelled, expression={"text": "external_id starts_with 'autumn-'"}
    )
    delivery = await outside.create(
        documents.CREATE_DELIVERY, **labelled, channelAccountId=account["id"], contentId=content["id"],
        audienceId=audience["id"],
    )  # fmt: skip
    return {"content": content["id"], "delivery": delivery["id"]}


def _links(mails: list[Mail]) -> dict[str, list[str]]:
    if not mails:
        raise DoesNotAddUp("nothing was sent: is everybody of the load test's file in quarantine or opted out?")
    return {
        "pixels": [mail.pixel for mail in mails],
        "clicks": [link for mail in mails for link in mail.links],
        "mirrors": [mail.mirror for mail in mails],
        "unsubscribe_pages": [mail.unsubscribe for mail in mails],
    }


def main(arguments: list[str]) -> int:
    """Entry of the program."""
    token = os.environ.get("CLARION_TOKEN", "")
    if not arguments or not token:
        print("usage: CLARION_TOKEN=… python -m loadtests.scene URL [PEOPLE]", file=sys.stderr)
        return 2
    people = int(arguments[1]) if len(arguments) > 1 else PEOPLE
    with tempfile.TemporaryDirectory(prefix="clarion-load-") as folder, sink(Path(folder)) as port:
        try:
            scene = asyncio.run(set_up(arguments[0], token, Path(folder), port, people))
        except (ClarionError, DoesNotAddUp) as error:
            print(f"the scene cannot be set: {error}", file=sys.stderr)
            return 1
    print(json.dumps(scene))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
