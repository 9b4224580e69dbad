"""Mails read as a recipient would: quickly, and to the last part with the standard library."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.cli.demo import newsletter
from api.cli.demo.mails import BrokenMail, parse_fully
from api.cli.demo.people import make_people
from tests.api.cli.demo.conftest import BASE_URL, MakeMail

PERSON = replace(make_people(1)[0], first_name="Zoë", last_name="O'Neill <b>", birth_date=None, gender="female", country="FR")


def test_a_quick_look_finds_names_and_links(make_mail: MakeMail) -> None:
    """Decoded and unescaped; the link that no person sees is told apart."""
    mail, _ = make_mail(PERSON, 33)
    assert mail.recipient == mail.to == PERSON.address
    assert mail.subject == newsletter.subject("Zoë")
    assert mail.greeting == "Hello Zoë O'Neill <b>,"
    assert len(mail.links) == len(newsletter.targets("FR", has_birth_date=False)) == 5
    assert mail.hidden not in mail.links
    kinds = [mail.links[0], mail.pixel, mail.mirror, mail.unsubscribe]
    assert [link.removeprefix(BASE_URL)[:3] for link in kinds] == ["/c/", "/o/", "/m/", "/u/"]


def test_full_parsing_agrees_with_the_quick_look(make_mail: MakeMail) -> None:
    """Every link of both parts, in order."""
    mail, raw = make_mail(PERSON, 33)
    parsed = parse_fully(raw)
    assert (parsed.to, parsed.subject, parsed.message_id) == (mail.to, mail.subject, mail.message_id)
    assert "Hello Zoë O'Neill <b>," in parsed.text
    assert "Bonjour de Paris" in parsed.text
    assert "size guide" in parsed.html
    page = [mail.mirror, *mail.links, mail.unsubscribe]
    assert list(parsed.links[: len(page) + 1]) == [*page, mail.hidden]
    assert len(parsed.links) == 2 * len(page) + 1
    assert parsed.pixels == (mail.pixel,)
    assert parsed.unsubscribe == mail.unsubscribe


def test_a_damaged_mail_is_noticed(make_mail: MakeMail) -> None:
    """A lost boundary, an encoding that is none."""
    _, raw = make_mail(PERSON, 33)
    with pytest.raises(BrokenMail):
        parse_fully(raw.replace(b"\r\n--=_", b"\r\n__=_"))
    with pytest.raises(BrokenMail):
        parse_fully(b"Subject: nothing\r\n\r\nat all")
