"""SQL on declared tables, assembled from their declarations: giving rows, erasing them, blotting texts out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    column,
    delete,
    false,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import Executable

from core.db import Connection
from core.personal import Goes, Kept, Person, texts
from core.privacy.words import Quotes
from core.targeting.sql import compile_statement

PORTION = 500  # rows fetched at once

_SKIPPED = frozenset({"search_words"})  # derived from what is given anyway


async def rows_of(conn: Connection, declared: Sequence[Kept], person: Person) -> AsyncIterator[dict[str, Any]]:
    """The person's rows of one table, which may be declared in several parts; as plain JSON. Needs a transaction.

    First those that are given whole, then of each declaration that gives some columns alone the others.
    """
    names = sorted({one for kept in declared for one in kept.columns})
    clause = table(declared[0].table, *map(column, names))
    whole = or_(false(), *(kept.rows(clause, person) for kept in declared if kept.rows is not None and not kept.given))
    async for row in _json_of(conn, [clause.c[name] for name in names if name not in _SKIPPED], whole):
        yield row
    for kept in declared:
        if kept.rows is not None and kept.given:
            others = and_(kept.rows(clause, person), not_(func.coalesce(whole, false())))
            async for row in _json_of(conn, [clause.c[name] for name in kept.given.split()], others):
                yield row


async def _json_of(
    conn: Connection, given: Sequence[ColumnElement[Any]], condition: ColumnElement[bool]
) -> AsyncIterator[dict[str, Any]]:
    found = select(*given).where(condition).subquery("found")
    whole: ColumnElement[Any] = literal_column("to_jsonb(found)")
    statement = compile_statement(select(whole).select_from(found))
    async for row in conn.cursor(statement.text, *statement.args, prefetch=PORTION):
        yield row[0]


async def erase(conn: Connection, kept: Kept, person: Person) -> int:
    """Do to a person's rows of a table what its declaration says; how many it were."""
    if kept.rows is None or kept.goes not in (Goes.ROWS, Goes.VALUES):
        return 0
    clause = kept.clause()
    mine = kept.rows(clause, person)
    if kept.goes is Goes.ROWS:
        return await _count(conn, delete(clause).where(mine), kept.setting)
    columns = kept.personal.split()
    held = or_(*(clause.c[name].is_not(None) for name in columns))
    return await _count(conn, update(clause).where(mine, held).values({name: null() for name in columns}), kept.setting)


async def blot_out(conn: Connection, kept: Kept, quotes: Quotes) -> int:
    """Blot out texts that quote somebody; in how many rows."""
    if not kept.texts or quotes.is_empty:
        return 0
    clause = kept.clause()
    quoting = {name: _quoting(clause.c[name], quotes) for name in kept.texts}
    blotted = {name: case((quoting[name], _blank(blank)), else_=clause.c[name]) for name, blank in kept.texts.items()}
    done = true() if kept.ended is None else clause.c[kept.ended].is_not(None)
    return await _count(conn, update(clause).where(done, or_(*quoting.values())).values(blotted), None)


async def count_quoting(conn: Connection, kept: Kept, quotes: Quotes) -> int:
    """In how many rows what the team wrote quotes somebody."""
    names = kept.authored.split()
    if not names or quotes.is_empty:
        return 0
    clause = kept.clause()
    quoting = or_(*(_quoting(clause.c[name], quotes) for name in names))
    statement = compile_statement(select(func.count()).select_from(clause).where(quoting))
    found: int = await conn.fetchval(statement.text, *statement.args)
    return found


def _quoting(written: ColumnElement[Any], quotes: Quotes) -> ColumnElement[bool]:
    read = cast(written, Text)
    together = [and_(*(read.op("~*")(cast(literal(part), Text)) for part in names)) for names in quotes.names]
    return or_(read.op("~*", is_comparison=True)(func.any(texts(quotes.words))), *together)


def _blank(value: Any) -> ColumnElement[Any]:
    if value is None:
        return null()
    if isinstance(value, list):
        return cast(literal(value, ARRAY(Text)), ARRAY(Text))
    if isinstance(value, dict):
        return cast(literal(msgspec.json.encode(value).decode(), Text), JSONB)
    return cast(literal(value, Text), Text)


async def _count(conn: Connection, statement: Executable, setting: str | None) -> int:
    made = compile_statement(statement)
    if setting is not None:
        await conn.execute("SELECT set_config($1, 'on', true)", setting)
    done: str = await conn.execute(made.text, *made.args)
    if setting is not None:
        await conn.execute("SELECT set_config($1, '', true)", setting)
    return int(done.rpartition(" ")[2])
