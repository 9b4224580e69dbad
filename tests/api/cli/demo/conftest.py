"""A real message of the demo's newsletter, as the email channel makes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from api.cli.demo import newsletter
from api.cli.demo.mails import Mail, read_mails
from api.cli.demo.people import Person
from api.cli.sink.segments import Received, SegmentWriter
from channels.contract import OutgoingMessage, RecipientRow
from core.channel_registry import ChannelRegistry
from core.content.compile import freeze, shared_values, thaw, values
from core.content.records import ContentDraft
from render_ext import Identity, TokenKey, TokenSigner

BASE_URL = "http://127.0.0.1:8000"
KEY = TokenKey(1, b"k" * 32)
DELIVERY = 7
GENDERS = {"unknown": 0, "male": 1, "female": 2}

MakeMail = Callable[[Person, int], tuple[Mail, bytes]]


@pytest.fixture
def make_mail(tmp_path_factory: pytest.TempPathFactory) -> MakeMail:
    """Render the newsletter for a person with a profile id, deliver it to the sink's files and read it back."""
    registry = ChannelRegistry.load()
    draft = ContentDraft(name="autumn", label="Autumn", channel="email", parts=newsletter.PARTS, data=newsletter.DATA)
    manifest = registry.manifest("email")
    frozen = freeze(draft, manifest, label="Autumn", date=datetime(2026, 10, 1, tzinfo=UTC), seed="x", base_url=BASE_URL)
    config = {field.name: field.default for field in manifest.config} | {
        "host": "127.0.0.1", "port": 25, "security": "none", "sender_domain": "bounces.mail.example",
    }  # fmt: skip
    program = thaw(frozen, TokenSigner(BASE_URL, KEY), registry.get("email")(config))

    def make(person: Person, profile_id: int) -> tuple[Mail, bytes]:
        row = {name: getattr(person, name) for name in frozen.fields} | {"gender": GENDERS[person.gender]}
        recipient = RecipientRow(
            identity=Identity(DELIVERY, 1, profile_id, 0),
            address=str(person.address),
            values=values(frozen, row, shared_values(frozen)),
        )
        (message,) = program.render([recipient])
        assert isinstance(message, OutgoingMessage)
        folder = tmp_path_factory.mktemp("mails")
        writer = SegmentWriter(folder)
        writer.write([Received(b"b-1@bounces.mail.example", (message.address.encode(),), message.body)])
        writer.close()
        ((mail, raw),) = read_mails(folder)
        return mail, raw

    return make
