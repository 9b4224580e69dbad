"""Fields by whose words the search finds people (2.11): which may be, and how their words are written in SQL. Pure.

The words that Clarion's own columns have are a column of profiles, with an index. Those of a team's fields are computed by an
index of their own, together with the former: a text may have words of both. Only who has something in such a field is in it,
so that all others cost nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.datamodel.physical import column_of
from core.datamodel.records import DataField, Entity, FieldKind, Model
from core.datamodel.rules import a_kind
from core.errors import Invalid

SEARCHED = "profile"
OUR_WORDS = "search_words"  # the column
MAX_SEARCHABLE = 20  # together with the length of each: what all words of a row may take in Postgres
LONGEST_SEARCHABLE = 1_000  # characters of a text
_KINDS = frozenset({FieldKind.TEXT, FieldKind.INTEGER})


@dataclass(frozen=True, slots=True)
class Words:
    """The words of people who have something in a searchable field. Query and index must be written alike."""

    condition: str  # of a row: it is in the index
    sql: str  # all its words, ours too


def words_of(entity: Entity) -> Words | None:
    """The words of an entity's searchable fields; None where it has none."""
    fields = [one for one in entity.fields if one.searchable]
    if not fields:
        return None
    given = " OR ".join(f"{column_of(one.name)} IS NOT NULL" for one in fields)
    texts = " || ' ' || ".join(f"coalesce({_text(one)}, '')" for one in fields)
    return Words(
        condition=f"merged_into IS NULL AND ({given})",
        sql=f"{OUR_WORDS} || array_to_tsvector(folded_words({texts}))",
    )


def check_searchable(model: Model) -> None:
    """Raises Invalid (NOT_SEARCHABLE, TOO_MANY_SEARCHABLE)."""
    for entity in model.entities:
        fields = [one for one in entity.fields if one.searchable]
        for field in fields:
            _check(entity, field)
        if len(fields) > MAX_SEARCHABLE:
            raise Invalid(
                f"up to {MAX_SEARCHABLE} fields may be searchable", code="TOO_MANY_SEARCHABLE", path="searchable",
                hint="Choose those by which people are looked up.",
            )  # fmt: skip


def _check(entity: Entity, field: DataField) -> None:
    if entity.name != SEARCHED:
        raise Invalid(
            f"only fields of profiles are searchable, not those of {entity.name}", code="NOT_SEARCHABLE", path="searchable",
            hint="Add an index, and ask by an expression.",
        )  # fmt: skip
    if field.kind not in _KINDS:
        raise Invalid(
            f"{field.name} is {a_kind(field.kind)}, which has no words", code="NOT_SEARCHABLE", path="searchable",
            hint="Texts and integers are searchable; ask for others by an expression.",
        )  # fmt: skip
    if (field.max_length or 0) > LONGEST_SEARCHABLE:
        raise Invalid(
            f"a searchable text has {LONGEST_SEARCHABLE:,} characters at most", code="NOT_SEARCHABLE", path="searchable",
            hint="Ask by an expression what longer texts contain.",
        )  # fmt: skip


def _text(field: DataField) -> str:
    column = column_of(field.name)
    return column if field.kind is FieldKind.TEXT else f"{column}::text"
