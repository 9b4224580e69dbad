"""The mix of API and tracking, against a running Clarion (`make up`); it sets up its own data through GraphQL.

    CLARION_TOKEN=clarion_… locust -f loadtests/locustfile.py --headless -u 20 -r 5 -t 30s

The exit code is not 0 when anything failed: an HTTP error, a GraphQL error, a user error, a redirect to the wrong place, or no
request at all.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:  # locust runs this file by its path
    sys.path.insert(0, ROOT)

from loadtests import operations  # noqa: E402

HOST = os.environ.get("CLARION_BASE_URL", "http://127.0.0.1:8000")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SHOP = "https://shop.example/"
EXPRESSIONS = (
    "country = 'FR'",
    "country in ('DE', 'ES') and birth_date >= 1980-01-01",
    "not opt_out_email and gender = 'female' and first_name is not null",
    "city starts_with 'S' or last_name contains 'ö'",
)

scene: dict[str, Any] = {}


@events.init.add_listener  # type: ignore[untyped-decorator]
def set_the_scene(environment: Environment, **_: object) -> None:
    """Run `loadtests.scene` in a process of its own, where nothing is patched by gevent; before the clock starts."""
    host = (environment.parsed_options and environment.parsed_options.host) or HOST
    command = [sys.executable, "-m", "loadtests.scene", host]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    scene.update(json.loads(done.stdout))


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge(environment: Environment, **_: object) -> None:
    """Nothing done is a failure too."""
    total = environment.stats.total
    if total.num_requests == 0 or total.num_failures or environment.runner is None or environment.runner.exceptions:
        environment.process_exit_code = 1


class Application(FastHttpUser):
    """A front end at work: mostly reads, some writes."""

    host = HOST
    weight = 1
    wait_time = constant_throughput(10)

    def on_start(self) -> None:
        """Begin at the first page."""
        self.token = os.environ["CLARION_TOKEN"]
        self.after: str | None = None

    def ask(self, name: str, query: str, **variables: Any) -> dict[str, Any] | None:
        """Run one operation; whatever is wrong with the answer is a failure. Returns its data."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if query.lstrip().startswith("mutation"):
            headers["Idempotency-Key"] = secrets.token_hex(12)
        body = {"query": query, "variables": variables}
        with self.client.post("/graphql", json=body, headers=headers, name=f"GraphQL {name}", catch_response=True) as answer:
            try:
                found = answer.json() if answer.status_code == 200 else {"errors": answer.text}
            except ValueError:
                found = {"errors": answer.text}
            problems = found.get("errors") or [
                problem for payload in found["data"].values() if payload for problem in payload.get("userErrors", ())
            ]
            if problems:
                answer.failure(f"{answer.status_code} {problems}")
                return None
            data: dict[str, Any] = found["data"]
            return data

    @task(10)
    def list_profiles(self) -> None:
        """Page through everybody."""
        data = self.ask("list profiles", operations.LIST_PROFILES, after=self.after)
        page = data["profiles"]["pageInfo"] if data else {}
        self.after = page.get("endCursor") if page.get("hasNextPage") else None

    @task(4)
    def search_profiles(self) -> None:
        """Type the beginning of a name."""
        self.ask("search profiles", operations.SEARCH_PROFILES, text=random.choice(("ma", "jo", "o'", "zo", "mül", "łu")))

    @task(3)
    def count_audience(self) -> None:
        """Ask how many an expression finds."""
        self.ask("count an audience", operations.COUNT_AUDIENCE, text=random.choice(EXPRESSIONS))

    @task(3)
    def preview(self) -> None:
        """Look at the message of somebody."""
        wanted = {"contentId": scene["content"], "profileId": random.choice(scene["profiles"])}
        self.ask("preview", operations.PREVIEW, input=wanted)

    @task(5)
    def report(self) -> None:
        """Look at the delivery's report."""
        self.ask("delivery report", operations.REPORT, id=scene["delivery"])

    @task(2)
    def create_profile(self) -> None:
        """Somebody new."""
        one = secrets.token_hex(8)
        new = {"externalId": f"load-{one}", "email": f"load.{one}@mail.example", "firstName": "Zoë", "country": "FR"}
        self.ask("create a profile", operations.CREATE_PROFILE, input=new)

    @task(2)
    def update_profile(self) -> None:
        """Somebody moves."""
        change = {"id": random.choice(scene["profiles"]), "city": random.choice(("Łódź", "Köln", "جدة", "Nîmes"))}
        self.ask("update a profile", operations.UPDATE_PROFILE, input=change)


class Recipient(FastHttpUser):
    """People with their mails: real tokens, a browser."""

    host = HOST
    weight = 2
    wait_time = constant_throughput(20)

    def visit(self, name: str, link: str, status: int, location: str | None = None) -> None:
        """Follow a link of a mail to this host; another status or place is a failure."""
        with self.client.get(
            urlsplit(link).path, name=name, allow_redirects=False, catch_response=True, headers={"User-Agent": BROWSER}
        ) as answer:
            found = (answer.headers or {}).get("location")
            if answer.status_code != status or (location and not str(found).startswith(location)):
                answer.failure(f"{answer.status_code} {found}")

    @task(10)
    def open(self) -> None:
        """The pictures are loaded."""
        self.visit("open", random.choice(scene["pixels"]), 200)

    @task(6)
    def click(self) -> None:
        """A link is followed."""
        self.visit("click", random.choice(scene["clicks"]), 302, SHOP)

    @task(1)
    def mirror(self) -> None:
        """The message is looked at in the browser."""
        self.visit("mirror page", random.choice(scene["mirrors"]), 200)

    @task(1)
    def unsubscribe_page(self) -> None:
        """Looking at the page changes nothing."""
        self.visit("unsubscribe page", random.choice(scene["unsubscribe_pages"]), 200)
