"""The SQL of a question: what it answers, what it never contains, which index serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, true

from core.db import Connection
from core.targeting.catalogue import PROFILE, Derived, Kind, Writing
from core.targeting.check import check
from core.targeting.language import (
    MAX_DEPTH,
    MAX_VALUES,
    Aggregate,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Expression,
    Field,
    Literal,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Relative,
    Unit,
    relative,
)
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, population, predicate
from core.targeting.text_form import to_text
from tests.core.targeting import slow_functions

AT = datetime(2025, 3, 31, 22, 30, tzinfo=UTC)  # already April in Paris
UTC_ZONE, PARIS = ZoneInfo("UTC"), ZoneInfo("Europe/Paris")

Row = Mapping[str, Any]


class Evaluator:
    """Answers a question about one row in the plainest way, as docs/targeting.md says it."""

    def __init__(self, row: Row, at: datetime, zone: ZoneInfo) -> None:
        self.row, self.at, self.zone = row, at, zone

    def holds(self, node: Condition) -> bool:
        match node:
            case And(terms=terms):
                return all(self.holds(term) for term in terms)
            case Or(terms=terms):
                return any(self.holds(term) for term in terms)
            case Not(term=term):
                return not self.holds(term)
            case Operation(operator=Operator.IS_NULL, operands=(operand,)):
                return self.value(operand) is None
            case Operation(operator=operator, operands=operands):
                return self.compare(operator, operands)
            case Field() | Literal() | Relative() | Call() | Aggregate():
                return self.value(node) is True
        raise AssertionError(node)

    def compare(self, operator: Operator, operands: Sequence[Operand]) -> bool:
        first, *rest = operands
        if operator is Operator.IN:
            return any(self.pair(Operator.EQUAL, first, other) for other in rest)
        if operator is Operator.BETWEEN:
            low, high = rest
            return self.pair(Operator.AT_LEAST, first, low) and self.pair(Operator.AT_MOST, first, high)
        return self.pair(operator, first, rest[0])

    def pair(self, operator: Operator, left: Operand, right: Operand) -> bool:
        one, other = self.value(left), self.value(right)
        if one is None or other is None:
            return False
        if isinstance(one, str):
            one, other = self.written(left, right, one), self.written(right, left, other)
        elif isinstance(one, datetime) is not isinstance(other, datetime) and isinstance(one, date):
            one, other = self.day(one), self.day(other)
        elif isinstance(one, float) or isinstance(other, float):
            one, other = float(one), float(other)
        match operator:
            case Operator.EQUAL:
                return bool(one == other)
            case Operator.NOT_EQUAL:
                return bool(one != other)
            case Operator.LESS:
                return bool(one < other)
            case Operator.AT_MOST:
                return bool(one <= other)
            case Operator.GREATER:
                return bool(one > other)
            case Operator.AT_LEAST:
                return bool(one >= other)
            case Operator.CONTAINS:
                return other in one
            case Operator.STARTS_WITH:
                return bool(one.startswith(other))
            case Operator.ENDS_WITH:
                return bool(one.endswith(other))
        raise AssertionError(operator)

    def written(self, one: Operand, other: Operand, text: str) -> str:
        """Case counts for keys only, when compared with a value, and where it is asked to."""
        if any(isinstance(side, Call) and side.function == "exactly" for side in (one, other)):
            return text
        if any(isinstance(side, Call) and side.function == "accented" for side in (one, other)):
            return text.lower()
        for side, opposite in ((one, other), (other, one)):
            if isinstance(side, Field) and isinstance(opposite, Literal):
                if PROFILE.fields[side.path[0]].kind is Kind.ENUMERATION:
                    return text
                if PROFILE.fields[side.path[0]].kind is Kind.UUID:
                    return text.lower()
                writing = PROFILE.fields[side.path[0]].writing
                if writing is Writing.EXACT:
                    return text
                if writing is Writing.UPPER:
                    return text.upper()
                if writing is Writing.PHONE and side is other:
                    return re.sub(r"[\s().\-/]", "", text)
        kept = [isinstance(side, Field) and PROFILE.fields[side.path[0]].writing is not Writing.FREE for side in (one, other)]
        if all(kept) or (any(kept) and (isinstance(one, Literal) or isinstance(other, Literal))):
            return text.lower()
        return slow_functions.folded(text)

    def day(self, value: date) -> date:
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    def value(self, node: Operand) -> Any:
        match node:
            case Field(path=(name,)):
                return self.stored(name)
            case Literal(value=datetime() as moment) if moment.tzinfo is None:
                return moment.replace(tzinfo=self.zone).astimezone(UTC)
            case Literal(value=value):
                return value
            case Relative(anchor=anchor, offsets=offsets):
                return self.moment(anchor, offsets)
            case Call():
                return slow_functions.call(self, node)
            case Case(branches=branches, otherwise=otherwise):
                found = next((then for when, then in branches if self.holds(when)), otherwise)
                return None if found is None else self.value(found)
        raise AssertionError(node)

    def stored(self, name: str) -> Any:
        field = PROFILE.fields[name]
        stored = self.row[field.column]
        if field.derived is Derived.AGE and stored is not None:
            today = self.day(self.at)
            return today.year - stored.year - ((today.month, today.day) < (stored.month, stored.day))
        if field.derived is Derived.HELD_OUT:
            return False  # nobody is, without a holdout
        if field.kind is Kind.ENUMERATION:
            return next(value for value, code in field.values.items() if code == stored)
        return stored

    def moment(self, anchor: Anchor, offsets: Sequence[tuple[Unit, int]]) -> date:
        moment = self.at.astimezone(self.zone).replace(tzinfo=None)
        exact = timedelta()
        for unit, amount in offsets:
            if unit in (Unit.YEARS, Unit.MONTHS):
                month = moment.year * 12 + moment.month - 1 + amount * (12 if unit is Unit.YEARS else 1)
                first = moment.replace(year=month // 12, month=month % 12 + 1, day=1)
                longest = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
                moment = first.replace(day=min(self.at.astimezone(self.zone).day, longest.day))
            elif unit in (Unit.WEEKS, Unit.DAYS):
                moment += timedelta(**{unit.value: amount})
            else:
                exact += timedelta(**{unit.value: amount})
        if anchor is Anchor.TODAY:
            return moment.date()
        if moment == self.at.astimezone(self.zone).replace(tzinfo=None):
            return self.at + exact
        return moment.replace(tzinfo=self.zone, fold=0).astimezone(UTC) + exact


TEXTS = [
    "",
    "a",
    "A",
    "Ab",
    "aB%",
    "a_b",
    "É",
    "é",
    "Straße",
    "o'Neil",
    '"',
    "\\",
    "\\%",
    "ж Ж",
    "😀",
    "FR",
    "fr",
]
TEXT = st.sampled_from(TEXTS) | st.text(st.sampled_from("aAbBéÉñÑ%_\\'\" жЖ😀"), max_size=4)
COUNTRIES = st.sampled_from(["FR", "DE", "US"])
EMAILS = st.sampled_from(["a@example.org", "ab@example.org", "a_b%c@example.net", "o'x@example.com"])
UUIDS = [f"{digit * 8}-0000-4000-8000-00000000000{digit}" for digit in "0aF7".lower()]
PHONES = st.sampled_from(["+33612345678", "+33612345679", "+14155550100"])
DAYS = st.dates(date(1900, 1, 1), date(2030, 12, 31)) | st.sampled_from(
    [date(2000, 2, 29), date(2025, 3, 31), date(2025, 4, 1), date(2024, 2, 29), date(2007, 3, 31)]
)
ZONES = [
    UTC_ZONE,
    PARIS,
    *map(ZoneInfo, ["America/New_York", "Asia/Kolkata", "Africa/Cairo", "Pacific/Apia"]),
]
ATS = [
    AT,
    datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC),  # a second before Paris skips an hour
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC),  # the hour that Paris has twice
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2024, 4, 25, 22, 30, tzinfo=UTC),  # Cairo has just skipped its midnight
]
MOMENTS = st.builds(
    lambda at, hours, microseconds: at + timedelta(hours=hours, microseconds=microseconds),
    st.sampled_from(ATS),
    st.integers(-24 * 40, 24 * 40),
    st.sampled_from([0, 0, 1, -1]),
)
NUMBERS = st.integers(-3, 130) | st.decimals(-100, 100, places=2) | st.sampled_from([2**63 - 1, -(2**63)])


def or_none(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ROWS: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "external_id": st.none(),
        "opt_in_id": or_none(st.sampled_from(UUIDS)),
        "email_key": or_none(EMAILS),
        "first_name": or_none(TEXT),
        "city": or_none(TEXT),
        "gender": st.integers(0, 2),
        "email_format": st.integers(0, 2),
        "birth_date": or_none(DAYS),
        "mobile_phone": or_none(PHONES),
        "country": or_none(COUNTRIES),
        "latitude": or_none(st.sampled_from([0.0, 1.5, -45.25, 48.8566, 0.1])),
        "opt_out": st.booleans(),
        "opt_out_email": st.booleans(),
        "created_at": MOMENTS,
        "updated_at": MOMENTS,
    }
)


def people(least: int, most: int) -> st.SearchStrategy[list[Row]]:
    """Rows of which no two have the same UUID, as the database wants it."""
    return st.lists(ROWS, min_size=least, max_size=most, unique_by=lambda row: row["opt_in_id"] or object())


def fields(*names: str) -> st.SearchStrategy[Operand]:
    return st.sampled_from(names).map(lambda name: Field((name,)))


def literals(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Operand]:
    return st.builds(Literal, values)


CASES = st.sampled_from([str.lower, str.upper, str])
OFFSETS = st.lists(st.tuples(st.sampled_from(list(Unit)), st.integers(-30, 30)), max_size=2)
DAY_OFFSETS = st.lists(st.tuples(st.sampled_from(list(Unit)[:4]), st.integers(-30, 30)), max_size=2)
FREE_TEXTS = literals(TEXT)
NUMBER_LITERALS = literals(NUMBERS | st.sampled_from([0, 18, 24, 25, Decimal("1.5"), Decimal("0.1")]))
TIME_CONSTANTS = (
    literals(DAYS | MOMENTS | st.builds(lambda moment: moment.replace(tzinfo=None), MOMENTS))
    | st.builds(relative, st.just(Anchor.NOW), OFFSETS)
    | st.builds(relative, st.just(Anchor.TODAY), DAY_OFFSETS)
)
TIMES = fields("birth_date", "created_at", "updated_at") | TIME_CONSTANTS
ALL_TEXTS = fields("first_name", "city", "email", "country", "mobile_phone", "external_id")
NUMBERED = fields("age", "latitude") | st.builds(
    lambda name, time: Call(name, (time,)), st.sampled_from(["year", "month", "day"]), TIMES
)
NUMBERED |= st.builds(lambda text: Call("length", (text,)), ALL_TEXTS)
SIX = [
    Operator.EQUAL,
    Operator.NOT_EQUAL,
    Operator.LESS,
    Operator.AT_MOST,
    Operator.GREATER,
    Operator.AT_LEAST,
]


def compared(
    left: st.SearchStrategy[Operand],
    right: st.SearchStrategy[Operand],
    constants: st.SearchStrategy[Operand],
    operators: Sequence[Operator] = SIX,
) -> st.SearchStrategy[Condition]:
    """Every operator of ordered values, either way round."""
    return (
        st.builds(lambda op, one, other: Operation(op, (one, other)), st.sampled_from(operators), left, right)
        | st.builds(lambda op, one, other: Operation(op, (other, one)), st.sampled_from(operators), left, right)
        | st.builds(lambda one, low, high: Operation(Operator.BETWEEN, (one, low, high)), left, right, right)
        | st.builds(
            lambda one, some: Operation(Operator.IN, (one, *some)),
            left,
            st.lists(constants, min_size=1, max_size=4),
        )
    )


def written(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[Condition]:
    """A text field against values that it may have, in any case."""
    constants = literals(st.builds(lambda case, value: case(value), CASES, values))
    pieces = literals(st.builds(lambda value, start, end: value[start:end], values, st.integers(0, 3), st.integers(1, 9)))
    tests = st.sampled_from([Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH])
    return compared(fields(name), constants | fields(name), constants) | st.builds(
        lambda op, piece: Operation(op, (Field((name,)), piece)), tests, pieces | constants
    )


ENUMERATED = st.builds(
    lambda op, value, flip: Operation(op, (value, Field(("gender",))) if flip else (Field(("gender",)), value)),
    st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    literals(st.sampled_from(["unknown", "male", "female"])) | fields("gender"),
    st.booleans(),
) | st.builds(
    lambda values: Operation(Operator.IN, (Field(("gender",)), *map(Literal, values))),
    st.lists(st.sampled_from(["unknown", "male", "female"]), min_size=1, max_size=3),
)
KNOWN_IDS = literals(
    st.builds(lambda case, value: case(value), st.sampled_from([str.lower, str.upper]), st.sampled_from(UUIDS))
)
IDENTIFIED = st.builds(
    lambda op, value, flip: Operation(op, (value, Field(("opt_in_id",))) if flip else (Field(("opt_in_id",)), value)),
    st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    KNOWN_IDS | fields("opt_in_id"),
    st.booleans(),
) | st.builds(lambda some: Operation(Operator.IN, (Field(("opt_in_id",)), *some)), st.lists(KNOWN_IDS, min_size=1, max_size=3))
FLAGS = fields("opt_out", "opt_out_email") | literals(st.booleans())
ANY_FIELD = ALL_TEXTS | TIMES | NUMBERED | FLAGS | fields("gender", "opt_in_id")
ATOMS: st.SearchStrategy[Condition] = st.one_of(
    written("first_name", TEXT),
    written("city", TEXT),
    written("country", COUNTRIES),
    written("email", EMAILS),
    written("mobile_phone", PHONES | st.just("+33 6 12-34.56(78)")),
    compared(ALL_TEXTS, ALL_TEXTS, FREE_TEXTS),
    compared(NUMBERED, NUMBERED | NUMBER_LITERALS, NUMBER_LITERALS),
    compared(fields("age"), NUMBER_LITERALS, NUMBER_LITERALS),
    compared(TIMES, TIMES, TIME_CONSTANTS),
    ENUMERATED,
    IDENTIFIED,
    FLAGS,
    st.builds(lambda op, one, other: Operation(op, (one, other)), st.sampled_from(SIX[:2]), FLAGS, FLAGS),
    st.builds(lambda operand: Operation(Operator.IS_NULL, (operand,)), ANY_FIELD),
)
QUESTIONS: st.SearchStrategy[Condition] = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=5,
)


async def insert(conn: Connection, rows: Sequence[Row]) -> list[int]:
    """Add the rows; their ids in order."""
    records = [{name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()} for row in rows]
    names = ", ".join(rows[0])
    return [
        row["id"]
        for row in await conn.fetch(
            f"""
            INSERT INTO profile ({names})
            SELECT {names} FROM jsonb_populate_recordset(NULL::profile, $1) RETURNING id
            """,
            records,
        )
    ]


async def answers(conn: Connection, trees: Sequence[Condition], at: datetime, zone: ZoneInfo) -> Mapping[int, Sequence[bool]]:
    """For each profile, whether it matches each question; all in one statement."""
    rows = entity_table(PROFILE).alias("p")
    tests = [
        predicate(check(Expression(root=tree, text="")), at=at, zone=zone, source=rows).is_(true()).label(f"t{index}")
        for index, tree in enumerate(trees)
    ]
    statement = compile_statement(select(rows.c.id, *tests))
    return {row[0]: tuple(row)[1:] for row in await conn.fetch(statement.text, *statement.args)}


async def compare_all(conn: Connection, rows: Sequence[Row], trees: Sequence[Condition], at: datetime, zone: ZoneInfo) -> None:
    """Every question about every row, asked of Postgres and of the evaluator."""
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        ids = await insert(conn, rows)
        found = await answers(conn, trees, at, zone)
        for key, row in zip(ids, rows, strict=True):
            evaluator = Evaluator(row, at, zone)
            for tree, answered in zip(trees, found[key], strict=True):
                assert answered is evaluator.holds(tree), f"{to_text(tree)} about {row}"
    finally:
        await savepoint.rollback()


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # each example rolls back to a savepoint of its own
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(
    rows=people(1, 8),
    questions=st.lists(QUESTIONS, min_size=4, max_size=12),
    at=st.sampled_from(ATS) | MOMENTS,
    zone=st.sampled_from(ZONES),
)
async def test_the_answer_is_that_of_a_slow_evaluator(
    conn: Connection, rows: list[Row], questions: list[Condition], at: datetime, zone: ZoneInfo
) -> None:
    await compare_all(conn, rows, questions, at, zone)


def values(*some: Any) -> list[Operand]:
    return [Literal(value) for value in some]


def named(*names: str) -> list[Operand]:
    return [Field((name,)) for name in names]


NUMBER_OPERANDS = [
    *named("age", "latitude"),
    Call("month", (Field(("birth_date",)),)),
    Call("day", (Field(("created_at",)),)),
    Call("length", (Field(("city",)),)),
    *values(0, 1, 24, 25, -1, 4, Decimal("1.5"), Decimal("24.5"), 2**63 - 1),
]
TIME_OPERANDS = [
    *named("birth_date", "created_at", "updated_at"),
    *values(
        date(2000, 4, 1),
        date(2025, 4, 1),
        date.max,
        date.min,
        AT,
        datetime(2025, 4, 1),
        datetime(2025, 3, 31),
    ),
    Relative(Anchor.NOW),
    Relative(Anchor.TODAY),
    Relative(Anchor.TODAY, ((Unit.YEARS, -25),)),
    Relative(Anchor.NOW, ((Unit.DAYS, -1), (Unit.HOURS, -3))),
]
TEXT_OPERANDS = [
    *named("first_name", "city", "email", "country", "mobile_phone", "external_id"),
    *values("", "a", "É", "FR", "fr", "A@EXAMPLE.ORG", "+33 6 12345678", "m", "key-1", "KEY-1"),
]
FLAG_OPERANDS = [*named("opt_out", "opt_out_email"), *values(True, False)]
ENUMERATION_OPERANDS = [*named("gender"), *values("female")]


def every_comparison() -> list[Condition]:
    """Each operator between each two operands that it takes, and its negation."""
    trees: list[Condition] = []
    for operands in (NUMBER_OPERANDS, TIME_OPERANDS, TEXT_OPERANDS):
        pairs = [(one, other) for one in operands for other in operands]
        trees += [Operation(operator, pair) for operator in SIX for pair in pairs]
        constants = [operand for operand in operands if isinstance(operand, Literal | Relative)]
        trees += [Operation(Operator.IN, (operand, *constants[:3])) for operand in operands]
        trees += [Operation(Operator.IN, (operand, *constants[-2:])) for operand in operands]
        trees += [Operation(Operator.IN, (operand, *constants * 10)) for operand in operands[:4]]
        trees += [Operation(Operator.BETWEEN, (one, *constants[:2])) for one in operands]
        trees += [Operation(Operator.BETWEEN, (constants[0], one, constants[1])) for one in operands]
    for operands in (FLAG_OPERANDS, ENUMERATION_OPERANDS):
        trees += [Operation(op, (one, other)) for op in SIX[:2] for one in operands for other in operands]
    pieces = values("", "a", "A", "%", "_", "\\", "'", "é", "example", "6 12", ".ORG", "fr", "key")
    patterns = (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH)
    trees += [Operation(op, (one, piece)) for op in patterns for one in TEXT_OPERANDS for piece in pieces]
    everything = [*NUMBER_OPERANDS, *TIME_OPERANDS, *TEXT_OPERANDS, *FLAG_OPERANDS, *ENUMERATION_OPERANDS]
    trees += [Operation(Operator.IS_NULL, (operand,)) for operand in everything]
    trees += FLAG_OPERANDS
    return trees + [Not(tree) for tree in trees]


def telling_rows() -> list[Row]:
    """Rows in which every value of a column meets several of every other, NULL among them."""
    columns: dict[str, list[Any]] = {
        "email_key": ["a@example.org", None, "a_b%c@example.net"],
        "opt_in_id": [*UUIDS, *[None] * 60],
        "first_name": [None, *TEXTS],
        "city": [*TEXTS[2:], None, "m", "M", "z"],
        "gender": [0, 1, 2, 2],
        "email_format": [0, 2],
        "birth_date": [
            None,
            date(2000, 4, 1),
            date(2000, 4, 2),
            date(2000, 2, 29),
            date(1999, 4, 1),
            date(2026, 1, 1),
        ],
        "mobile_phone": ["+33612345678", None, "+14155550100"],
        "country": ["FR", "DE", None, "FR"],
        "latitude": [1.5, None, 0.0, -45.25, 25.0],
        "opt_out": [True, False, False],
        "opt_out_email": [False, True],
        "created_at": [
            AT,
            AT - timedelta(minutes=30),
            AT - timedelta(minutes=31),
            AT - timedelta(days=1, hours=3),
        ],
        "updated_at": [AT + timedelta(microseconds=1), AT, datetime(2000, 3, 31, 22, tzinfo=UTC)],
    }
    return [
        {name: choices[number % len(choices)] for name, choices in columns.items()}
        | {"external_id": f"key-{number}" if number % 3 == 1 else None}
        for number in range(60)
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
async def test_every_operator_answers_for_every_operand(conn: Connection, zone: str) -> None:
    rows, trees = telling_rows(), every_comparison()

    for start in range(0, len(trees), 500):
        await compare_all(conn, rows, trees[start : start + 500], AT, ZoneInfo(zone))


async def matching(conn: Connection, source: str, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    """Which of the people of `a_village` a question finds."""
    statement = compile_statement(population(check(parse_text(source)), at=AT, zone=zone))
    keys = [row[0] for row in await conn.fetch(statement.text, *statement.args)]
    rows = await conn.fetch("SELECT external_id FROM profile WHERE id = ANY($1) ORDER BY external_id", keys)
    return [row["external_id"] for row in rows]


@pytest.fixture
async def a_village(conn: Connection) -> None:
    await conn.execute(
        r"""
        INSERT INTO profile
            (external_id, first_name, email_key, country, birth_date, gender, opt_out, created_at)
        VALUES
            ('anna', 'Anna', 'anna@example.org', 'FR', '2000-03-31', 2, false, '2025-03-31 21:59Z'),
            ('bob', 'BOB', 'bob@example.com', 'DE', '2000-04-01', 1, true, '2025-03-31 22:00Z'),
            ('nobody', NULL, NULL, NULL, NULL, 0, false, '2025-03-30 22:00Z'),
            ('percy', '100%_sure\', 'percy@example.org', 'FR', '1950-01-01', 1, false, '2020-01-01')
        """
    )


STORIES: list[tuple[str, list[str]]] = [
    ("true", ["anna", "bob", "nobody", "percy"]),
    ("false", []),
    ("country = 'fr'", ["anna", "percy"]),
    # NULL: no comparison holds, and `not` holds where the comparison does not
    ("country != 'FR'", ["bob"]),
    ("not country = 'FR'", ["bob", "nobody"]),
    ("country not in ('FR', 'DE')", ["nobody"]),
    ("not (country = 'FR' or country = 'DE')", ["nobody"]),
    ("not (country = 'FR' and gender = 'female')", ["bob", "nobody", "percy"]),
    ("country is_null", ["nobody"]),
    ("country = 'FR' or not first_name contains 'o'", ["anna", "nobody", "percy"]),
    # texts: case does not count, wildcards are themselves, keys are exact
    ("first_name = 'ANNA'", ["anna"]),
    ("first_name in ('bob', 'ANNA')", ["anna", "bob"]),
    ("first_name starts_with 'b'", ["bob"]),
    ("first_name contains '%'", ["percy"]),
    ("first_name contains '0_'", []),
    ("first_name ends_with '\\'", ["percy"]),
    ("first_name > 'anna'", ["bob"]),
    ("email = 'BOB@example.COM'", ["bob"]),
    ("email ends_with '@Example.org'", ["anna", "percy"]),
    ("external_id = 'Anna'", []),
    # the day of a question is the zone's
    ("created_at >= today", ["anna", "bob"]),
    ("created_at = today - 1 day", ["nobody"]),
    ("created_at between 2025-03-30 and 2025-03-31", ["anna", "bob", "nobody"]),
    ("created_at >= now - 30 minutes", ["bob"]),
    ("created_at < 2025-03-31T22:00Z", ["anna", "nobody", "percy"]),
    # ages and birthdays
    ("age = 25", ["anna"]),
    ("age < 25", ["bob"]),
    ("age between 25 and 80", ["anna", "percy"]),
    ("month(birth_date) = month(today) and day(birth_date) = day(today)", ["anna"]),
    ("gender in ('female', 'unknown') and not opt_out", ["anna", "nobody"]),
]


@pytest.mark.usefixtures("a_village")
@pytest.mark.parametrize(("source", "expected"), STORIES)
async def test_questions_find_whom_they_ask_for(conn: Connection, source: str, expected: list[str]) -> None:
    assert await matching(conn, source) == expected


@pytest.mark.usefixtures("a_village")
async def test_the_same_instant_is_another_day_elsewhere(conn: Connection) -> None:
    assert await matching(conn, "created_at >= 2025-04-01", PARIS) == ["bob"]
    assert await matching(conn, "created_at >= 2025-04-01", UTC_ZONE) == []
    assert await matching(conn, "age = 25", PARIS) == ["anna", "bob"]
    assert await matching(conn, "created_at = 2025-03-31T23:59", PARIS) == ["anna"]


HOSTILE = [
    "'; DROP TABLE profile; --",
    "' OR '1'='1",
    "\\'; SELECT pg_sleep(9); --",
    "$1",
    "$1::text) OR true --",
    "%(param_1)s",
    ":param_1",
    "{}",
    "\u02bc OR 1=1",
    "a" * 5_000,
]


@pytest.mark.usefixtures("a_village")
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["first_name", "external_id", "email", "email_domain", "country", "mobile_phone"])
async def test_a_value_is_never_part_of_the_statement(conn: Connection, name: str, value: str) -> None:
    field, literal = Field((name,)), Literal(value)
    operators = [*SIX, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.IN]
    trees = [Operation(operator, (field, literal)) for operator in operators]
    harmless = [Operation(operator, (field, Literal("x"))) for operator in operators]

    for tree, plain in zip(trees, harmless, strict=True):
        statement, other = (
            compile_statement(population(check(Expression(root=root, text="")), at=AT, zone=UTC_ZONE)) for root in (tree, plain)
        )
        assert statement.text == other.text
        assert await conn.fetch(statement.text, *statement.args) is not None
    assert await conn.fetchval("SELECT count(*) FROM profile") == 4


def test_the_zone_is_a_value_too() -> None:
    statement = compile_statement(population(check(parse_text("year(created_at) = 2024")), at=AT, zone=PARIS))

    assert "Paris" not in statement.text
    assert "Europe/Paris" in statement.args


@pytest.fixture
async def a_town(conn: Connection) -> None:
    await conn.execute(
        """
        INSERT INTO profile (external_id, email_key, first_name, last_name, mobile_phone, country)
        SELECT 'key-' || n, 'person' || n || '@example.org', 'First' || n, 'Last' || n, '+336' || n, 'FR'
          FROM generate_series(1, 20000) AS n
        """
    )
    await conn.execute("ANALYZE profile")


INDEXED = {
    "id = 3": "profile_pkey",
    "id in (3, 4)": "profile_pkey",
    "external_id = 'key-3'": "profile_external_id",
    "external_id in ('key-3', 'key-4')": "profile_external_id",
    "email = 'Person3@Example.org'": "profile_email_key",
    "email in ('person3@example.org', 'person4@example.org')": "profile_email_key",
    "email starts_with 'person10'": "profile_email_key",
    "last_name = 'LAST3'": "profile_last_name",
    "last_name starts_with 'last10'": "profile_last_name",
    "last_name in ('Last3', 'Last4')": "profile_last_name",
    "last_name in (" + ", ".join(f"'last{number}'" for number in range(40)) + ")": "profile_last_name",
    "first_name = 'First3' and not opt_out": "profile_first_name",
    "first_name = exactly('First3')": "profile_first_name",
    "first_name starts_with exactly('First10')": "profile_first_name",
    "mobile_phone = '+33 6 3'": "profile_mobile_phone",
}


@pytest.mark.usefixtures("a_town")
async def test_an_index_serves_where_there_is_one(conn: Connection) -> None:
    for source, index in INDEXED.items():
        statement = compile_statement(population(check(parse_text(source)), at=AT, zone=UTC_ZONE))
        rows = await conn.fetch("EXPLAIN " + statement.text, *statement.args)
        plan = "\n".join(row[0] for row in rows)

        assert index in plan, f"{source}\n{plan}"
        assert "Index Cond" in plan, f"{source}\n{plan}"


async def test_a_predicate_is_part_of_a_larger_statement(conn: Connection) -> None:
    await insert(conn, telling_rows())
    people = entity_table(PROFILE).alias("people")
    french = predicate(check(parse_text("country = 'FR' and age >= 18")), at=AT, zone=PARIS, source=people)
    statement = compile_statement(select(func.count(), func.count().filter(french)).where(people.c.id.between(0, 10**9)))

    total, some = await conn.fetchrow(statement.text, *statement.args)

    assert total == 60
    assert 0 < some < 60


def test_a_large_question_stays_one_statement_with_few_arguments() -> None:
    names = ", ".join(f"'name {number}'" for number in range(1_000))
    statement = compile_statement(
        population(check(parse_text(f"first_name in ({names}) and external_id in ({names})")), at=AT, zone=PARIS)
    )

    assert len(statement.args) == 2


async def test_the_largest_question_is_answered(conn: Connection) -> None:
    await insert(conn, telling_rows())
    numbers = ", ".join(map(str, range(MAX_VALUES)))
    lists = [f"age in ({numbers})"] * 5
    source = "not (" + " or ".join([*lists, *[f"id = {number}" for number in range(600)]]) + ")"
    deep = "not (" * (MAX_DEPTH - 2) + source + ")" * (MAX_DEPTH - 2)
    found = await answers(conn, [parse_text(source).root, parse_text(deep).root], AT, UTC_ZONE)

    assert set(found.values()) == {(True, True), (False, False)}


def test_other_statements_compile_alike() -> None:
    rows = entity_table(PROFILE)
    statement = compile_statement(select(rows.c.id).where(rows.c.id.in_([3, 4]), rows.c.country == "FR").limit(5))

    wanted = {"FR", 5, 3, 4}
    assert set(statement.args) == wanted
    assert {f"${number}" for number in range(1, 5)} == set(re.findall(r"\$\d", statement.text))
