"""What stands above the columns of an export is read back as the same columns."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.db import Connection, transaction
from core.profiles.export_options import ExportFormat, ExportOptions, Titles
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.import_columns import plan_columns
from core.profiles.run_records import ImportOptions
from core.profiles.team_fields import Fields
from core.profiles.titles import told_apart
from core.runtime import Runtime
from tests.core.datamodel.model import field, publish_fields
from tests.core.profiles.house import counts, export_people, import_people, people, read_bytes

LABELS = {
    "f1": "Email", "f2": "e-mail", "f3": "Note", "f4": "NOTE", "f5": "Caf\u00e9", "f6": "Cafe\u0301", "f7": "f3", "f8": "Zip",
}  # fmt: skip


@pytest.mark.parametrize("format", [ExportFormat.CSV, ExportFormat.WORKBOOK])
async def test_labels_that_mean_another_field_give_way_to_names(runtime: Runtime, db: Connection, format: ExportFormat) -> None:
    async with transaction(runtime.pool) as conn:
        await publish_fields(conn, *(field(name, label=label) for name, label in LABELS.items()))
    header = ["external_id", "email", "first_name", "zip_code", *LABELS]
    row = ["A", "a@x.example", "Ann", "75001", *(f"v{name}" for name in LABELS)]
    assert counts(await import_people(runtime, f"{','.join(header)}\n{','.join(row)}\n")) == {"inserted": 1}
    before = await people(runtime, "to_jsonb(profile)")

    run = await export_people(runtime, options=ExportOptions(format=format, titles=Titles.LABELS))
    written = await read_bytes(runtime, run.file_id)

    if format is ExportFormat.CSV:
        titles = next(csv.reader(io.StringIO(written.decode())))
        told = dict(zip(run.columns, titles, strict=True))
        assert [told[name] for name in ("email", "first_name", *LABELS)] == [
            "Email", "First name", "f1", "f2", "Note", "f4", "Caf\u00e9", "Cafe\u0301", "f7", "f8",
        ]  # fmt: skip
    assert counts(await import_people(runtime, written)) == {"unchanged": 1}
    assert await people(runtime, "to_jsonb(profile)") == before


TITLES = st.sampled_from([*FIELDS, *(one.label for one in FIELDS.values()), "a", "A_", "b", "B-", "-", "_"]) | st.text(
    max_size=3
)


@given(labels=st.lists(TITLES.filter(str.strip), max_size=6))
def test_whatever_the_labels_every_column_is_read_as_itself(labels: list[str]) -> None:
    team = {f"t{n}": Field(name=f"t{n}", label=one, type=FieldType.TEXT, stored_as=f"x_t{n}") for n, one in enumerate(labels)}
    every = {**FIELDS, **team}
    header = [one.label for one in told_apart(list(every.values()), every)]

    fields = Fields(every, {name: one for name, one in every.items() if one.settable})
    plan = plan_columns(header, "email", ImportOptions(), fields)
    assert [one.name for _, one in plan.fields] == [name for name, one in every.items() if one.settable]


def test_columns_that_are_computed_stand_beside_fields() -> None:
    columns = [FIELDS["email"], *(Field(name=name, label=name, type=FieldType.TEXT) for name in ("First name", "sum", "Sum"))]
    assert [one.label for one in told_apart([FIELDS["first_name"], *columns], FIELDS)] == [
        "first_name", "Email", "First name", "sum", "Sum",
    ]  # fmt: skip


async def test_titles_that_a_spreadsheet_would_compute_are_escaped_as_cells_are(runtime: Runtime, db: Connection) -> None:
    async with transaction(runtime.pool) as conn:
        await publish_fields(conn, field("f1", label="=1+1"), field("f2", label="'@x"), field("f3", label="a=b"))
    assert counts(await import_people(runtime, "external_id,f1,f2,f3\nA,1,2,3\n")) == {"inserted": 1}
    columns = ["external_id", "f1", "f2", "f3"]

    run = await export_people(runtime, columns=columns, options=ExportOptions(titles=Titles.LABELS))
    written = await read_bytes(runtime, run.file_id)
    assert written.decode().splitlines()[0] == "External id,'=1+1,''@x,a=b"
    mapping = ImportOptions(mapping={"=1+1": "f1", "'@x": "f2", "a=b": None})
    for options in (ImportOptions(), mapping):
        assert counts(await import_people(runtime, written, options=options)) == {"unchanged": 1}

    plain = ExportOptions(titles=Titles.LABELS, escape_formulas=False)
    run = await export_people(runtime, columns=columns, options=plain)
    written = await read_bytes(runtime, run.file_id)
    assert written.decode().splitlines()[0] == "External id,=1+1,'@x,a=b"
    reading = ImportOptions(mapping={"'@x": "f2"}, unescape_formulas=False)
    assert counts(await import_people(runtime, written, options=reading)) == {"unchanged": 1}
