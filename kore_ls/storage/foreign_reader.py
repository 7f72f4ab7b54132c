"""Reads the sessions in an SQLite file that nobody vouches for, from a private copy; never opens the file in place.

Knows the seed's schema and our own, of any version. What it returns is unchecked: `parse_rows` judges it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from kore_ls.errors import ImportInvalid, StoreDamaged, StoreFull, StoreLocked, WrongKey
from kore_ls.model.limits import IMPORT_FILE_BYTES, IMPORT_MESSAGES
from kore_ls.model.problems import Problems
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.codec import Codec
from kore_ls.storage.columns import SEALED
from kore_ls.storage.foreign_table import READ_ERRORS, ForeignDatabase, Row
from kore_ls.storage.keys import open_key, wrapped_key
from kore_ls.storage.regular_file import open_regular

SQLITE_MAGIC = b"SQLite format 3\0"
READING_SECONDS = 300.0

_CHUNK = 1 << 20
_SESSION_COLUMNS = (
    "id", "name", "agent_mode", "status", "created_at", "updated_at", "metadata", "tags", "description", "pinned",
    "archived", "deleted_at", "hidden", "parent_id", "forked_at_seq", "usage",
)  # fmt: skip
_MESSAGE_COLUMNS = (
    "id", "session_id", "role", "content", "timestamp", "metadata", "uid", "seq", "turn_id", "state", "thinking",
)  # fmt: skip
_TOOL_CALL_COLUMNS = (
    "message_id", "position", "id", "name", "kind", "title", "arguments", "status", "result", "started_at", "ended_at",
    "output",
)  # fmt: skip
_KEY_COLUMNS = ("key_id", "kdf", "cost", "salt", "wrapped")
_MOST_KEYS = 100
_OWN_MARKS = {"uid", "seq"}
_JSON_COLUMNS = ("metadata", "tags", "usage", "arguments", "result")


@frozen(kw_only=True)
class ForeignContent:
    """What a foreign file holds.

    `sessions`: dicts with the keys of the export document (and `deleted_at`, and `seq` in messages), `messages`
    inside; those of our own schema have `format`. `problems`: what could not be read, by its place.
    """

    sessions: list[dict[str, Any]]
    problems: list[str]


def read_foreign(path: Path, ciphers: Sequence[Cipher] = (), *, seconds: float = READING_SECONDS) -> ForeignContent:
    """Read all that can be read in `seconds`; blocks, so call it in a thread. Of an encrypted store, with its key.

    Only the main file counts: a journal beside it could rewrite what is read. Raises StoreLocked where none of
    `ciphers` opens it, ImportInvalid (place `path`) if the file is no SQLite database of at most 1 GiB with a table of
    sessions, StoreFull if the copy finds no room.
    """
    problems = Problems()
    if _has_content(path.with_name(path.name + "-wal")):
        problems.note("changes that are still in the -wal file beside it are left out")
    with tempfile.TemporaryDirectory(prefix="kore-") as folder:
        copy = Path(folder) / "copy.db"
        size = copy_database(path, copy)
        uri = f"{copy.as_uri()}?mode=ro&immutable=1"
        most_bytes = 2 * size + _CHUNK  # text stored as UTF-16 may grow by half
        try:
            database = ForeignDatabase(uri, seconds=seconds, most_bytes=most_bytes, problems=problems)
            with closing(database):
                sessions = _sessions(database, _codec(database, ciphers))
        except READ_ERRORS:
            raise _refused("is too damaged to be read") from None
    return ForeignContent(sessions=sessions, problems=problems.texts())


def check_foreign_key(path: Path, cipher: Cipher) -> None:
    """Raise WrongKey where the file is an encrypted store that `cipher` does not open; else as `read_foreign`."""
    with tempfile.TemporaryDirectory(prefix="kore-") as folder:
        copy = Path(folder) / "copy.db"
        size = copy_database(path, copy)
        uri = f"{copy.as_uri()}?mode=ro&immutable=1"
        try:
            with closing(
                ForeignDatabase(uri, seconds=READING_SECONDS, most_bytes=size, problems=Problems())
            ) as database:
                _codec(database, (cipher,))
        except StoreLocked as error:
            raise WrongKey from error
        except READ_ERRORS:
            raise _refused("is too damaged to be read") from None


def copy_database(path: Path, copy: Path, most: int = IMPORT_FILE_BYTES) -> int:
    """Copy a database's main file of at most `most` bytes; their number. Raises ImportInvalid, StoreFull."""
    with open_regular(path, most=most) as source:
        try:
            chunk = source.read(_CHUNK)
        except OSError:
            raise _refused("can't be read") from None
        if not chunk.startswith(SQLITE_MAGIC):
            raise _refused("is not an SQLite database")
        size = 0
        try:
            with copy.open("xb") as target:
                while chunk and size <= most:
                    size += target.write(chunk)
                    chunk = source.read(_CHUNK)
        except OSError:
            raise StoreFull("no room for a copy of the file") from None
    return size


def _has_content(path: Path) -> bool:
    try:
        return path.lstat().st_size > 0
    except OSError:
        return False


def _refused(problem: str) -> ImportInvalid:
    return ImportInvalid(f"path: {problem}", place="path")


def _codec(database: ForeignDatabase, ciphers: Sequence[Cipher]) -> Codec | None:
    """How an encrypted store of our own schema is to be read; None: it is not encrypted. Raises StoreLocked."""
    if not database.has_table("keys") or not set(database.columns("keys")) >= set(_KEY_COLUMNS):
        return None
    rows = list(database.rows("keys", _KEY_COLUMNS, most=_MOST_KEYS))
    if not rows:
        return None
    wrapped = wrapped_key(*(rows[-1].get(column) for column in _KEY_COLUMNS))
    for cipher in ciphers:
        with suppress(WrongKey):
            return open_key(wrapped, cipher).codec()
    raise StoreLocked("the file is encrypted, and no key is configured that opens it", reason="key")


def _opened(database: ForeignDatabase, codec: Codec | None, table: str, row: Row, place: str, own: str) -> Row:
    """The row with its encrypted values in the clear; `own`: to what they are bound. What can't be opened is noted."""
    if codec is None:
        return row
    opened = dict(row)
    for column in SEALED[table].columns:
        if opened.get(column) is None:
            continue
        try:
            opened[column] = codec.open(own, column, opened[column])
        except StoreDamaged:
            del opened[column]
            database.problems.note(f"{place}.{column}: can't be decrypted")
    return opened


def _sessions(database: ForeignDatabase, codec: Codec | None) -> list[Row]:
    if not database.has_table("sessions"):
        raise _refused("holds no table of sessions")
    tables = [name for name in ("sessions", "messages", "tool_calls") if database.has_table(name)]
    own = "messages" in tables and set(database.columns("messages")) >= _OWN_MARKS
    sessions = list(_session_rows(database, own, codec))
    if "messages" in tables:
        messages = _attach_messages(database, sessions, own, codec)
        if own and "tool_calls" in tables:
            _attach_tool_calls(database, messages, codec)
    for table in tables:
        database.check(table)
    return sessions


def _session_rows(database: ForeignDatabase, own: bool, codec: Codec | None) -> Iterator[Row]:
    index = 0
    for row in database.rows("sessions", _SESSION_COLUMNS, most=IMPORT_MESSAGES):
        if row.pop("hidden", 0):
            continue  # on its way out, or not yet completely in
        place = f"sessions[{index}]"
        index += 1
        if codec is not None:
            bound = codec.place("sessions", str(row.get("id")), str(row.get("id")))
            row = _opened(database, codec, "sessions", row, place, bound)
        session = _plain(row, place, database.problems)
        for flag in ("pinned", "archived"):
            if session.get(flag) in (0, 1):
                session[flag] = bool(session[flag])
        if own:
            session |= {"format": "kore-session", "version": 1}
        yield session | {"messages": []}


def _attach_messages(
    database: ForeignDatabase, sessions: list[Row], own: bool, codec: Codec | None
) -> dict[Any, tuple[str, Row]]:
    """Put the messages into their sessions; by row id, where each is and the message."""
    places = {session.get("id"): (f"sessions[{index}]", session) for index, session in enumerate(sessions)}
    attached: dict[Any, tuple[str, Row]] = {}
    texts = _Apart(database, codec, "attached_texts", "text", {"textLeftOut": True})
    lost = 0
    for row in database.rows("messages", _MESSAGE_COLUMNS, most=IMPORT_MESSAGES):
        place, session = places.get(_text(row.get("session_id")), ("", None))
        if session is None:
            lost += 1
            continue
        place = f"{place}.messages[{len(session['messages'])}]"
        if codec is not None:
            uid, owner, role = (str(row.get(name)) for name in ("uid", "session_id", "role"))
            bound = codec.place("messages", uid, owner, role, str(row.get("seq")))
            row = _opened(database, codec, "messages", row, place, bound)
        message = _plain(row, place, database.problems)
        if own:
            attached[row.get("id")] = (place, message)
            message["id"] = message.pop("uid", None)
            if isinstance(message.get("metadata"), list):
                _bring_attached(message, f"{place}.metadata", texts, codec, database.problems)
        session["messages"].append(message)
    texts.bring()
    if lost:
        database.problems.note(f"messages: {lost} rows belong to no session that could be read")
    return attached


def _attach_tool_calls(database: ForeignDatabase, messages: dict[Any, tuple[str, Row]], codec: Codec | None) -> None:
    outputs = _Apart(database, codec, "outputs", "result")
    for row in database.rows("tool_calls", _TOOL_CALL_COLUMNS, most=IMPORT_MESSAGES):
        place, message = messages.get(row.pop("message_id", None), ("", None))
        if message is None:
            continue
        calls = message.setdefault("tool_calls", [])
        at = f"{place}.tool_calls[{len(calls)}]"
        if codec is not None:
            owner = str(message.get("session_id"))
            role = str(row.get("output") or "")
            bound = codec.place("tool_calls", str(message.get("id")), owner, role, str(row.get("position")))
            row = _opened(database, codec, "tool_calls", row, at, bound)
        call = _plain(row, at, database.problems)
        if (output := call.pop("output", None)) is not None:
            outputs.want(output, at, call)
        calls.append(call)
    outputs.bring()
    for _, message in messages.values():
        calls = message.get("tool_calls", [])
        if all(isinstance(call.get("position"), int) for call in calls):
            calls.sort(key=lambda call: int(call["position"]))


class _Apart:
    """What rows keep in another table, each by a name: `key` of every one of them that holds it, else `lost`.

    Many may share one, so all together have a limit, too.
    """

    def __init__(
        self, database: ForeignDatabase, codec: Codec | None, table: str, key: str, lost: Row | None = None
    ) -> None:
        self._database = database
        self._codec = codec
        self._table = table
        self._key = key
        self._lost = lost or {}
        self._holders: dict[Any, list[tuple[str, Row]]] = {}

    def want(self, name: Any, at: str, holder: Row) -> None:
        """What has this name in the file belongs to `holder`, which is at a place."""
        self._holders.setdefault(name, []).append((at, holder))

    def bring(self) -> None:
        """Give every holder its own."""
        problems, left = self._database.problems, IMPORT_FILE_BYTES
        columns = ("name", "content")
        for row in self._database.rows(self._table, columns, most=IMPORT_MESSAGES) if self._holders else ():
            name, content = _text(row.get("name")), row.get("content")
            sharing = self._holders.pop(name, [])
            size = len(content) + 1 if isinstance(content, str | bytes) else 1
            if len(sharing) > left // size:
                problems.note(f"{self._table}: these contents together are too large; some are left out")
                for _, holder in sharing[left // size :]:
                    holder.update(self._lost)
                sharing = sharing[: left // size]
            if not sharing:
                continue
            left -= size * len(sharing)
            at = sharing[0][0]
            if self._codec is not None:
                bound = self._codec.place(self._table, str(name), "")
                row = _opened(self._database, self._codec, self._table, row, at, bound)
            found = _plain({self._key: row.get("content")}, at, problems)
            for _, holder in sharing:
                holder.update(found or self._lost)
        for at, holder in (each for sharing in self._holders.values() for each in sharing):
            holder.update(self._lost)
            problems.note(f"{at}.{self._key}: can't be read")


def _bring_attached(message: Row, at: str, texts: _Apart, codec: Codec | None, problems: Problems) -> None:
    """Make whole what `attachments` has taken apart in a message's metadata."""
    try:
        metadata, names = map(dict, message.pop("metadata"))
        for place, name in names.items():
            holder = metadata["context"][int(place)] = dict(metadata["context"][int(place)])
            texts.want(name if codec is None else codec.hide(name), f"{at}.context[{int(place)}]", holder)
    except (ValueError, TypeError, LookupError):
        problems.note(f"{at}: can't be read")
    else:
        message["metadata"] = metadata


def _plain(row: Row, place: str, problems: Problems) -> Row:
    """The row with its texts as `str` and its JSON columns parsed; broken JSON is left out and noted."""
    plain = {name: _text(value) for name, value in row.items() if value is not None}
    for name in _JSON_COLUMNS:
        text = plain.get(name)
        if text is None or isinstance(text, int | float):  # SQLite makes a number of JSON that is one
            continue
        try:
            plain[name] = json.loads(text, parse_constant=_refuse)
        except (ValueError, TypeError, RecursionError):
            del plain[name]
            problems.note(f"{place}.{name}: is not JSON")
    return plain


def _refuse(_: str) -> Any:
    raise ValueError


def _text(value: Any) -> Any:
    """A BLOB that is UTF-8 as text: some programs store their JSON and texts so."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
