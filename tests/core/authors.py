"""What planning and content tests start from: a registry, keys, and a few authored things."""

from __future__ import annotations

from channels.email import EmailChannel
from core.access import Actor
from core.channel_registry import ChannelRegistry
from core.content.contents import create_content
from core.content.records import Content, ContentDraft
from core.db import Connection
from core.planning.channel_accounts import create_account
from core.planning.records import AccountDraft, ChannelAccount
from core.secrets import new_key_text, parse_keyring
from core.targeting.audiences import create_audience
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft

REGISTRY = ChannelRegistry({"email": EmailChannel})
KEYRING = parse_keyring(new_key_text(1))
SMTP = {"host": "smtp.example.com", "port": 2525, "sender_domain": "news.example.com", "password": "s3cret"}
PARTS = {
    "subject": "Hello {{ profile.first_name | default: 'you' }}",
    "html": ('<body><p>Hello</p><a href="https://shop.example.com/">Shop</a><a href="{% unsubscribe_url %}">Bye</a></body>'),
    "from_name": "The shop",
    "from_address": "shop@example.com",
}


async def an_account(conn: Connection, actor: Actor, name: str = "relay") -> ChannelAccount:
    draft = AccountDraft(name=name, label="Relay", channel="email", config=SMTP)
    return await create_account(conn, actor, REGISTRY, KEYRING, draft)


async def an_audience(conn: Connection, actor: Actor, name: str = "everybody") -> Audience:
    draft = AudienceDraft(name=name, label="Everybody", expression=parse_text("id > 0"))
    return await create_audience(conn, actor, draft)


async def a_content(conn: Connection, actor: Actor, name: str = "welcome") -> Content:
    draft = ContentDraft(name=name, label="Welcome", channel="email", parts=PARTS)
    return await create_content(conn, actor, REGISTRY, draft)
