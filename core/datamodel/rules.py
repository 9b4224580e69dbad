"""What a field or a dataset may be. Pure; raises Invalid, and Conflict for what the published data does not allow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import normalize

from core.authored import check_label
from core.datamodel.physical import EVENT_PREFIX, HOUSE_ENTITIES, PREFIX, Tables, column_of, length_of, sql_type, table_of
from core.datamodel.records import AUDIT_KINDS, DataField, Entity, FieldKind, Model
from core.errors import Conflict, Invalid

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
MAX_TEXT = 10_000  # characters
DEFAULT_TEXT = 255
MAX_FIELDS = 300  # of one entity: a row of Postgres has room for about 450 filled texts
MAX_DATASETS = 200
MAX_CHOICES = 1_000  # of one field
MAX_ALL_CHOICES = 20_000
DESCRIPTION_LENGTH = 500
CATEGORY_LENGTH = 60
_WITH_CHOICES = frozenset({FieldKind.TEXT, FieldKind.INTEGER, FieldKind.ENUMERATION})

# What expressions, templates and GraphQL read as something else.
RESERVED = frozenset(
    ["and", "or", "not", "in", "between", "contains", "starts_with", "ends_with", "is_null", "is", "now", "today", "true",
     "false", "null", "nil", "empty", "blank", "if", "else", "case", "when", "for", "exists", "count", "sum", "min", "max",
     "avg", "first", "last", "where", "of", "by", "then", "within", "distinct", "id", "created_at", "updated_at", "age",
     "held_out"]
)  # fmt: skip


def check_field(field: DataField) -> None:
    """What a field says of itself. Raises Invalid."""
    check_name(field.name, "name")
    check_label(field.label)
    check_description(field.description)
    _check_category(field.category)
    if field.kind is FieldKind.TEXT and not 1 <= (field.max_length or 0) <= MAX_TEXT:
        raise Invalid(f"a text has 1 to {MAX_TEXT} characters at most", code="BAD_LENGTH", path="max_length")
    if field.kind is not FieldKind.TEXT and field.max_length is not None:
        raise Invalid(f"only a text has a greatest length, not {a_kind(field.kind)}", code="BAD_LENGTH", path="max_length")
    _check_choices(field)


def check_dataset(entity: Entity) -> None:
    """What a dataset says of itself, its fields apart. Raises Invalid."""
    check_name(entity.name, "name")
    if entity.name in HOUSE_ENTITIES or entity.name.startswith(EVENT_PREFIX):
        raise Invalid(
            f"{entity.name!r} is something that questions know already", code="RESERVED_NAME", path="name",
            hint="Choose another name.",
        )  # fmt: skip
    check_label(entity.label)
    check_description(entity.description)


def check_fields(model: Model, published: Model, tables: Tables) -> None:
    """All fields, beside what is published and what lies in the database. Raises Conflict, Invalid."""
    if sum(not one.built_in for one in model.entities) > MAX_DATASETS:
        raise Invalid(f"there may be {MAX_DATASETS} datasets", code="TOO_MANY_DATASETS", hint="Remove some.")
    if sum(len(field.choices) for entity in model.entities for field in entity.fields) > MAX_ALL_CHOICES:
        raise Invalid(f"all fields together may have {MAX_ALL_CHOICES:,} values", code="TOO_MANY_CHOICES", path="choices")
    for entity in model.entities:
        if len(entity.fields) > MAX_FIELDS:
            raise Invalid(f"{entity.name} may have {MAX_FIELDS} fields", code="TOO_MANY_FIELDS", hint="Use a dataset.")
        before = published.find(entity.name)
        for field in entity.fields:
            _check_place(entity, field)
            _check_type(entity, field, before.find(field.name) if before else None, tables)


def _check_place(entity: Entity, field: DataField) -> None:
    if entity.built_in and field.kind in AUDIT_KINDS:
        raise Invalid(
            f"only rows of datasets say {a_kind(field.kind)}, not {entity.name}", code="BAD_KIND", path="kind",
            hint="The audit tells who changed what is of Clarion.",
        )  # fmt: skip


def _check_type(entity: Entity, field: DataField, before: DataField | None, tables: Tables) -> None:
    """A column keeps its type, but for texts that become longer."""
    if before is not None and before.kind is not field.kind:
        raise Conflict(
            f"{entity.name}.{field.name} holds {a_kind(before.kind)}, and cannot come to hold {a_kind(field.kind)}",
            code="KIND_FIXED", path="kind", hint="Add a field of another name, fill it, then remove this one.",
        )  # fmt: skip
    place = table_of(entity), column_of(field.name)
    lies = "the keys of a link" if place in tables.references else tables.type_of(*place)
    wanted = sql_type(field)
    if lies is None or lies == wanted or is_longer(wanted, lies):
        return
    if before is not None:
        raise Conflict(
            f"{entity.name}.{field.name} may be {before.max_length} characters long, and cannot become shorter",
            code="LENGTH_FIXED", path="max_length", hint=f"Write {before.max_length} or more.",
        )  # fmt: skip
    raise Conflict(
        f"{entity.name}.{field.name} is the name of hidden data: {lies}, not {wanted}",
        code="HIDDEN_DATA", path="name", hint="Drop the hidden data first, or choose another name.",
    )  # fmt: skip


def is_longer(wanted: str, lies: str) -> bool:
    """Whether a type is that of a longer text than the other."""
    return (length_of(wanted) or 0) > (length_of(lies) or MAX_TEXT)


def check_name(name: str, path: str = "name") -> None:
    """Raises Invalid (BAD_NAME, RESERVED_NAME)."""
    if not NAME.fullmatch(name):
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:30]
        usable = slug and slug not in RESERVED and not slug.startswith(PREFIX)
        hint = f"For example {slug!r}." if usable else "For example 'loyalty_tier'."
        raise Invalid(
            f"{name[:80]!r} is not a name: a small letter, then up to 29 of small letters, digits and '_'",
            code="BAD_NAME", path=path, hint=hint,
        )  # fmt: skip
    if name in RESERVED or name.startswith(PREFIX):
        raise Invalid(f"{name!r} means something else", code="RESERVED_NAME", path=path, hint="Choose another name.")


def check_description(text: str) -> None:
    """Raises Invalid (BAD_DESCRIPTION)."""
    if len(text) > DESCRIPTION_LENGTH or not text.isprintable():
        raise Invalid(
            f"a description is one line of up to {DESCRIPTION_LENGTH} printable characters",
            code="BAD_DESCRIPTION", path="description",
        )  # fmt: skip


def _check_category(text: str | None) -> None:
    if text is not None and (not 1 <= len(text) <= CATEGORY_LENGTH or not text.isprintable() or text != text.strip()):
        raise Invalid(
            f"a category is one line of 1 to {CATEGORY_LENGTH} printable characters, without spaces around it",
            code="BAD_CATEGORY", path="category", hint="Leave it out where there is none.",
        )  # fmt: skip


def _check_choices(field: DataField) -> None:
    if field.kind is FieldKind.ENUMERATION and not field.choices:
        raise Invalid("an enumeration needs its values", code="CHOICES_MISSING", path="choices", hint="Give one or more.")
    if field.choices and field.kind not in _WITH_CHOICES:
        raise Invalid(f"{a_kind(field.kind)} has no list of values", code="BAD_CHOICE", path="choices", hint="Leave them out.")
    if len(field.choices) > MAX_CHOICES:
        raise Invalid(f"a field has up to {MAX_CHOICES} values", code="TOO_MANY_CHOICES", path="choices")
    if twice := _repeated(choice.name for choice in field.choices):
        raise Invalid(f"the value {twice!r} is there twice", code="BAD_CHOICE", path="choices", hint="Write it once.")
    words: set[str] = set()
    for choice in field.choices:
        check_label(choice.label, "choices")
        said = {choice.name.casefold(), choice.label.casefold()}
        if words & said:
            raise Invalid(
                f"the value {choice.name[:80]!r} or its label says the same as another", code="BAD_CHOICE", path="choices",
                hint="Give each a name and a label of its own.",
            )  # fmt: skip
        words |= said
        if not _is_value(field, choice.name):
            raise Invalid(
                f"{choice.name[:80]!r} cannot be a value of {a_kind(field.kind)}", code="BAD_CHOICE", path="choices",
                hint="Small letters, digits and '_' for an enumeration, whole numbers for an integer.",
            )  # fmt: skip


def _is_value(field: DataField, text: str) -> bool:
    if field.kind is FieldKind.ENUMERATION:
        return NAME.fullmatch(text) is not None
    if field.kind is FieldKind.INTEGER:
        return re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text) is not None
    kept = normalize("NFC", text).strip()  # as values are stored
    return 0 < len(text) <= (field.max_length or 0) and text.isprintable() and text == kept


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def a_kind(kind: FieldKind) -> str:
    """A kind with its article."""
    if kind in AUDIT_KINDS:
        return f"who {kind.value.removesuffix('_by')} a row"
    return f"{'an' if kind.value[0] in 'aeiou' else 'a'} {kind.value.replace('_', ' ')}"
