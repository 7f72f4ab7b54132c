"""Commands that run, noted in the user's own state: what one made whose server was killed is put aside all the same."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import asdict

from kore_ls.storage.private_files import locked, make_private_directory, read_private, write_private
from kore_ls.storage.process import ProcessMark, this_process

log = logging.getLogger(__name__)

_MOST_BYTES = 64 << 20


class CommandNotes:
    """The notes of one folder's commands: a file each, from before the command starts until all is in order again."""

    def __init__(self, state_dir: Path, folder: Path) -> None:
        self._directory = state_dir / "commands"
        self._folder = folder
        self._name = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def begin(self, mark: str, before: str) -> str | None:
        """See `agents.ports.CommandNotes`."""
        name = f"{self._name}-{secrets.token_hex(8)}.json"
        note = {"folder": str(self._folder), "process": asdict(this_process()), "mark": mark, "before": before}
        try:
            make_private_directory(self._directory)
            write_private(self._directory / name, json.dumps(note).encode())
        except OSError:
            log.warning("a command can't be noted in the user's state")
            return None
        return name

    def end(self, noted: str) -> None:
        """See `agents.ports.CommandNotes`."""
        with suppress(OSError):
            (self._directory / noted).unlink()

    def waiting(self) -> bool:
        """Whether there are notes of this folder."""
        return any(True for _ in self._files())

    def recover(self, internal: Sequence[Path]) -> int:
        """Put aside what commands made whose servers are dead, after killing what is left of them. How many files.

        Blocking. `internal` are Kore's own directories.
        """
        if not self.waiting():
            return 0
        try:
            with locked(self._directory / "recovery.lock"):
                return sum(self._recovered(file, internal) for file in list(self._files()))
        except OSError:
            log.warning("the notes of commands can't be read")
            return 0

    def _files(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from self._directory.glob(f"{self._name}-*.json")

    def _recovered(self, file: Path, internal: Sequence[Path]) -> int:
        from kore_ls.agents.commands import kill_marked
        from kore_ls.agents.tools.folder_watch import Before, FolderWatch

        note = _read(file)
        if note is None or note["folder"] != str(self._folder):
            return 0
        try:
            if not ProcessMark(**note["process"]).is_gone():
                return 0
            before = Before.read(note["before"])
        except (TypeError, ValueError):
            log.warning("the note of a command can't be read")
            return 0
        kill_marked(note["mark"])
        watch = FolderWatch(self._folder, internal, before=before)
        watch.restore()
        count = len(watch.put_aside())
        if count:
            log.warning("files that a command had made when its server was killed were renamed: %s", count)
        self.end(file.name)
        return count


def _read(file: Path) -> dict[str, Any] | None:
    content = read_private(file, most=_MOST_BYTES)
    try:
        note = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    texts = ("folder", "mark", "before")
    whole = isinstance(note, dict) and isinstance(note.get("process"), dict)
    return note if whole and all(isinstance(note.get(each), str) and note[each] for each in texts) else None
