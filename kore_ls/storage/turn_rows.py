"""Statements about turns: begun, stored step by step, ended, taken over from the dead; run inside a hop."""

from __future__ import annotations

import sqlite3

from attrs import evolve, frozen

from kore_ls.errors import BadTransition, LeaseHeld, SessionBusy, SessionClosed, TurnNotFound
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import UNFINISHED, Message, MessageState, Role, ToolStatus
from kore_ls.model.session import SessionRecord, SessionStatus, Usage
from kore_ls.model.turn import Draft, StopReason, Turn, TurnState
from kore_ls.storage.codec import codec_of
from kore_ls.storage.draft_rows import find_draft, remove_draft
from kore_ls.storage.lease_rows import HeldLease, check_epoch, held_lease, release_lease, take_lease
from kore_ls.storage.message_rows import add_message, append_message
from kore_ls.storage.note_rows import save_note
from kore_ls.storage.prompt_rows import WaitingPrompt, take_prompt
from kore_ls.storage.rows import marks
from kore_ls.storage.session_rows import change_session, load_session
from kore_ls.storage.turn_values import TURN_COLUMNS, turn_of, turn_row
from kore_ls.storage.writer import Transaction

_INSERT = f"INSERT INTO turns ({TURN_COLUMNS}) VALUES ({marks(TURN_COLUMNS)})"


@frozen(kw_only=True)
class Fence:
    """What a turn's writes must prove: the lease is still the one that the turn began with."""

    session_id: SessionId
    turn_id: TurnId
    owner: str
    epoch: int


@frozen(kw_only=True)
class BegunTurn:
    """A turn just begun, its prompt as it is stored, and its session as it is now."""

    turn: Turn
    message: Message
    session: SessionRecord
    fence: Fence


@frozen(kw_only=True)
class EndedTurn:
    """A turn just ended, its last message if the end made one, and its session as it is now."""

    turn: Turn
    message: Message | None
    session: SessionRecord


@frozen(kw_only=True)
class TurnPage:
    """Turns, newest first; `position` is where to go on (None: that was all)."""

    turns: tuple[Turn, ...] = ()
    position: int | None = None


def begin_turn(
    transaction: Transaction, message: Message, turn_id: TurnId, owner: str, now: int, *, waited: bool = False
) -> BegunTurn:
    """Store the prompt, take the lease, set the session to work. `waited`: the prompt was stored as a waiting one.

    Raises SessionNotFound, SessionClosed, LeaseHeld, SessionBusy, BadTransition; TurnNotFound for a waiting prompt
    that somebody else has seen to.
    """
    db = transaction.db
    if waited:
        take_prompt(db, turn_id)
    before = load_session(db, message.session_id)
    if before.status is SessionStatus.CLOSED:
        raise SessionClosed(sessionId=before.id)
    check_free(transaction, before.id, owner, now)
    if before.status is SessionStatus.RUNNING or held_lease(db, before.id) is not None:
        raise SessionBusy(sessionId=before.id)
    if before.status is SessionStatus.PAUSED:
        raise BadTransition(sessionId=before.id, status="paused", wanted="running")
    stored, _ = add_message(db, message, message.id, now)
    turn = Turn(turn_id=turn_id, session_id=before.id, state=TurnState.RUNNING, started_at=now, first_seq=stored.seq)
    db.execute(_INSERT, turn_row(turn, codec_of(db)))
    _, session = change_session(db, before.id, lambda record: evolve(record, status=SessionStatus.RUNNING))
    epoch = take_lease(db, before.id, owner, now)
    transaction.changed(before.id, EventType.MESSAGE_ADDED)
    transaction.changed(before.id, EventType.SESSION_UPDATED)
    fence = Fence(session_id=before.id, turn_id=turn_id, owner=owner, epoch=epoch)
    return BegunTurn(turn=turn, message=stored, session=session, fence=fence)


def end_step(transaction: Transaction, fence: Fence, message: Message, now: int, note: str | None = None) -> Message:
    """Store a step's message, with its agent's note; the draft that it was is gone. Raises LeaseHeld."""
    db = transaction.db
    check_epoch(db, fence.session_id, fence.owner, fence.epoch)
    stored = append_message(db, message, now)
    if note is not None:
        save_note(db, fence.session_id, stored.id, note)
    db.execute("UPDATE turns SET last_seq = ? WHERE id = ?", (stored.seq, fence.turn_id))
    remove_draft(db, fence.turn_id)
    transaction.changed(fence.session_id, EventType.MESSAGE_ADDED)
    return stored


def end_turn(
    transaction: Transaction,
    fence: Fence,
    reason: StopReason,
    message: Message | None,
    usage: Usage | None,
    changed_files: tuple[str, ...],
    now: int,
    note: str | None = None,
) -> EndedTurn:
    """Store what is left of the turn, its end and what it used; release the lease. Raises LeaseHeld."""
    db = transaction.db
    check_epoch(db, fence.session_id, fence.owner, fence.epoch)
    stored = None if message is None else end_step(transaction, fence, message, now, note)
    turn = _close(db, fence.turn_id, reason, changed_files, now)
    remove_draft(db, fence.turn_id)
    release_lease(db, fence.session_id)
    _, session = change_session(db, fence.session_id, lambda record: _rested(record, usage), deleted=True)
    transaction.changed(fence.session_id, EventType.SESSION_UPDATED)
    return EndedTurn(turn=turn, message=stored, session=session)


def take_over(transaction: Transaction, session_id: SessionId, now: int) -> EndedTurn | None:
    """End what a dead process left running in a session; None if it was no turn."""
    db = transaction.db
    release_lease(db, session_id)
    db.execute("UPDATE leases SET epoch = epoch + 1 WHERE session_id = ?", (session_id,))
    _, session = change_session(db, session_id, lambda record: _rested(record, None), deleted=True)
    transaction.changed(session_id, EventType.SESSION_UPDATED)
    row = db.execute(
        f"SELECT {TURN_COLUMNS} FROM turns WHERE session_id = ? AND state = 'running'", (session_id,)
    ).fetchone()
    if row is None:
        return None
    turn = turn_of(row, codec_of(db))
    draft = find_draft(db, turn.turn_id)
    stored: Message | None = None
    if draft is not None and not draft.empty:
        stored = append_message(db, message_of_draft(turn, draft, MessageState.INTERRUPTED), now)
        db.execute("UPDATE turns SET last_seq = ? WHERE id = ?", (stored.seq, turn.turn_id))
        transaction.changed(session_id, EventType.MESSAGE_ADDED)
        session = load_session(db, session_id, deleted=True)
    remove_draft(db, turn.turn_id)
    return EndedTurn(
        turn=_close(db, turn.turn_id, StopReason.INTERRUPTED, turn.changed_files, now), message=stored, session=session
    )


def leave_prompt(
    transaction: Transaction, waiting: WaitingPrompt, message_id: MessageId, reason: StopReason, now: int
) -> EndedTurn | None:
    """A prompt that waited and will have no answer: it is kept as a message of a turn that has ended at once.

    None if its session is gone.
    """
    db = transaction.db
    db.execute("DELETE FROM prompts WHERE turn_id = ?", (waiting.turn_id,))
    if db.execute("SELECT 1 FROM sessions WHERE id = ? AND hidden = 0", (waiting.session_id,)).fetchone() is None:
        return None
    message = Message(
        id=message_id,
        session_id=waiting.session_id,
        role=Role.USER,
        content=waiting.prompt.text,
        turn_id=waiting.turn_id,
        state=MessageState.CANCELLED if reason is StopReason.CANCELLED else MessageState.INTERRUPTED,
        metadata=waiting.prompt.kept_context(),
    )
    stored = append_message(db, message, now)
    turn = Turn(
        turn_id=waiting.turn_id,
        session_id=waiting.session_id,
        state=TurnState.DONE,
        stop_reason=reason,
        started_at=now,
        ended_at=now,
        first_seq=stored.seq,
        last_seq=stored.seq,
    )
    db.execute(_INSERT, turn_row(turn, codec_of(db)))
    transaction.changed(waiting.session_id, EventType.MESSAGE_ADDED)
    return EndedTurn(turn=turn, message=stored, session=load_session(db, waiting.session_id, deleted=True))


def check_free(transaction: Transaction, session_id: SessionId, owner: str, now: int) -> None:
    """Raise LeaseHeld if another process works in the session; one that is dead is taken over."""
    lease = held_lease(transaction.db, session_id)
    if lease is None or lease.owner == owner:
        return
    if not lease.lapsed(now):
        raise LeaseHeld(sessionId=session_id, holder=lease.process.words)
    take_over(transaction, session_id, now)


def forsaken(db: sqlite3.Connection, leases: list[HeldLease], now: int) -> list[SessionId]:
    """Sessions that look busy although nobody works in them."""
    lapsed = {lease.session_id for lease in leases if lease.lapsed(now)}
    held = {lease.session_id for lease in leases}
    running = db.execute("SELECT id FROM sessions WHERE status = 'running'").fetchall()
    running += db.execute("SELECT session_id FROM turns WHERE state = 'running'").fetchall()
    return sorted(lapsed | {SessionId(row[0]) for row in running} - held)


def message_of_draft(turn: Turn, draft: Draft, state: MessageState | None) -> Message:
    """A draft as the message that it becomes; tool calls that never ended are cancelled."""
    calls = tuple(
        evolve(call, status=ToolStatus.CANCELLED) if call.status in UNFINISHED else call for call in draft.calls
    )
    return Message(
        id=MessageId(draft.message_id),
        session_id=turn.session_id,
        role=Role.ASSISTANT,
        content=draft.text,
        turn_id=turn.turn_id,
        state=state,
        thinking=draft.thinking or None,
        tool_calls=calls or None,
    )


def find_turn(db: sqlite3.Connection, turn_id: TurnId) -> Turn:
    """Raises TurnNotFound, also where its session is deleted."""
    row = db.execute(
        f"SELECT {_of_turns()} FROM turns t CROSS JOIN sessions s ON s.id = t.session_id "
        "WHERE t.id = ? AND s.hidden = 0 AND s.deleted_at IS NULL",
        (turn_id,),
    ).fetchone()
    if row is None:
        raise TurnNotFound(turnId=turn_id)
    return turn_of(row, codec_of(db))


def list_turns(db: sqlite3.Connection, session_id: SessionId, limit: int, below: int | None) -> TurnPage:
    """Newest first, from below a position."""
    rows = db.execute(
        f"SELECT num, {TURN_COLUMNS} FROM turns WHERE session_id = ? AND num < ? ORDER BY num DESC LIMIT ?",
        (session_id, below or 1 << 62, limit + 1),
    ).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return TurnPage(turns=tuple(turn_of(row[1:], codec_of(db)) for row in rows), position=rows[-1][0] if more else None)


def _close(
    db: sqlite3.Connection, turn_id: TurnId, reason: StopReason, changed_files: tuple[str, ...], now: int
) -> Turn:
    row = db.execute(f"SELECT {TURN_COLUMNS} FROM turns WHERE id = ?", (turn_id,)).fetchone()
    if row is None:
        raise TurnNotFound(turnId=turn_id)
    turn = evolve(
        turn_of(row, codec_of(db)), state=TurnState.DONE, stop_reason=reason, ended_at=now, changed_files=changed_files
    )
    db.execute(
        "UPDATE turns SET state = ?, stop_reason = ?, ended_at = ?, changed_files = ? WHERE id = ?",
        (turn.state.value, reason.value, now, turn_row(turn, codec_of(db))[8], turn_id),
    )
    return turn


def _rested(record: SessionRecord, usage: Usage | None) -> SessionRecord:
    """The session after a turn: a running one is idle, any other stays as it is."""
    status = SessionStatus.IDLE if record.status is SessionStatus.RUNNING else record.status
    return evolve(record, status=status, usage=summed(record.usage, usage))


def summed(one: Usage | None, other: Usage | None) -> Usage | None:
    """Two usages together; costs that nobody knows count as none."""
    if one is None or other is None:
        return one or other
    costs = [each.cost for each in (one, other) if each.cost is not None]
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost=sum(costs) if costs else None,
    )


def _of_turns() -> str:
    return ", ".join(f"t.{column.strip()}" for column in TURN_COLUMNS.split(","))
