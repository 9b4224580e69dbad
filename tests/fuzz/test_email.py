"""Messages made of hostile values, with hostile fixed text around them: every one is parsed back and is what it should be."""

from __future__ import annotations

import base64
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from random import Random
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from render_ext import (
    DkimKey,
    DkimSelector,
    EmailProgram,
    EmailRow,
    EmailSource,
    Identity,
    Limits,
    RenderError,
    TemplateSyntaxError,
    TokenKey,
    TokenSigner,
)
from tests.fuzz import hostile
from tests.fuzz.budget import fuzz, rounds
from tests.fuzz.corpus import SMALL, mutated
from tests.render_ext.reference import valid
from tests.render_ext.test_properties import PARTIALS

SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))
DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
LIMITS = Limits(steps=5_000, output_bytes=400_000, value_bytes=50_000)
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()  # fmt: skip
KEY = DkimKey.from_pem("example.com", "fuzz", PEM)
DNS = dict([KEY.dns_record()])
FIELDS = ["message-id", "date", "from", "reply-to", "x-campaign", "to", "subject", "list-unsubscribe", "list-unsubscribe-post"]
MIME = ["mime-version", "content-type", "content-transfer-encoding"]
SPACE = re.compile(r"\s+")


def program(html: str | None, text: str | None, chance: Random, **changes: Any) -> EmailProgram:
    """A message with these parts."""
    fields: dict[str, Any] = {
        "subject": "{{ subject }} {{ x }}",
        "html": html,
        "text": text,
        "from_address": "shop@example.com",
        "from_name": fixed(chance),
        "reply_to": "help@example.com",
        "headers": (("X-Campaign", re.sub(r"[\x00-\x1f\x7f]", "", f"x {fixed(chance)}")),),
        "message_id_domain": "mail.example.com",
        "date": DATE,
        "seed": "fuzz",
        "partials": PARTIALS,
        "limits": LIMITS,
        "dkim": (DkimSelector(domain="example.com", selector="fuzz"),) if chance.random() < 0.3 else (),
        **changes,
    }
    return EmailSource(**fields).compile(SIGNER, keys=[KEY])


def check(made: EmailProgram, row: EmailRow) -> bool:
    """Whether the row became a message; if it did, it is one that can be sent and that says what it should."""
    (raw,) = made.render_many([row])
    (again,) = made.render_many([row])
    if isinstance(raw, RenderError):
        assert str(again) == str(raw)
        assert str(raw)
        return False
    assert isinstance(raw, bytes)
    assert again == raw
    check_wire(raw)
    message = BytesParser(policy=email.policy.default).parsebytes(raw)
    check_fields(message, bool(made.source.dkim))
    parts = made.render_parts(row.values, row.identity)
    assert SPACE.sub(" ", message["subject"]) == SPACE.sub(" ", parts.subject)
    bodies = {part.get_content_type(): part for part in message.walk() if not part.is_multipart()}
    wanted = {"text/plain": parts.text, "text/html": parts.html}
    assert set(bodies) == {kind for kind, text in wanted.items() if text is not None}
    for kind, part in bodies.items():
        check_part(part, str(wanted[kind]), alone=len(bodies) == 1)
    if made.source.dkim:
        assert dkim.DKIM(raw).verify(dnsfunc=lambda name, timeout=5: DNS[name.decode().rstrip(".")].encode())
    return True


def check_wire(raw: bytes) -> None:
    """Lines that no mail server changes."""
    assert raw.endswith(b"\r\n")
    assert not re.search(rb"[^\r]\n|\r[^\n]|\r\Z|[^\t\r\n -~]", raw)
    for line in raw.split(b"\r\n"):
        assert len(line) <= 998
        assert not line.startswith((b".", b"From "))


def check_fields(message: EmailMessage, signed: bool) -> None:
    """The fields that we write, once each, and no other."""
    for part in message.walk():
        assert not part.defects, part.defects
    names = [name.lower() for name in message.keys()]  # noqa: SIM118
    expected = (["dkim-signature"] if signed else []) + FIELDS + MIME[: len(names) - len(FIELDS) - signed]
    assert sorted(names) == sorted(expected)
    assert message["to"].addresses[0].addr_spec.endswith("@example.com")
    assert message["from"].addresses[0].addr_spec == "shop@example.com"
    assert len(message["to"].addresses) == len(message["from"].addresses) == 1


def check_part(part: EmailMessage, wanted: str, *, alone: bool) -> None:
    """Its encoding is what it says, and what is encoded is what a recipient should read."""
    encoding, body = part["content-transfer-encoding"], part.get_payload()
    assert isinstance(body, str)
    if encoding != "7bit":
        assert all(len(line) <= 76 for line in body.split("\r\n"))
    if encoding == "quoted-printable":
        assert not re.search(r"[ \t](\r\n|\Z)", body)
        assert not re.search(r"=(?![0-9A-F]{2}|\r\n|\Z)", body)  # a soft line break may stand before the boundary
    if encoding == "base64":
        assert base64.b64decode(body, validate=False).decode().replace("\r\n", "\n") == wanted
    found = str(part.get_content()).replace("\r\n", "\n")
    assert found == wanted or (alone and found == wanted + "\n")


def row(chance: Random, values: dict[str, Any]) -> EmailRow:
    """A recipient whose name is hostile too."""
    name = chance.choice([None, "Zoë", "".join(chance.choice(hostile.BITS) for _ in range(3)), "x" * 500, "é" * 300])
    return EmailRow(address="zoe@example.com", identity=Identity(9, 1, chance.randrange(2**63)), values=values, name=name)


def fixed(chance: Random) -> str:
    """Text of an author's."""
    return valid("".join(chance.choice(hostile.BITS) for _ in range(chance.randrange(12)))).replace("{", "(")


@pytest.mark.parametrize("chance", rounds(25), ids=repr)
def test_hostile_text_and_values(chance: Random) -> None:
    done = 0
    for _ in range(12):
        html = fixed(chance) + "{{ x }}" + fixed(chance) + '<a href="{% link 1 %}https://x.example/{{ y }}{% endlink %}">'
        text = (
            chance.choice(["", "Привет, " * 50])
            + fixed(chance)
            + "{{ y }}{% for i in list %}{{ i }}\n{% endfor %}{% mirror_url %}"
        )
        made = program(*chance.choice([(html, text), (html, None), (None, text)]), chance)
        for _ in range(4):
            done += check(made, row(chance, {name: hostile.value(chance) for name in ("x", "y", "list", "subject")}))
    assert done > 5


@pytest.mark.parametrize("chance", rounds(15), ids=repr)
def test_broken_templates(chance: Random) -> None:
    for _ in range(15):
        try:
            made = program(
                mutated(chance, chance.choice(SMALL)), chance.choice([None, mutated(chance, chance.choice(SMALL))]), chance
            )
        except TemplateSyntaxError:
            continue
        roots = {variable.path[0] for variable in made.variables}
        check(made, row(chance, {root: hostile.value(chance) for root in sorted(roots)}))


@fuzz(100)
@given(fixed=hostile.texts, x=hostile.texts, y=hostile.texts, seed=st.integers(0, 2**32))
def test_texts_beside_texts(fixed: str, x: str, y: str, seed: int) -> None:
    """Wherever the edges of fixed text and values lie on a line."""
    fixed = valid(fixed).replace("{", "(")
    made = program(fixed + "{{ x }}" + fixed + "{{ y }}{{ x }}" + fixed, "{{ y }}" + fixed + "{{ x }}", Random(seed))
    assert check(made, row(Random(seed), {"x": x, "y": y, "subject": y}))


@pytest.mark.parametrize("length", range(60, 90))
def test_every_column(length: int) -> None:
    """What stands around the end of a quoted-printable line."""
    for ending in (" ", "\t", ".", "F", "From ", "=", "é", "\r\n", "\r", "\n.", " \n", "€", "\x00"):
        for x in ("a" * length + ending, ending * length, ending + "b" * length):
            made = program(
                "{{ x }}|" + "c" * (length % 7) + "{{ x }}", "c" * length + "{{ x }}" + ending + "{{ x }}", Random(length)
            )
            assert check(made, row(Random(length), {"x": x, "subject": x}))


@pytest.mark.parametrize("chance", rounds(10), ids=repr)
def test_rows_that_are_none(chance: Random) -> None:
    """Whatever stands in a row, it fails alone."""
    made = program("{{ x }}", "{{ x }}", chance)
    good = EmailRow(address="zoe@example.com", identity=Identity(9, 1, 1), values={"x": 1})
    rows: list[Any] = [good]
    for _ in range(30):
        fields: dict[str, Any] = {"address": good.address, "identity": good.identity, "values": good.values, "name": "x"}
        fields[chance.choice(list(fields))] = hostile.value(chance)
        rows += [EmailRow(**fields), good]
    rows += [hostile.value(chance), good]
    results = made.render_many(rows)
    assert results[::2] == [results[0]] * len(results[::2])
    for result, given_row in zip(results[1::2], rows[1::2], strict=True):
        if isinstance(result, bytes):
            check_wire(result)
            assert check(made, given_row)
        else:
            assert isinstance(result, RenderError)


def test_ten_megabytes() -> None:
    made = program("{{ x }}", None, Random(1), limits=Limits())
    long = ["a" * hostile.LONG, "é" * (hostile.LONG // 2), ". \r\n" * (hostile.LONG // 4), "s " * (hostile.LONG // 2)]
    for values in [{"x": text, "subject": "s"} for text in long] + [{"subject": text} for text in long[::3]]:
        (raw,) = made.render_many([row(Random(1), values)])
        if isinstance(raw, bytes):
            check_wire(raw)
            assert len(raw) <= Limits().output_bytes
        else:
            assert isinstance(raw, RenderError)
            assert raw.limit == "output_bytes"


@pytest.mark.parametrize("chance", rounds(10), ids=repr)
def test_stored_sources_that_were_damaged(chance: Random) -> None:
    """What was stored compiles, or is refused with an error of ours."""
    stored = program("{{ x }}", "{{ x }}", chance).source.to_json().decode()
    for _ in range(60):
        try:
            made = EmailSource.from_json(mutated(chance, stored)).compile(SIGNER, keys=[KEY])
        except (TemplateSyntaxError, ValueError):
            continue
        made.render_many([row(chance, {"x": "x"})])
