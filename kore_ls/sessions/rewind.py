"""Takes a session back to before one of its messages, and the files with it where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from kore_ls.errors import SessionBusy, SessionClosed
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.model.turn import FileSnapshot, Turn
from kore_ls.sessions.changes import checked_id
from kore_ls.sessions.turns.folder_workbench import FolderWorkbench
from kore_ls.sessions.turns.revert import Reverted, revert_files
from kore_ls.storage.rewind_rows import RewindPoint


@frozen(kw_only=True)
class Rewinding:
    """What a rewind did, or (asked only, `kept` is None) would do; see `Reverted` for the files."""

    session: SessionRecord
    kept: SessionRecord | None
    message: Message
    removed: int
    files: Reverted


async def rewind(
    bench: FolderWorkbench, session_id: str, message_id: str, *, files: bool, dry_run: bool, starter: object
) -> Rewinding:
    """Let a session go on from before a message.

    Raises SessionNotFound, MessageNotFound, SessionClosed, SessionBusy, LeaseHeld.
    """
    known = checked_id(session_id)
    if dry_run:
        session, point, kept = await _point(bench, known, MessageId(message_id))
    else:
        done = await bench.manager.rewind_session(known, message_id)
        session, point, kept = done.session, done.point, done.kept
    reverted = Reverted(reverted=(), conflicts=())
    if files:
        reverted = await _take_back(bench, point.turns, dry_run=dry_run, starter=starter)
    return Rewinding(session=session, kept=kept, message=point.message, removed=point.following, files=reverted)


async def _point(
    bench: FolderWorkbench, session_id: SessionId, message_id: MessageId
) -> tuple[SessionRecord, RewindPoint, None]:
    session = await bench.manager.storage.load_session(session_id)
    if session.status is SessionStatus.CLOSED:
        raise SessionClosed(sessionId=session_id)
    if session.status is SessionStatus.RUNNING:
        raise SessionBusy(sessionId=session_id)
    return session, await bench.manager.storage.turns.rewind_point(session_id, message_id), None


async def _take_back(bench: FolderWorkbench, turns: Sequence[Turn], *, dry_run: bool, starter: object) -> Reverted:
    """Bring the files of several turns, newest first, back to what they were before the oldest of them."""
    changed: dict[str, FileSnapshot] = {}
    broken: set[str] = set()
    for turn in turns:
        for snapshot in await bench.manager.storage.turns.snapshots(turn.turn_id):
            newer = changed.get(snapshot.path)
            if newer is None:
                changed[snapshot.path] = snapshot
            elif snapshot.after != newer.before:  # somebody else changed it between the two turns
                broken.add(snapshot.path)
            else:
                changed[snapshot.path] = evolve(snapshot, after=newer.after)
    whole = [snapshot for path, snapshot in changed.items() if path not in broken]
    done = await revert_files(bench, whole, dry_run=dry_run, starter=starter)
    return Reverted(reverted=done.reverted, conflicts=(*done.conflicts, *sorted(broken)))
