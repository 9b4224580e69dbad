"""Pairs of links between many and many, added and removed in sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.access import Actor, Permission, require
from core.audit import record_each
from core.datamodel.physical import pair_table_named
from core.datamodel.present import hold_model
from core.datamodel.records import Link, LinkKind, Model
from core.db import Connection
from core.errors import ClarionError
from core.rows import store
from core.rows.records import PairOutcome, SentPair
from core.rows.refusals import check_size, link_not_found
from core.rows.shape import shape_of
from core.rows.targets import Finder, Spoken
from core.rows.writing import AUDITED_AS


async def change_pairs(
    conn: Connection,
    actor: Actor,
    entity: str,
    link: str,
    *,
    add: Sequence[SentPair] = (),
    remove: Sequence[SentPair] = (),
) -> tuple[list[PairOutcome], list[PairOutcome]]:
    """Link rows of an entity and others, or no longer: outcomes of what was added, then of what was removed, in their order.
    `link` is the name of the link, or of its way back where `entity` is its target.

    In the outcomes: Invalid (BAD_ID, UNKNOWN_KEY, …), NotFound (ROW_NOT_FOUND, PROFILE_NOT_FOUND), Conflict (AMBIGUOUS_EMAIL).

    Raises NotFound (DATASET_NOT_FOUND, LINK_NOT_FOUND), Invalid (TOO_MANY_ROWS).
    """
    require(actor, Permission.EDIT)
    check_size([*add, *remove], "add")
    model = await hold_model(conn)
    source, found, back = _link(model, entity, link)
    near, far = (found.target, source) if back else (source, found.target)
    finder, table = Finder(conn, model), pair_table_named(source, found.name)
    spoken = [
        one for name, sent in (("add", add), ("remove", remove)) for index, pair in enumerate(sent)
        for one in (
            Spoken(near, pair.row, f"{name}.{index}.row"), Spoken(far, pair.target, f"{name}.{index}.target"),
        )
    ]  # fmt: skip
    ids = await finder.find(spoken)
    pairs = list(zip(ids[::2], ids[1::2], strict=True))
    to_add, to_remove = pairs[: len(add)], pairs[len(add) :]
    removed = await _change(conn, table, to_remove, back, removing=True)
    added = await _change(conn, table, to_add, back, removing=False)
    here, gone = _changed(added, to_add), _changed(removed, to_remove)
    changes = {
        f"{entity}:{key}": {"link": found.name, "added": here[key], "removed": gone[key]} for key in sorted(here | gone)
    }  # fmt: skip
    if changes:
        await record_each(conn, actor, f"{AUDITED_AS}.link", AUDITED_AS, changes)
    return added, removed


Found = tuple[int | ClarionError, int | ClarionError]


async def _change(
    conn: Connection, table: str, pairs: Sequence[Found], back: bool, *, removing: bool
) -> list[PairOutcome]:  # fmt: skip
    whole = {
        (far, near) if back else (near, far)
        for near, far in pairs if isinstance(near, int) and isinstance(far, int)
    }  # fmt: skip
    act = store.remove_pairs if removing else store.add_pairs
    done = await act(conn, table, sorted(whole)) if whole else set()
    outcomes = []
    for index, (near, far) in enumerate(pairs):
        problems = tuple(one for one in (near, far) if isinstance(one, ClarionError))
        changed = not problems and ((far, near) if back else (near, far)) in done
        outcomes.append(PairOutcome(index=index, changed=changed, problems=problems))
    return outcomes


def _changed(outcomes: Sequence[PairOutcome], pairs: Sequence[Found]) -> Counter[int]:
    """How many pairs have changed of each row, a pair that was sent twice counted once."""
    done = {pair for one, pair in zip(outcomes, pairs, strict=True) if one.changed}
    return Counter(near for near, _ in done if isinstance(near, int))


def _link(model: Model, entity: str, name: str) -> tuple[str, Link, bool]:
    """The link of many and many, whose it is, and whether its way back is meant. Raises NotFound."""
    known: dict[str, tuple[str, Link, bool]] = {}
    for one in model.entities:
        for link in one.links:
            if link.kind is LinkKind.MANY_TO_MANY and link.target == entity:
                known[link.reverse_name] = (one.name, link, True)
            if link.kind is LinkKind.MANY_TO_MANY and one.name == entity:
                known[link.name] = (one.name, link, False)
    if name in known:
        return known[name]
    if model.find(entity) is None:
        shape_of(model, entity)
    raise link_not_found(entity, name, list(known))
