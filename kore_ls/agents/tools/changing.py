"""How tools change files: through the editor where it has the file open, else whole on disk; revertible either way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from attrs import frozen

from kore_ls.agents import anchored
from kore_ls.agents.paths import Place
from kore_ls.agents.ports import Document, EditResult
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.tool import Desk

FILE_BYTES = 10 << 20
"""The biggest file that tools read whole, change and keep a before-image of."""

P = ParamSpec("P")
T = TypeVar("T")


@frozen(kw_only=True)
class Current:
    """A file's text as the user sees it: the open document's, else the disk's. `content` is what is on disk.

    Both are None where there is no file.
    """

    text: str | None
    content: bytes | None
    document: Document | None


async def finished(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread, to its end also when cancelled: a change is made whole or not at all."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise


async def current_text(desk: Desk, place: Place) -> Current:
    """Read a text file. Raises ToolProblem: not text, too big, not a regular file."""
    document = desk.around.editor.document(place.path)
    content = None
    if place.identity is not None:
        content = await asyncio.to_thread(anchored.read_bytes, place, most=FILE_BYTES)
    if document is not None:
        return Current(text=document.text, content=content, document=document)
    return Current(text=None if content is None else text_of(content), content=content, document=None)


def text_of(content: bytes) -> str:
    """A file's bytes as text. Raises ToolProblem."""
    if b"\0" in content[:8192]:
        raise ToolProblem("This is not a text file.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ToolProblem("This file's text is not UTF-8.") from error


async def change_text(desk: Desk, place: Place, before: Current, after: str) -> None:
    """Give a file a new text if it still has the one in `before`. Raises ToolProblem."""
    encoded = after.encode()
    if len(encoded) > FILE_BYTES:
        raise ToolProblem(f"This is more than {FILE_BYTES >> 20} MiB.")
    desk.budget.write(len(encoded))
    document = desk.around.editor.document(place.path)
    if document is None and before.document is None:
        await desk.around.snapshots.keep(desk.turn_id, place.path, before=before.content, after=encoded)
        await _replace(desk, place, encoded, before.content)
        return
    if document is None or before.document is None or document.version != before.document.version:
        raise ToolProblem(anchored.CHANGED)
    await _change_document(desk, place, document, before, after)


async def _replace(desk: Desk, place: Place, content: bytes, expected: bytes | None) -> None:
    try:
        await finished(anchored.replace_bytes, place, content, expected=expected)
    except ToolProblem:
        await desk.around.snapshots.unchanged(desk.turn_id, place.path, content=expected)
        raise


async def _change_document(desk: Desk, place: Place, document: Document, before: Current, after: str) -> None:
    """An open document: its editor changes it. What the editor can't change is written only if nothing is lost."""
    content = document.text.encode() if document.dirty else before.content
    await desk.around.snapshots.keep(desk.turn_id, place.path, before=content, after=after.encode())
    edited = asyncio.ensure_future(
        desk.around.editor.edit(place.path, before=document.text, after=after, version=document.version)
    )
    result = await asyncio.shield(edited)
    if result is EditResult.APPLIED:
        return
    if result is EditResult.UNAVAILABLE and not document.dirty:
        await _replace(desk, place, after.encode(), before.content)
        return
    now = desk.around.editor.document(place.path)
    if now is not None and now.text == document.text:  # else it may have come about in part: a revert will see
        await desk.around.snapshots.unchanged(desk.turn_id, place.path, content=content)
    raise ToolProblem(
        {
            EditResult.REFUSED: "The editor refused the change.",
            EditResult.STALE: anchored.CHANGED,
        }.get(result, "The file has unsaved changes in an editor; save it first.")
    )


def check_saved(desk: Desk, place: Place) -> None:
    """Raise ToolProblem where an editor has unsaved changes of the file."""
    document = desk.around.editor.document(place.path)
    if document is not None and document.dirty:
        raise ToolProblem("The file has unsaved changes in an editor; save it first.")
