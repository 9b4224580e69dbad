"""Does everything add up? What the product says is held against what the sink caught, what the crowd did and what must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.cli.demo.crowd import Tally
from api.cli.demo.expected import Expectation
from api.cli.demo.http_crowd import Reply, Visit
from api.cli.demo.mails import Mail, ParsedMail
from api.cli.demo.newsletter import BIRTHDAY, PRODUCT, WHOLE_LIST, greeting, subject, targets
from api.cli.demo.people import BadRow, Person
from core.ids import from_global_id
from render_ext import TokenKey, read_message_id

Answer = Mapping[str, Any]


class DoesNotAddUp(Exception):
    """The demo's point is missed; the message says where."""


def same(what: str, found: object, expected: object) -> None:
    """Raises DoesNotAddUp unless the two are equal."""
    if found != expected:
        raise DoesNotAddUp(f"{what}: {found!r} instead of {expected!r}")


def check_import(run: Answer, people: Sequence[Person], bad: Sequence[BadRow], *, again: bool = False) -> None:
    """Counts of an import of the people's file; `again`: of the same file once more."""
    if run["error"] is not None:
        raise DoesNotAddUp(f"the import failed: {run['error']['message']}")
    inserted, unchanged = (0, len(people)) if again else (len(people), 0)
    same("inserted by the import", run["inserted"], inserted)
    same("unchanged by the import", run["unchanged"], unchanged)
    same("updated by the import", run["updated"], 0)
    same("rejected by the import", run["rejected"], len(bad))


def check_rejects(rows: Iterable[Sequence[str]], bad: Sequence[BadRow]) -> None:
    """The file of rejects: line and reason of every row that was spoilt on purpose, and no other."""
    same("the rejected lines and their reasons", [(int(row[0]), row[2]) for row in rows], [(one.line, one.code) for one in bad])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recipient in the ledger, as the API shows it."""

    recipient_id: int
    external_id: str
    address: str | None
    state: str
    reason: str
    after_hand_over: bool


def read_row(node: Answer, known: Mapping[int, str]) -> Row:
    """A node of the ledger's connection. `known` has the external ids of those who come without."""
    recipient_id = from_global_id("Profile", node["recipientId"], "recipientId")
    return Row(
        recipient_id=recipient_id,
        external_id=node["profile"]["externalId"] if "profile" in node else known[recipient_id],
        address=node["address"],
        state=node["state"],
        reason=node["reason"],
        after_hand_over=node["afterHandOver"],
    )


def check_ledger(rows: Sequence[Row], counts: Answer, expected: Expectation, *, withdrawn: frozenset[str]) -> None:
    """Every targeted person has one row with the right state and reason, and the counts are those of the rows."""
    same("people in the ledger", len(rows), expected.targeted)
    same("people twice in the ledger", len(rows) - len({row.recipient_id for row in rows}), 0)
    same("exclusions by reason", Counter(row.reason for row in rows if row.state == "EXCLUDED"), expected.excluded)
    written = Counter((row.address or "").lower() for row in rows if row.state != "EXCLUDED")
    same("addresses written to", written, Counter(expected.keys))
    same("who left in time", {row.external_id for row in rows if row.state == "WITHDRAWN"}, set(withdrawn))
    for row in rows:
        bounces = (row.address or "").startswith("bounce-")
        if row.state == "FAILED" and not (bounces and row.reason == "USER_UNKNOWN"):
            raise DoesNotAddUp(f"{row.address} failed because of {row.reason}")
        if row.state == "ACCEPTED" and bounces:
            raise DoesNotAddUp(f"{row.address} was accepted; it does not exist")
    states = Counter(row.state.lower() for row in rows)
    same("the counts", {name: n for name, n in counts.items() if n and name not in ("targeted", "sent")}, dict(states))
    parts = ("excluded", "pending", "accepted", "failed", "unknown", "withdrawn", "expired", "cancelled")
    same("targeted, the sum of all states", counts["targeted"], sum(counts[part] for part in parts))
    sent = sum(1 for row in rows if row.state == "ACCEPTED" or (row.state == "FAILED" and row.after_hand_over))
    same("sent: accepted, and failed after hand-over", counts["sent"], sent)


@dataclass(slots=True)
class MailCheck:
    """Holds every mail of one delivery against the ledger and the people."""

    delivery_id: int
    rows: Mapping[int, Row]
    people: Mapping[str, Person]  # by external id
    keys: Mapping[int, TokenKey]
    seen: set[int] = field(default_factory=set)

    def check(self, mail: Mail) -> Person:
        """Recipient, Message-ID and name of one mail; returns whose it is. Raises DoesNotAddUp."""
        identity = read_message_id(mail.message_id, self.keys)
        if identity is None or identity.delivery_id != self.delivery_id:
            raise DoesNotAddUp(f"the Message-ID {mail.message_id} is not one of this delivery")
        row = self.rows.get(identity.recipient_id)
        if row is None or row.state != "ACCEPTED":
            raise DoesNotAddUp(f"a mail to {mail.recipient} arrived, the ledger says {row and row.state}")
        if row.recipient_id in self.seen:
            raise DoesNotAddUp(f"{mail.recipient} got the mail twice")
        self.seen.add(row.recipient_id)
        person = self.people[row.external_id]
        same("the envelope's recipient", mail.recipient, row.address)
        same("the header's recipient", mail.to, row.address)
        same("the person's address", mail.recipient.lower(), str(person.address).lower())
        same(f"the subject for {mail.recipient}", mail.subject, subject(person.first_name))
        same(f"the greeting of {mail.recipient}", mail.greeting, greeting(person.first_name, person.last_name))
        return person

    def finish(self) -> None:
        """Nobody who was accepted is without a mail."""
        same("mails caught", len(self.seen), sum(1 for row in self.rows.values() if row.state == "ACCEPTED"))


def check_parsed(parsed: ParsedMail, person: Person, base_url: str) -> list[tuple[str, int, str | None]]:
    """A fully parsed mail; returns each of its links with the status and the place it must lead to."""
    same("the parsed subject", parsed.subject, subject(person.first_name))
    same("the parsed recipient", parsed.to.lower(), str(person.address).lower())
    if greeting(person.first_name, person.last_name) not in parsed.text:
        raise DoesNotAddUp(f"the text part for {person.external_id} does not greet: {parsed.text[:120]!r}")
    visible = [(302, target) for target in targets(person.country, person.birth_date is not None)]
    page: list[tuple[int, str | None]] = [(200, None), *visible, (200, None)]  # mirror … unsubscribe
    answers: list[tuple[int, str | None]] = [*page, (302, base_url), *page]  # the HTML ends with the hidden link
    same(f"the number of links for {person.external_id}", len(parsed.links), len(answers))
    links = [(link, *answer) for link, answer in zip(parsed.links, answers, strict=True)]
    extra = [(link, 200, None) for link in (*parsed.pixels, parsed.unsubscribe)]
    same(f"the number of pixels for {person.external_id}", len(parsed.pixels), 1)
    return [*links, *extra]


def check_replies(visits: Sequence[Visit], replies: Sequence[Reply], wanted: Sequence[tuple[str, int, str | None]]) -> None:
    """Every link led where it must."""
    for visit, reply, (_, status, location) in zip(visits, replies, wanted, strict=True):
        same(f"the answer to {visit.method} {visit.url}", (reply.status, reply.location), (status, location))


def check_visits(visits: Sequence[Visit], replies: Sequence[Reply]) -> None:
    """The crowd was answered: clicks redirected, the rest served."""
    for visit, reply in zip(visits, replies, strict=True):
        same(f"the answer to {visit.method} {visit.url}", reply.status, 302 if "/c/" in visit.url else 200)


def check_report(report: Answer, tally: Tally) -> None:
    """The report shows what the crowd did, exactly."""
    metrics = {metric["name"]: metric["value"] for metric in report["metrics"]}
    wanted = {
        "opens": tally.opens, "unique_opens": tally.people_acting, "clicks": tally.clicks,
        "unique_clicks": tally.people_clicking, "unsubscribes": tally.unsubscribed,
        "unique_unsubscribes": tally.unsubscribed, "mirror_views": tally.mirrored,
    }  # fmt: skip
    same("the report's figures", {name: metrics[name] for name in wanted}, wanted)
    accepted = report["counts"]["accepted"]
    if accepted:
        same("the click-through rate", metrics["click_through_rate"], tally.people_clicking / accepted)
        same("the open rate", metrics["unique_open_rate"], tally.people_acting / accepted)
    links = {link["url"]: (link["total"], link["unique"]) for link in report["links"]}
    for target in (PRODUCT, WHOLE_LIST, BIRTHDAY):
        found = [counts for url, counts in links.items() if url.startswith(target)]
        same(f"clicks on {target}", found, [(tally.link_clicks[target], tally.link_people[target])])
