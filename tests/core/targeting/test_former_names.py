"""Functions that people know by another name (3.26 to 3.33): each is there and called, or the guide says what stands for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.datamodel.records import FieldKind
from core.db import Connection
from core.targeting.audiences import open_question
from core.targeting.check import check
from core.targeting.errors import ExpressionError
from core.targeting.functions import FUNCTIONS
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, population
from tests.core.datamodel.model import field, publish_fields

DOCS = (Path(__file__).parents[3] / "docs" / "targeting.md").read_text(encoding="utf-8")
AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("Europe/Paris")
NAMES = """
AddDays AddHours AddMinutes AddMonths AddSeconds AddYears SubDays SubHours SubMinutes SubMonths SubSeconds SubYears DateOnly Day
DayOfYear DaysAgo DaysAgoInt DaysDiff DaysOld GetDate Hour HoursDiff LocalToUTC Minute MinutesDiff Month MonthsAgo MonthsDiff
MonthsOld Second Oldest SecondsDiff ToDate ToDateTime ToDateTimeWithTimezone TruncDate TruncDateTZ TruncQuarter TruncTime
TruncWeek TruncYear WeekDay Year YearAndMonth YearsDiff YearsOld
Distance
Abs Ceil Floor Greatest Least Mod Percent Random Round Sign ToDouble ToInt64 ToInteger Trunc
Case When Else ClearBit SetBit IsBitSet Coalesce Decode GetEmailDomain GetMirrorURL Iif IsEmptyString NoNull RowId ToBoolean
newUUID
AllNonNull2 AllNonNull3 Ascii Char Charindex DataLength GetLine IfEquals IsMemoNull JuxtWords JuxtWords3 LPad RPad Left Right
Length Lower Upper Smart Ltrim Rtrim Md5Digest Sha256Digest Sha384Digest Sha512Digest MemoContains Replace Substring
ToIntlString ToString VirtualLink VirtualLinkStr AES
Avg Count CountAll Countdistinct Max Min StringAgg Sum
Desc OrderBy PartitionBy RowNum
EndWith startWith Extract ExtractRight DateFormat FileName FileExt GetOption IsNull UrlUtf8Encode
"""
FORMER = frozenset(NAMES.split())

INITIALS = {43: "A", 44: "B", 45: "C", 46: "D", 47: "E", 48: "F"}

# Whom each example finds of the people below; all rows about what they did are missing.
FOUND = r"""
-      year(birth_date) = 5
-      quarter(birth_date) = 5
AF     month(birth_date) = 5
D      week(birth_date) = 5
C      day(birth_date) = 5
C      day_of_year(birth_date) = 5
CF     week_day(birth_date) = 5
C      hour(created_at) = 5
A      minute(created_at) = 5
A      second(created_at) = 5
A      year_month(created_at) = 202405
BCEF   created_at >= start_of_year(now)
BCF    created_at >= start_of_quarter(now)
B      created_at >= start_of_month(now)
B      created_at >= start_of_week(now)
B      created_at >= start_of_day(now)
B      created_at >= start_of_hour(now)
B      created_at >= start_of_minute(now)
B      created_at >= start_of_interval(now, 900)
E      add_years(birth_date, 3) = today
-      add_months(birth_date, 3) = today
-      add_weeks(birth_date, 3) = today
F      add_days(birth_date, 3) = today
ABCDEF add_hours(created_at, -3) < now
ABCDEF add_minutes(created_at, -3) < now
ABCDEF add_seconds(created_at, -3) < now
ABCEF  years_between(created_at, now) < 3
BCF    months_between(created_at, now) < 3
BF     days_between(created_at, now) < 3
B      hours_between(created_at, now) < 3
B      minutes_between(created_at, now) < 3
B      seconds_between(created_at, now) < 3
D      years_old(created_at) >= 30
D      months_old(created_at) >= 30
ADE    days_old(created_at) >= 30
F      birth_date > months_ago(30)
F      birth_date > days_ago(30)
B      anniversary_within(created_at, 0, 7)
A      hour(in_zone(now, time_zone)) = 9
ACD    age + 1 > 18
AD     latitude - 1.5 > 40
ACEF   age * 2 < 100
D      age / 2 > 20.5
BDF    id % 2 = 0
D      percent(age, 80) > 50
E      abs(latitude) < 10
AD     sign(latitude) = 1
D      ceil(latitude) = 48
A      floor(latitude) = 48
A      round(latitude, 1) = 48.9
A      trunc(latitude) = 48
EF     clamp(age, 18, 65) = 18
ACE    has_bit(id, 0)
ACD    set_bit(age, 3) > 40
ACEF   clear_bit(age, 3) < 40
ABDEF  length(city) > 3
ABDEF  bytes(city) > 3
A      exactly(lower(city)) = 'paris'
A      exactly(upper(city)) = 'PARIS'
D      exactly(capitalized(city)) = 'Le Mans'
A      trim(city) = 'Paris'
A      trim_left(city) = 'Paris'
A      trim_right(city) = 'Paris'
E      length(folded(city)) = 4
A      first_name = exactly('Anna')
F      city = accented('Orléans')
AD     left(zip_code, 2) = '75'
B      right(zip_code, 2) = '00'
A      substring(zip_code, 2, 3) = '500'
B      position(email, '+') > 0
A      replace(zip_code, ' ', '') = '75001'
B      pad_left(zip_code, 5, '0') = '01000'
D      pad_right(zip_code, 5) = '75   '
A      concat(first_name, last_name) = 'AnnaRoy'
A      words(first_name, last_name) = 'Anna Roy'
A      joined(', ', city, country) = 'Paris, FR'
A      before(email, '@') = 'anna'
A      after(email, '@') = 'example.org'
A      piece(address_line1, ' ', 2) = 'rue'
B      line(address_line1, 1) = 'Paris'
A      email_domain(email) = 'example.org'
AB     matches(zip_code, '^\d{5}$')
A      code_of(city) = 80
B      position(city, character(39)) > 0
A      if(country = 'FR', 'tu', 'you') = 'tu'
ABCDEF coalesce(first_name, salutation, '') != ''
A      decode(gender, 'female', 1, 'male', 2, 0) > 0
C      null_if(city, '') is_null
C      is_empty(city)
ABD    all_set(city, zip_code)
ACDEF  greatest(created_at, updated_at) < now
ACDEF  least(created_at, updated_at) < now
A      to_integer(zip_code) > 75000
ABD    to_decimal(zip_code) > 1.5
ABCDEF to_boolean('yes')
A      to_date(created_at) = 2024-05-31
ACDEF  to_instant(birth_date, 'Europe/Paris') < now
F      to_text(age) ends_with '0'
A      distance_km(point(longitude, latitude), point(2.35, 48.86)) < 30
A      within_km(point(longitude, latitude), point(2.35, 48.86), 30)
A      json_text(extra, 'address.city') = 'Paris'
A      json_number(extra, 'children.0.age') >= 18
A      json_boolean(extra, 'has_car')
A      json_date(extra, 'married_on') < today
A      json_instant(extra, 'seen') > now - 7 days
A      row_id() % 10 = 3
-      random_share('spring') < 0.1
-      sample(0.1, 'spring')
-      stable_uuid('spring') starts_with '0'
-      md5(city) starts_with '0'
-      sha256(city) starts_with '0'
D      sha384(city) starts_with '0'
-      sha512(city) starts_with '0'
EF     case when age < 18 then 'young' else 'grown' end = 'young'
BF     created_at > now - 1 day
C      city is_null
B      city contains 'saint'
B      city starts_with 'saint'
B      city ends_with 'ville'
CF     concat(to_text(year(created_at)), '/', to_text(month(created_at))) = '2026/5'
-      avg(hour(at) of opens) > 18
-      count(url of clicks) > 3
-      count(clicks) > 3
-      count(distinct clicks.url) > 3
-      max(clicks.at) > now - 1 week
-      min(clicks.at) < now - 1 year
-      sum(hour(at) of opens) > 100
-      first(clicks.url by at) contains 'spring'
A      rank(by country desc then created_at desc) = 1
D      rank(by created_at) = 1
AB     rank(by created_at desc, per gender) = 1
-      join(url of clicks by at, ', ') contains 'spring'
"""

PEOPLE = """
INSERT INTO profile (id, first_name, last_name, email, email_key, email_domain, gender, birth_date, address_line1, city,
                     zip_code, country, latitude, longitude, time_zone, x_extra, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT id, name, last_name, email, email, split_part(email, '@', 2), coalesce(gender, 0), born::date, line, city, zip,
       country, latitude, longitude, zone, extra::jsonb, came::timestamptz, came::timestamptz
  FROM (VALUES
    (43, 'Anna', 'Roy', 'anna@example.org', 2, '1990-05-31', '1 rue Haute', 'Paris', '75001', 'FR', 48.86, 2.35, 'Asia/Tokyo',
     '{"address": {"city": "Paris"}, "children": [{"age": 20}], "has_car": true, "married_on": "2015-06-06",
       "seen": "2026-05-30T08:00:00Z"}', '2024-05-31 05:05:05Z'),
    (44, 'Bo', NULL, 'bo+x@example.com', NULL, NULL, 'Paris', 'Saint-Jean-d''Angleville', '01000', NULL, NULL, NULL, NULL, NULL,
     '2026-06-01 00:00Z'),
    (45, 'Cleo', NULL, NULL, NULL, '1990-01-05', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-05-05 03:00Z'),
    (46, 'Dan', NULL, NULL, NULL, '1960-02-01', NULL, 'le mans', '75', NULL, 47.5, 0.2, NULL, NULL, '1990-01-01 00:00Z'),
    (47, 'Eve', NULL, NULL, NULL, '2023-06-01', NULL, 'Metz', NULL, NULL, -5, 0, NULL, NULL, '2026-01-01 00:00Z'),
    (48, 'Fay', NULL, NULL, NULL, '2026-05-29', NULL, 'Orléans', NULL, NULL, NULL, NULL, NULL, NULL, '2026-05-31 12:00Z')
  ) AS p (id, name, last_name, email, gender, born, line, city, zip, country, latitude, longitude, zone, extra, came)
"""


def rows(begin: str, end: str) -> list[list[str]]:
    """The cells of a table's rows."""
    lines = DOCS.partition(f"<!-- {begin} -->\n")[2].partition(f"<!-- {end} -->")[0].splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    return [row for row in cells if not row[0].startswith(("once", "function", "---"))]


LISTED = {row[0].partition("(")[0].strip("`"): row for row in rows("functions", "end of functions")}
INSTEAD = {name: row for row in rows("former", "end of former") for name in re.findall(r"`(\w+)`", row[0])}
NOT_ABOUT_PEOPLE = {"GetMirrorURL", "VirtualLink", "VirtualLinkStr", "GetOption", "FileName", "FileExt", "UrlUtf8Encode", "AES"}


def examples() -> list[str]:
    """What is written in the tables to be asked."""
    shown = [row[4] for row in LISTED.values()] + [row[2] for row in INSTEAD.values()]
    return [one.strip("`").replace("\\|", "|") for one in dict.fromkeys(shown) if one]


def test_every_former_name_stands_in_one_of_the_tables() -> None:
    here = {name for row in LISTED.values() for name in re.findall(r"\w+", row[5])}
    assert LISTED.keys() == FUNCTIONS.keys()
    assert sorted(FORMER - here - INSTEAD.keys()) == []
    assert sorted(here - FORMER) == []
    assert {name for name, row in INSTEAD.items() if not row[2]} == NOT_ABOUT_PEOPLE


def expected() -> dict[str, str]:
    """The initials of whom each example finds, by example."""
    lines = (line.partition(" ") for line in FOUND.strip().splitlines())
    return {question.strip(): "" if who == "-" else who for who, _, question in lines}


async def test_every_example_finds_whom_it_should(conn: Connection) -> None:
    await publish_fields(conn, field("extra", FieldKind.JSON))
    await conn.execute(PEOPLE)
    asked = examples()
    assert len(asked) > 100
    assert sorted(asked) == sorted(expected())
    found = {}
    for question in asked:
        checked = await open_question(conn, parse_text(question))
        statement = compile_statement(population(checked, at=AT, zone=ZONE))
        rows = await conn.fetch(statement.text, *statement.args)
        found[question] = "".join(sorted(INITIALS[row[0]] for row in rows))
    assert found == expected()


@pytest.mark.parametrize("name", ["Iif", "GetEmailDomain", "startWith", "AddDays", "RowId", "RowNum", "Rank"])
def test_who_writes_a_former_name_is_told_the_present_one(name: str) -> None:
    with pytest.raises(ExpressionError, match="unknown function") as caught:
        check(parse_text(f"{name}(city) = 'x'"))
    assert "Did you mean" in (caught.value.hint or "")
