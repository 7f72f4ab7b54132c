"""Other tools' conversations as they are found and read, in a thread of their own. Trusts nothing, writes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from attrs import evolve

from kore_ls.errors import ImportInvalid, InvalidParams, KoreError, StoreFull
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.model.message import Message
from kore_ls.sessions.documents.import_messages import MessageReader, timed
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where

T = TypeVar("T")
log = logging.getLogger(__name__)

BATCH_MESSAGES = 500
BATCH_CHARS = 4 << 20


class ReadingThread:
    """One thread in which everything foreign is read: what is opened there is used and closed there."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kore-history")

    async def __aenter__(self) -> ReadingThread:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False)

    def close(self, generator: Iterator[object]) -> None:
        """End a generator in the thread, where its files and databases were opened."""
        if isinstance(generator, Generator):
            self._executor.submit(generator.close)

    async def run(self, work: Callable[[], T]) -> T:
        """The work's outcome. Cancelling leaves it alone: nothing else runs in the thread before it has ended."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def chosen_importers(source: str | None, *, path: bool) -> Sequence[Importer]:
    """The importer of a source; without one all that know folders. Raises InvalidParams."""
    from kore_ls.sessions.importers.table import IMPORTERS

    if source is None:
        if path:
            raise InvalidParams(["params.source: is required with path"])
        return IMPORTERS
    found = [each for each in IMPORTERS if each.name == source]
    if not found:
        raise InvalidParams(["params.source: must be one of " + ", ".join(each.name for each in IMPORTERS)])
    return found


def files_of(importer: Importer, path: Path | None, where: Where, notes: Notes) -> Iterator[Path]:
    """The files of one tool: a file itself or those in a directory, with `path`; else those where it keeps them."""
    return importer.files(where, notes) if path is None else importer.within(path, notes)


def threads_in(importer: Importer, file: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
    """The conversations in one file; a fault ends them and is noted."""
    try:
        yield from importer.threads(file, where, notes)
    except ImportInvalid:
        notes.skip(file, "the file", "can't be read")
    except StoreFull:  # of the temporary directory; what is to be stored may have all the room it needs
        notes.skip(file, "the file", "can't be read: there is no room for a copy of it")
    except KoreError:
        raise
    except Exception as error:  # the boundary to what nobody vouches for: one file must not end the import
        log.warning("a file of %s could not be read (%s)", importer.name, type(error).__name__)
        notes.skip(file, "the file", "could not be understood")


def threads_of(importer: Importer, path: Path | None, where: Where, notes: Notes) -> Iterator[ForeignThread]:
    """All conversations of one tool: of a file or directory, with `path`; else of where it keeps them."""
    where = where if path is None else evolve(where, everything=True)
    for file in files_of(importer, path, where, notes):
        yield from threads_in(importer, file, where, notes)


def entries_of(thread: ForeignThread, notes: Notes) -> Iterator[Entry]:
    """The thread's messages as they are read; a fault ends them and is noted."""
    try:
        yield from thread.read()
    except ImportInvalid:
        notes.skip(thread.path, "the file", "can't be read any more")
    except KoreError:
        raise
    except Exception as error:  # the boundary to what nobody vouches for
        log.warning("a conversation of %s could not be read (%s)", thread.source, type(error).__name__)
        notes.skip(thread.path, "the rest of a conversation", "could not be understood")


def messages_of(thread: ForeignThread, notes: Notes, new_id: IdSource, now: int) -> Iterator[Message]:
    """The thread's messages, every value checked; what breaks a rule is left out and noted."""

    def leave_out(error: ImportInvalid) -> None:
        notes.bad += 1
        notes.problems.note(f"left out: {error.message}")

    reader = MessageReader(new_id=new_id, bad_message=leave_out)
    placed = ((f"{thread.path.name}: message {count}", each) for count, each in enumerate(entries_of(thread, notes), 1))
    return timed(reader.each(placed, SessionId(thread.session_id)), thread.created_at or now)


def batch(messages: Iterator[Message]) -> list[Message]:
    """As many messages as one transaction should take; empty at the end."""
    taken: list[Message] = []
    chars = 0
    for message in messages:
        taken.append(message)
        chars += len(message.content) + len(message.thinking or "")
        chars += sum(len(str(call.result)) for call in message.tool_calls or ())
        if len(taken) == BATCH_MESSAGES or chars > BATCH_CHARS:
            break
    return taken
