"""Rules of the house that reviewers should not have to hold in memory."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from api.cli.settings import markdown_table
from core.config import Settings
from core.db import Connection
from core.workers.wiring import WIRING

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "core").glob("*/__init__.py"))
SQL = re.compile(r"^\s*(?:--.*\n\s*)*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")

# The floor's own stores, and doors that say something to the database that is no statement on a room's table.
MAY_SPEAK_SQL = {
    "core/outbox.py",
    "core/db.py",
    "core/audit.py",
    "core/provenance.py",
    "core/blobs.py",
    "core/files.py",
    "core/idempotency.py",
    "core/partitions.py",
}


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_every_topic_that_is_announced_is_wired_and_the_other_way_round() -> None:
    announced = set()
    for path in _sources("core", "api"):
        announced |= set(re.findall(r"""announce(?:_all)?\(\s*\w+,\s*"([\w.]+)\"""", path.read_text()))
        announced |= set(re.findall(r"""topic = "([\w.]+)" if .* else "[\w.]+\"""", path.read_text()))
    assert announced == set(WIRING)


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_every_room_says_what_it_is_for(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert docstring is not None
    assert len(docstring) > 40


def test_sql_lives_in_stores() -> None:
    strays = []
    for path in _sources("core", "api"):
        name = str(path.relative_to(ROOT))
        if name in MAY_SPEAK_SQL or "store" in name or name.startswith("api/cli/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                strays.append(f"{name}:{node.lineno}")
    assert strays == []


def test_no_bins() -> None:
    bins = {"utils", "helpers", "manager", "misc", "service", "common"}
    assert [path for path in _sources("api", "core", "channels", "render_ext") if path.stem in bins] == []


def test_the_readme_lists_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("<!-- settings:begin -->\n")[2].partition("<!-- settings:end -->")[0]
    assert shown == markdown_table(), "run `clarion settings --markdown` and put it into the README"


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


async def test_unique_keys_of_tables_about_people_name_the_person(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        SELECT c.relname AS name, i.indexrelid::regclass::text AS index,
               array_agg(a.attname::text ORDER BY a.attnum) AS columns
          FROM pg_index i
          JOIN pg_class c ON c.oid = i.indrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
         WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
           AND EXISTS (SELECT 1 FROM pg_attribute p WHERE p.attrelid = c.oid AND p.attname IN ('profile_id', 'recipient_id'))
         GROUP BY c.relname, i.indexrelid
        """
    )
    # The stream's key is its position: partitioned by time, with the person in the de-duplication table. Devices and visitors
    # are there before anybody knows whose they are, and lie where their own key is.
    people = [row for row in rows if not row["name"].startswith(("tracking_event", "app_subscription", "visitor"))]
    assert people
    assert [row["index"] for row in people if not {"profile_id", "recipient_id"} & set(row["columns"])] == []
