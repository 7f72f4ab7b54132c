"""The prompts that wait for their turns, in order: in memory with who asked, in the store so that none is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from attrs import frozen

from kore_ls.errors import SessionBusy
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.turn import Prompt
from kore_ls.storage.prompt_rows import WaitingPrompt
from kore_ls.storage.turn_store import TurnStore

MOST_QUEUED = 16


@frozen(kw_only=True)
class QueuedPrompt:
    """A prompt that waits. `starter` is the client that sent it."""

    turn_id: TurnId
    prompt: Prompt
    starter: object

    def stored(self, session_id: SessionId) -> WaitingPrompt:
        """As the store has it."""
        return WaitingPrompt(turn_id=self.turn_id, session_id=session_id, prompt=self.prompt)


@frozen(kw_only=True)
class CancelledTurn:
    """What a cancel did: whether a turn was running, and the prompts that were waiting."""

    cancelled: bool
    dropped: tuple[QueuedPrompt, ...]


class PromptQueues:
    """One queue for each session."""

    def __init__(self, turns: Callable[[], TurnStore]) -> None:
        self._turns = turns
        self._queues: dict[SessionId, deque[QueuedPrompt]] = {}

    def __iter__(self) -> Iterator[SessionId]:
        return iter([session_id for session_id, queue in self._queues.items() if queue])

    def count(self, session_id: SessionId) -> int:
        """How many wait."""
        return len(self._queues.get(session_id, ()))

    async def add(self, session_id: SessionId, prompt: QueuedPrompt) -> None:
        """Let a prompt wait; it is stored when this returns. Raises SessionBusy where too many wait, store errors."""
        queue = self._queues.setdefault(session_id, deque())
        if len(queue) >= MOST_QUEUED:
            raise SessionBusy("too many prompts wait already", sessionId=session_id)
        queue.append(prompt)  # at once, so that prompts stay in the order in which they came
        try:
            await self._turns().wait(prompt.stored(session_id))
        except BaseException:
            if prompt in queue:
                queue.remove(prompt)
            raise

    def put_back(self, session_id: SessionId, prompt: QueuedPrompt) -> None:
        """It is the next one again."""
        self._queues.setdefault(session_id, deque()).appendleft(prompt)

    def next(self, session_id: SessionId) -> QueuedPrompt | None:
        """Take the next one out; it stays stored until its turn begins."""
        queue = self._queues.get(session_id)
        return queue.popleft() if queue else None

    def take_all(self, session_id: SessionId) -> tuple[QueuedPrompt, ...]:
        """Take all out."""
        return tuple(self._queues.pop(session_id, ()))
