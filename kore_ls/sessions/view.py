"""A session as text files, for editors that can open nothing else, and on which line each message is.

View files are copies, rewritten whenever they are asked for, gone when the session is deleted; nothing reads them back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from kore_ls.model.display import visible
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord
from kore_ls.storage.private_files import make_private_directory, write_private

if TYPE_CHECKING:
    from kore_ls.sessions.folder import Folder

VIEWS = "views"
"""The directory in the store's."""
PART = 400
"""How many messages a file holds; long sessions are in several, so that each place keeps its line."""


@frozen(kw_only=True)
class View:
    """A file, and on which line (from 0) each message starts, by its `seq`."""

    path: Path
    lines: dict[int, int]


async def write_view(folder: Folder, record: SessionRecord, seq: int) -> View:
    """Write the part of the session that holds `seq` to its view file (0600) beside the store."""
    part = (seq - 1) // PART
    page = await folder.manager.storage.list_messages(record.id, after=part * PART, limit=PART)
    text, lines = transcript(record, page.messages)
    path = folder.directory / VIEWS / f"{_file_name(record.id)}-{part + 1}.md"
    await asyncio.to_thread(_write, path, text)
    return View(path=path, lines=lines)


def remove_views(directory: Path, session_id: SessionId) -> None:
    """Remove the view files of a session whose store lies in `directory`, as far as that can be done."""
    with contextlib.suppress(OSError):
        for path in (directory / VIEWS).glob(f"{_file_name(session_id)}-*.md"):
            path.unlink(missing_ok=True)


def transcript(record: SessionRecord, messages: Sequence[Message]) -> tuple[str, dict[int, int]]:
    """The text, and the line of each message's heading; control and direction characters are shown as symbols."""
    written = [f"# {visible(record.name)}", ""]
    lines: dict[int, int] = {}
    for message in messages:
        lines[message.seq] = len(written)
        written += [f"## {message.seq} · {message.role.value} · {_time(message.timestamp)}", ""]
        written += (visible(line.expandtabs(4)) for line in message.content.replace("\r\n", "\n").split("\n"))
        written.append("")
    return "\n".join(written), lines


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
