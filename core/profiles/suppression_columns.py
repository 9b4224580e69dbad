"""What the columns of a file of suppression entries mean, and what its rows say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import Invalid
from core.profiles.errors import shown
from core.profiles.formulas import unescaped
from core.profiles.suppression_records import EntryForm, SuppressionDraft, SuppressionOptions

COLUMNS = ("value", "form", "comment", "origin", "expires_at", "created_at", "created_by")
"""Of an export; the last two are passed over by an import."""

# What partners call the column of the entries; some names say the form.
_VALUES: dict[str, EntryForm | None] = {
    "value": None, "address": None, "email": None, "email_address": None, "e_mail": None, "mail": None, "phone": None,
    "phone_number": None, "mobile": None, "mobile_phone": None, "domain": None, "hash": None,
    "sha256": EntryForm.SHA256, "sha_256": EntryForm.SHA256, "md5": EntryForm.MD5,
}  # fmt: skip
_NAME = re.compile(r"(?![0-9a-fA-F]{32})[A-Za-z][A-Za-z0-9 _-]*")
_FORMS = {form.name.lower(): form for form in EntryForm} | {"sha-256": EntryForm.SHA256}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryColumns:
    """Where in a row what stands; None: nowhere."""

    value: int
    form: int | None = None
    comment: int | None = None
    origin: int | None = None
    expires_at: int | None = None
    default_form: EntryForm | None = None
    default_origin: str = ""

    def draft(self, row: Sequence[str]) -> SuppressionDraft:
        """What a row says. Raises Invalid (BAD_VALUE, BAD_DATE), its path the column's name."""
        return SuppressionDraft(
            value=_cell(row, self.value),
            form=_form(_cell(row, self.form)) or self.default_form,
            comment=_cell(row, self.comment),
            origin=_cell(row, self.origin) or self.default_origin,
            expires_at=_moment(_cell(row, self.expires_at)),
        )


def plan_columns(header: Sequence[str], options: SuppressionOptions) -> EntryColumns:
    """Read a header; without one the first column holds the entries. Columns of other names are passed over.

    Raises Invalid (NO_VALUE_COLUMN, DUPLICATE_FIELD).
    """
    more = {"default_form": options.form, "default_origin": options.origin.strip()}
    if not options.header:
        return EntryColumns(value=0, **more)  # type: ignore[arg-type]
    names = [re.sub(r"[^a-z0-9]+", "_", one.strip().lower()).strip("_") for one in header]
    for name in COLUMNS:
        if names.count(name) > 1:
            raise Invalid(f"two columns are called {name!r}", code="DUPLICATE_FIELD", path="line 1")
    found = [n for n, name in enumerate(names) if name in _VALUES]
    at = names.index("value") if "value" in names else found[0] if len(found) == 1 else 0 if len(names) == 1 else None
    if len(names) == 1 and names[0] not in _VALUES and not _NAME.fullmatch(header[0].strip()):
        raise Invalid(
            "the first line seems to be an entry, not a header", code="NO_HEADER", path="line 1",
            hint="Say in the options that there is no header.",
        )  # fmt: skip
    if at is None:
        what = "several columns may hold the entries" if found else "no column says that it holds the entries"
        raise Invalid(what, code="NO_VALUE_COLUMN", path="line 1", hint="Call one column 'value'.")
    if options.form is None:
        more["default_form"] = _VALUES.get(names[at])
    places = {name: names.index(name) for name in COLUMNS[1:5] if name in names}
    return EntryColumns(value=at, **places, **more)  # type: ignore[arg-type]


def _cell(row: Sequence[str], at: int | None) -> str:
    return "" if at is None else unescaped(row[at]).strip()


def _form(text: str) -> EntryForm | None:
    if text and text.lower() not in _FORMS:
        raise Invalid(
            f"{shown(text)} is not a form of entries", code="BAD_VALUE", path="form", hint=f"Use one of {', '.join(_FORMS)}."
        )  # fmt: skip
    return _FORMS[text.lower()] if text else None


def _moment(text: str) -> datetime | None:
    """A day or a time, of UTC where it does not say another zone."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(
            f"{shown(text)} is not a time", code="BAD_DATE", path="expires_at", hint="Write it like 2030-12-31T00:00:00Z."
        ) from None  # fmt: skip
