"""The demo's checks notice what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from api.cli.demo import checks
from api.cli.demo.checks import DoesNotAddUp, MailCheck, Row
from api.cli.demo.crowd import Tally
from api.cli.demo.expected import EVERYBODY, expect
from api.cli.demo.http_crowd import Reply, Visit
from api.cli.demo.mails import parse_fully
from api.cli.demo.newsletter import BIRTHDAY, PRODUCT, WHOLE_LIST
from api.cli.demo.people import BadRow, make_people
from tests.api.cli.demo.conftest import BASE_URL, DELIVERY, KEY, MakeMail

PEOPLE = make_people(60)  # one bounces, one has no address, one opted out, one shares
EXPECTED = expect(PEOPLE, EVERYBODY)


def ledger() -> list[Row]:
    """What a delivery to these people must leave behind."""
    rows, keys = [], set(EXPECTED.keys)
    for number, person in enumerate(PEOPLE):
        key = (person.address or "").lower()
        state, reason = "ACCEPTED", "NOT_DEFINED"
        if key.startswith("bounce-"):
            state, reason = "FAILED", "USER_UNKNOWN"
        elif key not in keys:
            reason = "ADDRESS_NOT_SPECIFIED" if not key else "DENYLISTED_ADDRESS" if person.opted_out else "DUPLICATE"
            state = "EXCLUDED"
        keys.discard(key)
        rows.append(Row(recipient_id=number + 1, external_id=person.external_id, address=person.address, state=state,
                        reason=reason, after_hand_over=False))  # fmt: skip
    return rows


def counts(rows: list[Row]) -> dict[str, int]:
    """The equation's columns."""
    names = ("excluded", "pending", "accepted", "failed", "unknown", "withdrawn", "expired", "cancelled")
    found = Counter(row.state.lower() for row in rows)
    return {"targeted": len(rows), "sent": found["accepted"], **{name: found[name] for name in names}}


def test_a_right_ledger_passes() -> None:
    """Everybody with the state they must have."""
    assert EXPECTED.excluded == {"ADDRESS_NOT_SPECIFIED": 1, "DENYLISTED_ADDRESS": 1, "DUPLICATE": 1}
    checks.check_ledger(ledger(), counts(ledger()), EXPECTED, withdrawn=frozenset())


@pytest.mark.parametrize(
    ("number", "changes", "what"),
    [
        (0, {"state": "UNKNOWN"}, "the counts"),
        (0, {"state": "EXCLUDED", "reason": "DUPLICATE"}, "exclusions by reason"),
        (0, {"address": "somebody.else@mail.example"}, "addresses written to"),
        (0, {"state": "WITHDRAWN"}, "who left in time"),
        (0, {"recipient_id": 2}, "twice"),
        (57, {"state": "ACCEPTED"}, "it does not exist"),
        (57, {"reason": "REFUSED"}, "failed because of REFUSED"),
        (31, {"reason": "QUARANTINED_ADDRESS"}, "exclusions by reason"),
    ],
)
def test_one_wrong_row_is_noticed(number: int, changes: dict[str, Any], what: str) -> None:
    """Whatever is wrong with it."""
    rows = ledger()
    right = counts(rows)
    rows[number] = replace(rows[number], **changes)
    with pytest.raises(DoesNotAddUp, match=what):
        checks.check_ledger(rows, right, EXPECTED, withdrawn=frozenset())


def test_counts_that_do_not_add_up_are_noticed() -> None:
    """The rows are right, the sum is not."""
    for wrong in ({"targeted": 61}, {"accepted": 1}, {"sent": 59}, {"pending": 1}):
        with pytest.raises(DoesNotAddUp):
            checks.check_ledger(ledger(), counts(ledger()) | wrong, EXPECTED, withdrawn=frozenset())


def mail_check(**changes: Any) -> MailCheck:
    """The check of the mails of that delivery."""
    rows = {row.recipient_id: row for row in ledger()}
    given: dict[str, Any] = {
        "delivery_id": DELIVERY, "rows": rows, "people": {one.external_id: one for one in PEOPLE}, "keys": {1: KEY},
    }  # fmt: skip
    return MailCheck(**(given | changes))


def test_a_right_mail_passes_once(make_mail: MakeMail) -> None:
    """The second time it is a repeat."""
    check = mail_check()
    mail, raw = make_mail(PEOPLE[4], 5)
    assert check.check(mail) is PEOPLE[4]
    wanted = checks.check_parsed(parse_fully(raw), PEOPLE[4], BASE_URL)
    assert {status for _, status, _ in wanted} == {200, 302}
    with pytest.raises(DoesNotAddUp, match="twice"):
        check.check(mail)
    with pytest.raises(DoesNotAddUp, match="mails caught"):
        check.finish()


def test_a_wrong_mail_is_noticed(make_mail: MakeMail) -> None:
    """Another person's name, another recipient, a Message-ID that is forged or of another delivery."""
    mail, raw = make_mail(PEOPLE[4], 5)
    with pytest.raises(DoesNotAddUp, match="subject"):
        mail_check(people={one.external_id: replace(one, first_name="Nobody") for one in PEOPLE}).check(mail)
    with pytest.raises(DoesNotAddUp, match="recipient"):
        mail_check().check(replace(mail, recipient="other@mail.example"))
    with pytest.raises(DoesNotAddUp, match="not one of this delivery"):
        mail_check().check(replace(mail, message_id=f"<a{mail.message_id[2:]}"))
    with pytest.raises(DoesNotAddUp, match="not one of this delivery"):
        mail_check(delivery_id=8).check(mail)
    with pytest.raises(DoesNotAddUp, match="the ledger says EXCLUDED"):
        mail_check().check(make_mail(PEOPLE[31], 32)[0])
    other = replace(PEOPLE[4], birth_date=None if PEOPLE[4].birth_date else PEOPLE[0].birth_date)
    with pytest.raises(DoesNotAddUp, match="number of links"):
        checks.check_parsed(parse_fully(raw), other, BASE_URL)


def test_answers_to_links_are_held_against_where_they_lead() -> None:
    """Status and place."""
    visits = [Visit("HEAD", "http://x/c/1")]
    wanted = [("http://x/c/1", 302, "https://shop.example/")]
    checks.check_replies(visits, [Reply(302, "https://shop.example/")], wanted)
    for wrong in (Reply(302, "https://evil.example/"), Reply(404, None)):
        with pytest.raises(DoesNotAddUp):
            checks.check_replies(visits, [wrong], wanted)
    checks.check_visits([Visit("GET", "http://x/o/1"), *visits], [Reply(200, None), Reply(302, "x")])
    with pytest.raises(DoesNotAddUp):
        checks.check_visits(visits, [Reply(503, None)])


def test_an_import_must_do_what_the_file_says() -> None:
    """New people the first time, none the second time, and the rejects line by line."""
    bad = [BadRow(line=2, code="BAD_EMAIL")]
    run = {"error": None, "inserted": 60, "updated": 0, "unchanged": 0, "rejected": 1}
    checks.check_import(run, PEOPLE, bad)
    checks.check_import(run | {"inserted": 0, "unchanged": 60}, PEOPLE, bad, again=True)
    for wrong in ({"inserted": 59}, {"updated": 1}, {"rejected": 0}, {"error": {"message": "no"}}):
        with pytest.raises(DoesNotAddUp):
            checks.check_import(run | wrong, PEOPLE, bad)
    checks.check_rejects([["2", "email", "BAD_EMAIL"]], bad)
    with pytest.raises(DoesNotAddUp):
        checks.check_rejects([["3", "email", "BAD_EMAIL"]], bad)


def test_a_report_must_show_what_the_crowd_did() -> None:
    """Figure by figure and link by link."""
    tally = Tally(open_events=5, people_opening=3, people_acting=4, clicks=2, people_clicking=1, unsubscribed=1, mirrored=1)
    tally.link_clicks[PRODUCT], tally.link_people[PRODUCT] = 2, 1
    figures = {"opens": 6, "unique_opens": 4, "clicks": 2, "unique_clicks": 1, "unsubscribes": 1, "unique_unsubscribes": 1,
               "mirror_views": 1, "click_through_rate": 0.1, "unique_open_rate": 0.4}  # fmt: skip
    report = {
        "counts": {"accepted": 10},
        "metrics": [{"name": name, "value": value} for name, value in figures.items()],
        "links": [
            {"url": f"{PRODUCT}{{{{ sku }}}}", "total": 2, "unique": 1},
            *({"url": url, "total": 0, "unique": 0} for url in (WHOLE_LIST, BIRTHDAY)),
        ],
    }
    checks.check_report(report, tally)
    for name in figures:
        wrong = [{"name": one, "value": value + (one == name)} for one, value in figures.items()]
        with pytest.raises(DoesNotAddUp):
            checks.check_report(report | {"metrics": wrong}, tally)
    with pytest.raises(DoesNotAddUp):
        checks.check_report(report | {"links": []}, tally)
