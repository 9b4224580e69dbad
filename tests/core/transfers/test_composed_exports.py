"""Exports of chosen expressions, of any dimension; rows of a dataset on their way out and back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM, Actor, Permission
from core.clock import UTC_ZONE
from core.consent.records import ServiceDraft
from core.consent.services import create_service
from core.datamodel.drafts import remove_field
from core.db import Connection, transaction
from core.errors import ClarionError, Forbidden, Invalid, LimitReached, NotFound
from core.profiles import exports
from core.profiles.export_options import ExportFormat, ExportOptions
from core.profiles.exports import SELECTION_RESOURCE, get_export
from core.profiles.profiles import create_profile
from core.profiles.run_records import EmptyCells, ExportRun, RunState
from core.profiles.store import exports as profile_store
from core.profiles.values import clean_text
from core.runtime import Runtime
from core.targeting import cost
from core.targeting.audiences import create_audience
from core.targeting.language import Expression
from core.targeting.lists import create_list
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from core.targeting.text_form import literal_text
from core.transfers import jobs
from core.transfers.exports import create_export
from core.workers.selection import select_people
from tests.core.datamodel.model import NOW, field, publish_draft, publish_fields
from tests.core.profiles.house import options_of, read_bytes
from tests.core.transfers.house import counts, import_rows, rows, shop


@dataclass(frozen=True)
class Column:
    """A field, or what an expression computes."""

    name: str
    expression: Expression | None = None


def computed(name: str, text: str) -> Column:
    return Column(name=name, expression=parse_text(text))


def given_columns(columns: list[Column] | None) -> dict[str, Any]:
    """As the operation takes them."""
    if columns is None:
        return {}
    expressions = {one.name: one.expression for one in columns if one.expression is not None}
    return {"columns": [one.name for one in columns], "computed": expressions}


async def export(runtime: Runtime, columns: list[Column] | None = None, **more: Any) -> ExportRun:
    """To its end."""
    if isinstance(more.get("expression"), str):
        more["expression"] = parse_text(more["expression"])
    async with transaction(runtime.pool) as conn:
        run = await create_export(conn, SYSTEM, runtime.files, now=runtime.clock(), **given_columns(columns), **more)
    await jobs.run_export(runtime, export_id=run.id)
    async with runtime.pool.acquire() as conn:
        return await get_export(conn, run.id)


async def cells(runtime: Runtime, columns: list[Column] | None = None, **more: Any) -> list[list[str]]:
    run = await export(runtime, columns, **more)
    assert run.state is RunState.FINISHED, run.error
    return list(csv.reader(io.StringIO((await read_bytes(runtime, run.file_id)).decode())))


async def sold(runtime: Runtime, db: Connection) -> list[int]:
    """Four people, three of whom bought things."""
    await shop(runtime, db)
    people = [
        (await create_profile(db, SYSTEM, {"external_id": f"A{n}", "first_name": name, "country": "FR"}, now=NOW)).id
        for n, name in enumerate(("Ann", "=Ben", 'C"y', "Dee"))
    ]
    lines = [f"R{n},Paris,{n},{n * 10},{people[n % 3]}" for n in range(1, 8)]
    await import_rows(runtime, "receipt,shop,number,amount,customer\n" + "\n".join(lines) + "\n", "by_receipt")
    return people


async def test_columns_are_expressions_about_people_and_what_they_bought(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.profiles.export_ranges.RANGE", 1)
    await sold(runtime, db)
    found = await cells(
        runtime,
        [
            Column(name="external_id"), computed("Hello, you", "concat('Hi ', first_name)"),
            computed("spent", "sum(of_customer.amount)"), computed("many", "count(of_customer where amount > 10)"),
            computed("bought", "exists(of_customer)"), computed("raw", "first_name"), computed("on", "today"),
        ],
    )  # fmt: skip
    assert found == [
        ["external_id", "Hello, you", "spent", "many", "bought", "raw", "on"],
        ["A0", "Hi Ann", "90", "2", "true", "Ann", "2026-03-01"],
        ["A1", "Hi =Ben", "120", "2", "true", "'=Ben", "2026-03-01"],
        ["A2", 'Hi C"y', "70", "2", "true", 'C"y', "2026-03-01"],
        ["A3", "Hi Dee", "0", "0", "false", "Dee", "2026-03-01"],
    ]


async def test_ranks_are_among_all_however_many_rows_go_out_at_once(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.profiles.export_ranges.RANGE", 2)
    await sold(runtime, db)
    best = computed("best", "rank(by sum(of_customer.amount) desc)")
    assert await cells(runtime, [Column(name="external_id"), best], expression="not external_id = 'A0'") == [
        ["external_id", "best"], ["A1", "1"], ["A2", "3"], ["A3", ""],
    ]  # fmt: skip
    which = computed("which", "case when rank(by number, per customer) = 1 then 'first' else 'later' end")
    place = computed("place", "rank(by amount desc, per customer)")
    found = await cells(
        runtime, [Column(name="receipt"), which, place], dimension="purchase", expression="rank(by number desc) <= 5"
    )
    assert found == [
        ["receipt", "which", "place"], ["R3", "first", "2"], ["R4", "later", "2"], ["R5", "later", "1"],
        ["R6", "later", "1"], ["R7", "later", "1"],
    ]  # fmt: skip


async def test_everybody_is_ranked_once_for_an_export(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.profiles.export_ranges.RANGE", 1)
    await sold(runtime, db)
    asked: list[str] = []
    fetch_rows = profile_store.fetch_rows

    async def watched(conn: Connection, fields: Any, options: Any, text: str, args: Any) -> Any:
        asked.append(text)
        return await fetch_rows(conn, fields, options, text, args)

    monkeypatch.setattr(profile_store, "fetch_rows", watched)
    stored = [Column(name=name) for name in ("external_id", "created_at", "birth_date", "opt_out", "country", "latitude")]
    ranked = computed("best", "rank(by sum(of_customer.amount) desc)")
    spent = "sum(of_customer.amount)"
    alike = computed("best", f"case when {spent} = 120 then 1 when {spent} = 90 then 2 when {spent} = 70 then 3 end")
    for format_ in (ExportFormat.CSV, ExportFormat.JSON_LINES, ExportFormat.PARQUET):
        files = []
        for best in (ranked, alike):
            asked.clear()
            options = ExportOptions(format=format_)
            run = await export(runtime, [*stored, best], expression="count(of_customer) > 0", options=options)
            assert (run.state, run.rows_written) == (RunState.FINISHED, 3)
            assert ([text for text in asked if "row_number" in text], len(asked)) == ([], 3)
            files.append(await read_bytes(runtime, run.file_id))
        assert files[0] == files[1]
    assert len(files[0]) > 100


async def test_whom_is_a_question_an_audience_or_a_list(runtime: Runtime, db: Connection) -> None:
    people = await sold(runtime, db)
    columns = [Column(name="id"), computed("spent", "sum(of_customer.amount)")]
    expected = [["id", "spent"], [str(people[1]), "120"]]
    assert await cells(runtime, columns, expression="sum(of_customer.amount) > 100") == expected
    draft = AudienceDraft(name="big", label="x", expression=parse_text("sum(of_customer.amount) > 100"))
    audience = await create_audience(db, SYSTEM, draft)
    assert await cells(runtime, columns, audience_id=audience.id) == expected
    listed = await create_list(db, SYSTEM, name="vips", label="x", whom=[people[1]], now=NOW, zone=UTC_ZONE)
    assert await cells(runtime, columns, audience_id=listed.id) == expected
    assert await cells(runtime, columns, expression="id < 0") == [["id", "spent"]]


async def test_rows_of_a_dataset_are_a_dimension(runtime: Runtime, db: Connection) -> None:
    await sold(runtime, db)
    columns = [
        Column(name="receipt"),
        computed("who", "customer.first_name"),
        computed("double", "amount * 2"),
        Column(name="customer"),
    ]
    found = await cells(runtime, columns, dimension="purchase", expression="amount > 40 and customer.external_id = 'A1'")
    assert [one[:3] for one in found] == [["receipt", "who", "double"], ["R7", "'=Ben", "140"]]


@pytest.mark.parametrize("kind", list(ExportFormat))
async def test_formats_of_computed_columns(runtime: Runtime, db: Connection, kind: ExportFormat) -> None:
    await sold(runtime, db)
    columns = [
        computed('a"b', "amount"),
        computed("x", "customer.first_name"),
        computed("c", "amount > 20"),
        Column(name="facts"),
    ]
    run = await export(runtime, columns, dimension="purchase", options=options_of(kind, 4))
    assert (run.state, run.rows_written) == (RunState.FINISHED, 7)
    if kind is ExportFormat.JSON_LINES:
        first = json.loads((await read_bytes(runtime, run.file_id)).splitlines()[0])
        assert first == {'a"b': 10, "x": "=Ben", "c": False, "facts": None}


@pytest.mark.parametrize("kind", list(ExportFormat))
async def test_ids_and_json_are_columns_that_are_computed(runtime: Runtime, db: Connection, kind: ExportFormat) -> None:
    await sold(runtime, db)
    await db.execute("""UPDATE x_purchase SET x_facts = '{"a": [1]}' WHERE x_number = 2""")
    token = await db.fetchval("SELECT x_token::text FROM x_purchase WHERE x_number = 2")
    columns = [
        Column(name="token"), computed("same", "token"), computed("begins", "left(token, 8)"), computed("about", "facts"),
        computed("whose", "customer.opt_in_id"),
    ]  # fmt: skip
    asked = {"dimension": "purchase", "expression": f"token in ('{token}')"}
    run = await export(runtime, columns, options=options_of(kind, 5), **asked)
    assert (run.state, run.rows_written) == (RunState.FINISHED, 1)
    if kind is ExportFormat.JSON_LINES:
        whose = await db.fetchval(
            "SELECT p.opt_in_id::text FROM x_purchase u JOIN profile p ON p.id = u.x_customer_id WHERE u.x_number = 2"
        )
        (found,) = map(json.loads, (await read_bytes(runtime, run.file_id)).splitlines())
        assert found == {"token": token, "same": token, "begins": token[:8], "about": {"a": [1]}, "whose": whose}


async def test_messages_and_subscriptions_have_no_number_and_are_numbered(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.profiles.export_ranges.RANGE", 1)
    people = await sold(runtime, db)
    await create_service(db, SYSTEM, ServiceDraft(name="news", label="News"))
    await db.execute(
        "INSERT INTO subscription (service_id, profile_id, state, since, origin)"
        " SELECT s.id, p.id, CASE WHEN p.id = $1 THEN 'pending' ELSE 'active' END, now(), 'x' FROM service s, profile p",
        people[0],
    )
    columns = [Column(name="state"), computed("who", "profile.external_id"), computed("what", "service.name")]
    found = await cells(runtime, columns, dimension="subscription", expression="state = 'active'")
    assert found == [["state", "who", "what"], *(["active", f"A{n}", "news"] for n in (1, 2, 3))]
    every = await cells(runtime, None, dimension="subscription")
    assert (every[0], len(every)) == (["state", "since", "expires_at", "origin"], 5)
    assert await cells(runtime, None, dimension="message") == [["at", "state", "reason", "segment_code", "logged"]]


TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85"), max_size=20)
POINTS = st.tuples(st.floats(-180, 180, allow_nan=False), st.floats(-90, 90, allow_nan=False))


FREE = [one for one in ExportFormat if one is not ExportFormat.FIXED_WIDTH]  # those that hold any text


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.lists(st.tuples(TEXTS, st.decimals(-(10**12), 10**12, places=4), st.booleans(), POINTS, st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | TEXTS, lambda x: st.lists(x, max_size=3), max_leaves=5
)), min_size=1, max_size=8), kind=st.sampled_from(FREE))  # fmt: skip
async def test_what_goes_out_comes_back_unchanged(runtime: Runtime, data: Any, kind: ExportFormat) -> None:
    async with runtime.pool.acquire() as db:
        if not await db.fetchval("SELECT to_regclass('x_purchase') IS NOT NULL"):
            await shop(runtime, db)
        await db.execute("DELETE FROM x_purchase")
        await db.executemany(
            "INSERT INTO x_purchase (x_receipt, x_note, x_amount, x_paid, x_place, x_facts) VALUES ($1, $2, $3, $4, $5, $6)",
            [(f"R{n}", clean_text(note), *rest) for n, (note, *rest) in enumerate(data)],
        )
        run = await export(runtime, dimension="purchase", options=ExportOptions(format=kind))
        assert run.state is RunState.FINISHED, run.error
        file = await read_bytes(runtime, run.file_id)
        same = await import_rows(runtime, file, "by_receipt", empty=EmptyCells.CLEAR)
        assert counts(same) == {"unchanged": len(data)}
        before = await rows(db, "x_purchase", "x_receipt", "x_note", "x_amount", "x_paid", "x_place", "x_facts")
        await db.execute("DELETE FROM x_purchase")
        assert counts(await import_rows(runtime, file, "by_receipt")) == {"inserted": len(data)}
        assert await rows(db, "x_purchase", "x_receipt", "x_note", "x_amount", "x_paid", "x_place", "x_facts") == before


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"dimension": "nothing"}, "DIMENSION_NOT_FOUND", "dimension"),
        ({"dimension": "x_purchase"}, "DIMENSION_NOT_FOUND", "dimension"),
        ({"columns": []}, "NO_COLUMNS", "columns"),
        ({"columns": [Column(name="frist_name")]}, "UNKNOWN_FIELD", "columns.0"),
        ({"columns": [Column(name="id"), Column(name="id")]}, "DUPLICATE_FIELD", "columns.1"),
        ({"computed": {"x": parse_text("id"), "email": parse_text("city")}}, "DUPLICATE_FIELD", "computed.1.name"),
        ({"dimension": "purchase", "computed": {"amount": parse_text("amount")}}, "DUPLICATE_FIELD", "computed.0.name"),
        ({"columns": [computed("a\nb", "id")]}, "BAD_NAME", "computed.0.name"),
        ({"columns": [computed("ä" * 32, "id")]}, "BAD_NAME", "computed.0.name"),
        ({"columns": [computed("x", "nothing + 1")]}, "UNKNOWN_FIELD", None),
        ({"dimension": "purchase", "audience_id": 1}, "AUDIENCE_OF_PEOPLE", "audience_id"),
        ({"audience_id": 1, "expression": parse_text("id > 1")}, "TWO_SELECTIONS", "expression"),
    ],
)
async def test_a_wrong_request_is_refused_at_once(
    runtime: Runtime, db: Connection, more: dict[str, Any], code: str, path: str | None
) -> None:
    await shop(runtime, db)
    with pytest.raises(ClarionError) as refused:
        await create_export(db, SYSTEM, runtime.files, now=NOW, **given_columns(more.pop("columns", None)), **more)
    assert refused.value.code == code
    if path is not None:
        assert refused.value.path == path
    assert isinstance(refused.value, Invalid | NotFound)
    assert await db.fetchval("SELECT count(*) FROM export_run") == 0


DEAR = "count(received) + count(opens) + count(clicks)"


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({"expression": f"{DEAR} > 3", "columns": [Column("id")]}, 1_000),
        ({"expression": "id > 0", "columns": [computed("much", DEAR)]}, 1_000),
        ({"columns": [Column("id"), computed("much", DEAR)]}, 1_000),
        ({"dimension": "purchase", "columns": [computed("double", "amount * 2")]}, 0.1),
        ({"dimension": "message", "columns": [computed("who", "profile.first_name")], "expression": "profile.id > 3"}, -1.0),
    ],
)  # fmt: skip
async def test_what_would_run_for_days_is_refused_before_it_begins(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], most: float
) -> None:
    await sold(runtime, db)
    await db.execute("INSERT INTO profile (city) SELECT 'c' || n FROM generate_series(1, 2000) AS n")
    await db.execute("ANALYZE profile")
    monkeypatch.setattr(cost, "MOST_COST", most)
    with pytest.raises(LimitReached) as refused:
        await export(runtime, **asked)
    assert refused.value.code == "QUESTION_TOO_COSTLY"
    assert await db.fetchval("SELECT count(*) FROM export_run") == 0

    # what is asked beside that costs little, and goes out
    monkeypatch.setattr(cost, "MOST_COST", 1_000)
    assert (await export(runtime, [computed("next", "id + 1")], expression="id > 0")).state is RunState.FINISHED


async def test_days_and_hours_are_those_of_its_zone(runtime: Runtime, db: Connection) -> None:
    await sold(runtime, db)
    await db.execute("UPDATE profile SET created_at = '2026-02-28 20:30Z' WHERE external_id = 'A1'")
    await db.execute("UPDATE profile SET created_at = '2026-02-28 10:30Z' WHERE external_id <> 'A1'")
    tokyo, question = ZoneInfo("Asia/Tokyo"), "created_at = 2026-03-01"
    hour = computed("hour", "hour(created_at)")
    audience = await create_audience(
        db, SYSTEM, AudienceDraft(name="of_march", label="x", expression=parse_text(question))
    )  # fmt: skip

    assert (await cells(runtime, [Column("external_id"), hour], expression=question)) == [["external_id", "hour"]]
    runtime.resources[SELECTION_RESOURCE] = select_people
    whom: list[dict[str, Any]] = [{"expression": question}, {"audience_id": audience.id}]
    for one in whom:
        found = await cells(runtime, [Column("external_id"), hour], zone=tokyo, **one)
        assert found == [["external_id", "hour"], ["A1", "5"]]
        assert await cells(runtime, [Column("external_id")], zone=tokyo, **one) == [["external_id"], ["A1"]]
        assert await cells(runtime, [Column("external_id")], **one) == [["external_id"]]
    bought = await cells(runtime, [computed("came", "hour(customer.created_at)")], dimension="purchase", zone=tokyo)
    assert {row[0] for row in bought[1:]} == {"5", "19"}

    # rows without a number of their own, too
    await create_service(db, SYSTEM, ServiceDraft(name="news", label="News"))
    await db.execute(
        "INSERT INTO subscription (service_id, profile_id, state, since, origin)"
        " SELECT s.id, p.id, 'active', p.created_at, 'x' FROM service s, profile p"
    )
    asked: dict[str, Any] = {"dimension": "subscription", "expression": "since = 2026-03-01"}
    assert await cells(runtime, [computed("hour", "hour(since)")], zone=tokyo, **asked) == [["hour"], ["5"]]
    assert (await export(runtime, zone=tokyo)).time_zone == "Asia/Tokyo"


async def test_an_audience_costs_what_its_question_does(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.execute("INSERT INTO profile (city) SELECT 'c' || n FROM generate_series(1, 20000) AS n")
    await db.execute("ANALYZE profile")
    draft = AudienceDraft(name="dear", label="Dear", expression=parse_text("city = 'c7'"))
    async with transaction(runtime.pool) as conn:
        dear = await create_audience(conn, SYSTEM, draft)
    monkeypatch.setattr(cost, "MOST_COST", 100)
    with pytest.raises(LimitReached) as refused:
        await export(runtime, audience_id=dear.id)
    assert "an index on profile.city would help" in (refused.value.hint or "")
    # what asks nothing is as long as it is
    assert (await export(runtime)).rows_written == 20000


async def test_hostile_names_and_values_are_never_sql(runtime: Runtime, db: Connection) -> None:
    await sold(runtime, db)
    name, text = '"; DROP TABLE profile; --', "'; DROP TABLE profile; -- $1 \\'"
    columns = [
        computed(name, f"concat({literal_text(text)}, external_id)"),
        computed("$1", "count(of_customer where receipt != '$2 %s :after')"),
    ]
    for kind in ExportFormat:
        run = await export(runtime, columns, options=options_of(kind, 2))
        assert run.state is RunState.FINISHED, run.error
    found = await cells(runtime, columns)
    assert found[0] == [name, "$1"]
    assert found[1] == [text + "A0", "2"]
    assert await db.fetchval("SELECT count(*) FROM profile") == 4


async def test_it_is_audited_and_asks_for_its_permission(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    with pytest.raises(Forbidden):
        await create_export(db, reader, runtime.files, dimension="purchase", now=NOW)
    run = await export(runtime, [computed("spent", "amount")], dimension="purchase")
    told = await db.fetchval("SELECT changes FROM audit_entry WHERE action = 'export.create' AND object_id = $1", str(run.id))
    assert told["dimension"]["to"] == "purchase"
    assert told["computed"]["to"] == ["spent"]  # what they compute may quote a person


async def test_a_field_that_goes_before_the_export_runs_ends_it(runtime: Runtime, db: Connection) -> None:
    await shop(runtime, db)
    await publish_fields(db, field("extra"), entity="purchase")
    async with transaction(runtime.pool) as conn:
        stored = await create_export(conn, SYSTEM, runtime.files, columns=["extra"], dimension="purchase", now=NOW)
        asked = await create_export(
            conn, SYSTEM, runtime.files, columns=[], computed={"x": parse_text("extra")}, dimension="purchase", now=NOW
        )
    await remove_field(db, SYSTEM, "purchase", "extra", now=NOW)
    await publish_draft(db)
    codes = []
    for run in (stored, asked):
        await jobs.run_export(runtime, export_id=run.id)
        done = await exports.get_export(db, run.id)
        assert done.error is not None
        codes.append(done.error.code)
    assert codes == ["FIELD_GONE", "UNKNOWN_FIELD"]


@pytest.mark.parametrize("format", [ExportFormat.CSV, ExportFormat.JSON_LINES])
async def test_messages_go_out_with_what_the_sending_log_kept(runtime: Runtime, db: Connection, format: ExportFormat) -> None:
    async with db.transaction():
        one = await create_profile(db, SYSTEM, {"email": "a@mail.example"}, now=NOW)
    await db.execute("CREATE TABLE ledger_0 PARTITION OF ledger FOR VALUES FROM (0) TO (100)")
    await db.execute(
        """
        INSERT INTO ledger (delivery_id, recipient_id, due_at, settled_at, state, segment_code, logged)
        VALUES (1, $1, $2, $2, 4, 'VIP', '{"city": "Paris"}'), (2, $1, $2, $2, 4, NULL, NULL)
        """,
        one.id, NOW,
    )  # fmt: skip
    columns = [Column("segment_code"), Column("logged"), computed("who", "profile.email")]
    run = await export(runtime, columns, dimension="message", options=ExportOptions(format=format))
    assert run.state is RunState.FINISHED, run.error
    told = (await read_bytes(runtime, run.file_id)).decode()
    if format is ExportFormat.CSV:
        (_, *found) = csv.reader(io.StringIO(told))
        assert sorted(found) == [["", "", "a@mail.example"], ["VIP", '{"city": "Paris"}', "a@mail.example"]]
    else:
        lines = [json.loads(line) for line in told.splitlines()]
        assert {"segment_code": "VIP", "logged": {"city": "Paris"}, "who": "a@mail.example"} in lines
