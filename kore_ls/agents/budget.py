"""How much a session's tools may do before they are stopped: counted per turn and per session, in memory."""

from __future__ import annotations

from kore_ls.agents.problem import ToolProblem
from kore_ls.model.ids import TurnId

CALLS_PER_TURN = 2_000
QUESTIONS_PER_CALL = 4
QUESTIONS_PER_TURN = 200
QUESTIONS_PER_SESSION = 5_000
BYTES_PER_TURN = 256 << 20
"""What the tools of one turn may write."""
RESULT_CHARS = 64_000
"""What one tool call gives back."""


class Budget:
    """Counters of one session; those of a turn begin anew with each turn."""

    def __init__(self) -> None:
        self._turn: TurnId | None = None
        self._calls = self._asked_in_call = self._asked_in_turn = self._asked = self._written = 0

    def call(self, turn_id: TurnId) -> None:
        """One more call. Raises ToolProblem."""
        if turn_id != self._turn:
            self._turn = turn_id
            self._calls = self._asked_in_turn = self._written = 0
        self._calls += 1
        self._asked_in_call = 0
        if self._calls > CALLS_PER_TURN:
            raise ToolProblem("This turn has used too many tools; end it.")

    def ask(self) -> None:
        """One more question to the user. Raises ToolProblem."""
        self._asked_in_call += 1
        self._asked_in_turn += 1
        self._asked += 1
        if (
            self._asked_in_call > QUESTIONS_PER_CALL
            or self._asked_in_turn > QUESTIONS_PER_TURN
            or self._asked > QUESTIONS_PER_SESSION
        ):
            raise ToolProblem("The user was asked too often; go on without this.")

    def write(self, size: int) -> None:
        """So many bytes are about to be written. Raises ToolProblem."""
        self._written += size
        if self._written > BYTES_PER_TURN:
            raise ToolProblem("This turn has written too much; end it.")


def bounded(text: str, most: int = RESULT_CHARS) -> str:
    """About `most` characters of a result, and a word where that is not all.

    An eighth of them are its last: how a command ended and what its user said of it stand there.
    """
    if len(text) <= most:
        return text
    last = most // 8
    return f"{text[: most - last]}\n[... {len(text) - most} characters are left out ...]\n{text[-last:]}"
