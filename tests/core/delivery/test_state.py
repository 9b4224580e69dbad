"""The life cycle's table of moves."""

from __future__ import annotations

import itertools

import pytest

from core.delivery.records import DeliveryState as S
from core.delivery.state import MOVES, Move, after, is_allowed
from core.errors import IllegalMove

STORY = [
    (Move.PREPARE, S.EDITION, S.TARGET_PREP_PENDING),
    (Move.COUNTED, S.TARGET_PREP_PENDING, S.MESSAGE_PREPARATION),
    (Move.PREPARED, S.MESSAGE_PREPARATION, S.READY),
    (Move.CONFIRM, S.READY, S.START_PENDING),
    (Move.START, S.START_PENDING, S.STARTED),
    (Move.PAUSE, S.STARTED, S.PAUSED),
    (Move.RESUME, S.PAUSED, S.STARTED),
    (Move.FINISH, S.STARTED, S.FINISHED),
]


@pytest.mark.parametrize(("move", "before", "expected"), STORY)
def test_the_way_of_a_delivery(move: Move, before: S, expected: S) -> None:
    assert after(move, before) is expected


@pytest.mark.parametrize(
    ("move", "state"),
    [
        (Move.CONFIRM, S.EDITION),
        (Move.CONFIRM, S.MESSAGE_PREPARATION),
        (Move.CONFIRM, S.STARTED),
        (Move.PREPARE, S.STARTED),
        (Move.PREPARE, S.START_PENDING),
        (Move.RESUME, S.STARTED),
        (Move.PAUSE, S.READY),
        (Move.STOP, S.FINISHED),
        (Move.EDIT, S.STARTED),
    ],
)
def test_an_illegal_move_names_the_state_and_says_what_to_do(move: Move, state: S) -> None:
    with pytest.raises(IllegalMove) as caught:
        after(move, state)
    assert caught.value.code == "ILLEGAL_MOVE"
    assert state.name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("state", [S.CANCELLED, S.FAILED, S.FINISHED])
def test_nothing_leads_out_of_an_end(state: S) -> None:
    assert not [move for move in Move if is_allowed(move, state)]


def test_every_state_but_the_first_can_be_reached() -> None:
    reached = {S.EDITION}
    for _, (move, _) in itertools.product(range(len(MOVES)), MOVES.items()):
        target = MOVES[move][1]
        if target is not None and reached & set(MOVES[move][0]):
            reached.add(target)
    assert {S.READY, S.STARTED, S.PAUSED, S.CANCELLED, S.FINISHED, S.PREPARATION_ERROR} <= reached
