"""The life cycle as a table of allowed moves (feature map A.1). Pure."""

from __future__ import annotations

from enum import StrEnum

from core.delivery.records import DeliveryState as S
from core.errors import IllegalMove


class Move(StrEnum):
    """What may be done to a delivery, by a person or by the house."""

    PREPARE = "prepare"
    STOP_PREPARATION = "stop the preparation"
    COUNTED = "finish counting"
    PREPARED = "finish the preparation"
    FAIL_PREPARATION = "fail the preparation"
    CONFIRM = "confirm"
    INVALIDATE = "forget what was prepared"  # it has changed since
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    FINISH = "finish"
    EDIT = "edit"


PREPARING = (
    S.TARGET_PREP_PENDING,
    S.TARGET_SELECTION,
    S.TARGET_ARBITRATION,
    S.TARGET_READY,
    S.MESSAGE_PREP_PENDING,
    S.MESSAGE_PREPARATION,
    S.MESSAGE_READY,
)
UNPREPARED = (S.EDITION, S.PREPARATION_ERROR)
SENDING = (S.STARTED, S.RETRY_PENDING, S.RETRY_IN_PROGRESS)
EDITABLE = (S.EDITION, S.READY, S.PREPARATION_ERROR, S.START_PENDING)

# move → (states it may be made from, state it leads to; None leaves the state as it is)
MOVES: dict[Move, tuple[tuple[S, ...], S | None]] = {
    Move.PREPARE: ((S.EDITION, S.READY, S.PREPARATION_ERROR), S.TARGET_PREP_PENDING),
    Move.STOP_PREPARATION: (PREPARING, S.EDITION),
    Move.COUNTED: ((S.TARGET_PREP_PENDING, S.TARGET_SELECTION), S.MESSAGE_PREPARATION),
    Move.PREPARED: (PREPARING, S.READY),
    Move.FAIL_PREPARATION: (PREPARING, S.PREPARATION_ERROR),
    Move.CONFIRM: ((S.READY,), S.START_PENDING),
    Move.INVALIDATE: ((S.READY, S.START_PENDING), S.EDITION),
    Move.START: ((S.START_PENDING,), S.STARTED),
    Move.PAUSE: ((S.START_PENDING, *SENDING), S.PAUSED),
    Move.RESUME: ((S.PAUSED,), S.STARTED),
    Move.STOP: ((S.START_PENDING, *SENDING, S.PAUSED), S.CANCELLED),
    Move.FINISH: (SENDING, S.FINISHED),
    Move.EDIT: (EDITABLE, None),
}

_ADVICE: dict[Move, str] = {
    Move.CONFIRM: "Prepare it first and wait until it is ready.",
    Move.PREPARE: "Stop what runs, or copy the delivery.",
    Move.RESUME: "Only a paused delivery can be resumed.",
    Move.PAUSE: "Only a confirmed or running delivery can be paused.",
    Move.STOP: "Only a confirmed, running or paused delivery can be stopped.",
    Move.EDIT: "A delivery that is being prepared or sent cannot be changed; stop it or copy it.",
    Move.STOP_PREPARATION: "There is no preparation to stop.",
}


def is_allowed(move: Move, state: S) -> bool:
    """Whether the move may be made from the state."""
    return state in MOVES[move][0]


def after(move: Move, state: S) -> S:
    """The state a move leads to. Raises IllegalMove."""
    if not is_allowed(move, state):
        raise IllegalMove(
            f"a delivery in state {state.name} ({state.value}) cannot be asked to {move.value}",
            hint=_ADVICE.get(move),
        )
    target = MOVES[move][1]
    return state if target is None else target
