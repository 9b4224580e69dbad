"""What questions say of columns that members bring along."""

from __future__ import annotations

from core.targeting.catalogue import Kind
from core.targeting.checked import Checker, Listed
from core.targeting.errors import SYNTAX, UNKNOWN_AUDIENCE, UNKNOWN_FIELD, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.language import Call
from core.targeting.member_columns import FUNCTION, SIGNATURE, column_named


def check_column(checker: Checker, node: Call) -> Kind:
    """The kind of a member's value. Raises ExpressionError."""
    named = column_named(node)
    if named is None:
        raise ExpressionError(
            f"{FUNCTION} names an audience and a column", code=SYNTAX, place=node.place,
            found=f"{len(node.arguments)} arguments", expected=f"two texts, as in {SIGNATURE}",
        )  # fmt: skip
    found = checker.audiences.get((named.audience, None))
    if found is None:
        raise ExpressionError(
            f"there is no audience {shown(named.audience)}", code=UNKNOWN_AUDIENCE, place=node.place,
            found=shown(named.audience), expected="the name of an audience",
            suggestion=closest(named.audience, [name for name, _ in checker.audiences]),
        )  # fmt: skip
    if not isinstance(found, Listed):
        raise ExpressionError(
            f"the audience {shown(named.audience)} is a question, whose members bring no columns", code=WRONG_TYPE,
            place=node.place, found=shown(named.audience), expected="a list or a file",
            suggestion="a list that is frozen from it, with columns",
        )  # fmt: skip
    if checker.scope.entity.name != "profile":
        raise ExpressionError(
            f"the audience {shown(named.audience)} is of another kind", code=WRONG_TYPE, place=node.place,
            found="an audience of profile", expected=f"a question about profiles, not {checker.scope.entity.name}",
        )  # fmt: skip
    if named.column not in found.columns:
        raise ExpressionError(
            f"the audience {shown(named.audience)} has no column {shown(named.column)}", code=UNKNOWN_FIELD,
            place=node.place, found=shown(named.column),
            expected="one of " + " ".join(list(found.columns)[:30]) if found.columns else "an audience that has columns",
            suggestion=closest(named.column, found.columns),
        )  # fmt: skip
    return found.columns[named.column]
