"""aider's conversations: one Markdown file in the folder for all of them, without ids. Reads only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from attrs import define, field

from kore_ls.errors import ImportInvalid
from kore_ls.model.limits import IMPORT_FILE_BYTES
from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where
from kore_ls.storage.regular_file import is_link, open_regular

_HEADER = re.compile(rb"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*$")
_MODEL = re.compile(r"(?:Main model|Model): (\S+)")
_VERSION = re.compile(r"Aider v(\d[\w.]{0,30})")
_TOKENS = re.compile(r"Tokens: ([\d.]+)(k?) sent, ([\d.]+)(k?) received")
_TYPED = re.compile(rb"#### .*  \r?\n?$")
_LINE_BYTES = 1 << 20


class Aider(Importer):
    """`.aider.chat.history.md` in the folder; `AIDER_CHAT_HISTORY_FILE` names another."""

    name = "aider"
    title = "aider"
    checked = "0.86.2"
    patterns = (".aider.chat.history.md", "*.aider.chat.history.md")

    def roots(self, where: Where) -> Iterator[Path]:
        """The folder's own file."""
        named = where.environ.get("AIDER_CHAT_HISTORY_FILE", "")
        yield where.folder / (named if named and "\0" not in named else ".aider.chat.history.md")

    def within(self, root: Path, notes: Notes) -> Iterator[Path]:
        """The file, but through no link: the folder may have come with a repository."""
        if not is_link(root):
            yield from super().within(root, notes)

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The conversations between the headings; what stands before the first has no time."""
        starts: list[tuple[int, str]] = []
        ended: set[int] = set()
        seen: dict[str, int] = {}
        for offset, line in _lines(path):
            if heading := _HEADER.match(line):
                starts.append((offset, heading[1].decode()))
            elif starts and _TYPED.match(line):
                ended.add(starts[-1][0])
        ends = [offset for offset, _ in starts[1:]] + [IMPORT_FILE_BYTES]
        for (offset, started), end in zip(starts, ends, strict=True):
            seen[started] = seen.get(started, 0) + 1
            thread = ForeignThread(
                source=self.name,
                source_id=f"{path} {started}" + (f" {seen[started]}" if seen[started] > 1 else ""),
                path=path,
                created_at=_instant(started),
                changing=end == IMPORT_FILE_BYTES and where.changing(path),
            )
            thread.read = _reader(_Reading(thread, offset in ended), offset, end, notes)
            yield thread


def _reader(reading: _Reading, start: int, end: int, notes: Notes) -> Callable[[], Iterator[Entry]]:
    return lambda: reading.entries(start, end, notes)


def _lines(path: Path, start: int = 0, end: int = IMPORT_FILE_BYTES) -> Iterator[tuple[int, bytes]]:
    with open_regular(path, most=IMPORT_FILE_BYTES) as file:
        file.seek(start)
        while start < end and (line := file.readline(_LINE_BYTES)):
            yield start, line
            start += len(line)


def _instant(text: str) -> int | None:
    """The time on this machine's clock, which is what aider writes."""
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        return None


@define
class _Reading:
    """Lines become messages: `#### ` is the user, `> ` the tool, all else the answer.

    Models write headings and quotes, too: aider ends its own lines with two spaces, unless somebody took these away.
    """

    thread: ForeignThread
    ended: bool
    """Whether aider's lines still end as it wrote them."""
    kind: str = ""
    gathered: list[str] = field(factory=list)
    count: int = 0

    def entries(self, start: int, end: int, notes: Notes) -> Iterator[Entry]:
        """The messages between two places of the file."""
        self.kind, self.gathered, self.count = "", [], 0
        self.thread.input_tokens = self.thread.output_tokens = 0
        assembly = Assembly(self.thread)
        try:
            for _, raw in _lines(self.thread.path, start, end):
                if _HEADER.match(raw):
                    continue
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                kind, line = self._sorted(line)
                if kind != self.kind and (line.strip() or kind != "answer"):
                    self._flush(assembly)
                    self.kind = kind
                self.gathered.append(line)
                yield from assembly.take()
        except ImportInvalid:
            notes.skip(self.thread.path, "the file", "can't be read any more")
        self._flush(assembly)
        yield from assembly.finish()

    def _sorted(self, line: str) -> tuple[str, str]:
        """Whose line it is, and what it says."""
        own = not self.ended or line.endswith("  ")
        if own and (line.startswith("#### ") or line.rstrip() == "####"):
            return "user", line[5:].rstrip()
        if (own or self.kind != "answer") and (line.startswith("> ") or line.rstrip() == ">"):
            return "tool", line[2:].rstrip()  # of several lines of the tool's, only the last one is ended
        return "answer", line

    def _flush(self, assembly: Assembly) -> None:
        said = "\n".join(self.gathered).strip("\n")
        self.gathered = []
        key, self.count = str(self.count), self.count + 1
        if self.kind == "tool":
            if spent := _TOKENS.search(said):
                self.thread.spent(_thousands(spent[1], spent[2]), _thousands(spent[3], spent[4]))
            if version := _VERSION.search(said):
                self.thread.version = self.thread.version or version[1]
            model = _MODEL.search(said)
            assembly.about(model=model[1] if model else None, output=said[:2000] or None)
        elif self.kind == "user":
            assembly.prompt(key, said.strip())
        elif said.strip():
            assembly.step(key)
            assembly.say(said)


def _thousands(number: str, unit: str) -> float:
    try:
        return float(number) * (1000 if unit else 1)
    except ValueError:
        return 0
