"""Files of rows of a dataset that says who added and who changed its rows."""

from __future__ import annotations

import pytest

from core.access import SYSTEM, Actor
from core.datamodel import jobs as datamodel
from core.datamodel.records import FieldKind
from core.db import Connection
from core.profiles.import_options import ImportMode
from core.runtime import Runtime
from tests.core.datamodel.model import dataset, field, publish_draft, unique
from tests.core.transfers.house import counts, import_rows, rows
from tests.core.transfers.test_composed_exports import cells

ANN = Actor(name="token:1", permissions=SYSTEM.permissions)
BEN = Actor(name="token:2", permissions=SYSTEM.permissions)
FIRST = "code,note\nA,x\nB,x\nC,x\n"
SECOND = "code,note\nA,x\nB,y\nD,z\n"


async def audited(runtime: Runtime, db: Connection, *kinds: FieldKind) -> None:
    """A dataset with the fields of these kinds."""
    fields = [field(kind.value.replace("_by", "_who"), kind) for kind in kinds]
    await dataset(db, "purchase", field("code", max_length=30), field("note"), *fields)
    await unique(db, "by_code", "code")
    await publish_draft(db)
    await datamodel.build(runtime)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (ImportMode.INSERT_OR_UPDATE, {"B": ("token:1", "token:2"), "D": ("token:2", "token:2")}),
        (ImportMode.UPDATE, {"B": ("token:1", "token:2")}),
        (ImportMode.INSERT, {"B": ("token:1", "token:1"), "D": ("token:2", "token:2")}),
        (ImportMode.DELETE, {}),
    ],
)
async def test_an_import_says_whose_it_is(
    runtime: Runtime, db: Connection, mode: ImportMode, expected: dict[str, tuple[str, str]]
) -> None:
    await audited(runtime, db, FieldKind.CREATED_BY, FieldKind.CHANGED_BY)
    await import_rows(runtime, FIRST, "by_code", actor=ANN)
    await import_rows(runtime, SECOND, "by_code", actor=BEN, mode=mode)

    kept = {} if mode is ImportMode.DELETE else {"A": ("token:1", "token:1")}
    found = await rows(db, "x_purchase", "x_code", "x_created_who", "x_changed_who")
    assert {code: (made, edited) for code, made, edited in found} == {**kept, "C": ("token:1", "token:1"), **expected}


@pytest.mark.parametrize("kind", [FieldKind.CREATED_BY, FieldKind.CHANGED_BY])
@pytest.mark.parametrize("mode", [ImportMode.INSERT_OR_UPDATE, ImportMode.UPDATE, ImportMode.INSERT])
async def test_one_of_the_two_is_enough(runtime: Runtime, db: Connection, kind: FieldKind, mode: ImportMode) -> None:
    await audited(runtime, db, kind)
    await import_rows(runtime, FIRST, "by_code", actor=ANN)
    run = await import_rows(runtime, SECOND, "by_code", actor=BEN, mode=mode)

    assert counts(run)
    (found,) = [
        who for code, who in await rows(db, "x_purchase", "x_code", f"x_{kind.value.replace('_by', '_who')}") if code == "B"
    ]
    assert found == ("token:2" if kind is FieldKind.CHANGED_BY and mode is not ImportMode.INSERT else "token:1")


async def test_they_go_out_with_rows_and_stay_what_they_are_when_those_come_back(runtime: Runtime, db: Connection) -> None:
    await audited(runtime, db, FieldKind.CREATED_BY, FieldKind.CHANGED_BY)
    await import_rows(runtime, FIRST, "by_code", actor=ANN)
    header, *lines = await cells(runtime, dimension="purchase")
    at = [header.index(name) for name in ("code", "created_who", "changed_who")]
    assert [tuple(line[n] for n in at) for line in lines] == [(code, "token:1", "token:1") for code in "ABC"]

    data = "code,note,created_who,changed_who\nA,new,token:9,token:9\n"
    assert counts(await import_rows(runtime, data, "by_code", actor=BEN)) == {"updated": 1}
    assert (await rows(db, "x_purchase", "x_created_who", "x_changed_who"))[0] == ("token:1", "token:2")
