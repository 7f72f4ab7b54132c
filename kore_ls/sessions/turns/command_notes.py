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

from attrs import asdict, frozen

from kore_ls.agents.words import say
from kore_ls.model.display import quoted
from kore_ls.model.ids import MessageId
from kore_ls.model.message import Message, Role
from kore_ls.storage.private_files import locked, make_private_directory, read_private, write_private
from kore_ls.storage.process import ProcessMark, this_process

log = logging.getLogger(__name__)

_MOST_BYTES = 64 << 20
_MOST_NAMED = 20


@frozen(kw_only=True)
class Aside:
    """What one command left whose server was killed: names relative to the folder, `left` where they were.

    `noted` ends the note, `session_id` is where the command ran.
    """

    noted: str
    session_id: str
    renamed: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def message_id(self) -> str:
        """The id of the message that tells of it: the same, whoever tells it."""
        return self.noted.removesuffix(".json")


class CommandNotes:
    """The notes of one folder's commands: a file each, from before the command starts until all is in order again.

    Where a command was put in order for a server that was killed, the note says with what result until it is told.
    """

    def __init__(self, state_dir: Path, folder: Path) -> None:
        self._directory = state_dir / "commands"
        self._folder = folder
        self._name = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def begin(self, session_id: str, mark: str, before: str) -> str | None:
        """See `agents.ports.CommandNotes`."""
        name = f"{self._name}-{secrets.token_hex(8)}.json"
        note = {"session": session_id, "process": asdict(this_process()), "mark": mark, "before": before}
        try:
            make_private_directory(self._directory)
            self._write(name, note)
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

    def recover(self, internal: Sequence[Path]) -> list[Aside]:
        """Put aside what commands made whose servers are dead, after killing what is left of them.

        What is to be told of it, again at each call until its note is ended. Blocking. `internal` are Kore's own
        directories.
        """
        if not self.waiting():
            return []
        try:
            with locked(self._directory / "recovery.lock"):
                found = [self._recovered(file, internal) for file in sorted(self._files())]
        except OSError:
            log.warning("the notes of commands can't be read")
            return []
        return [each for each in found if each is not None]

    def _files(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from self._directory.glob(f"{self._name}-*.json")

    def _write(self, name: str, note: dict[str, Any]) -> None:
        write_private(self._directory / name, json.dumps(note | {"folder": str(self._folder)}).encode())

    def _recovered(self, file: Path, internal: Sequence[Path]) -> Aside | None:
        note = _read(file)
        if note is None or note["folder"] != str(self._folder):
            return None
        if "renamed" not in note:
            done = self._in_order(note, internal)
            if done is None:
                return None
            note = {"session": note["session"], **done}
            if not done["renamed"] and not done["left"]:
                self.end(file.name)
                return None
            self._write(file.name, note)
        try:
            names = tuple(map(str, note["renamed"])), tuple(map(str, note["left"]))
        except (TypeError, LookupError):
            return None
        return Aside(noted=file.name, session_id=note["session"], renamed=names[0], left=names[1])

    def _in_order(self, note: dict[str, Any], internal: Sequence[Path]) -> dict[str, list[str]] | None:
        """What was renamed and what was not; None where the command's server lives, or nobody can say."""
        from kore_ls.agents.commands import kill_marked
        from kore_ls.agents.tools.folder_watch import Before, FolderWatch

        try:
            if not ProcessMark(**note["process"]).is_gone():
                return None
            before = Before.read(note["before"])
            mark = str(note["mark"])
        except (LookupError, TypeError, ValueError):
            log.warning("the note of a command can't be read")
            return None
        kill_marked(mark)
        watch = FolderWatch(self._folder, internal, before=before)
        watch.restore()
        watch.put_aside()
        return {"renamed": watch.aside, "left": watch.left}


def told(aside: Aside, locale: str | None) -> Message:
    """What the session says of it, in the user's language."""
    parts = [(key, names) for key, names in (("renamed", aside.renamed), ("notRenamed", aside.left)) if names]
    lines = [say("killed", locale), *(say(key, locale, paths=_named(names)) for key, names in parts)]
    return Message(id=MessageId(aside.message_id), role=Role.SYSTEM, content="\n".join(lines))


def _named(names: Sequence[str]) -> str:
    more = (f"+{len(names) - _MOST_NAMED}",) if len(names) > _MOST_NAMED else ()
    return ", ".join((*map(quoted, names[:_MOST_NAMED]), *more))


def _read(file: Path) -> dict[str, Any] | None:
    content = read_private(file, most=_MOST_BYTES)
    try:
        note = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    whole = isinstance(note, dict) and all(isinstance(note.get(each), str) for each in ("folder", "session"))
    return note if whole else None
