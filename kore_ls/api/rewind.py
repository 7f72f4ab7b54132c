"""kore/session/rewind: going on from before a message, as after an edited or repeated prompt."""

from __future__ import annotations

from attrs import frozen

from kore_ls.api.fields import MessageIdField, SessionIdField, Text
from kore_ls.api.objects import Session, viewed
from kore_ls.errors import FolderRequired, LeaseHeld, MessageNotFound, SessionBusy, SessionClosed, SessionNotFound
from kore_ls.model.message import Message
from kore_ls.rpc.methods import method
from kore_ls.sessions.rewind import rewind as rewind_session
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class SessionRewindParams:
    """The message from which on nothing stays, whether files go back as well, and whether only to look."""

    session_id: SessionIdField
    message_id: MessageIdField
    files: bool = False
    dry_run: bool = False
    folder: Text | None = None


@frozen(kw_only=True)
class SessionRewind:
    """`kept` is the archived session that holds all there was (absent with `dryRun`); `message` is the first of the
    `removed` messages that are (with `dryRun`: would be) there only.

    `reverted` and `conflicts` as `kore/turn/revert` names files, of all turns that were begun from that message on.
    """

    session: Session
    kept: Session | None = None
    message: Message
    removed: int
    reverted: tuple[str, ...]
    conflicts: tuple[str, ...]


@method(
    "kore/session/rewind",
    raises=(SessionNotFound, FolderRequired, MessageNotFound, SessionClosed, SessionBusy, LeaseHeld),
)
async def rewind(workspace: Workspace, params: SessionRewindParams) -> SessionRewind:
    """Go back to before a message; nothing is lost, an archived copy of the session keeps all that was said."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    done = await rewind_session(
        opened.folder.workbench,
        params.session_id,
        params.message_id,
        files=params.files,
        dry_run=params.dry_run,
        starter=workspace,
    )
    return SessionRewind(
        session=await viewed(opened, done.session),
        kept=None if done.kept is None else await viewed(opened, done.kept),
        message=done.message,
        removed=done.removed,
        reverted=done.files.reverted,
        conflicts=done.files.conflicts,
    )
