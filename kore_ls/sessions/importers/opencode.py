"""opencode's conversations: an SQLite database or, of older versions, a JSON file per record. Reads only."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.records import Record, inner, instant, json_object, text, whole_object
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where
from kore_ls.storage.foreign_history import ForeignHistory
from kore_ls.storage.regular_file import is_link

_QUIET = frozenset(["step-start", "snapshot", "patch", "agent", "retry", "compaction"])
_SESSION = ("id", "parent_id", "directory", "title", "version", "time_created", "time_updated", "time_archived")
_Message = tuple[str, Record, Iterator[Record]]
"""A message's id, what is said of it, and its parts."""


class Opencode(Importer):
    """`opencode.db` in the data directory (`OPENCODE_DB` names it), else `storage/session/<project>/<id>.json`."""

    name = "opencode"
    title = "opencode"
    checked = "1.18.33; the JSON files of versions before 1.2"
    patterns = ("opencode*.db", "ses_*.json")
    passed_over = frozenset({"message", "part", "session_diff", "snapshot", "log", "bin", "tool-output"})

    def roots(self, where: Where) -> Iterator[Path]:
        """The database that is named, else all in the data directory; and the older files."""
        base = where.data / "opencode"
        named = where.environ.get("OPENCODE_DB", "")
        if named and named != ":memory:" and "\0" not in named:
            yield base / named
        yield base

    def further(self, path: Path) -> Iterator[Path]:
        """The messages of a session that is a file, and their parts."""
        if path.suffix == ".json":
            storage = path.parent.parent.parent
            for message in _json_files(storage / "message" / path.stem):
                yield message
                yield from _json_files(storage / "part" / message.stem)

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """All conversations of a database, the newest message last; or the one of a file."""
        if path.suffix == ".json":
            yield from _of_files(path, where, notes)
            return
        with ForeignHistory(path, notes.problems) as database:
            if not database.has("session", "id", "directory") or not database.has("message", "session_id", "data"):
                return
            sessions = [each for each in database.rows("session", _SESSION) if where.holds(each.get("directory"))]
            wanted = {str(each.get("id")) for each in sessions}
            messages = database.numbers("message", "session_id", ("time_created", "id"), wanted.__contains__)
            parts = database.numbers("part", "session_id", ("id",), wanted.__contains__)
            for session in sessions:
                thread = _thread(session, path, where)
                ours = messages.get(thread.source_id, array("q")), parts.get(thread.source_id, array("q"))
                thread.read = _reader(thread, database, *ours, notes)
                yield thread


def _thread(session: Record, path: Path, where: Where) -> ForeignThread:
    return ForeignThread(
        source=Opencode.name,
        source_id=str(session.get("id")),
        path=path,
        title=text(session, "title") or None,
        cwd=text(session, "directory") or None,
        version=text(session, "version") or None,
        created_at=instant(session.get("time_created")),
        updated_at=instant(session.get("time_updated")),
        parent=text(session, "parent_id") or None,
        child=bool(text(session, "parent_id")),
        changing=where.now - (instant(session.get("time_updated")) or 0) < 300_000,
    )


def _reader(
    thread: ForeignThread, database: ForeignHistory, messages: array[int], parts: array[int], notes: Notes
) -> Callable[[], Iterator[Entry]]:
    def found() -> Iterator[_Message]:
        of_message: dict[str, array[int]] = {}
        for number, row in database.fetch_numbered("part", ("message_id",), parts):
            of_message.setdefault(str(row.get("message_id")), array("q")).append(number)
        for row in database.fetch("message", ("id", "data"), messages):
            message_id = str(row.get("id"))
            about = json_object(row.get("data"))
            if "role" not in about:
                notes.skip(thread.path, "a row of message", "is not what it should be")
            numbers = of_message.get(message_id, array("q"))
            said = (json_object(each.get("data")) for each in database.fetch("part", ("data",), numbers))
            yield message_id, about, said

    return lambda: _entries(thread, found())


def _of_files(path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
    """A session's file and, beside it, `message/<session>/<id>.json` and `part/<message>/<id>.json`."""
    session = whole_object(path, notes)
    if not session or not where.holds(session.get("directory")):
        return
    times = inner(session, "time")
    renamed = {"time_created": times.get("created"), "time_updated": times.get("updated")}
    thread = _thread(session | renamed | {"id": path.stem, "parent_id": session.get("parentID")}, path, where)
    storage = path.parent.parent.parent

    def found() -> Iterator[_Message]:
        for file in _json_files(storage / "message" / path.stem):
            about = whole_object(file, notes)
            parts = (whole_object(each, notes) for each in _json_files(storage / "part" / file.stem))
            if about:
                yield file.stem, about, parts

    thread.read = lambda: _entries(thread, found())
    yield thread


def _json_files(directory: Path) -> list[Path]:
    """In the order of their names, which is that of time."""
    return sorted(each for each in directory.glob("*.json") if not is_link(each))


def _entries(thread: ForeignThread, messages: Iterator[_Message]) -> Iterator[Entry]:
    assembly = Assembly(thread)
    thread.input_tokens, thread.output_tokens, thread.cost = 0, 0, None
    for message_id, about, parts in messages:
        at = instant(inner(about, "time").get("created"))
        if about.get("role") == "user":
            said = [text(each, "text") for each in parts if each.get("type") == "text" and not each.get("synthetic")]
            assembly.prompt(message_id, "\n\n".join(said), at)
        elif about.get("role") == "assistant":
            _answer(message_id, about, parts, at, assembly, thread)
        elif about:
            assembly.raw(about)
        yield from assembly.take()
    yield from assembly.finish()


def _answer(
    message_id: str, about: Record, parts: Iterator[Record], at: int | None, assembly: Assembly, thread: ForeignThread
) -> None:
    tokens = inner(about, "tokens")
    cache = inner(tokens, "cache")
    settled = inner(about, "time").get("completed") is not None or bool(about.get("error"))
    model = "/".join(filter(None, (text(about, "providerID"), text(about, "modelID"))))
    assembly.step(message_id, at, settled=settled, model=model, usage=tokens, error=inner(about, "error"))
    read = [tokens.get("input"), cache.get("read"), cache.get("write")]
    thread.spent(sum(each for each in read if isinstance(each, int)), tokens.get("output"), about.get("cost"))
    for part in parts:
        match part:
            case {"type": "text", "text": str(words)}:
                if not part.get("synthetic"):
                    assembly.say(words)
            case {"type": "reasoning", "text": str(words)}:
                assembly.think(words)
            case {"type": "tool", "callID": str(call_id), "tool": str(name)}:
                _tool(call_id, name, inner(part, "state"), assembly)
            case {"type": "step-finish" | "subtask" | "file"}:
                pass
            case {"type": str(kind)} if kind in _QUIET:
                pass
            case {}:
                if part:
                    assembly.raw(part)


def _tool(call_id: str, name: str, state: Record, assembly: Assembly) -> None:
    times = inner(state, "time")
    assembly.call(call_id, name, inner(state, "input"), instant(times.get("start")), text(state, "title"))
    status = text(state, "status")
    if status in ("completed", "error"):
        failed = status == "error"
        output = state.get("error" if failed else "output")
        assembly.result(call_id, output, failed=failed, at=instant(times.get("end")))
