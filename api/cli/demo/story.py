"""The main job from outside, chapter by chapter, and the checks of each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.cli.demo import checks, documents, newsletter, tables
from api.cli.demo.checks import MailCheck, Row, same
from api.cli.demo.crowd import Tally, leave, react
from api.cli.demo.expected import EVERYBODY, NEARBY, Expectation, Question, bouncing_keys, expect, sharing_addresses
from api.cli.demo.http_crowd import Visit, visit_all
from api.cli.demo.mails import Mail, parse_fully, read_mails
from api.cli.demo.outside import Answer, Outside
from api.cli.demo.people import BadRow, Person, make_people, write_file
from api.cli.demo.screen import Screen, many
from api.cli.demo.stage import HOST, Stage
from api.cli.demo.watcher import Event, Watcher
from core.ids import from_global_id, to_global_id

PARSED = 500  # mails that are parsed fully
LATE_LEAVERS = 3
SHOWN_EVENTS = 12
SENDER_DOMAIN = "bounces.mail.example"


class Story:
    """One run. `play` tells it."""

    def __init__(self, stage: Stage, outside: Outside, screen: Screen, count: int):
        self.stage = stage
        self.outside = outside
        self.screen = screen
        self.people: list[Person] = make_people(count)
        self.by_external_id = {person.external_id: person for person in self.people}
        self.bad: list[BadRow] = []
        self.tally = Tally()
        self.watcher = Watcher(outside.client, stage.token, self._show)
        self.ids: dict[str, str] = {}  # of what was created, by a name of ours
        self.rows: dict[int, Row] = {}  # the ledger of the first delivery
        self.visits: list[Visit] = []
        self.candidates: list[tuple[Mail, Person]] = []  # who may yet leave
        self.caught = 0
        self.shown = 0

    async def play(self) -> dict[str, Any]:
        """Everything, in order; returns the last line. Raises DoesNotAddUp."""
        await self._import()
        await self._ask_for_people()
        await self._compose()
        first = await self._send_first()
        await self._look_at_mails(first)
        await self._react()
        await self._send_second()
        return await self._report()

    async def _import(self) -> None:
        self.screen.chapter("Import")
        file = self.stage.folder / "autumn.csv"
        self.bad, size = write_file(file, self.people)
        countries = len({person.country for person in self.people})
        self.screen.say(
            f"{len(self.people):,} people of {countries} countries, {len(self.bad)} rows spoilt on purpose, {size / 1e6:.1f} MB"
        )
        for again in (False, True):
            import_id, run = await self.outside.import_file(file, size)
            self.screen.counts((name, run[name]) for name in ("inserted", "updated", "unchanged", "rejected"))
            checks.check_import(run, self.people, self.bad, again=again)
            if not again:
                checks.check_rejects(await self.outside.rejects(import_id), self.bad)
        self.screen.checked("the same file again changes nothing; every rejected line has the reason it was spoilt with")

    async def _ask_for_people(self) -> None:
        self.screen.chapter("Target")
        for question in (EVERYBODY, NEARBY):
            made = await self.outside.create(
                documents.CREATE_AUDIENCE, name=question.name, label=question.label, expression={"text": question.expression}
            )
            self.ids[question.name] = made["id"]
            target = made["target"]
            same(f"people of “{question.label}”", target["count"], sum(map(question.holds, self.people)))
            self.screen.say(question.expression, "cyan")
            sample = ", ".join(_name(one) for one in target["sample"])
            self.screen.checked(f"{many(target['count'], 'person', 'people')}, such as {sample}" if sample else "nobody")
            if question is EVERYBODY:
                self.ids["somebody"], self.ids["their number"] = (target["sample"][0][name] for name in ("id", "externalId"))

    async def _compose(self) -> None:
        self.screen.chapter("Compose")
        config = {"host": HOST, "port": self.stage.sink_port, "security": "none", "sender_domain": SENDER_DOMAIN}
        account = await self.outside.create(
            documents.CREATE_ACCOUNT, name="sink", label="Development sink", channel="email", config=config
        )
        content = await self.outside.create(
            documents.CREATE_CONTENT,
            name="autumn",
            label="The autumn list",
            channel="email",
            parts=[{"name": name, "source": source} for name, source in newsletter.PARTS.items()],
            data=newsletter.DATA,
        )
        campaign = await self.outside.create(documents.CREATE_CAMPAIGN, name="autumn", label="Autumn")
        self.ids |= {"account": account["id"], "content": content["id"], "campaign": campaign["id"]}
        wanted = {"contentId": content["id"], "profileId": self.ids["somebody"]}
        preview = (await self.outside.client.ask(documents.PREVIEW, input=wanted))["preview"]
        self.screen.say(f"Subject: {preview['subject']}", "cyan")
        for line in [line for line in preview["text"].splitlines() if line.strip()][1:4]:
            self.screen.say(line, "dim")
        person = self.by_external_id[self.ids["their number"]]
        same("subject of the preview", preview["subject"], newsletter.subject(person.first_name))
        warned = ", ".join(one["code"] for one in preview["warnings"]) or "no warnings"
        self.screen.checked(f"preview of {len(preview['html']):,} characters of HTML; {warned}")

    async def _send_first(self) -> str:
        self.screen.chapter("Prepare and send")
        expected = expect(self.people, EVERYBODY)
        delivery = await self._plan("autumn-list", "The autumn list", EVERYBODY)
        await self._prepare(delivery, expected)
        await self.outside.send(delivery, expected.to_send)
        self.rows = await self._check_ledger(delivery, expected)
        return delivery

    async def _plan(self, name: str, label: str, question: Question) -> str:
        made = await self.outside.create(
            documents.CREATE_DELIVERY, name=name, label=label, campaignId=self.ids["campaign"],
            channelAccountId=self.ids["account"], audienceId=self.ids[question.name], contentId=self.ids["content"],
        )  # fmt: skip
        self.ids[name] = made["id"]
        return str(made["id"])

    async def _prepare(self, delivery: str, expected: Expectation) -> None:
        counts = await self.outside.prepare(delivery, len(self.people))
        same("people targeted", counts["targeted"], expected.targeted)
        same("messages prepared", counts["pending"], expected.to_send)
        left_out = [(tables.why(reason), number) for reason, number in expected.excluded.items()]
        self.screen.counts([("targeted", counts["targeted"]), ("to send", counts["pending"]), *left_out])

    async def _check_ledger(
        self, delivery: str, expected: Expectation, withdrawn: frozenset[str] = frozenset()
    ) -> dict[int, Row]:
        known = {row.recipient_id: row.external_id for row in self.rows.values()}
        rows = await self.outside.ledger(delivery, known)
        report = (await self.outside.report(delivery))["report"]
        checks.check_ledger(rows, report["counts"], expected, withdrawn=withdrawn)
        same("why people are left out", _reasons(report["excluded"]), dict(expected.excluded))
        self.screen.checked(
            f"{many(len(rows), 'ledger row')}, each with the state and the reason it must have; the counts add up"
        )
        return {row.recipient_id: row for row in rows}

    async def _look_at_mails(self, delivery: str) -> None:
        self.screen.chapter("Open the mailboxes")
        await self.watcher.start()
        sharing = sharing_addresses(self.people)
        chance = random.Random(len(self.people))
        sample: list[tuple[Mail, bytes, Person]] = []
        check = self._mail_check(delivery, self.rows)
        for mail, raw in read_mails(self.stage.mails):
            person = check.check(mail)
            visits = react(mail, person.number, person.external_id, self.tally, may_leave=person.external_id not in sharing)
            self.visits += visits
            if not visits and NEARBY.holds(person) and person.external_id not in sharing:
                self.candidates = [*self.candidates, (mail, person)][:LATE_LEAVERS]
            place = self.caught if self.caught < PARSED else chance.randrange(self.caught + 1)
            if place < PARSED:
                sample[place : place + 1] = [(mail, raw, person)]
            self.caught += 1
        check.finish()
        self.screen.checked(f"{many(self.caught, 'mail')}: each has the right recipient, Message-ID and name, nobody got two")
        await self._parse(sample)

    def _mail_check(self, delivery: str, rows: dict[int, Row]) -> MailCheck:
        key = from_global_id("Delivery", delivery, "id")
        return MailCheck(delivery_id=key, rows=rows, people=self.by_external_id, keys=self.stage.keys)

    async def _parse(self, sample: Sequence[tuple[Mail, bytes, Person]]) -> None:
        links = [link for _, raw, person in sample for link in checks.check_parsed(parse_fully(raw), person, self.stage.url)]
        visits = [Visit("HEAD", link) for link, _, _ in links]
        checks.check_replies(visits, await visit_all(visits), links)
        self.screen.checked(f"{len(sample)} of them parsed fully; {len(links):,} links resolved by HEAD lead where they must")

    async def _react(self) -> None:
        self.screen.chapter("React")
        half = len(self.visits) // 2
        done = itertools.count(1)
        with self.screen.bar("visiting", len(self.visits)) as show:
            for part in (self.visits[:half], self.visits[half:]):
                checks.check_visits(part, await visit_all(part, seen=lambda: show(next(done))))
                if not self.watcher.breaks:
                    await self.watcher.reconnect()
        await self.watcher.check(self.tally)
        self.screen.counts([
            ("opens", self.tally.open_events), ("clicks", self.tally.clicks), ("unsubscribed", self.tally.unsubscribed),
            ("mirror page", self.tally.mirrored), ("machines", self.tally.machine_events),
        ])  # fmt: skip
        self.screen.checked("the subscription saw every event once, though it was broken off and resumed in between")

    def _show(self, event: Event) -> None:
        """Print a few of the events as they come."""
        every = max(1, self.tally.events // SHOWN_EVENTS)
        self.shown += 1
        if (self.shown - 1) % every or self.shown > SHOWN_EVENTS * every:
            return
        row = self.rows.get(from_global_id("Profile", event["profileId"], "profileId"))
        person = self.by_external_id.get(row.external_id) if row is not None else None
        who = "somebody" if person is None else f"{person.first_name or person.salutation} ({person.country})"
        what = "a machine" if event["machine"] else event["kind"].lower()
        where = f"→ {event['url'].partition('{{')[0]}" if event["url"] else ""
        self.screen.say(f"{event['at'][11:19]}  {what:<12} {who}  {where}", "dim")

    async def _send_second(self) -> None:
        self.screen.chapter("Send again, to fewer")
        quarantined = bouncing_keys(self.people)
        expected = expect(self.people, NEARBY, quarantined=quarantined, left=set(self.tally.leavers))
        delivery = await self._plan("autumn-reminder", "Reminder", NEARBY)
        await self._prepare(delivery, expected)
        late = frozenset(person.external_id for _, person in self.candidates)
        visits = [visit for mail, person in self.candidates for visit in leave(mail, person.external_id, self.tally)]
        checks.check_visits(visits, await visit_all(visits))
        if late:
            self.screen.say(f"{many(len(late), 'person', 'people')} more unsubscribe now, between preparation and sending")
        await self.outside.send(delivery, expected.to_send)
        rows = await self._check_ledger(delivery, expected, late)
        check = self._mail_check(delivery, rows)
        for mail, _ in read_mails(self.stage.mails, skip=self.caught):
            check.check(mail)
        check.finish()
        self.screen.checked(
            f"{many(len(check.seen), 'mail')}; nothing to who left, is in quarantine, has no address or shares one"
        )
        await self._explain(delivery, rows)
        await self.watcher.check(self.tally)

    async def _explain(self, delivery: str, rows: dict[int, Row]) -> None:
        """Why did (not) this person get this?"""
        for state in ("WITHDRAWN", "EXCLUDED", "ACCEPTED"):
            row = next((row for row in rows.values() if row.state == state), None)
            if row is not None:
                profile = to_global_id("Profile", row.recipient_id)
                answer = await self.outside.client.ask(documents.EXPLAIN, id=delivery, profile=profile)
                self.screen.say(f"{row.external_id}: {answer['delivery']['explain']['summary']}", "dim")

    async def _report(self) -> dict[str, Any]:
        self.screen.chapter("Report")
        first, second = [await self.outside.report(self.ids[name]) for name in ("autumn-list", "autumn-reminder")]
        await self.watcher.stop()
        self.screen.table(tables.reports([first, second]))
        self.screen.table(tables.links(first))
        checks.check_report(first["report"], self.tally)
        checks.check_report(second["report"], Tally())
        self.screen.checked("the report is what the crowd did, to the last click")
        counts = first["report"]["counts"]
        return {
            "recipients": counts["targeted"],
            "rejected": len(self.bad),
            "excluded": counts["excluded"],
            "accepted": counts["accepted"],
            "failed": counts["failed"],
            "unknown": counts["unknown"],
            "opens": self.tally.opens,
            "clicks": self.tally.clicks,
            "unsubscribed": self.tally.unsubscribed,
            "messages_per_second": round(counts["sent"] / max(_seconds(first), 0.001), 1),
            "seconds": round(self.screen.seconds, 1),
        }


def _name(profile: Answer) -> str:
    return " ".join(filter(None, (profile["firstName"], profile["lastName"], f"({profile['city']})")))


def _reasons(counts: Sequence[Answer]) -> dict[str, int]:
    return {one["reason"]: one["count"] for one in counts}


def _seconds(delivery: Answer) -> float:
    start, end = (datetime.fromisoformat(delivery[name]) for name in ("startedAt", "finishedAt"))
    return (end - start).total_seconds()
