"""Quarantine as the target of an import: addresses put in, corrected or let out, each with the status and reason of its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from channels.contract import AddressKind, FailureReason
from core.access import Actor, Permission
from core.db import Connection
from core.errors import Invalid
from core.profiles.address_keys import address_key
from core.profiles.fields import Field, FieldType
from core.profiles.import_columns import Plan
from core.profiles.import_keys import ImportKey
from core.profiles.import_options import ImportMode, ImportTarget
from core.profiles.import_rows import Batch, Reject
from core.profiles.import_target import Destination, Stored, Written
from core.profiles.quarantine import REASONS, TEXT_LENGTH, record_changes
from core.profiles.quarantine_records import QuarantineStatus
from core.profiles.run_records import ImportRun
from core.profiles.store import quarantine_rows as store
from core.profiles.store.quarantine_rows import Put
from core.profiles.table_target import reject
from core.profiles.team_fields import Fields
from core.runtime import Runtime
from core.transfers.dry import undone_if


def _choices(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name.replace("_", " ").capitalize()) for name in names)


_KIND = Field(
    name="kind", label="Kind", type=FieldType.CHOICE, choices=_choices(*AddressKind), aliases=("address_kind",)
)  # fmt: skip
_ADDRESS = Field(name="address", label="Address", type=FieldType.TEXT, max_length=1000, aliases=("address_key", "email"))
_SAID = (
    Field(name="status", label="Status", type=FieldType.CHOICE, choices=_choices(*QuarantineStatus)),
    Field(
        name="reason", label="Reason", type=FieldType.CHOICE,
        choices=_choices(*(one.name.lower() for one in sorted(REASONS))),
    ),
    Field(name="text", label="Text", type=FieldType.TEXT, max_length=TEXT_LENGTH, aliases=("error_text",)),
)  # fmt: skip


class QuarantineTarget:
    """Addresses of a kind, or of the kind that each row names."""

    def __init__(self, runtime: Runtime, run: ImportRun, plan: Plan):
        self._plan = plan
        self._kind = run.options.target.address_kind
        self._mode = run.options.mode
        self._dry = run.options.dry_run
        self._region = run.options.default_country or runtime.settings.default_country
        self._keyring = runtime.keyring
        self._actor = Actor(name=run.created_by, permissions=frozenset({Permission.ADMINISTER}))
        self._told = {"import": str(run.id)}

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """Of rows about one address the last one counts."""
        values = dict(zip(self._plan.staged, batch.columns, strict=True))
        rows, refused = dict[tuple[str, str], Put](), list[Reject]()
        for row, line in enumerate(batch.lines):
            said = {name: column[row] for name, column in values.items()}
            try:
                put = self._read(said)
            except Invalid as error:
                refused.append(reject(batch, line, self._title("address"), error.code, error.message))
                continue
            rows.pop((put.kind, put.key), None)
            rows[put.kind, put.key] = put
        async with undone_if(self._dry, conn):
            written = await self._write(conn, list(rows.values()), now) if rows else Written()
        repeated = len(batch.lines) - len(refused) - len(rows)
        return Stored(written=written, refused=refused, repeated=repeated)

    async def end(self, conn: Connection, now: datetime) -> None:
        """Nothing remains."""

    def _read(self, said: Mapping[str, Any]) -> Put:
        """Raises Invalid for what is no address of its kind."""
        kind = AddressKind(self._kind or said["kind"])
        reason = said.get("reason")
        return Put(
            kind=kind.value, key=address_key(kind, said["address"], self._region), status=said.get("status"),
            reason=None if reason is None else int(FailureReason[reason.upper()]), text=said.get("text"),
        )  # fmt: skip

    def _title(self, name: str) -> str:
        return next(self._plan.header[index] for index, one in self._plan.fields if one.name == name)

    async def _write(self, conn: Connection, rows: Sequence[Put], now: datetime) -> Written:
        if self._mode is ImportMode.DELETE:
            gone = await store.delete_rows(conn, [one.kind for one in rows], [one.key for one in rows])
            await record_changes(conn, self._actor, self._keyring, "release", sorted(gone), self._told)
            return Written(deleted=len(gone), skipped=len(rows) - len(gone))
        new, known = self._mode is not ImportMode.UPDATE, self._mode is not ImportMode.INSERT
        found = await store.put_rows(conn, rows, now, new=new, known=known)
        changed = [
            (one.kind, one.key)
            for one, (is_known, differs) in zip(rows, found, strict=True)
            if (known and differs if is_known else new)
        ]
        await record_changes(conn, self._actor, self._keyring, "put", changed, self._told)
        return _count(found, new=new, known=known)


def _count(found: Sequence[tuple[bool, bool]], *, new: bool, known: bool) -> Written:
    were = sum(is_known for is_known, _ in found)
    differ = sum(is_known and differs for is_known, differs in found)
    unknown = len(found) - were
    return Written(
        inserted=unknown if new else 0, updated=differ if known else 0, unchanged=were - differ if known else 0,
        skipped=(0 if new else unknown) + (0 if known else were),
    )  # fmt: skip


async def find_quarantine(conn: Connection, target: ImportTarget) -> Destination:
    """Raises Invalid (BAD_VALUE) for a kind that there is not."""
    if target.address_kind is not None and target.address_kind not in set(AddressKind):
        kinds = ", ".join(AddressKind)
        raise Invalid(
            f"there are no addresses of the kind {target.address_kind[:40]!r}", code="BAD_VALUE",
            path="options.target.address_kind", hint=f"Use one of {kinds}.",
        )  # fmt: skip
    own = (_ADDRESS, *_SAID) if target.address_kind is not None else (_KIND, _ADDRESS, *_SAID)
    fields = MappingProxyType({one.name: one for one in own})
    names = tuple(name for name in ("kind", "address") if name in fields)
    key = ImportKey(name="address", label=" and ".join(fields[name].label for name in names), fields=names, columns=names)
    return Destination(
        fields=Fields(all=fields, settable=fields, keys=MappingProxyType({key.name: key}), noun="quarantine entry"),
        open=QuarantineTarget,
        permission=Permission.ADMINISTER,
    )
