"""A refusal is set once, for the channel that was named, and leaves a trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.access import Actor
from core.audit import list_entries
from core.consent.opt_outs import opt_out
from core.db import Connection
from core.profiles import profiles
from core.profiles.records import Channel

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOBODY = Actor(name="recipient", permissions=frozenset())


@pytest.mark.parametrize("channel", list(Channel))
async def test_each_channel_has_its_own_flag(conn: Connection, actor: Actor, channel: Channel) -> None:
    profile = await profiles.create_profile(conn, actor, {"first_name": "Ann"}, now=NOW)

    assert await opt_out(conn, NOBODY, [profile.id], channel, now=NOW + timedelta(hours=1)) == [profile.id]

    found = await profiles.get_profile(conn, profile.id)
    flags = {one: getattr(found, "opt_out" if one is Channel.ALL else f"opt_out_{one.value}") for one in Channel}
    assert flags == {one: one is channel for one in Channel}
    assert found.updated_at == NOW + timedelta(hours=1)


async def test_only_those_who_had_not_refused_change(conn: Connection, actor: Actor) -> None:
    ids = [(await profiles.create_profile(conn, actor, {"first_name": f"P{n}"}, now=NOW)).id for n in range(3)]
    await opt_out(conn, NOBODY, [ids[1]], Channel.EMAIL, now=NOW)

    changed = await opt_out(conn, NOBODY, [*ids[::-1], ids[0], ids[-1] + 1000], Channel.EMAIL, now=NOW)
    again = await opt_out(conn, NOBODY, ids, Channel.EMAIL, now=NOW)

    assert changed == [ids[0], ids[2]]
    assert again == []
    assert await opt_out(conn, NOBODY, [], Channel.EMAIL, now=NOW) == []
    for one in ids:
        told = await list_entries(conn, object_type="profile", object_ids=[str(one)], before_id=None, limit=9)
        newest = told[0]
        assert (newest.actor, newest.action, newest.changes) == (
            "recipient", "profile.opt_out", {"fields": ["opt_out_email"]},
        )  # fmt: skip
        assert len(told) == 2
