"""Profiles go out in every format and come back as they were."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core import files as stored_files
from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import Invalid
from core.profiles import exports, profiles
from core.profiles.errors import FieldsInvalid
from core.profiles.export_options import ExportFormat, ExportOptions, LineEnd, Titles
from core.profiles.fields import SETTABLE
from core.profiles.files import writers
from core.profiles.import_options import FileShape, FixedColumn
from core.profiles.run_records import ExportRun, ImportOptions, RunState
from core.runtime import Runtime
from tests.core.profiles.house import counts, export_people, import_people, people, read_bytes

PEOPLE = (
    "external_id,email,first_name,gender,birth_date,latitude,opt_out_email\n"
    "A,Ann@x.example,=Zoé,female,1899-12-31,-1.5,yes\n"
    "B,,,,,,\n"
)
COLUMNS = ["external_id", "first_name", "gender", "birth_date", "latitude", "opt_out_email"]


async def exported(runtime: Runtime, **options: Any) -> bytes:
    run = await export_people(runtime, columns=COLUMNS, options=ExportOptions(**options))
    assert run.error is None
    return await read_bytes(runtime, run.file_id)


async def test_csv_of_every_spelling(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)

    data = await exported(
        runtime, delimiter=";", quote_all=True, encoding="utf-16", line_end=LineEnd.CRLF, titles=Titles.LABELS
    )
    assert list(csv.reader(io.StringIO(data.decode("utf-16"), newline=""), delimiter=";")) == [
        ["External id", "First name", "Gender", "Birth date", "Latitude", "No longer contact by email"],
        ["A", "'=Zoé", "female", "1899-12-31", "-1.5", "true"],
        ["B", "", "unknown", "", "", "false"],
    ]
    assert data.decode("utf-16").count("\r\n") == 3

    packed = await exported(runtime, gzip=True, titles=Titles.NONE, escape_formulas=False, encoding="latin-1")
    assert gzip.decompress(packed).decode("latin-1").splitlines() == [
        "A,=Zoé,female,1899-12-31,-1.5,true",
        "B,,unknown,,,false",
    ]


async def test_csv_with_quotes_of_ones_own(runtime: Runtime) -> None:
    await import_people(runtime, 'external_id,city,first_name\nA,it\'s "Rome",O;K\n')
    columns = ["external_id", "city", "first_name"]

    run = await export_people(runtime, columns=columns, options=ExportOptions(delimiter=";", quote="'"))
    assert await read_bytes(runtime, run.file_id) == b"external_id;city;first_name\nA;'it''s \"Rome\"';'O;K'\n"

    run = await export_people(
        runtime, columns=columns, options=ExportOptions(delimiter=" ", quote="|", titles=Titles.LABELS)
    )  # fmt: skip
    assert await read_bytes(runtime, run.file_id) == b'|External id| City |First name|\nA |it\'s "Rome"| O;K\n'


async def test_a_zip_holds_the_one_file(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)
    plain = await exported(runtime)

    run = await export_people(runtime, columns=COLUMNS, options=ExportOptions(zip=True))
    packed = await read_bytes(runtime, run.file_id)

    async with runtime.pool.acquire() as conn:
        assert (await stored_files.get_file(conn, run.file_id or 0)).name == "profiles.csv.zip"
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert (archive.namelist(), archive.testzip()) == (["profiles.csv"], None)
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
        assert archive.read("profiles.csv") == plain
    assert await exported(runtime, zip=True) == packed, "the same rows are the same file"


async def fixed(runtime: Runtime, *widths: int, **options: Any) -> ExportRun:
    return await export_people(
        runtime, columns=COLUMNS, options=ExportOptions(format=ExportFormat.FIXED_WIDTH, widths=widths, **options)
    )


async def test_fixed_width(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)

    run = await fixed(runtime, 12, 6, 8, 10, 6, 6, line_end=LineEnd.CRLF, encoding="utf-16-le", zip=True)
    packed = await read_bytes(runtime, run.file_id)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["profiles.txt"]
        assert archive.read("profiles.txt").decode("utf-16-le") == (
            "external_id first_gender  birth_datelatituopt_ou\r\n"
            "A           =Zoé  female  1899-12-31-1.5  true  \r\n"
            "B                 unknown                 false \r\n"
        )
    widths = zip(COLUMNS, run.options.widths, strict=True)
    shape = FileShape(encoding="utf-16-le", fixed_columns=tuple(FixedColumn(name=name, width=width) for name, width in widths))
    assert counts(await import_people(runtime, packed, options=ImportOptions(file=shape))) == {"unchanged": 2}

    run = await fixed(runtime, 2, 3, 3, 10, 9, 9, titles=Titles.NONE, cut=True)
    assert (await read_bytes(runtime, run.file_id)).decode() == (
        "A =Zofem1899-12-31-1.5     true     \n"
        "B    unk                   false    \n"
    )  # fmt: skip


async def test_what_a_line_of_fixed_width_cannot_hold_fails_by_name(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)
    run = await fixed(runtime, 9, 3, 9, 10, 9, 9)
    assert run.error is not None
    assert (run.error.code, run.error.path) == ("TOO_LONG", "options.widths")
    assert run.error.message == "a value of 'first_name' has 4 characters: the column has 3"

    async with transaction(runtime.pool) as conn:
        await conn.execute("UPDATE profile SET first_name = E'a\nb'")
    run = await fixed(runtime, 9, 4, 9, 10, 9, 9, cut=True)
    assert run.error is not None
    assert run.error.code == "LINE_BREAK"


async def test_json_lines(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)

    found = [json.loads(line) for line in (await exported(runtime, format=ExportFormat.JSON_LINES)).splitlines()]

    assert found == [
        dict(zip(COLUMNS, ["A", "=Zoé", "female", "1899-12-31", -1.5, True], strict=True)),
        dict(zip(COLUMNS, ["B", None, "unknown", None, None, False], strict=True)),
    ]


async def test_workbooks(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    await import_people(runtime, PEOPLE + "C,,,,1984-12-31,,\n")
    monkeypatch.setattr(writers, "ROWS_OF_A_SHEET", 3)

    data = await exported(runtime, format=ExportFormat.WORKBOOK, titles=Titles.LABELS)
    book = openpyxl.load_workbook(io.BytesIO(data))

    assert book.sheetnames == ["Profiles", "Profiles 2"]
    assert list(book["Profiles"].values)[1] == ("A", "=Zoé", "female", "1899-12-31", -1.5, True)
    assert book["Profiles"]["B2"].data_type in ("s", "inlineStr"), "a text, not a formula"
    assert list(book["Profiles 2"].values)[1][3] == datetime(1984, 12, 31)
    again = await import_people(runtime, data)
    assert counts(again) == {"unchanged": 3}
    assert again.lines_read == 5


async def test_parquet(runtime: Runtime) -> None:
    await import_people(runtime, PEOPLE)
    run = await export_people(
        runtime, columns=[*COLUMNS, "created_at", "opt_in_id"], options=ExportOptions(format=ExportFormat.PARQUET)
    )
    table = pyarrow.parquet.read_table(io.BytesIO(await read_bytes(runtime, run.file_id)))

    first = table.to_pylist()[0]
    assert first["birth_date"] == date(1899, 12, 31)
    assert (first["opt_out_email"], first["latitude"], first["first_name"]) == (True, -1.5, "=Zoé")
    assert first["created_at"].astimezone(UTC) == runtime.clock()
    assert len(first["opt_in_id"]) == 36


@pytest.mark.parametrize("form", ExportFormat)
async def test_nobody_is_an_empty_file_or_a_failure(runtime: Runtime, form: ExportFormat) -> None:
    widths = (9,) * len(COLUMNS) if form is ExportFormat.FIXED_WIDTH else ()
    empty = await export_people(runtime, columns=COLUMNS, options=ExportOptions(format=form, widths=widths))
    assert (empty.state, empty.rows_written) == (RunState.FINISHED, 0)

    options = ExportOptions(format=form, widths=widths, refuse_empty=True)
    refused = await export_people(runtime, columns=COLUMNS, options=options)
    assert refused.error is not None
    assert refused.error.code == "NOBODY"


async def test_what_an_encoding_has_no_sign_for_fails_by_name(runtime: Runtime) -> None:
    await import_people(runtime, "external_id,city\nA,Łódź\n")

    run = await export_people(runtime, columns=["city"], options=ExportOptions(encoding="latin-1"))

    assert run.error is not None
    assert (run.error.code, run.error.message) == ("BAD_CHARACTER", "U+0141 cannot be written in latin-1")


async def test_what_a_cell_of_a_workbook_cannot_hold_fails_by_name(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    await import_people(runtime, "external_id,city\nA,Paris\n")
    monkeypatch.setattr(writers, "LONGEST_TEXT", 4)

    run = await export_people(runtime, columns=["city"], options=ExportOptions(format=ExportFormat.WORKBOOK))

    assert run.error is not None
    assert run.error.code == "TOO_LONG"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (ExportOptions(delimiter='"'), "BAD_QUOTE"),
        (ExportOptions(delimiter="¦"), "BAD_DELIMITER"),
        (ExportOptions(delimiter="  "), "BAD_DELIMITER"),
        (ExportOptions(delimiter="1"), "BAD_DELIMITER"),
        (ExportOptions(quote=","), "BAD_QUOTE"),
        (ExportOptions(quote=""), "BAD_QUOTE"),
        (ExportOptions(quote=" "), "BAD_QUOTE"),
        (ExportOptions(quote="«"), "BAD_QUOTE"),
        (ExportOptions(encoding="hex"), "BAD_ENCODING"),
        (ExportOptions(gzip=True, format=ExportFormat.PARQUET), "PACKED_TWICE"),
        (ExportOptions(zip=True, format=ExportFormat.WORKBOOK), "PACKED_TWICE"),
        (ExportOptions(zip=True, gzip=True), "PACKED_TWICE"),
        (ExportOptions(format=ExportFormat.FIXED_WIDTH), "BAD_COLUMNS"),
        (ExportOptions(format=ExportFormat.FIXED_WIDTH, widths=(1, 0)), "BAD_COLUMNS"),
        (ExportOptions(format=ExportFormat.FIXED_WIDTH, widths=(1, 100_000)), "BAD_COLUMNS"),
        (ExportOptions(widths=(1, 1)), "BAD_COLUMNS"),
    ],
)
async def test_options_that_nothing_is_written_by(runtime: Runtime, db: Connection, options: ExportOptions, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        await exports.create_export(
            db, SYSTEM, runtime.files, columns=["email", "city"], options=options, now=runtime.clock()
        )  # fmt: skip
    assert caught.value.code == code


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["=1+1", "'=x", "''", "_x000D_", "\\N", "\\", '"', "null", "true", "1e5", "007", "a;b", "  x", "#N/A", "https://x.example"]
)
OPTIONS = [
    ExportOptions(),
    ExportOptions(delimiter="\t", quote_all=True, line_end=LineEnd.CRLF, titles=Titles.LABELS, gzip=True),
    ExportOptions(encoding="utf-16", escape_formulas=False, zip=True),
    ExportOptions(delimiter=" ", quote="'"),
    ExportOptions(delimiter='"', quote="|", titles=Titles.LABELS),
    ExportOptions(delimiter="'", quote="\x01"),
    ExportOptions(delimiter=".", quote="\\"),
    ExportOptions(delimiter="-", quote="="),
    ExportOptions(format=ExportFormat.JSON_LINES),
    ExportOptions(format=ExportFormat.JSON_LINES, gzip=True),
    ExportOptions(format=ExportFormat.JSON_LINES, zip=True),
    ExportOptions(format=ExportFormat.WORKBOOK),
    ExportOptions(format=ExportFormat.PARQUET),
    ExportOptions(format=ExportFormat.FIXED_WIDTH, gzip=True, encoding="utf-16"),
]


@settings(max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_out_and_in_again_changes_nothing(runtime: Runtime, db: Connection, data: st.DataObject) -> None:
    await db.execute("TRUNCATE profile CASCADE")
    names = [name for name, one in SETTABLE.items() if one.type.value == "text" and name not in ("external_id", "crypted_id")]
    for number in range(data.draw(st.integers(1, 4))):
        values: dict[str, Any] = {name: data.draw(TEXTS) for name in names}
        values |= {
            "external_id": f"={number}", "gender": data.draw(st.sampled_from(["male", "unknown"])),
            "birth_date": date(1900, 2, 28), "latitude": data.draw(st.floats(-90, 90)), "opt_out": data.draw(st.booleans()),
        }  # fmt: skip
        try:
            async with transaction(runtime.pool) as conn:
                await profiles.create_profile(conn, SYSTEM, values, now=runtime.clock())
        except FieldsInvalid:
            continue  # texts with characters that no field takes
    before = await people(runtime, "to_jsonb(profile) - 'id' - 'opt_in_id'")
    if not before:
        return
    columns = (await export_people(runtime)).columns
    for options in OPTIONS:
        is_csv, is_fixed = options.format is ExportFormat.CSV, options.format is ExportFormat.FIXED_WIDTH
        if is_fixed:
            options = replace(options, widths=(300,) * len(columns))
        run = await export_people(runtime, options=options)
        written = await read_bytes(runtime, run.file_id)
        shape = FileShape(encoding=options.encoding, quote=options.quote) if is_csv or is_fixed else FileShape()
        if is_fixed:
            shape = replace(shape, fixed_columns=tuple(FixedColumn(name=name, width=300) for name in columns))
        reading = ImportOptions(
            file=shape, unescape_formulas=options.escape_formulas, delimiter=options.delimiter if is_csv else None
        )  # fmt: skip
        kept = await import_people(runtime, written, options=reading)
        assert counts(kept) == {"unchanged": len(before)}, options
        await db.execute("TRUNCATE profile CASCADE")
        anew = await import_people(runtime, written, options=reading)
        assert counts(anew) == {"inserted": len(before)}, options
        assert await people(runtime, "to_jsonb(profile) - 'id' - 'opt_in_id'") == before, options
