"""A session as read-only Markdown, for editors that can open nothing else, and on which line each message is.

View files are copies, rewritten whenever they are asked for, gone when the session is deleted; nothing reads them back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from kore_ls.model.display import shortened, visible
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.inert_markdown import inert
from kore_ls.storage.private_files import make_private_directory, write_private

if TYPE_CHECKING:
    from kore_ls.sessions.folder import Folder

VIEWS = "view"
"""The directory in the store's."""
TITLE_CHARS = 120
PART = 400
"""How many messages a file holds; long sessions are in several, so that each place keeps its line."""


@frozen(kw_only=True)
class View:
    """A file, and on which line (from 0) each message starts, by its `seq`."""

    path: Path
    lines: dict[int, int]


async def write_view(folder: Folder, record: SessionRecord, seq: int) -> View | None:
    """Write the part of the session that holds `seq` to its view file (0400) beside the store.

    None: the store is encrypted, maybe only since a moment ago, and no such file is left.
    Raises SessionNotFound (also for a deleted one), the errors of opening the store, and OSError.
    """
    encrypted = folder.manager.storage.encryption.in_file
    if await encrypted():
        return None
    text, lines = await read_part(folder, record.id, seq)
    part = max(seq - 1, 0) // PART
    path = folder.directory / VIEWS / f"{_file_name(record.id)}{f'-{part + 1}' if part else ''}.md"

    async def written() -> View | None:
        kept = False
        try:
            await asyncio.to_thread(_write, path, text)
            kept = not await encrypted()  # else whoever encrypted it may have removed the views before this one
        except OSError:
            if not await encrypted():  # else the directory went with the other views
                raise
        finally:
            if not kept:
                path.unlink(missing_ok=True)
        return View(path=path, lines=lines) if kept else None

    return await asyncio.shield(asyncio.ensure_future(written()))  # whoever cancels it leaves no file unlooked at


async def read_part(folder: Folder, session_id: SessionId, seq: int) -> tuple[str, dict[int, int]]:
    """The transcript of the part that holds `seq`, as `transcript` gives it. Raises SessionNotFound, StoreLocked."""
    storage = folder.manager.storage
    record = await storage.load_session(session_id)
    first = max(seq - 1, 0) // PART * PART
    messages: list[Message] = []
    more = True
    while more and len(messages) < PART:  # a page may end early
        after = messages[-1].seq if messages else first
        page = await storage.list_messages(session_id, after=after, limit=PART - len(messages))
        messages += page.messages
        more = page.has_more
    return transcript(record, messages)


def remove_views(directory: Path, session_id: SessionId) -> None:
    """Remove the view files of a session whose store lies in `directory`, as far as that can be done."""
    with contextlib.suppress(OSError):
        for path in (directory / VIEWS).glob(f"{_file_name(session_id)}*.md"):
            path.unlink(missing_ok=True)


def remove_all_views(directory: Path) -> None:
    """Remove the view files of all sessions whose store lies in `directory`, as far as that can be done."""
    shutil.rmtree(directory / VIEWS, ignore_errors=True)


def transcript(record: SessionRecord, messages: Sequence[Message]) -> tuple[str, dict[int, int]]:
    """The text, and the line of each message's heading.

    Control and direction characters are shown as symbols; links, images, HTML and headings of messages do nothing.
    """
    written = [f"# {inert(visible(record.name))[0]}", ""]
    lines: dict[int, int] = {}
    for message in messages:
        lines[message.seq] = len(written)
        written += [f"## {message.seq} · {message.role.value} · {_time(message.timestamp)}", ""]
        shown = (visible(line.expandtabs(4)) for line in message.content.replace("\r\n", "\n").split("\n"))
        written += inert("\n".join(shown)) if message.content or not message.tool_calls else []
        written += map(_tool_line, message.tool_calls or ())
        written.append("")
    return "\n".join(written), lines


def _tool_line(call: ToolCall) -> str:
    title = inert(shortened(visible(call.title or call.name), TITLE_CHARS))[0]
    return f"- *{title}* — {call.status.value}"


def _file_name(session_id: SessionId) -> str:
    # An imported session's id was chosen elsewhere, so it names no file.
    return hashlib.blake2b(session_id.encode(), digest_size=12).hexdigest()


def _time(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)


def _write(path: Path, text: str) -> None:
    make_private_directory(path.parent)
    write_private(path, text.encode("utf-8", "replace"))
    path.chmod(0o400)
