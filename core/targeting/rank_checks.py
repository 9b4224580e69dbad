"""What questions say of ranks: by what rows are put in order, and in which groups."""

from __future__ import annotations

from core.targeting.catalogue import Kind
from core.targeting.checked import Checker
from core.targeting.errors import WRONG_TYPE, ExpressionError
from core.targeting.language import MAX_KEYS, Field, Operand, Rank
from core.targeting.link_checks import check_order, follow
from core.targeting.operators import EVERY
from core.targeting.scopes import Scope, ends_in_link
from core.targeting.value_checks import a, too_large


def check_rank(checker: Checker, node: Rank, depth: int) -> Kind:
    """The kind of a rank. All that it is made of is said of any row of the entity. Raises ExpressionError."""
    entity = checker.scope.entity
    if not entity.single:
        raise ExpressionError(
            f"there are no ranks of {entity.name}", code=WRONG_TYPE, place=node.place, found=f"a rank of {entity.name}",
            expected="a rank of rows that have a number of their own",
        )  # fmt: skip
    if len(node.by) + len(node.per) > MAX_KEYS:
        keys = f"{len(node.by) + len(node.per)} orders and groups"
        raise too_large("a rank has too many orders and groups", node.place, keys, MAX_KEYS)
    with checker.ranking(node.place), checker.about(Scope(entity=entity)):
        for order in node.by:
            check_order(checker, order.value, depth)
        for group in node.per:
            _check_group(checker, group, depth)
        if node.where is not None:
            checker.condition(node.where, depth + 1)
    return Kind.INTEGER


def _check_group(checker: Checker, group: Operand, depth: int) -> None:
    """What rows of a group have in common: a value, or the one row at the end of a link."""
    if isinstance(group, Field) and ends_in_link(checker.scope, group.path, checker.catalogue.entities):
        checker.count(group.place, depth + 1)
        follow(checker, group.path, group.place, to_one=True)
        return
    kind = checker.kind(group, depth + 1)
    if kind not in EVERY:
        raise ExpressionError(
            f"rows are not put in groups by {a(kind)}", code=WRONG_TYPE, place=group.place, found=a(kind),
            expected=" or ".join(a(one) for one in Kind if one in EVERY),
        )  # fmt: skip
