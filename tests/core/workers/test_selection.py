"""An export holds whom the audience or the expression names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from core.access import Actor
from core.db import Connection
from core.files import Files
from core.profiles.exports import create_export
from core.profiles.profiles import create_profile
from core.targeting.audiences import create_audience
from core.targeting.json_form import to_json
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from core.workers.selection import select_people

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_people_of_an_audience_and_of_an_expression(conn: Connection, actor: Actor, tmp_path: Path) -> None:
    paris, _rome = [(await create_profile(conn, actor, {"city": city}, now=NOW)).id for city in ("Paris", "Rome")]
    question = parse_text("city = 'Paris' and created_at <= now")
    audience = await create_audience(conn, actor, AudienceDraft(name="p", label="P", expression=question))

    for chosen in ({"audience_id": audience.id}, {"expression": to_json(question)}):
        run = await create_export(conn, actor, Files(tmp_path), now=NOW, **chosen)
        selection = await select_people(conn, run, NOW)
        assert [row["id"] for row in await conn.fetch(selection.text, *selection.args)] == [paris]
