"""Functions that people know by another name (3.26 to 3.33): each is there and called, or the guide says what stands for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.datamodel.records import FieldKind
from core.db import Connection
from core.targeting.audiences import count, open_question
from core.targeting.check import check
from core.targeting.errors import ExpressionError
from core.targeting.functions import FUNCTIONS
from core.targeting.parse import parse_text
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


async def test_every_example_can_be_asked(conn: Connection) -> None:
    await publish_fields(conn, field("extra", FieldKind.JSON))
    await conn.execute(
        "INSERT INTO profile (first_name, birth_date, city, zip_code) VALUES ('Ann', '1990-05-31', 'Paris', '75001')"
    )
    asked = examples()
    assert len(asked) > 100
    for question in asked:
        checked = await open_question(conn, parse_text(question))
        assert await count(conn, checked, at=AT, zone=ZONE) in (0, 1), question


@pytest.mark.parametrize("name", ["Iif", "GetEmailDomain", "startWith", "AddDays", "RowId"])
def test_who_writes_a_former_name_is_told_the_present_one(name: str) -> None:
    with pytest.raises(ExpressionError, match="unknown function") as caught:
        check(parse_text(f"{name}(city) = 'x'"))
    assert "Did you mean" in (caught.value.hint or "")
