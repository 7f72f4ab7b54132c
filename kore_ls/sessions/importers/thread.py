"""One conversation of another tool, and what a reader of such conversations must offer. Reads and writes nothing."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field, frozen

from kore_ls.model.ids import SessionId
from kore_ls.model.problems import Problems
from kore_ls.storage.regular_file import is_file, is_link

Entry = dict[str, Any]
"""A message with the keys of the export document; nothing in it is checked yet."""

QUIET_MS = 300_000
"""A source that was written to within this time may still grow in its last message."""
_MOST_FILES = 200_000


def digest(*parts: str) -> str:
    """An identifier made of what it stands for: the same parts, the same 32 letters."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


@frozen(kw_only=True)
class Where:
    """Whose conversations are looked for, and on what machine. `now` is Unix milliseconds.

    `everything`: conversations of other folders as well.
    """

    folder: Path
    home: Path
    environ: Mapping[str, str]
    now: int
    everything: bool = False

    def directory(self, variable: str, default: Path) -> Path:
        """The directory that the environment names, else the tool's default."""
        named = self.environ.get(variable, "")
        return Path(named) if named and "\0" not in named else default

    @property
    def data(self) -> Path:
        """Where this user's programs keep their data."""
        return self.directory("XDG_DATA_HOME", self.home / ".local" / "share")

    def holds(self, cwd: object) -> bool:
        """Whether a conversation that was held in `cwd` belongs to the folder: in it, or below."""
        if self.everything:
            return True
        if not isinstance(cwd, str) or not cwd or "\0" in cwd or not Path(cwd).is_absolute():
            return False
        return Path(os.path.realpath(cwd)).is_relative_to(self.folder)

    def changing(self, path: Path) -> bool:
        """Whether a file was written to so lately that its last message may be unfinished."""
        try:
            return self.now - path.stat().st_mtime * 1000 < QUIET_MS
        except OSError:
            return False


@define
class Notes:
    """What could not be used of a source: counted, and named by its place, never by its content."""

    problems: Problems = field(factory=Problems)
    bad: int = 0
    """Records that are no records."""

    def skip(self, path: Path, place: str, problem: str) -> None:
        """A record, a file or a part of one is left out."""
        self.bad += 1
        self.problems.note(f"{path.name}: {place} {problem}")


@define(kw_only=True)
class ForeignThread:
    """One conversation. `read` gives its messages in order, each time anew; the numbers are final when it has ended.

    Times are Unix milliseconds. `parent` is the source's id of the conversation that this one was begun from.
    `salt` is random and kept with the session: what an id stands for may be a short text, and nobody may guess it.
    """

    source: str
    source_id: str
    path: Path
    read: Callable[[], Iterator[Entry]] = lambda: iter(())
    title: str | None = None
    cwd: str | None = None
    version: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    parent: str | None = None
    child: bool = False
    """Whether another conversation's agent began it, for a task of its own."""
    changing: bool = False
    """Whether somebody may still be writing its last message."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    salt: str = ""

    def message_id(self, key: str) -> str:
        """The id of the message that has this key among the thread's."""
        return digest(self.salt, self.source, self.source_id, key)

    def call_id(self, key: str) -> str:
        """The id of the tool call that has this key among the thread's."""
        return digest(self.salt, key)[:24]

    @property
    def session_id(self) -> SessionId:
        """The id of the session that it becomes: the same whenever it is read."""
        return SessionId(digest(self.source, self.source_id))

    @property
    def parent_id(self) -> SessionId | None:
        """The id of the session that its parent becomes."""
        return None if self.parent is None else SessionId(digest(self.source, self.parent))

    def spent(self, input_tokens: object = 0, output_tokens: object = 0, cost: object = None) -> None:
        """Count what a step used; what is no number counts as nothing."""
        self.input_tokens += _count(input_tokens)
        self.output_tokens += _count(output_tokens)
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 < cost < 1e9:
            self.cost = (self.cost or 0.0) + float(cost)


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1 << 50 else 0


class Importer(ABC):
    """Reads one tool's conversations. Everything it reads is hostile; it changes nothing and runs nothing."""

    name: ClassVar[str]
    """The word that clients know it by."""
    title: ClassVar[str]
    """What people call the tool."""
    checked: ClassVar[str]
    """The versions, or the form of files, that it was checked against."""
    patterns: ClassVar[tuple[str, ...]]
    """What the files are called that hold conversations."""
    knows_folders: ClassVar[bool] = True
    """Whether conversations say in which folder they were held; others are only taken when asked for by name."""

    @abstractmethod
    def roots(self, where: Where) -> Iterator[Path]:
        """The files and directories of this machine that may hold conversations of the folder."""

    @abstractmethod
    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The conversations in a file that `where` asks for. Raises ImportInvalid for a file that can't be read."""

    def further(self, path: Path) -> Iterator[Path]:
        """Other files that hold a part of the conversations of a file, besides a database's log."""
        return iter(())

    def files(self, where: Where, notes: Notes) -> Iterator[Path]:
        """All files to look into, each once."""
        seen: set[Path] = set()
        for root in self.roots(where):
            for path in self.within(root, notes):
                if path not in seen:
                    seen.add(path)
                    yield path

    def within(self, root: Path, notes: Notes) -> Iterator[Path]:
        """A file itself; of a directory, the regular files below it that have the right names, in their order.

        A directory that can't be read, as one of another user, is passed over and noted.
        """
        if is_file(root):
            yield root
            return

        def unreadable(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                notes.skip(Path(os.fsdecode(error.filename)), "the directory", "can't be read")

        found = 0
        for directory, below, names in os.walk(root, onerror=unreadable, followlinks=False):
            below[:] = sorted(each for each in below if each not in self.passed_over)
            for name in sorted(names):
                path = Path(directory, name)
                if any(path.match(pattern) for pattern in self.patterns) and not is_link(path):
                    found += 1
                    if found > _MOST_FILES:
                        return
                    yield path

    passed_over: ClassVar[frozenset[str]] = frozenset()
    """Directories that hold no conversations of their own."""
