"""What files of audiences say of somebody goes with them: by the profile, by every key that was tried, by what quotes them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import NotFound
from core.privacy.records import RequestKind, RequestState
from core.privacy.work import work
from core.profiles.import_keys import ImportKey
from core.profiles.team_fields import Fields, fields_by_keys
from core.runtime import Runtime
from core.targeting import audience_files, audience_runs, row_keys
from core.targeting.records import RowKey
from tests.core.datamodel.model import field, publish_fields
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import ask, done, get
from tests.core.targeting.files import loaded, loading, members, reconciled, rows, uploaded, worked

ANN = "Ann.Marker@mail.example"


async def add_ann(db: Connection) -> int:
    return await add_person(
        db, ANN, first_name="Ann", last_name="Marker", external_id="77", mobile_phone="+33698765432", city="Lyon"
    )


async def erase(runtime: Runtime) -> dict[str, int]:
    request = await done(runtime, RequestKind.DELETE, "email", ANN)
    assert (request.state, request.error) == (RequestState.COMPLETE, None)
    return dict(request.counts)


@pytest.mark.parametrize(
    ("field", "hers", "others"),
    [
        ("email", " ann.MARKER@Mail.example", "bob@mail.example"),
        ("mobile_phone", "06 98 76 54 32", "06 11 11 11 11"),
        ("external_id", "77", "78"),
    ],
)
async def test_rows_go_by_every_key_that_was_tried(
    runtime: Runtime, db: Connection, field: str, hers: str, others: str
) -> None:
    """Also where nobody was found: two had the address, or the profile came later. Others' rows stay."""
    file = f"key,note,age\n{hers},one,5\n{others},two,77\n"
    audience_id, _ = await loaded(runtime, file)
    key = RowKey(field=field, column="key")
    await reconciled(runtime, audience_id, key, region="FR")
    assert len(await rows(runtime, audience_id)) == 2
    ann = await add_ann(db)
    await add_person(db, "bob@mail.example")
    known, _ = await loaded(runtime, file, name="known")
    await reconciled(runtime, known, key, region="FR")
    assert set(await members(runtime, known)) >= {ann}

    counts = await erase(runtime)

    assert counts["audience_row"] == 2
    for one in (audience_id, known):
        assert [data["note"] for _, _, data in await rows(runtime, one)] == ["two"]
    assert ann not in await members(runtime, known)


async def test_rows_go_by_a_key_of_several_fields_where_all_of_them_are_theirs(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two had the card at that time, so that nobody was found. Of another shop the same card is somebody else's."""
    await publish_fields(db, field("shop"), field("card"))
    fields = await fields_by_keys(db)
    key = ImportKey(name="member", label="Member", fields=("shop", "card"), columns=("x_shop", "x_card"))

    async def known(conn: Connection) -> Fields:
        return Fields(fields.all, fields.settable, keys={**fields.keys, "member": key})

    monkeypatch.setattr(row_keys, "fields_by_keys", known)
    await add_person(db, ANN, x_shop="Paris", x_card="C-1")
    await add_person(db, "bob@mail.example", x_shop="Paris", x_card="C-1")
    audience_id, _ = await loaded(runtime, "no,place\nC-1,Paris\nC-1,Lyon\nC-2,Paris\n")
    await reconciled(runtime, audience_id, RowKey(field="card", column="no", also=(RowKey(field="shop", column="place"),)))
    assert await members(runtime, audience_id) == {}

    counts = await erase(runtime)

    assert counts["audience_row"] == 1
    assert [data for _, _, data in await rows(runtime, audience_id)] == [
        {"no": "C-1", "place": "Lyon"}, {"no": "C-2", "place": "Paris"},
    ]  # fmt: skip


async def test_rows_of_others_that_quote_somebody_say_nothing_any_more(runtime: Runtime, db: Connection) -> None:
    """In the file, and in what its members bring along; of a file without a header also the titles."""
    await add_ann(db)
    bob = await add_person(db, "bob@mail.example")
    audience_id, _ = await loaded(runtime, f"email,friend\nbob@mail.example,{ANN}\nbeth@mail.example,\n")
    await reconciled(runtime, audience_id)
    bare, _ = await loaded(runtime, f"{ANN},Marker\nbob@mail.example,Bobson\n", name="bare")
    assert (await members(runtime, audience_id))[bob]["friend"] == ANN

    await erase(runtime)

    assert await members(runtime, audience_id) == {bob: {}}
    assert [data for _, _, data in await rows(runtime, audience_id)] == [{}, {"email": "beth@mail.example"}]
    told = await db.fetch("SELECT label FROM audience_column WHERE audience_id = $1 ORDER BY position", bare)
    assert [row["label"] for row in told] == ["…", "Marker"]
    assert [data for _, _, data in await rows(runtime, bare)] == [{"marker": "Bobson"}]


async def test_an_uploaded_file_goes_before_anybody_reads_it(runtime: Runtime, db: Connection) -> None:
    await add_ann(db)
    packed = gzip.compress(f"email\n{ANN}\n".encode())
    audience_id = await uploaded(runtime, packed, file_name="rows.csv.gz")

    await erase(runtime)

    assert files_of(runtime) == []
    with pytest.raises(NotFound) as refused:
        async with transaction(runtime.pool) as conn:
            await audience_files.load_file(conn, SYSTEM, audience_id, runtime.clock())
    assert refused.value.code == "FILE_REMOVED"


async def test_an_erasure_waits_for_files_that_are_being_read_or_written(runtime: Runtime, db: Connection) -> None:
    """What a worker read before would come back with its next chunk."""
    await add_ann(db)
    audience_id = await uploaded(runtime, f"email\n{ANN}\n")
    run_id = await loading(runtime, audience_id)
    request = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    assert (await get(runtime, request)).waits_for == "imports"

    await worked(runtime, run_id)
    async with transaction(runtime.pool) as conn:
        export = await audience_runs.start_export(
            conn, SYSTEM, runtime.files, audience_id, outcome=None, now=runtime.clock()
        )  # fmt: skip
    await work(runtime)
    assert (await get(runtime, request)).waits_for == "exports"

    await worked(runtime, export.id)
    await work(runtime)
    assert (await get(runtime, request)).state is RequestState.COMPLETE
    assert files_of(runtime) == []
    assert [data for _, _, data in await rows(runtime, audience_id)] == [{}]


def files_of(runtime: Runtime) -> list[Path]:
    """The bytes that are kept."""
    return sorted(runtime.files.root.iterdir())
