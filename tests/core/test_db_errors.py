"""Errors of Postgres name constraints, columns and types, and no value of anybody, however they are written down."""

from __future__ import annotations

import logging
import traceback

import asyncpg
import dramatiq
import pytest
import structlog
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries

from core.db import Connection
from core.db_errors import too_large
from core.log import get_logger, set_up_logging

MARK = "zq9.marker@story.example"
PERSON = "INSERT INTO profile (external_id, email, email_key, email_domain) VALUES ($1, $1, $1, 'story.example')"

# What provokes an error that quotes a value, with what its text has to say.
PROVOKED = [
    ("DETAIL of a unique key", PERSON, (MARK,), "profile_external_id"),
    ("DETAIL of a failing row", "INSERT INTO profile (email, email_format) VALUES ($1, 99)", (MARK,), "check constraint"),
    ("DETAIL of a missing value", "INSERT INTO profile (email, opt_out) VALUES ($1, NULL)", (MARK,), "null value in column"),
    ("message of a value", "SELECT ($1::text)::integer", (MARK,), "SQLSTATE 22P02"),
    ("message of a time", "SELECT ($1::text)::timestamptz", (MARK,), "SQLSTATE 22007"),
    ("DETAIL of JSON", "SELECT ($1::text)::jsonb", (f'"{MARK}',), "SQLSTATE 22P02"),
    ("message of an argument", "SELECT $1::integer", (MARK,), "SQLSTATE 22000"),
]


async def provoke(conn: Connection, statement: str, args: tuple[str, ...]) -> asyncpg.PostgresError:
    await conn.execute(PERSON, MARK)
    with pytest.raises(asyncpg.PostgresError) as caught:
        async with conn.transaction():
            await conn.execute(statement, *args)
    return caught.value


@pytest.mark.parametrize(("statement", "args", "told"), [one[1:] for one in PROVOKED], ids=[one[0] for one in PROVOKED])
async def test_no_text_of_an_error_quotes_a_value(
    conn: Connection, capsys: pytest.CaptureFixture[str], statement: str, args: tuple[str, ...], told: str
) -> None:
    error = await provoke(conn, statement, args)
    whole = f"{error.args} {error.detail}"
    assert MARK in whole, "Postgres has told it"

    assert told in str(error)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logging("INFO", "json", "test")
        get_logger("test").error("ours", exc_info=error, error=repr(error), reason=str(error))
        logging.getLogger("theirs").error("theirs: %s", error, exc_info=error)
        logging.getLogger("theirs").error("theirs: %r", error)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    logged = capsys.readouterr().err
    assert logged.count(type(error).__name__) >= 3
    chained = RuntimeError("another")
    chained.__cause__ = error
    for text in (logged, str(error), repr(error), f"{error!s}", *traceback.format_exception(error)):
        assert MARK not in text
    assert MARK not in "".join(traceback.format_exception(chained))


async def test_the_broker_is_told_no_value_with_a_job_that_failed(conn: Connection) -> None:
    """It keeps the traceback of a job with the message that tries it again."""
    error = await provoke(conn, PERSON, (MARK,))
    broker = StubBroker(middleware=[Retries(max_backoff=1)])
    actor = dramatiq.Actor(lambda: None, broker=broker, actor_name="failing", queue_name="default", priority=0, options={})
    broker.declare_queue("default")
    message = actor.message()
    try:
        raise error
    except asyncpg.PostgresError as caught:
        Retries().after_process_message(broker, message, exception=caught)  # type: ignore[no-untyped-call]
    assert "profile_external_id" in message.options["traceback"]
    assert MARK not in message.options["traceback"]
    assert b"profile_external_id" in message.encode()
    assert MARK.encode() not in message.encode()
    broker.close()


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT length(repeat('x', 1200000000))", "54000"),
        ("SELECT repeat('x', 270000000) ~ 'b'", "XX000"),  # as a rank of more than 8 million rows
    ],
)
async def test_a_value_that_is_larger_than_postgres_holds_has_a_name(conn: Connection, statement: str, state: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await conn.fetchval(statement)
    assert raised.value.sqlstate == state

    found = too_large(raised.value)

    assert found is not None
    assert found.code == "VALUE_TOO_LARGE"
    assert "rank" in str(found.hint)


async def test_what_an_index_does_not_take_is_another_error_of_the_same_class(conn: Connection) -> None:
    await conn.execute("CREATE TEMPORARY TABLE indexed (a text PRIMARY KEY)")
    with pytest.raises(asyncpg.ProgramLimitExceededError) as raised:
        await conn.execute("INSERT INTO indexed SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n")
    assert too_large(raised.value) is None
    assert too_large(ValueError("string buffer exceeds")) is None
